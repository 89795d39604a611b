import pickle
from pathlib import Path

import msgspec
import pytest
import torch

from enron_triage.errors import TriageError, UsageError
from enron_triage.policy.checkpoint import Checkpoint, check_fit, load_checkpoint, save_checkpoint
from enron_triage.policy.network import new_policy, predict_logits

MODEL = {"inputs": 3, "hidden": [4], "dropout": 0.1}


@pytest.fixture
def checkpoint_of(checkpoint_fields):
    def make(**changes):
        policy = new_policy(**MODEL, seed=8)
        torch.nn.init.constant_(policy.members[0][0].bias, 0.25)
        metrics = {"accuracy": 0.5, "predicted_share": {"archive": 1.0}}
        fields = checkpoint_fields(3, seed=8, model=MODEL, weights=policy.state_dict(), metrics=metrics)
        return Checkpoint(**{**fields, **changes})

    return make


def test_a_checkpoint_comes_back_as_it_was(tmp_path, checkpoint_of):
    saved = checkpoint_of()
    save_checkpoint(tmp_path / "best_sft.pt", saved)
    loaded = load_checkpoint(tmp_path / "best_sft.pt")
    for name in ("stage", "epoch", "scheme", "seed", "label", "model", "calibration", "decision", "metrics", "resume"):
        assert getattr(loaded, name) == getattr(saved, name)
    assert loaded.features["groups"] == ["metadata"]
    assert torch.equal(loaded.features["quantiles"], saved.features["quantiles"])
    assert loaded.weights.keys() == saved.weights.keys()
    assert all(torch.equal(loaded.weights[name], saved.weights[name]) for name in saved.weights)


def test_the_policy_of_a_checkpoint_has_its_weights_and_no_dropout(tmp_path, checkpoint_of):
    save_checkpoint(tmp_path / "best_sft.pt", checkpoint_of())
    policy = load_checkpoint(tmp_path / "best_sft.pt").policy(torch.device("cpu"))
    assert not policy.training
    assert policy.members[0][0].bias.tolist() == [0.25] * 4
    features = torch.ones(2, 3)
    assert torch.equal(policy(features), predict_logits(policy, features))


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path, checkpoint_of):
    save_checkpoint(tmp_path / "a" / "best_sft.pt", checkpoint_of())
    save_checkpoint(tmp_path / "b" / "best_sft.pt", checkpoint_of())
    assert (tmp_path / "a" / "best_sft.pt").read_bytes() == (tmp_path / "b" / "best_sft.pt").read_bytes()


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_checkpoint_with_code_is_refused_and_runs_none(tmp_path):
    for number, write in enumerate((torch.save, lambda value, path: path.write_bytes(pickle.dumps(value)))):
        path, exploded = tmp_path / f"{number}.pt", tmp_path / "exploded"
        write({"format": "enron_triage checkpoint 1", "weights": Bomb(exploded)}, path)
        with pytest.raises(UsageError, match=r"\.pt: not a checkpoint, or a damaged one"):
            load_checkpoint(path)
        assert not exploded.exists()


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_a_corrupt_checkpoint_is_refused(tmp_path, content, checkpoint_of):
    path = tmp_path / "best_sft.pt"
    save_checkpoint(path, checkpoint_of())
    path.write_bytes(path.read_bytes()[:-500] if content is None else content)
    with pytest.raises(UsageError, match=r"best_sft\.pt: not a checkpoint, or a damaged one \(\w+\)$"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [{"weights": {}}, [1, 2], torch.zeros(2), {"format": "another 1"}])
def test_a_foreign_checkpoint_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "best_sft.pt")
    with pytest.raises(UsageError, match="not a checkpoint of this program; train one with `triage sft`"):
        load_checkpoint(tmp_path / "best_sft.pt")


def test_a_missing_checkpoint_names_the_stage_that_makes_it(tmp_path):
    with pytest.raises(UsageError, match=r"best_sft\.pt: no such file"):
        load_checkpoint(tmp_path / "best_sft.pt")
    (tmp_path / "stage_1.pt").mkdir()
    with pytest.raises(UsageError, match=r"stage_1\.pt: is a folder where a file belongs"):
        load_checkpoint(tmp_path / "stage_1.pt")


MEMBER = "members.0.0.bias"


def changed(name, value):
    """A change of one entry of a field that is a dict."""
    field, _, key = name.partition(":")
    return lambda checkpoint: {field: {**getattr(checkpoint, field), key: value} if key else value}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(changed("weights", {}), id="no weights"),
        pytest.param(changed(f"weights:{MEMBER}", torch.zeros(5)), id="a weight's shape"),
        pytest.param(changed(f"weights:{MEMBER}", "none"), id="a weight that is none"),
        pytest.param(changed("weights", None), id="weights of another type"),
        pytest.param(changed("model:inputs", 4), id="inputs"),
        pytest.param(changed("model", {"inputs": 3}), id="half a model"),
        pytest.param(changed("model", None), id="no model"),
        pytest.param(changed("features:quantiles", torch.zeros(5, 4)), id="the quantiles' shape"),
        pytest.param(changed("features:class_prior", torch.zeros(4)), id="the class prior's length"),
        pytest.param(changed("features:text", {"table": torch.zeros(2, 5)}), id="half a text model"),
        pytest.param(changed("features:groups", ["clairvoyance"]), id="an unknown group"),
        pytest.param(changed("features", {"quantiles": torch.zeros(5, 3)}), id="half the features"),
        pytest.param(changed("features", None), id="no features"),
        pytest.param(changed("calibration:temperature", "warm"), id="a temperature that is no number"),
        pytest.param(changed("calibration:temperature", 0.0), id="temperature 0"),
        pytest.param(changed("calibration:shift", [0.0]), id="a shift of one action"),
        pytest.param(changed("decision:rule", "dice"), id="an unknown rule"),
        pytest.param(changed("decision:offsets", {"argmax": [0.0] * 5}), id="rules that are missing"),
        pytest.param(changed("label:link_window", "soon"), id="a duration that is none"),
        pytest.param(changed("scheme", "another"), id="an unknown scheme"),
    ],
)
def test_a_checkpoint_whose_parts_do_not_fit_is_refused(tmp_path, checkpoint_of, change):
    save_checkpoint(tmp_path / "best_sft.pt", checkpoint_of(**change(checkpoint_of())))
    with pytest.raises(UsageError, match=r"best_sft\.pt: "):
        load_checkpoint(tmp_path / "best_sft.pt")


def test_a_checkpoint_that_lacks_a_field_is_refused(tmp_path, checkpoint_of):
    content = {"format": "enron_triage checkpoint 3", **msgspec.structs.asdict(checkpoint_of())}
    del content["seed"]
    torch.save(content, tmp_path / "best_sft.pt")
    with pytest.raises(UsageError, match=r"a damaged checkpoint \('seed'\)"):
        load_checkpoint(tmp_path / "best_sft.pt")


def test_other_labels_or_features_than_the_datas_are_refused(checkpoint_of):
    path, source = Path("best_sft.pt"), Path("test.json")
    checkpoint = checkpoint_of()
    check_fit(path, checkpoint, "received", 3, source)
    with pytest.raises(UsageError, match=r"trained on scheme received, but test\.json is labelled with folder; use"):
        check_fit(path, checkpoint, "folder", 3, source)
    with pytest.raises(UsageError, match=r"expects 3 features, this version extracts 4 for metadata; train again"):
        check_fit(path, checkpoint, "received", 4, source)


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path, monkeypatch, checkpoint_of):
    path = tmp_path / "best_sft.pt"
    save_checkpoint(path, checkpoint_of())
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(TriageError, match=r"best_sft\.pt: cannot be written: No space left on device"):
        save_checkpoint(path, checkpoint_of(epoch=3))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
