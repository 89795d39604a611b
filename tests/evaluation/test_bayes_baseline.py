"""The simple alternative to a refined policy."""

import hashlib

import numpy as np
import pytest

from enron_triage.evaluation.bayes_baseline import compare_rewards, supervised_ancestor
from enron_triage.policy.checkpoint import Checkpoint, save_checkpoint
from enron_triage.policy.decisions import Decision, least_expected_cost
from enron_triage.policy.metrics import mean_reward
from enron_triage.policy.network import PolicySpec, new_policy

COSTS = tuple(tuple(float(abs(row - column)) for column in range(5)) for row in range(5))


def test_the_action_of_least_expected_cost_is_the_sum_over_what_may_be_true():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(5), 20)
    expected = [
        min(range(5), key=lambda action: sum(p[true] * COSTS[true][action] for true in range(5))) for p in probabilities
    ]
    assert least_expected_cost(probabilities, COSTS).tolist() == expected
    decision = Decision(rule="argmax", offsets={"argmax": [0.0] * 5}, costs=COSTS)
    assert decision.decide(np.log(probabilities), "expected_reward").tolist() == expected
    assert decision.decide(np.log(probabilities)).tolist() == probabilities.argmax(axis=1).tolist()


def test_the_mean_reward_is_minus_the_mean_cost():
    assert mean_reward(np.diag([1, 2, 3, 4, 5]), COSTS) == 0
    confusion = np.zeros((5, 5), dtype=int)
    confusion[0, 4], confusion[1, 1] = 1, 3
    assert mean_reward(confusion, COSTS) == pytest.approx(-4 / 4)


def test_decisions_are_compared_message_by_message_and_mailbox_by_mailbox():
    targets = np.array([0, 0, 4, 4] * 6)
    mailbox = np.repeat(np.arange(12), 2)
    predictions, alternative = np.array([0, 1, 4, 4] * 6), np.array([0, 0, 4, 2] * 6)
    compared = compare_rewards("best_sft", predictions, alternative, targets, mailbox, costs=COSTS)
    assert compared.mean_reward == pytest.approx(-2 / 4)
    assert compared.gain == pytest.approx((-1 + 2) / 4)
    assert compared.beats_baseline
    low, high = compared.interval
    assert -0.5 <= low < compared.gain < high <= 1.0
    same = compare_rewards("best_sft", targets, targets, targets, mailbox[:24] % 3, costs=COSTS)
    assert (same.gain, same.beats_baseline, same.interval) == (0, False, None)


def test_a_policys_sft_ancestor_is_found_beside_it_or_by_its_path(tmp_path, checkpoint_fields, caplog):
    def save(path, stage, init, of=None):
        path.parent.mkdir(exist_ok=True)
        digest = hashlib.sha256(of.read_bytes()).hexdigest() if of else ""
        model = PolicySpec(inputs=3, hidden=(4,), dropout=0.0)
        weights = new_policy(model, seed=1).state_dict()
        checkpoint = Checkpoint(
            **checkpoint_fields(3, stage=stage, init=init, init_digest=digest, model=model, weights=weights)
        )
        save_checkpoint(path, checkpoint)
        return path, checkpoint

    save(tmp_path / "best_sft.pt", "sft", "")
    save(tmp_path / "best_dpo.pt", "dpo", "best_sft", tmp_path / "best_sft.pt")
    last = save(tmp_path / "run" / "best_grpo.pt", "grpo", str(tmp_path / "best_dpo.pt"), tmp_path / "best_dpo.pt")
    path, found = supervised_ancestor(*last)
    assert (path, found.stage) == (tmp_path / "best_sft.pt", "sft")
    orphan = save(tmp_path / "run" / "best_dpo.pt", "dpo", "best_sft")
    assert supervised_ancestor(*orphan) is None
    assert "no comparison with the policy that this one was refined from" in caplog.text
    for place in (tmp_path / "best_reward.pt", tmp_path / "run" / "best_reward.pt"):
        save(tmp_path / "weighted" / "best_sft.pt", "sft", "")
        named = save(place, "reward", "weighted/best_sft", tmp_path / "weighted" / "best_sft.pt")
        assert supervised_ancestor(*named)[0] == tmp_path / "weighted" / "best_sft.pt"
    save(tmp_path / "best_sft.pt", "sft", "another")  # trained again meanwhile
    assert supervised_ancestor(*last) is None
    assert "best_sft.pt is not what this policy was refined from any more" in caplog.text
    (tmp_path / "best_sft.pt").unlink()
    assert supervised_ancestor(*last) is None
