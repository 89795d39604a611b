"""The cache of fitted parts: what shares it, what does not, and that no result depends on it."""

import logging

import numpy as np
import pytest
import torch
from builders import new_history, new_record, write_records

from enron_triage import pipeline
from enron_triage.config.load import load_config
from enron_triage.config.training import FeaturesConfig, TextConfig
from enron_triage.features import text_fit
from enron_triage.features.dataset import load_dataset
from enron_triage.features.transform import FeatureTransform
from enron_triage.policy import boosting
from enron_triage.policy.boosting import fit_trees
from enron_triage.records import ACTIONS
from enron_triage.training import fitted_parts
from enron_triage.training.fitted_parts import fitted_transform, fitted_trees, train_features

DEFAULT = FeaturesConfig()
WORDS = ("urgent", "budget", "meeting", "lunch", "please review", "offer")


@pytest.fixture
def folder(tmp_path):
    """Splits of a few messages, in the data folder."""
    for name, count in (("train", 90), ("val", 30)):
        records = [
            new_record(
                user=f"owner-{number % 6}",
                subject=WORDS[number % 6],
                body=f"{WORDS[number % 5]} " * 3,
                action=ACTIONS[min(number % 8, 4)],
                fingerprint=f"{name}{number}",
                timestamp=989888400 + number,
                history=new_history(),
            )
            for number in range(count)
        ]
        write_records(tmp_path / "data" / f"{name}.json", records)
    return tmp_path


@pytest.fixture
def train(folder):
    return load_dataset(folder / "data" / "train.json", FeaturesConfig(), cache=folder / "raw", workers=1)


@pytest.fixture
def fits(monkeypatch):
    """How often the text model and the trees are fitted."""
    counts = {"text": 0, "trees": 0}
    ordinary = {"text": text_fit.fit_all, "trees": fit_trees}

    def counted(name):
        def fit(*arguments, **options):
            counts[name] += 1
            return ordinary[name](*arguments, **options)

        return fit

    monkeypatch.setattr(text_fit, "fit_all", counted("text"))
    monkeypatch.setattr(fitted_parts, "fit_trees", counted("trees"))
    return counts


def fitted(train, cache, settings=DEFAULT, power=0.5, seed=1):
    return fitted_transform(train, settings, mailbox_weights_power=power, seed=seed, cache=cache)


def files(folder):
    return sorted(path.name.partition("-")[0] for path in folder.iterdir()) if folder.exists() else []


def test_a_cached_transform_is_the_fitted_one_bit_for_bit(folder, train, fits):
    plain, plain_features = FeatureTransform.fit_transform(train, FeaturesConfig(), mailbox_weights_power=0.5, seed=1)
    for _ in range(2):
        transform, features = fitted(train, folder / "cache")
        assert torch.equal(features, plain_features)
        assert transform.is_same_as(plain)
        assert transform.settings == plain.settings
        assert (transform.seed, transform.mailbox_weights_power, transform.fitted_on) == (1, 0.5, plain.fitted_on)
    assert fits["text"] == 2  # the plain one, and the first of the two
    assert files(folder / "cache") == ["transform"]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"power": 0.0},
        {"settings": FeaturesConfig(groups=("metadata", "text"))},
        {"settings": FeaturesConfig(text=TextConfig(epochs=1))},
    ],
)
def test_what_decides_a_transform_makes_another(folder, train, change):
    fitted(train, folder / "cache")
    fitted(train, folder / "cache", **change)
    assert files(folder / "cache") == ["transform", "transform"]


def test_other_labels_code_or_threads_make_another(folder, train, monkeypatch):
    fitted(train, folder / "cache")
    train.targets = train.targets.flip(0)
    fitted(train, folder / "cache")
    monkeypatch.setattr(fitted_parts, "code_digest", lambda module: f"edited {module}")
    fitted(train, folder / "cache")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    fitted(train, folder / "cache")
    assert files(folder / "cache") == ["transform"] * 4


def test_the_features_of_train_come_from_the_cache_that_sft_filled(folder, train, fits):
    transform, features = fitted(train, folder / "cache")
    again = train_features(transform, train, cache=folder / "cache")
    assert torch.equal(again, features)
    assert torch.equal(again, transform.transform_train(train))
    assert fits["text"] == 2  # the first and the last line
    assert files(folder / "cache") == ["transform"]


def test_the_features_of_train_are_cached_for_a_transform_that_was_fitted_elsewhere(folder, train, fits):
    transform, _ = FeatureTransform.fit_transform(train, FeaturesConfig(), mailbox_weights_power=0.5, seed=1)
    transform.states["text"]["mean"] += 1  # another machine's
    fitted(train, folder / "cache")
    expected = transform.transform_train(train)
    before = fits["text"]
    for _ in range(2):
        assert torch.equal(train_features(transform, train, cache=folder / "cache"), expected)
    assert fits["text"] == before + 1
    assert files(folder / "cache") == ["train_features", "transform"]


def test_messages_that_a_transform_has_not_seen_need_no_cache(folder, train):
    transform, _ = FeatureTransform.fit_transform(train, FeaturesConfig(), mailbox_weights_power=0.5, seed=1)
    other = load_dataset(folder / "data" / "val.json", FeaturesConfig(), cache=folder / "raw", workers=1)
    assert torch.equal(train_features(transform, other, cache=folder / "cache"), transform.transform(other))
    assert not (folder / "cache").exists()


def test_cached_trees_are_the_fitted_ones_bit_for_bit(tmp_path, fits):
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 6)).astype(np.float32)
    targets = (features[:, 0] > 0).astype(np.int64) * 3 + (features[:, 1] > 1)
    weights = np.ones(200)
    plain = fit_trees(features, targets, weights, iterations=3, seed=1).state_dict()
    for _ in range(2):
        found = fitted_trees(features, targets, weights, iterations=3, seed=1, cache=tmp_path / "cache").state_dict()
        assert found.keys() == plain.keys()
        assert all(torch.equal(found[name], plain[name]) for name in plain)
    assert fits["trees"] == 1
    for change in ({"iterations": 4}, {"seed": 2}, {"sample_weight": weights * 2}, {"targets": 4 - targets}):
        arguments = {"features": features, "targets": targets, "sample_weight": weights, "iterations": 3, "seed": 1}
        fitted_trees(**arguments | change, cache=tmp_path / "cache")
    assert fits["trees"] == 5
    assert files(tmp_path / "cache") == ["trees"] * 5


SMALL = ["model.hidden=[4]", "model.ensemble=1", "model.boosting=2", "workers=1", "sft.epochs=2", "dpo.epochs=1"]


def run(name, checkpoints, *overrides):
    """The bytes of the stage's files; a folder of its own in place of a name, which would be in them."""
    config = load_config([], [*SMALL, *overrides], device="cpu", checkpoint_dir=checkpoints)
    pipeline.run_stage(name, config)
    return [path.read_bytes() for path in sorted(config.checkpoints.glob("*.pt")) if "epoch" not in path.name]


@pytest.mark.slow
def test_a_run_is_the_same_bytes_with_and_without_the_cache(folder, fits, caplog):
    without = run("sft", "first"), run("dpo", "first")
    assert (fits["text"], fits["trees"]) == (1, 1)
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "enron_triage"):
        assert run("sft", "second") == without[0]
        assert "fitting" not in caplog.text
        assert "the boosted trees: from the cache (data/features/trees-" in caplog.text
        assert run("dpo", "second") == without[1]
    assert (fits["text"], fits["trees"]) == (1, 1)
    for path in (folder / "data" / "features").glob("tr*-*.pt"):
        path.unlink()
    assert run("sft", "third") == without[0]


@pytest.mark.slow
def test_variants_share_what_their_settings_do_not_decide(folder, fits):
    run("sft", "plain")
    run("sft", "loss", "sft.loss=focal", "sft.learning_rate=0.01", "model.dropout=0.1")
    assert (fits["text"], fits["trees"]) == (1, 1)
    run("sft", "weights", "sft.class_weights=inverse")  # which weight the trees' messages, too
    assert (fits["text"], fits["trees"]) == (1, 2)
    run("sft", "seed", "seed=2")
    assert (fits["text"], fits["trees"]) == (2, 3)


def test_long_work_says_what_it_does(train, caplog):
    with caplog.at_level(logging.INFO):
        FeatureTransform.fit_transform(train, FeaturesConfig(), mailbox_weights_power=0.5, seed=1)
        boosting.fit_trees(np.zeros((90, 1), np.float32), train.targets.numpy(), np.ones(90), iterations=2, seed=1)
    assert "fitting the text model on 90 messages and 4 folds of them" in caplog.text
    assert "fitting 2 rounds of boosted trees on 90 messages" in caplog.text
