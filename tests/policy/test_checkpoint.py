import pickle
from pathlib import Path

import msgspec
import pytest
import torch

from enron_triage.config.training import FeaturesConfig
from enron_triage.errors import TriageError, UsageError
from enron_triage.policy.checkpoint import Checkpoint, check_fit, load_checkpoint, save_checkpoint
from enron_triage.policy.inference import predict_logits
from enron_triage.policy.network import PolicySpec, new_policy
from enron_triage.policy.validation import EpochMetrics, ValidationMetrics

MODEL = PolicySpec(inputs=3, hidden=(4,), dropout=0.1)


@pytest.fixture
def checkpoint_of(checkpoint_fields):
    def make(**changes):
        policy = new_policy(MODEL, seed=8)
        torch.nn.init.constant_(policy.members[0].bias, 0.25)
        fields = checkpoint_fields(3)
        validation = ValidationMetrics(
            val_loss=1.5,
            accuracy=0.5,
            balanced_accuracy=0.4,
            macro_f1=0.3,
            predicted_share={"archive": 1.0},
            collapsed=True,
            mean_reward=-0.25,
            reply_auc=None,
            calibration=fields["calibration"],
            decision=fields["decision"],
            extra={"kl": 0.1},
        )
        metrics = EpochMetrics(epoch=2, train_loss=1.25, learning_rate=0.1, validation=validation, best_epoch=2)
        fields = checkpoint_fields(3, seed=8, model=MODEL, weights=policy.state_dict(), metrics=metrics)
        return Checkpoint(**{**fields, **changes})

    return make


def test_a_checkpoint_comes_back_as_it_was(tmp_path, checkpoint_of):
    saved = checkpoint_of()
    save_checkpoint(tmp_path / "best_sft.pt", saved)
    loaded = load_checkpoint(tmp_path / "best_sft.pt")
    for name in ("stage", "epoch", "scheme", "seed", "label", "model", "calibration", "decision", "metrics", "resume"):
        assert getattr(loaded, name) == getattr(saved, name)
    for name in ("settings", "seed", "mailbox_weights_power", "fitted_on"):
        assert getattr(loaded.features, name) == getattr(saved.features, name)
    assert loaded.features.is_same_as(saved.features)
    assert loaded.weights.keys() == saved.weights.keys()
    assert all(torch.equal(loaded.weights[name], saved.weights[name]) for name in saved.weights)


def test_the_policy_of_a_checkpoint_has_its_weights_and_no_dropout(tmp_path, checkpoint_of):
    save_checkpoint(tmp_path / "best_sft.pt", checkpoint_of())
    policy = load_checkpoint(tmp_path / "best_sft.pt").policy(torch.device("cpu"))
    assert not policy.training
    assert policy.members[0].bias.tolist() == [[0.25] * 4]
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
    with pytest.raises(UsageError, match=r"stage_1\.pt: is a folder, but a file is expected"):
        load_checkpoint(tmp_path / "stage_1.pt")


MEMBER = "members.0.bias"


def changed(name, value):
    """A change of the saved content: of a field, or of an entry of one (``field:entry``)."""
    field, _, key = name.partition(":")
    return lambda content: {field: {**content[field], key: value} if key else value}


def other_features(**fields):
    """A change of some fields of the transform."""
    plain = msgspec.to_builtins(fields, builtin_types=(torch.Tensor,))
    return lambda content: {"features": {**content["features"], **plain}}


def state(**tensors):
    return {"metadata": tensors}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(changed("weights", {}), id="no weights"),
        pytest.param(changed(f"weights:{MEMBER}", torch.zeros(5)), id="a weight's shape"),
        pytest.param(changed(f"weights:{MEMBER}", "none"), id="a weight that is not a tensor"),
        pytest.param(changed("weights", None), id="weights of another type"),
        pytest.param(changed("model:inputs", 4), id="inputs"),
        pytest.param(changed("model:ensemble", 0), id="no networks"),
        pytest.param(changed("model", {"inputs": 3}), id="half a model"),
        pytest.param(changed("model", None), id="no model"),
        pytest.param(other_features(states=state(quantiles=torch.zeros(5, 4))), id="the quantiles' shape"),
        pytest.param(other_features(states=state(quantiles=torch.zeros(5))), id="the quantiles' dimensions"),
        pytest.param(other_features(states=state(quantiles="none")), id="quantiles that are not a tensor"),
        pytest.param(other_features(states=state()), id="no quantiles"),
        pytest.param(other_features(states={}), id="a group that was not fitted"),
        pytest.param(other_features(class_prior=torch.zeros(4)), id="the class prior's length"),
        pytest.param(
            other_features(settings=FeaturesConfig(groups=("text",)), states={"text": {"table": torch.zeros(2, 5)}}),
            id="half a text model",
        ),
        pytest.param(other_features(settings=FeaturesConfig(groups=("clairvoyance",))), id="an unknown group"),
        pytest.param(changed("features", {"class_prior": torch.full((5,), 0.2)}), id="half the features"),
        pytest.param(changed("features", None), id="no features"),
        pytest.param(changed("calibration:temperature", "warm"), id="a temperature that is not a number"),
        pytest.param(changed("calibration:temperature", 0.0), id="temperature 0"),
        pytest.param(changed("calibration:shift", [0.0]), id="a shift of one action"),
        pytest.param(changed("decision:rule", "dice"), id="an unknown rule"),
        pytest.param(
            changed("decision:offsets", {"argmax": [0.0] * 5, "dice": [0.0] * 5}), id="an unknown rule's offsets"
        ),
        pytest.param(changed("decision:offsets", {"prior": [0.0] * 5}), id="its own rule is missing"),
        pytest.param(changed("decision:offsets", {"argmax": [0.0] * 4}), id="offsets of four actions"),
        pytest.param(changed("decision:costs", [[0.0] * 5] * 4), id="costs of four actions"),
        pytest.param(changed("label:link_window", "soon"), id="a duration that is none"),
        pytest.param(changed("scheme", "another"), id="an unknown scheme"),
        pytest.param(changed("metrics", {"epoch": 1}), id="half the metrics"),
    ],
)
def test_a_checkpoint_whose_parts_do_not_fit_is_refused(tmp_path, checkpoint_of, change):
    path = tmp_path / "best_sft.pt"
    save_checkpoint(path, checkpoint_of())
    content = torch.load(path, weights_only=True)
    torch.save({**content, **change(content)}, path)
    with pytest.raises(UsageError, match=r"best_sft\.pt: a damaged checkpoint \(.+\)$"):
        load_checkpoint(path)


def test_a_checkpoint_that_lacks_a_field_is_refused(tmp_path, checkpoint_of):
    path = tmp_path / "best_sft.pt"
    save_checkpoint(path, checkpoint_of())
    content = torch.load(path, weights_only=True)
    del content["seed"]
    torch.save(content, path)
    with pytest.raises(UsageError, match=r"a damaged checkpoint \(Object missing required field `seed`\)"):
        load_checkpoint(path)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_older_format_is_refused_in_one_line(tmp_path, checkpoint_of, number):
    path = tmp_path / "best_sft.pt"
    save_checkpoint(path, checkpoint_of())
    torch.save({**torch.load(path, weights_only=True), "format": f"enron_triage checkpoint {number}"}, path)
    with pytest.raises(UsageError, match=r"best_sft\.pt: written by another version of this program; train again"):
        load_checkpoint(path)


def test_what_the_trainer_needs_to_resume_comes_back(tmp_path, checkpoint_of):
    resume = {"optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"betas": (0.9, 0.999)}]}}
    save_checkpoint(tmp_path / "sft_epoch_1.pt", checkpoint_of(resume=resume))
    assert load_checkpoint(tmp_path / "sft_epoch_1.pt").resume == resume


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
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(TriageError, match=r"best_sft\.pt: cannot be written: no space left on device"):
        save_checkpoint(path, checkpoint_of(epoch=3))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
