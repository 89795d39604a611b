"""Trees as tensors give what scikit-learn's classifier gives."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from enron_triage.policy.network import PolicySpec, new_policy
from enron_triage.policy.trees import Trees, fit_trees


def sample(actions, count=1500):
    generator = np.random.default_rng(0)
    features = np.round(generator.normal(size=(count, 6)), 1).astype(np.float32)
    targets = np.array(actions)[np.abs(features[:, 0] * 3 + features[:, 1]).astype(int) % len(actions)]
    return features, targets, generator.random(count) + 0.5


@pytest.mark.parametrize("actions", [[0, 1, 2, 3, 4], [0, 3, 4], [1, 4]])
def test_the_tensors_give_the_classifiers_probabilities(actions):
    features, targets, weights = sample(actions)
    reference = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=8,
        max_leaf_nodes=31,
        min_samples_leaf=40,
        l2_regularization=5.0,
        max_features=0.5,
        early_stopping=False,
        random_state=3,
    ).fit(features, targets, sample_weight=weights)
    trees = fit_trees(features, targets, weights, iterations=8, seed=3)
    unseen = np.random.default_rng(1).normal(size=(700, 6)).astype(np.float32)
    got = torch.softmax(trees(torch.from_numpy(unseen)), dim=1).numpy()
    np.testing.assert_allclose(got[:, actions], reference.predict_proba(unseen), atol=1e-5)
    assert got[:, [a for a in range(5) if a not in actions]].max(initial=0) < 1e-6


def test_a_single_action_is_always_predicted():
    features, _, weights = sample([0, 1])
    trees = fit_trees(features, np.full(len(features), 2), weights, iterations=3, seed=0)
    assert torch.softmax(trees(torch.from_numpy(features[:4])), dim=1)[:, 2].min() > 0.999
    policy = new_policy(PolicySpec(inputs=6, hidden=(4,), dropout=0.0), seed=1)
    policy.set_trees(trees)
    again = new_policy(policy.spec, seed=1)
    again.load_state_dict(policy.state_dict())  # as from a checkpoint
    assert torch.equal(again.trees(torch.from_numpy(features)), trees(torch.from_numpy(features)))


def test_trees_are_loaded_from_a_state_and_have_half_of_the_ensemble_weight():
    features, targets, weights = sample([0, 1, 2, 3, 4])
    trees = fit_trees(features, targets, weights, iterations=4, seed=0)
    policy = new_policy(PolicySpec(inputs=6, hidden=(4,), dropout=0.0), seed=1)
    inputs = torch.from_numpy(features[:9])
    networks = torch.softmax(policy.eval()(inputs), dim=1)
    policy.set_trees(trees)
    expected = (networks + torch.softmax(trees(inputs), dim=1)) / 2
    torch.testing.assert_close(torch.softmax(policy(inputs), dim=1), expected)
    assert (policy.spec.trees, policy.spec.nodes) == (len(trees.root), len(trees.feature))
    again = new_policy(policy.spec, seed=2)
    again.load_state_dict(policy.state_dict())
    torch.testing.assert_close(again.eval()(inputs), policy(inputs))


def test_an_empty_batch_and_empty_trees_are_no_special_case():
    assert Trees(0, 0)(torch.zeros(3, 6)).shape == (3, 5)
    features, targets, weights = sample([0, 1, 2, 3, 4], 200)
    assert fit_trees(features, targets, weights, 2, 0)(torch.zeros(0, 6)).shape == (0, 5)
