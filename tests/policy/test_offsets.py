"""Offsets of the actions: each kind against its definition."""

import numpy as np

from enron_triage.config.training import RewardsConfig
from enron_triage.policy import metrics
from enron_triage.policy.offsets import decide, prior_offsets, tuned_offsets

COSTS = RewardsConfig().costs


def sample(count=4000, seed=0):
    """Calibrated log-probabilities, and targets drawn from them; the first actions are rare."""
    generator = np.random.default_rng(seed)
    shares = generator.dirichlet([0.3, 0.2, 0.2, 2, 3], size=count).clip(1e-6)
    shares /= shares.sum(axis=1, keepdims=True)
    targets = (generator.random((count, 1)) > shares.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return np.log(shares), targets


def f1(log_p, targets, offsets):
    return metrics.macro_f1(metrics.confusion_matrix(targets, decide(log_p, offsets)))


def cost(log_p, targets, offsets, costs=COSTS):
    confusion = metrics.confusion_matrix(targets, decide(log_p, offsets))
    return (confusion * np.array(costs)).sum() / len(targets)


def test_the_prior_is_taken_out_to_a_power():
    prior = np.array([0.1, 0.2, 0.3, 0.4, 0.0])
    offsets = prior_offsets(prior, 0.5)
    np.testing.assert_allclose(offsets[:4], -0.5 * np.log(prior[:4]))
    assert offsets[4] == 0  # an action that never occurs is not preferred
    assert prior_offsets(prior, 0.0).tolist() == [0] * 5
    log_p = np.log([[0.4, 0.1, 0.1, 0.3, 0.1]])
    np.testing.assert_allclose(log_p + prior_offsets(np.full(5, 0.2), 1.0), log_p - np.log(0.2))


def test_thresholds_for_macro_f1_are_no_worse_than_where_they_start():
    log_p, targets = sample()
    start = prior_offsets(np.bincount(targets, minlength=5) / len(targets), 0.5)
    tuned = tuned_offsets(log_p, targets, start)
    assert f1(log_p, targets, tuned) >= f1(log_p, targets, start)
    far = np.array([-1.5, 0, 0, 0, 0])
    assert f1(log_p, targets, tuned_offsets(log_p, targets, far)) > f1(log_p, targets, far)


def test_without_validation_messages_the_thresholds_stay_where_they_start():
    start = np.arange(5.0)
    assert tuned_offsets(np.empty((0, 5)), np.empty(0, dtype=np.int64), start).tolist() == start.tolist()


def test_thresholds_for_a_cost_follow_the_cost():
    log_p, targets = sample()
    zeros = np.zeros(5)
    tuned = tuned_offsets(log_p, targets, zeros, COSTS)
    assert cost(log_p, targets, tuned) < cost(log_p, targets, zeros)
    dear = tuple(tuple(0.0 if i == j else 50.0 if i == 0 else 1.0 for j in range(5)) for i in range(5))
    cautious = tuned_offsets(log_p, targets, zeros, dear)
    assert (decide(log_p, cautious) == 0).sum() > (decide(log_p, tuned) == 0).sum()
