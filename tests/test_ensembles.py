"""Several checkpoints that judge as one: evaluated, and predicting."""

import io
import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from enron_triage import pipeline
from enron_triage.cli import app
from enron_triage.config.evaluations import evaluation_file
from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.evaluation import report
from enron_triage.evaluation.judge import load_judge, loader
from enron_triage.features.feature_group import Reason
from enron_triage.policy.checkpoint import load_checkpoint, save_checkpoint
from enron_triage.policy.ensemble import joined_reasons, mean_log_probabilities
from enron_triage.predict import Triage, run
from enron_triage.records import LabeledEmail
from enron_triage.runtime import artifacts

SMALL = [
    *("model.hidden=[4]", "model.ensemble=1", "model.boosting=0", "sft.epochs=1", "workers=1", "device=cpu"),
    "features.groups=[metadata]",
]
BOTH = "evaluate.checkpoint=[a/best_sft, b/best_sft]"


def small(*overrides, **top_level):
    return load_config([], [*SMALL, *overrides], **top_level)


@pytest.fixture(scope="module")
def trained(tiny_corpus, tmp_path_factory):
    """A folder with splits, and two policies: of other seeds, and of other features."""
    folder = tmp_path_factory.mktemp("ensemble")
    places = {"data_dir": str(folder / "data"), "checkpoint_dir": str(folder / "checkpoints")}
    pipeline.run(small("pipeline.stages=[parse, label, split]", f"parse.source={tiny_corpus}", **places))
    for name, groups in (("a", "[metadata]"), ("b", "[metadata, history]")):
        pipeline.run_stage("sft", small(f"run={name}", f"seed={ord(name)}", f"features.groups={groups}", **places))
    return folder


@pytest.fixture
def folder(trained, tmp_path, monkeypatch):
    """A copy of it, as the working folder."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def records_of(name):
    return list(artifacts.read_records(Path("data", name), LabeledEmail))


def test_its_probabilities_are_the_mean_of_its_members_calibrated_as_one(folder):
    config = small(BOTH)
    judge = load_judge(config)
    logits = judge.logits(judge.inputs(loader(config, Path("data/test.json"))))
    records = records_of("test.json")
    members = [Triage.load(f"checkpoints/{name}/best_sft.pt").log_probabilities(records) for name in "ab"]
    np.testing.assert_allclose(np.exp(logits), np.exp(members).mean(axis=0), atol=1e-4)
    own, first = judge.checkpoint.calibration, load_checkpoint(Path("checkpoints/a/best_sft.pt")).calibration
    assert own.shift == [0.0] * 5  # the members have taken out their class weights
    assert own != first


def test_an_evaluation_of_it_says_which_policies_it_is_of(folder):
    result = pipeline.run_stage("evaluate", small(BOTH)).data
    path = evaluation_file(small(BOTH))
    assert path.exists()
    assert path.name.startswith(result["checkpoint"])
    assert any("a/best_sft.pt, b/best_sft.pt" in note for note in result["notes"])
    assert result["source"]["members"] == ["a/best_sft", "b/best_sft"]
    single = pipeline.run_stage("evaluate", small("evaluate.checkpoint=a/best_sft")).data
    assert result["count"] == single["count"]
    assert result["reply_auc"] != single["reply_auc"]
    assert evaluation_file(small("evaluate.checkpoint=[b/best_sft, a/best_sft]")) == path
    assert evaluation_file(small("evaluate.checkpoint=[a/best_sft]")) == Path("data/eval/a/best_sft.test.json")
    report.run(small())
    assert result["checkpoint"] in Path("data/eval/report.md").read_text()
    assert pipeline.stage_run("evaluate", small(BOTH)).is_up_to_date()
    changed = load_checkpoint(Path("checkpoints/b/best_sft.pt"))
    save_checkpoint(Path("checkpoints/b/best_sft.pt"), msgspec.structs.replace(changed, seed=5))
    assert not pipeline.stage_run("evaluate", small(BOTH)).is_up_to_date()


def test_prediction_is_by_the_same_probabilities_and_gives_reasons(folder, tiny_corpus):
    (path, *_) = sorted(Path(tiny_corpus).rglob("*."))
    output = io.BytesIO()
    run(small(BOTH), [str(path)], mailbox=None, owner=["nobody@x.example"], reasons=3, output=output)
    (line,) = output.getvalue().splitlines()
    prediction = json.loads(line)
    judge = load_judge(small(BOTH))
    raw = path.read_bytes()
    triages = [Triage.load(f"checkpoints/{name}/best_sft.pt") for name in "ab"]
    (record,) = triages[0].records([raw], owner=["nobody@x.example"])
    mean = mean_log_probabilities([triage.log_probabilities([record]) for triage in triages])
    expected = judge.checkpoint.calibration.probabilities(mean)[0]
    assert list(prediction["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-4)
    sizes = [abs(reason["contribution"]) for reason in prediction["reasons"]]
    assert len(sizes) == 3
    assert sizes == sorted(sizes, reverse=True)


def test_the_command_line_takes_several_checkpoints(folder, monkeypatch):
    said = []
    monkeypatch.setattr("enron_triage.predict.command.run", lambda config, *_, **__: said.append(config))
    for names in (["a/best_sft"], ["a/best_sft", "b/best_sft"]):
        options = [word for name in names for word in ("--checkpoint", name)]
        app.build_app()(args=["predict", "new.eml", *options], prog_name="triage", standalone_mode=False)
    assert [config.evaluate.checkpoint for config in said] == [("a/best_sft",), ("a/best_sft", "b/best_sft")]


def other_split(checkpoint):
    data = checkpoint.origin.data
    other = msgspec.structs.replace(data["train"], sha256="0" * 64)
    return {"origin": msgspec.structs.replace(checkpoint.origin, data={**data, "train": other})}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (lambda checkpoint: {"scheme": "folder"}, "trained on other labels"),
        (
            lambda checkpoint: {"label": msgspec.structs.replace(checkpoint.label, action_lag="30d")},
            "trained on other labels",
        ),
        (other_split, "trained with another train.json"),
        (lambda checkpoint: {"stage": "reward"}, "a reward model"),
    ],
)
def test_what_does_not_belong_together_is_refused_by_name(folder, changes, named):
    path = Path("checkpoints/b/best_sft.pt")
    checkpoint = load_checkpoint(path)
    save_checkpoint(path, msgspec.structs.replace(checkpoint, **changes(checkpoint)))
    with pytest.raises(UsageError, match=rf"b/best_sft\.pt: {named}"):
        pipeline.run_stage("evaluate", small(BOTH))
    with pytest.raises(UsageError, match=rf"b/best_sft\.pt: {named}"):
        run(small(BOTH), ["-"], mailbox=None, owner=[], reasons=0, output=io.BytesIO())


def test_it_needs_the_validation_messages_of_its_training(folder):
    Path("data/val.json").rename("val.json")
    with pytest.raises(UsageError, match=r"val\.json: no such file"):
        load_judge(small(BOTH))
    shutil.copy("data/test.json", "data/val.json")
    with pytest.raises(UsageError, match=r"selected on other messages than those in data/val\.json now"):
        load_judge(small(BOTH))


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("[]", "evaluate.checkpoint: an empty list"),
        ("[a/best_sft, checkpoints/a/best_sft.pt]", "twice"),
        ("[a/best_sft, c/best_sft]", "c/best_sft.pt: no such file; did you mean"),
    ],
)
def test_a_list_that_is_none_is_refused(folder, named, said):
    with pytest.raises(UsageError, match=said):
        pipeline.run_stage("evaluate", small(f"evaluate.checkpoint={named}"))


def test_reasons_of_members_add_up_by_their_shares():
    first = [Reason(feature="x", meaning="", contribution=2.0), Reason(feature="y", meaning="", contribution=-1.0)]
    second = [Reason(feature="y", meaning="", contribution=-3.0), Reason(feature="z", meaning="", contribution=0.5)]
    joined = joined_reasons([first, second], [0.25, 0.75], 2)
    assert [(reason.feature, reason.contribution) for reason in joined] == [("y", -2.5), ("x", 0.5)]
