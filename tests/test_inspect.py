"""What `triage inspect` tells of a checkpoint, from its file alone; and the configuration that makes it again."""

import json
import re
import shutil
import signal
import sys
from pathlib import Path

import msgspec
import pytest
import torch
from builders import checkpoint_fields, new_validation

from enron_triage import cli, pipeline
from enron_triage.config.load import load_config
from enron_triage.config.strict_yaml import parse_yaml
from enron_triage.errors import UsageError
from enron_triage.inspection import command
from enron_triage.inspection.facts import Facts
from enron_triage.inspection.reproduce import reproduction, to_yaml
from enron_triage.policy.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from enron_triage.policy.network import PolicySpec, new_policy
from enron_triage.policy.origin import Origin
from enron_triage.policy.validation import EpochMetrics

SPEC = PolicySpec(inputs=3, hidden=(4,), dropout=0.1)
DEMO = ["download.source=demo", "download.demo.mailboxes=10", "download.demo.messages=900", "workers=1"]
TINY = ["model.hidden=[8]", "model.ensemble=2", "model.boosting=4", "sft.epochs=2", "seed=7", "workers=1"]
DPO = [
    "dpo.epochs=2",
    "dpo.scale_by_costs=true",
    "dpo.beta=0.5",
    "dpo.seed=3",
    "rewards.costs=" + str([[0.0, 2, 2, 4, 5]] * 5),
]


@pytest.fixture
def triage(monkeypatch, capsys):
    """Run the command line in this process; gives status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["triage", *arguments])
        handler = signal.getsignal(signal.SIGTERM)
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        signal.signal(signal.SIGTERM, handler)
        out, err = capsys.readouterr()
        return stopped.value.code, out, err

    return run


def config_of(folder, overrides, stages=(), **top_level):
    names = [f"pipeline.stages=[{', '.join(stages)}]"] if stages else []
    places = {"data_dir": str(folder / "mail"), "checkpoint_dir": str(folder / "policies")}
    return load_config([], [*overrides, *names, "device=cpu"], **places, **top_level)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """SFT and DPO in two runs, on data that were labelled with other settings than training's configuration says."""
    folder = tmp_path_factory.mktemp("a")
    data = ["label.link_window=9d", "split.seed=11"]
    pipeline.run(config_of(folder, [*DEMO, *data], ["download", "parse", "label", "split"]))
    costs = DPO[-1]
    pipeline.run(config_of(folder, [*TINY, costs], ["sft"], run="first"))
    dpo = [*DPO, "dpo.init=first/best_sft", "evaluate.checkpoint=best_dpo"]
    pipeline.run(config_of(folder, dpo, ["dpo", "evaluate"], run="second"))
    evaluated = ["evaluate.checkpoint=best_sft", costs]
    pipeline.run(config_of(folder, evaluated, ["evaluate"], run="first"))
    return folder


def facts_of(made, name):
    return Facts.of(made / "policies" / f"{name}.pt")


def a_checkpoint(path, **changes):
    policy = new_policy(SPEC, seed=1)
    metrics = EpochMetrics(epoch=2, train_loss=1.0, learning_rate=0.1, validation=new_validation(), best_epoch=2)
    fields = checkpoint_fields(3, model=SPEC, weights=policy.state_dict(), metrics=metrics)
    save_checkpoint(path, Checkpoint(**{**fields, **changes}))


def evaluation_in(folder, run, name):
    """The metrics of an evaluation, without places, digests of files and timings."""
    found = [path for path in folder.rglob(f"{name}.test.json") if path.parent.name == run]
    content = json.loads(found[0].read_bytes())
    assert len(found) == 1
    return {key: value for key, value in content.items() if key not in ("source", "messages_per_second")}


@pytest.mark.slow
@pytest.mark.parametrize(("run", "name"), [("first", "best_sft"), ("second", "best_dpo")])
def test_a_checkpoint_alone_reproduces_its_evaluation_to_the_digit_in_an_empty_folder(
    made, run, name, tmp_path, triage
):
    alone = tmp_path / "alone" / f"{name}.pt"
    alone.parent.mkdir()
    shutil.copy(made / "policies" / run / f"{name}.pt", alone)
    status, text, _ = triage("inspect", str(alone), "--config")
    assert status == 0
    Path("again.yaml").write_text(text)
    status, _, err = triage("run", "--config", "again.yaml", "--set", "workers=1")
    assert status == 0, err
    assert evaluation_in(tmp_path / "data", run, name) == evaluation_in(made / "mail", run, name)
    weights, again = (load_checkpoint(path).weights for path in (alone, tmp_path / "checkpoints" / run / f"{name}.pt"))
    assert all(torch.equal(weights[key], again[key]) for key in weights)


@pytest.mark.slow
def test_the_configuration_holds_only_what_differs_from_the_defaults(made):
    found = reproduction(facts_of(made, "second/best_dpo"))
    assert found.values == {
        "run": "second",
        "pipeline": {"stages": ["download", "parse", "label", "split", "sft", "dpo", "evaluate"]},
        "device": "cpu",
        "download": {"source": "demo", "demo": {"mailboxes": 10, "messages": 900}},
        "label": {"link_window": "9d"},
        "split": {"seed": 11},
        "model": {"hidden": [8], "ensemble": 2, "boosting": 4},
        "sft": {"epochs": 2, "seed": 7},
        "rewards": {"costs": [[0.0, 2.0, 2.0, 4.0, 5.0]] * 5},
        "dpo": {"epochs": 2, "seed": 3, "scale_by_costs": True, "beta": 0.5},
        "evaluate": {"checkpoint": "best_dpo"},
    }
    assert found.needs == []
    assert parse_yaml(to_yaml(facts_of(made, "second/best_dpo"), found)) == found.values


@pytest.mark.slow
def test_what_began_with_a_policy_of_other_settings_says_what_it_needs(made, tmp_path):
    path = made / "policies" / "second" / "best_dpo.pt"
    checkpoint = load_checkpoint(path)
    other = msgspec.to_builtins(checkpoint.origin)
    other["parents"]["init"]["config"]["rewards"]["partial_credit"] = 0.5
    other["parents"]["init"]["config"]["decision"]["rule"] = "prior"
    changed = msgspec.structs.replace(checkpoint, origin=msgspec.convert(other, Origin))
    save_checkpoint(tmp_path / "best_dpo.pt", changed)
    found = reproduction(Facts.of(tmp_path / "best_dpo.pt"))
    assert found.values["pipeline"]["stages"] == ["download", "parse", "label", "split", "dpo", "evaluate"]
    assert found.values["dpo"]["init"] == "first/best_sft"
    (need,) = found.needs
    assert need.startswith("dpo.init: first/best_sft.pt (SHA-256 ")
    assert "must be there already: it was trained with other settings (decision.rule)" in need
    assert need in " ".join(to_yaml(Facts.of(tmp_path / "best_dpo.pt"), found).replace("\n#", "").split())


@pytest.mark.slow
def test_an_extended_training_says_how_to_repeat_it(made, tmp_path):
    for name in ("first/best_sft", "second/best_dpo"):
        checkpoint = load_checkpoint(made / "policies" / f"{name}.pt")
        origin = msgspec.structs.replace(checkpoint.origin, extended_from=[1])
        if origin.parents:
            begun = msgspec.structs.replace(origin.parents["init"], extended_from=[1])
            origin = msgspec.structs.replace(origin, parents={"init": begun})
        path = tmp_path / f"{checkpoint.stage}.pt"
        save_checkpoint(path, msgspec.structs.replace(checkpoint, origin=origin))
        needs = " ".join(reproduction(Facts.of(path)).needs)
        stage = checkpoint.stage
        assert f"The training of {stage} was extended: run with --set {stage}.epochs=1, then without." in needs
        assert ("its training was extended, from 1 epochs" in needs) == bool(origin.parents)


@pytest.mark.slow
def test_the_text_fits_80_columns_and_tells_data_settings_and_beginnings(made, triage):
    status, text, _ = triage("inspect", "second/best_dpo", "--checkpoint-dir", str(made / "policies"))
    assert status == 0
    assert all(len(line) <= 80 for line in text.splitlines()[1:])  # the first is the path
    assert "triage dpo, after epoch" in text
    assert "made by      triage download, triage parse, triage label, triage split" in text
    assert re.search(r"^  label\.link_window +9d$", text, re.MULTILINE)
    assert "  init         first/best_sft.pt, triage sft" in text
    sft = json.loads(triage("inspect", "first", "--json", "--checkpoint-dir", str(made / "policies"))[1])
    train = json.loads((made / "mail" / "train.json").read_bytes())
    assert sft["origin"]["data"]["train"]["messages"] == len(train)
    assert sft["origin"]["data"]["train"]["actions"]["archive"] == sum(each["action"] == "archive" for each in train)
    assert sft["origin"]["data"]["train"]["mailboxes"] == len({each["user"] for each in train})
    assert sft["differing"]["sft.seed"] == 7


@pytest.mark.slow
def test_a_model_card_has_front_matter_and_the_evaluation_of_exactly_this_checkpoint(made, triage):
    places = ["--data-dir", str(made / "mail"), "--checkpoint-dir", str(made / "policies")]
    status, card, _ = triage("inspect", "first/best_sft", "--card", *places)
    assert status == 0
    _, front, body = card.split("---\n", 2)
    front = parse_yaml(front)
    evaluation = evaluation_in(made / "mail", "first", "best_sft")
    (results,) = [each["results"] for each in front["model-index"]]
    assert front["metrics"] == ["accuracy", "f1"]
    assert {each["dataset"]["split"] for each in results} == {"test", "validation"}
    assert results[0]["metrics"][0] == {"type": "accuracy", "value": round(evaluation["accuracy"], 4)}
    sections = ("Model details", "Intended uses and limits", "Training data", "Training procedure", "Evaluation")
    for section in (*sections, "Caveats", "How to reproduce"):
        assert f"\n## {section}\n" in body
    senders = {each["sender"] for each in json.loads((made / "mail" / "train.json").read_bytes())}
    assert not any(sender in card for sender in senders if sender)
    shutil.copy(made / "policies" / "first" / "stage_1.pt", "stage_1.pt")
    a_checkpoint(Path("other.pt"))
    assert "no evaluation of this checkpoint was found" in triage("inspect", "other.pt", "--card", *places)[1]


def test_a_checkpoint_that_does_not_tell_how_it_was_made_is_shown_and_not_reproduced(triage):
    a_checkpoint(Path("checkpoints/best_sft.pt"))
    status, text, _ = triage("inspect", "best_sft")
    assert status == 0
    assert "the file does not record it" in text
    assert "accuracy 0.5000" in text
    status, out, err = triage("inspect", "best_sft", "--config")
    assert (status, out) == (2, "")
    assert "best_sft.pt: does not record how it was made" in err
    assert "cannot be reproduced from the checkpoint alone" in triage("inspect", "best_sft", "--card")[1]


def test_a_collapse_and_leaking_labels_are_said(tmp_path):
    metrics = EpochMetrics(
        epoch=2, train_loss=1.0, learning_rate=0.1, validation=new_validation(collapsed=True), best_epoch=2
    )
    a_checkpoint(tmp_path / "best_sft.pt", metrics=metrics, scheme="folder")
    leak, collapse = Facts.of(tmp_path / "best_sft.pt").notes
    assert "leak" in leak
    assert "collapsed" in collapse
    card = command.run(load_config(), str(tmp_path / "best_sft.pt"), card=True).table
    assert leak in card
    assert collapse in card


def test_a_file_is_never_written_over(triage):
    a_checkpoint(Path("checkpoints/best_sft.pt"))
    assert triage("inspect", "best_sft", "--card", "--output", "card.md")[:2] == (0, "card.md\n")
    before = Path("card.md").read_bytes()
    assert before.startswith(b"---\nlicense:")
    status, _, err = triage("inspect", "best_sft", "--output", "card.md")
    assert status == 2
    assert "card.md: exists already" in err
    assert Path("card.md").read_bytes() == before


def test_wrong_use_gets_one_line(triage):
    for arguments, message in [
        (["inspect"], "Missing argument 'CHECKPOINT'"),
        (["inspect", "best_sft"], "best_sft.pt: no such file; run `triage run --config NAME`"),
        (["inspect", "nowhere.pt"], "nowhere.pt: no such file"),
        (["inspect", "best_sft", "--config", "--card"], "--config and --card: give one of them"),
    ]:
        status, out, err = triage(*arguments)
        assert (status, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1


def test_a_configuration_of_unknown_keys_is_refused_in_one_line(tmp_path):
    a_checkpoint(tmp_path / "best_sft.pt", origin=Origin(stage="sft", config={"sft": {"epoks": 3, "epochs": 3}}))
    with pytest.raises(UsageError, match=r"sft\.epoks: unknown key"):
        command.run(load_config(), str(tmp_path / "best_sft.pt"), as_config=True)


def test_how_an_earlier_version_evaluated_does_not_hinder_the_use_of_a_policy():
    origin = Origin(stage="sft", config={"sft": {"epochs": 3}, "evaluate": {"of_an_earlier_version": 5}})
    assert origin.settings()["sft"]["epochs"] == 3
