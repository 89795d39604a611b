import json
import logging
import sys
import types

import msgspec
import numpy as np
import pytest
import torch

from enron_triage.config.training import FeaturesConfig
from enron_triage.errors import UsageError
from enron_triage.features import dataset as dataset_module
from enron_triage.features import embedding, history, metadata
from enron_triage.features.dataset import UNACTED, Dataset, extract_dataset, load_dataset
from enron_triage.features.transform import FeatureTransform
from enron_triage.mail.body import split_body
from enron_triage.records import ACTION_INDEX, ACTIONS, Action, ActionCounts
from enron_triage.runtime import artifacts

BOTH = ("metadata", "history")


@pytest.fixture(scope="session")
def message(new_record, new_history):
    def make(number, **changes):
        actions = [number, 0, 0, 0, 0]
        values = {
            "path": f"owner-a/inbox/{number}.",
            "timestamp": 989888400 + number,
            "subject": "a" * number,
            "body": "text",
            "fingerprint": str(number),
            "action": ACTIONS[number % 5],
            "history": new_history(owner=actions, domain=actions, sender=actions),
        }
        return new_record(**{**values, **changes})

    return make


def write(path, records):
    with artifacts.record_writer(path) as writer:
        for record in records:
            writer.write(msgspec.json.encode(record))


def load(path, groups=BOTH, embedding_model=None, **keep):
    settings = FeaturesConfig(groups=groups, embedding_model=embedding_model)
    return load_dataset(path, settings, cache=path.parent / "features", workers=1, **keep)


@pytest.fixture
def extractions(monkeypatch):
    """The number of records of each extraction, as they happen."""
    counts = []
    original = dataset_module.extract_chunk

    def counted(path, groups, settings, chunk):
        counts.append(len(chunk.rows))
        return original(path, groups, settings, chunk)

    monkeypatch.setattr(dataset_module, "extract_chunk", counted)
    return counts


def test_records_become_tensors_in_their_order(tmp_path, message):
    records = [
        message(0),
        message(1, user="owner-b"),
        message(2, action=None),
        message(3, action=Action.DELETE),
    ]
    write(tmp_path / "train.json", records)
    dataset = load(tmp_path / "train.json")
    assert len(dataset) == 4
    assert list(dataset.raw) == list(BOTH)
    assert dataset.targets.tolist() == [0, 1, UNACTED, ACTION_INDEX[Action.DELETE]]
    assert dataset.mailboxes == ["owner-a", "owner-b"]
    assert dataset.mailbox.tolist() == [0, 1, 0, 0]
    assert dataset.scheme == "received"
    np.testing.assert_array_equal(
        dataset.raw["metadata"].numpy(), metadata.extract(records, [split_body(record) for record in records])
    )
    np.testing.assert_array_equal(dataset.raw["history"].numpy(), history.extract(records))


def test_an_empty_artifact_is_an_empty_dataset(tmp_path):
    write(tmp_path / "train.json", [])
    dataset = load(tmp_path / "train.json")
    assert len(dataset) == 0
    assert dataset.raw["metadata"].shape == (0, len(metadata.COLUMNS))
    assert dataset.mailboxes == []


def test_more_workers_give_the_same_tensors(tmp_path, monkeypatch, message):
    monkeypatch.setattr(dataset_module, "_CHUNK", 3)
    write(tmp_path / "train.json", [message(number) for number in range(10)])
    alone = load(tmp_path / "train.json", (*BOTH, "text"))
    together = load_dataset(
        tmp_path / "train.json", FeaturesConfig(groups=(*BOTH, "text")), cache=tmp_path / "other", workers=2
    )
    assert alone.targets.tolist() == together.targets.tolist() == [number % 5 for number in range(10)]
    assert all(torch.equal(alone.raw[group], together.raw[group]) for group in BOTH)
    assert torch.equal(alone.raw["text"].buckets, together.raw["text"].buckets)


def test_the_cache_is_used_while_inputs_and_settings_are_the_same(tmp_path, extractions, message):
    path = tmp_path / "train.json"
    write(path, [message(1), message(2)])
    first = load(path)
    again = load(path)
    assert extractions == [2]
    assert torch.equal(first.raw["metadata"], again.raw["metadata"])
    assert again.targets.tolist() == [1, 2]
    load(path, ("metadata",))  # other settings
    assert extractions == [2, 2]
    load(path, tuple(reversed(BOTH)))  # the order of the groups does not matter
    assert extractions == [2, 2]


def test_the_cache_is_remade_when_the_artifact_changes(tmp_path, extractions, message):
    path = tmp_path / "train.json"
    write(path, [message(1)])
    load(path)
    write(path, [message(1), message(2)])
    assert load(path).targets.tolist() == [1, 2]
    write(path, [message(3), message(2)])
    assert load(path).targets.tolist() == [3, 2]
    assert extractions == [1, 2, 2]


@pytest.mark.parametrize("damage", ["truncated", "nothing", "foreign"])
def test_a_damaged_cache_is_made_again(tmp_path, extractions, caplog, damage, message):
    path = tmp_path / "train.json"
    write(path, [message(1)])
    load(path)
    (cached,) = (tmp_path / "features").glob("train-*.pt")
    if damage == "foreign":
        torch.save({"something": "else"}, cached)
    else:
        cached.write_bytes(cached.read_bytes()[:100] if damage == "truncated" else b"")
    with caplog.at_level(logging.WARNING):
        assert load(path).targets.tolist() == [1]
    assert "cannot be used" in caplog.text
    assert "again" in caplog.text
    assert load(path).targets.tolist() == [1]
    assert extractions == [1, 1]


def test_only_the_wanted_records_are_kept(tmp_path, message):
    path = tmp_path / "emails_unacted.json"
    write(path, [message(1), message(2, user="owner-b"), message(3, user="owner-b", timestamp=None)])
    b = load(path, keep=lambda user, timestamp: user == "owner-b", keep_key="b")
    dated = load(path, keep=lambda user, timestamp: timestamp is not None, keep_key="dated")
    none = load(path, keep=lambda user, timestamp: False, keep_key="none")
    assert b.targets.tolist() == [2, 3]
    assert b.mailboxes == ["owner-b"]
    assert dated.targets.tolist() == [1, 2]  # not the cache of another choice
    assert len(none) == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, r"train\.json: no such file"),
        ("", r"train\.json: not an artifact of records"),
        ("[\n{}\n]\n", r"train\.json: line 2: not a record of this kind"),
        ('[\n{"user": "a"},\n', r"train\.json: truncated or edited near byte 2"),
    ],
)
def test_a_missing_or_damaged_artifact_is_refused(tmp_path, text, complaint):
    if text is not None:
        (tmp_path / "train.json").write_text(text)
    with pytest.raises(UsageError, match=complaint):
        load(tmp_path / "train.json")
    assert not list((tmp_path / "features").glob("*"))


def test_a_record_that_is_not_wanted_is_checked_as_far_as_it_is_looked_at(tmp_path, message):
    write(tmp_path / "train.json", [message(1)])
    lines = (tmp_path / "train.json").read_text().replace('"user":"owner-a"', '"user":7')
    (tmp_path / "train.json").write_text(lines)
    with pytest.raises(UsageError, match=r"train\.json: line 2: not a record"):
        load(tmp_path / "train.json", keep=lambda user, timestamp: True, keep_key="all")


@pytest.mark.parametrize(
    "edited",
    [
        {"date": "last Monday, in the evening"},
        {"date": "2001-05-14"},
        {"history": {"sent_to_sender": -5}},
        {"history": {"sender": ActionCounts(counts=[1, 2, 3], recent=[0.0] * 5)}},
        {"history": {"owner": ActionCounts(counts=[-7, 0, 0, 0, 0], recent=[0.0] * 5)}},
        {"history": {"series": ActionCounts(counts=[0] * 5, recent=[0.0] * 6)}},
        {"history": {"conversation": ActionCounts(counts=[0] * 5, recent=[0, -0.5, 0, 0, 0])}},
        {"history": {"recipient_field": "reply-to"}},
    ],
)
def test_a_hand_edited_record_that_cannot_be_is_refused(tmp_path, message, new_history, edited):
    if "history" in edited:
        edited = {"history": new_history(**edited["history"])}
    write(tmp_path / "train.json", [message(1, **edited)])
    with pytest.raises(UsageError, match=r"train\.json: line 2"):
        load(tmp_path / "train.json")


def test_mixed_schemes_are_refused(tmp_path, message):
    write(tmp_path / "train.json", [message(1), message(2, scheme="folder")])
    with pytest.raises(UsageError, match="mixes label schemes; run `triage label` and `triage split` again"):
        load(tmp_path / "train.json", ("metadata",))


def test_the_history_group_is_refused_without_history(tmp_path, message):
    write(tmp_path / "train.json", [message(1, scheme="folder", history=None)])
    with pytest.raises(UsageError, match=r"leave history out of features\.groups"):
        load(tmp_path / "train.json")
    assert load(tmp_path / "train.json", ("metadata",)).scheme == "folder"


def test_the_words_of_the_records_are_kept_in_their_order(tmp_path, message, monkeypatch):
    monkeypatch.setattr(dataset_module, "_CHUNK", 2)
    records = [message(number, body="word " * number + f"only{'abcde'[number]}") for number in range(5)]
    write(tmp_path / "train.json", records)
    loaded, at_once = (
        load(tmp_path / "train.json", ("text",)),
        extract_dataset(records, FeaturesConfig(groups=("text",))),
    )
    assert torch.equal(loaded.raw["text"].buckets, at_once.raw["text"].buckets)
    assert torch.equal(loaded.raw["text"].offsets, at_once.raw["text"].offsets)
    assert len(loaded.raw["text"]) == 5
    again = load(tmp_path / "train.json", ("text",))  # from the cache
    assert torch.equal(again.raw["text"].buckets, at_once.raw["text"].buckets)


def test_without_the_extra_the_embedding_group_says_what_to_install(message, monkeypatch):
    with pytest.raises(UsageError, match=r"features\.embedding_model: not set"):
        extract_dataset([message(1)], FeaturesConfig(groups=("embedding",)))
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(UsageError, match=r"needs the extra embed; run `pip install -e .*\[embed\]'"):
        extract_dataset([message(1)], FeaturesConfig(groups=("embedding",), embedding_model="a/model"))


def test_the_vectors_of_an_embedding_model_are_dense_features(tmp_path, message, monkeypatch):
    class Model:
        """As sentence-transformers' models are, as far as they are used."""

        def __init__(self, name):
            if name != "a/model":
                raise OSError("no such model")

        def encode(self, texts, **options):
            return np.array([[len(text), text.count("word"), 1.0] for text in texts])

        def get_sentence_embedding_dimension(self):
            return 3

    monkeypatch.setitem(sys.modules, "sentence_transformers", types.SimpleNamespace(SentenceTransformer=Model))
    embedding._load.cache_clear()
    write(tmp_path / "train.json", [message(2, body="word word"), message(3, body="none")])
    groups = ("metadata", "embedding")
    dataset = load(tmp_path / "train.json", groups, embedding_model="a/model")
    assert dataset.raw["embedding"][:, 1].tolist() == [2, 0]
    settings = FeaturesConfig(groups=groups, embedding_model="a/model")
    transform, features = FeatureTransform.fit_transform(dataset, settings, mailbox_weights_power=0.0, seed=1)
    assert list(transform.columns)[-3:] == ["embedding_0", "embedding_1", "embedding_2"]
    assert features.shape == (2, len(metadata.COLUMNS) + 3)
    write(tmp_path / "val.json", [])
    assert load(tmp_path / "val.json", groups, embedding_model="a/model").raw["embedding"].shape == (0, 3)
    with pytest.raises(UsageError, match=r"other/model: cannot be loaded \(no such model\); give a model's path"):
        extract_dataset([message(1)], FeaturesConfig(groups=groups, embedding_model="other/model"))


def test_the_artifact_itself_is_never_touched(tmp_path, message):
    path = tmp_path / "train.json"
    write(path, [message(1)])
    before = path.read_bytes()
    load(path)
    assert path.read_bytes() == before
    assert json.loads(before)[0]["user"] == "owner-a"


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_a_message_of_a_large_mailbox_weighs_less(power):
    mailbox = torch.tensor([0] * 8 + [1] * 2)
    dataset = Dataset(
        raw={},
        targets=torch.zeros(10, dtype=torch.int64),
        response_seconds=torch.zeros(10),
        mailbox=mailbox,
        mailboxes=["owner-a", "owner-b"],
        scheme="received",
    )
    weights = dataset.sample_weight(power)
    assert weights.dtype == torch.float32
    assert float(weights.mean()) == pytest.approx(1)
    assert float(weights[9] / weights[0]) == pytest.approx(4**power)
