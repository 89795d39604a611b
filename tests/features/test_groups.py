"""What a feature group promises, and that a new one is a module and a line in the table."""

import subprocess
import sys

import msgspec
import numpy as np
import pytest
import torch

from enron_triage import pipeline
from enron_triage.config.load import load_config
from enron_triage.config.training import FeaturesConfig
from enron_triage.errors import UsageError
from enron_triage.features import groups, metadata
from enron_triage.features.dense import DenseGroup
from enron_triage.features.feature_group import TrainContext
from enron_triage.features.text import NUM_BUCKETS
from enron_triage.features.token_bags import TokenBags
from enron_triage.mail.body import split_body
from enron_triage.mail.reading import read_mailbox
from enron_triage.predict import Triage

pytestmark = pytest.mark.slow  # trains, or draws

TINY = (
    "pipeline.stages=[parse, label, split, sft, evaluate]",
    "workers=1",  # so that the table of this process is the one that counts
    "device=cpu",
    "split.ratios=[0.34, 0.33, 0.33]",
    "features.groups=[metadata, toy]",
    "model.hidden=[4]",
    "model.ensemble=1",
    "model.boosting=0",
    "sft.epochs=1",
)


def extract_toy(records, bodies):
    return np.array([[len(record.subject), len(body.quoted)] for record, body in zip(records, bodies, strict=True)])


TOY = DenseGroup(
    {"toy_subject": "how long the subject is", "toy_quoted": "the root of the quoted text's length"},
    lambda records, bodies: extract_toy(records, bodies).astype(np.float32).reshape(-1, 2),
    lambda raw, class_prior: np.column_stack([raw[:, 0], np.sqrt(raw[:, 1])]),
)


def test_a_group_that_is_in_the_table_is_trained_on_evaluated_and_explained(tmp_path, monkeypatch, tiny_corpus):
    monkeypatch.setitem(groups.GROUPS, "toy", TOY)
    folders = {"data_dir": str(tmp_path / "data"), "checkpoint_dir": str(tmp_path / "checkpoints")}
    config = load_config([], [*TINY, f"parse.source={tiny_corpus}"], **folders)
    pipeline.run(config)
    assert (tmp_path / "data" / "eval" / "best_sft.test.json").exists()
    triage = Triage.load(tmp_path / "checkpoints" / "best_sft.pt")
    mailbox = read_mailbox(next(tiny_corpus.iterdir()), 1)
    (prediction,) = triage.predict([email for email in mailbox if "sent" not in email.folder][:1], reasons=1000)
    meanings = {reason.feature: reason.meaning for reason in prediction.reasons}
    assert meanings == {
        **metadata.COLUMNS,
        "toy_subject": "how long the subject is",
        "toy_quoted": "the root of the quoted text's length",
    }


def test_a_group_that_is_not_in_the_table_is_refused():
    with pytest.raises(UsageError, match=r"features\.groups"):
        load_config([], ["features.groups=[metadata, toy]"])


def test_the_groups_come_in_the_order_of_the_table_and_import_no_torch():
    shipped = ["metadata", "history", "embedding", "text"]
    assert [name for name in groups.GROUPS if name in shipped] == shipped
    assert list(groups.configured_groups(FeaturesConfig(groups=("text", "metadata")))) == ["metadata", "text"]
    code = "import sys, enron_triage.features.extract; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def fitted(new_record, new_history):
    """Each group that needs no model: its raw features of 12 messages, the context, and what it fits."""
    records = [
        new_record(subject="plan " * n, body=f"word{'abc'[n % 3]} here\n", history=new_history(sent=n, owner=[n] * 5))
        for n in range(12)
    ]
    bodies = [split_body(record) for record in records]
    targets = torch.arange(12) % 5
    context = TrainContext(
        targets=targets,
        mailbox=torch.arange(12) % 4,
        sample_weight=torch.ones(12),
        class_prior=torch.bincount(targets, minlength=5) / 12,
        settings=msgspec.convert({"text": {"epochs": 1, "min_messages": 1}}, FeaturesConfig),
        seed=3,
    )

    def fit(name):
        group = groups.GROUPS[name]
        extracted = group.extract(records, bodies, context.settings)
        raw = TokenBags.concatenate([extracted]) if name == "text" else torch.from_numpy(extracted)
        return records, group, raw, context, *group.fit_transform(raw, context)

    return fit


def arrays(state):
    """A fitted state as prediction reads it."""
    return {name: values.numpy() for name, values in state.items()}


def extracted(raw):
    """Raw features as extraction gives them."""
    return raw.arrays() if isinstance(raw, TokenBags) else raw.numpy()


@pytest.mark.parametrize("name", ["metadata", "history", "text"])
def test_a_group_gives_as_many_features_as_it_names_for_any_messages(fitted, name):
    _, group, raw, context, state, features = fitted(name)
    assert features.shape == (12, group.num_features(state)) == (12, len(group.columns(state)))
    assert all(group.columns(state).values())
    rows = torch.tensor([7, 2])
    prior = context.class_prior.numpy()
    whole, some = (group.transform(extracted(values), arrays(state), prior) for values in (raw, raw[rows]))
    np.testing.assert_allclose(some, whole[[7, 2]], rtol=1e-6)
    assert torch.equal(group.transform_train(raw, state, context), features)


@pytest.mark.parametrize("name", ["metadata", "history"])
def test_the_reasons_of_a_dense_group_are_its_columns(fitted, name):
    records, group, raw, _, state, features = fitted(name)
    gradients = np.arange(features.shape[1], dtype=np.float32)
    added = features[5].numpy() * gradients
    found = group.reasons(records[5], raw[5:6].numpy(), arrays(state), added, gradients, 1000)
    assert {reason.feature: reason.meaning for reason in found} == group.columns(state)
    assert sorted(reason.contribution for reason in found) == sorted(added.tolist())
    few = group.reasons(records[5], raw[5:6].numpy(), arrays(state), added, gradients, 3)
    assert [abs(reason.contribution) for reason in few] == sorted(np.abs(added).tolist(), reverse=True)[:3]


def test_the_reasons_of_the_text_are_its_words_and_add_up_to_its_scores(fitted):
    records, group, raw, context, state, _ = fitted("text")
    gradients, state = np.array([0.5, -1.0, 0.0, 2.0, 1.0], dtype=np.float32), arrays(state)
    zeros = np.zeros(5, dtype=np.float32)
    found = group.reasons(records[5], extracted(raw[torch.tensor([5])]), state, zeros, gradients, 1000)
    few = group.reasons(records[5], extracted(raw[torch.tensor([5])]), state, zeros, gradients, 2)
    assert {abs(r.contribution) for r in few} == set(sorted({abs(r.contribution) for r in found}, reverse=True)[:2])
    assert {"subject: plan", "subject: plan plan", "new: wordc", "domain: x.example"} <= {r.feature for r in found}
    assert {reason.meaning for reason in found} >= {'"wordc" in the text', '"x.example" in the sender\'s address'}
    scores = group.transform(extracted(raw), state, context.class_prior.numpy())[5]
    assert np.abs(scores).max() < 5  # none is cut
    without_words = (state["bias"] - state["mean"]) / state["std"]
    expected = float((scores - without_words) @ gradients)
    assert sum(reason.contribution for reason in found) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("metadata", {"quantiles": torch.zeros(65)}),
        ("text", {"table": torch.zeros(NUM_BUCKETS, 4)}),
        ("text", {"idf": torch.zeros(NUM_BUCKETS - 1)}),
        ("text", {"bias": torch.zeros(4)}),
    ],
)
def test_a_state_whose_tensors_do_not_fit_each_other_is_refused(fitted, name, damage):
    _, group, _, _, state, _ = fitted(name)
    with pytest.raises(ValueError, match=r"fit|unpack"):
        group.num_features(state | damage)
    with pytest.raises(KeyError):
        group.num_features({})


def test_only_the_embedding_depends_on_a_setting_and_runs_in_the_main_process():
    one, other = FeaturesConfig(embedding_model="a/model"), FeaturesConfig(embedding_model="another/model")
    for name, group in groups.GROUPS.items():
        assert (group.cache_key(one) != group.cache_key(other)) == (name == "embedding")
        assert group.in_main_process == (name == "embedding")
        assert group.needs_history == (name == "history")
