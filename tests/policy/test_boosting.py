"""The fitted trees, as tensors, are LightGBM's."""

import builtins
import subprocess
import sys

import lightgbm
import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss

from enron_triage.errors import TriageError
from enron_triage.policy import boosting
from enron_triage.policy.boosting import fit_trees, trees_from_dump
from enron_triage.policy.network import PolicySpec, new_policy


def sample(actions, count=1500, seed=0):
    generator = np.random.default_rng(seed)
    features = np.round(generator.normal(size=(count, 6)), 1).astype(np.float32)
    targets = np.array(actions)[np.abs(features[:, 0] * 3 + features[:, 1]).astype(int) % len(actions)]
    return features, targets, generator.random(count) + 0.5


def probabilities(trees, features):
    return torch.softmax(trees(torch.from_numpy(features)), dim=1).numpy()


@pytest.mark.parametrize("actions", [[0, 1, 2, 3, 4], [0, 3, 4], [1, 4], [2]])
def test_the_tensors_give_the_boosters_logits(actions):
    features, targets, weights = sample(actions)
    settings = boosting._SETTINGS | {"seed": 3, "num_threads": torch.get_num_threads()}
    booster = lightgbm.train(settings, lightgbm.Dataset(features, targets, weight=weights, params=settings), 8)
    unseen = np.random.default_rng(1).normal(size=(700, 6)).astype(np.float32)
    dumped, fitted = trees_from_dump(booster.dump_model()), fit_trees(features, targets, weights, 8, 3)
    for messages in (features, unseen):
        expected = booster.predict(messages, raw_score=True)
        for trees in (dumped, fitted):
            np.testing.assert_allclose(trees(torch.from_numpy(messages)).numpy(), expected, atol=1e-5)
    got = probabilities(fitted, unseen)
    assert got[:, [action for action in range(5) if action not in actions]].max(initial=0) < 1e-6


def test_every_float32_is_decided_as_by_the_threshold_in_float64():
    steps = np.float32(0.1), np.nextafter(np.float32(0.1), np.float32(1)), np.float32(-0.7), np.float32(0), 3e38
    exact = [float(step) for step in steps] + [0.1, 0.3, -0.3, 1e-35, 1 / 3, -1e300, 1e300]
    rounded = boosting._rounded_down(exact)
    for threshold, near in zip(exact, rounded, strict=True):
        around = torch.tensor([near, near, near, threshold], dtype=torch.float32)
        around[0] = torch.nextafter(near, torch.tensor(-torch.inf))
        around[1] = torch.nextafter(near, torch.tensor(torch.inf))
        assert torch.equal(around <= near, around.double() <= threshold)


def test_a_model_fits_as_well_as_scikit_learns(monkeypatch):
    monkeypatch.setitem(boosting._SETTINGS, "feature_fraction_bynode", 1.0)  # the two draw differently
    features, targets, weights = sample([0, 1, 2, 3, 4], 3000)
    unseen, truth, _ = sample([0, 1, 2, 3, 4], 3000, seed=1)
    settings = {"learning_rate": 0.05, "min_samples_leaf": 40, "l2_regularization": 5.0}
    peer = HistGradientBoostingClassifier(**settings, max_iter=60, early_stopping=False, random_state=0).fit(
        features, targets, sample_weight=weights
    )
    got = log_loss(truth, probabilities(fit_trees(features, targets, weights, 60, 0), unseen))
    assert got < log_loss(truth, peer.predict_proba(unseen)) + 0.05


@pytest.mark.parametrize("count", [1, 50])
def test_few_messages_give_the_shares_of_the_actions(count):
    features, _, _ = sample([0, 1], count)
    targets = np.arange(count) % 5
    got = probabilities(fit_trees(features, targets, np.ones(count), 2, 0), features)
    np.testing.assert_allclose(got[0], np.bincount(targets, minlength=5) / count, atol=1e-5)


def test_a_single_action_is_always_predicted():
    features, _, weights = sample([0, 1])
    trees = fit_trees(features, np.full(len(features), 2), weights, iterations=3, seed=0)
    assert probabilities(trees, features[:4])[:, 2].min() > 0.999
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


def test_the_same_seed_gives_the_same_trees_and_another_seed_others():
    features, targets, weights = sample([0, 1, 2, 3, 4])
    first, again, other = (fit_trees(features, targets, weights, 8, seed).state_dict() for seed in (5, 5, 2**31 + 6))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first if first[name].shape == other[name].shape)


def test_fitting_leaves_the_threads_of_torch_alone_and_writes_nothing(capfd):
    features, targets, weights = sample([0, 3])
    before = torch.get_num_threads()
    fit_trees(features, targets, weights, 2, 0)
    assert torch.get_num_threads() == before
    assert "[LightGBM]" not in "".join(capfd.readouterr())


def test_prediction_does_without_lightgbm():
    code = "import sys; import enron_triage.predict; sys.exit('lightgbm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_library_of_openmp_is_named(monkeypatch):
    ordinary = builtins.__import__

    def without(name, *arguments, **options):
        if name == "lightgbm":
            raise OSError("libgomp.so.1: cannot open shared object file")
        return ordinary(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TriageError, match=r"libgomp\.so\.1: cannot open.*apt install libgomp1"):
        fit_trees(*sample([0, 1]), iterations=1, seed=0)
