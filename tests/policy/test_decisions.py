"""From probabilities to actions: each rule against its definition."""

import numpy as np
import pytest

from enron_triage.config.training import DecisionConfig, RewardsConfig
from enron_triage.errors import UsageError
from enron_triage.policy.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from enron_triage.policy.decisions import RULES, Decision, DecisionRule
from enron_triage.policy.network import PolicySpec, new_policy
from enron_triage.policy.offsets import decide, prior_offsets, tuned_offsets

COSTS = RewardsConfig().costs


def sample(count=4000, seed=0):
    """Calibrated log-probabilities, and targets drawn from them; the first actions are rare."""
    generator = np.random.default_rng(seed)
    shares = generator.dirichlet([0.3, 0.2, 0.2, 2, 3], size=count).clip(1e-6)
    shares /= shares.sum(axis=1, keepdims=True)
    targets = (generator.random((count, 1)) > shares.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return np.log(shares), targets


def test_every_rule_is_fitted_and_the_configured_one_is_the_policys_own():
    log_p, targets = sample()
    shares = np.bincount(targets, minlength=5) / len(targets)
    decision = Decision.fit(DecisionConfig(rule="prior"), COSTS, shares, log_p, targets)
    assert decision.rule == "prior"
    assert decision.decide(log_p).tolist() == decide(log_p, prior_offsets(shares, 0.5)).tolist()
    assert decision.decide(log_p, "argmax").tolist() == log_p.argmax(axis=1).tolist()
    assert Decision.fit(DecisionConfig(), COSTS, shares, log_p, targets).rule == "argmax"


def test_thresholds_are_tuned_from_the_prior_for_macro_f1_and_from_zero_for_a_cost():
    log_p, targets = sample()
    shares = np.bincount(targets, minlength=5) / len(targets)
    dear = tuple(tuple(0.0 if i == j else 50.0 if i == 0 else 1.0 for j in range(5)) for i in range(5))
    by_cost = Decision.fit(DecisionConfig(objective="cost"), dear, shares, log_p, targets)
    assert by_cost.offsets["thresholds"] == tuned_offsets(log_p, targets, np.zeros(5), dear).tolist()
    by_f1 = Decision.fit(DecisionConfig(), dear, shares, log_p, targets)
    assert by_f1.offsets["thresholds"] == tuned_offsets(log_p, targets, prior_offsets(shares, 0.5)).tolist()


def never_delete(data):
    """A toy rule, which a version of tomorrow might have."""
    return np.where(np.arange(len(data.class_prior)) == 4, -99.0, 0.0)


def test_a_rule_in_the_table_is_fitted_kept_in_a_checkpoint_and_decides(monkeypatch, tmp_path, checkpoint_fields):
    monkeypatch.setitem(RULES, "never_delete", DecisionRule(fit=never_delete))
    log_p, targets = sample()
    decision = Decision.fit(DecisionConfig(rule="never_delete"), COSTS, np.full(5, 0.2), log_p, targets)
    loaded = saved_and_loaded(tmp_path / "best_sft.pt", checkpoint_fields, decision)
    assert loaded == decision
    assert loaded.available[-1] == "never_delete"
    expected = log_p[:, :4].argmax(axis=1).tolist()
    assert loaded.decide(log_p).tolist() == loaded.decide(log_p, "never_delete").tolist() == expected


def test_a_rule_without_parameters_decides_by_its_function_alone(monkeypatch):
    monkeypatch.setitem(RULES, "always_reply", DecisionRule(decide=lambda log_p, offsets, costs: np.zeros(len(log_p))))
    log_p, targets = sample(10)
    decision = Decision.fit(DecisionConfig(), COSTS, np.full(5, 0.2), log_p, targets)
    assert decision.offsets.keys() == {"argmax", "prior", "thresholds"}
    assert decision.decide(log_p, "always_reply").tolist() == [0] * 10


def test_a_checkpoint_that_is_older_than_a_rule_is_used_without_it(monkeypatch, tmp_path, checkpoint_fields):
    log_p, targets = sample()
    decision = Decision.fit(DecisionConfig(rule="prior"), COSTS, np.full(5, 0.2), log_p, targets)
    monkeypatch.setitem(RULES, "never_delete", DecisionRule(fit=never_delete))
    loaded = saved_and_loaded(tmp_path / "best_sft.pt", checkpoint_fields, decision)
    assert loaded.available == ["argmax", "prior", "thresholds", "expected_reward"]
    assert loaded.decide(log_p).tolist() == decision.decide(log_p, "prior").tolist()
    for choose in (lambda: loaded.with_rule("never_delete"), lambda: loaded.decide(log_p, "never_delete")):
        with pytest.raises(UsageError, match="no fitted rule never_delete; train again with `triage sft`, or choose "):
            choose()


def saved_and_loaded(path, checkpoint_fields, decision):
    spec = PolicySpec(inputs=3, hidden=(4,), dropout=0.0)
    weights = new_policy(spec, seed=1).state_dict()
    save_checkpoint(path, Checkpoint(**checkpoint_fields(3, model=spec, weights=weights, decision=decision)))
    return load_checkpoint(path).decision
