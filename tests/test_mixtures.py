"""What is of two runs is never trained or evaluated on: kills between renames, copies, inputs that change meanwhile."""

import io
import json
import logging
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from enron_triage import pipeline
from enron_triage.cli.clean import clean
from enron_triage.config.load import load_config
from enron_triage.errors import TriageError, UsageError
from enron_triage.evaluation import evaluate
from enron_triage.labels import label, split
from enron_triage.mail import parse
from enron_triage.runtime import artifacts
from enron_triage.training import sft

SMALL = [
    *("model.hidden=[4]", "model.ensemble=1", "model.boosting=0", "sft.epochs=1", "sft.patience=10"),
    *("features.groups=[metadata]", "workers=1", "device=cpu"),
]


class KilledError(BaseException):
    """Stands for the end of the process."""


def small(*overrides, **top_level):
    return load_config([], [*SMALL, *overrides], **top_level)


@pytest.fixture
def data(tiny_corpus, tmp_path):
    """A data folder with splits, in the working folder."""
    pipeline.run(small("pipeline.stages=[parse, label, split]", f"parse.source={tiny_corpus}"))
    return tmp_path / "data"


@pytest.fixture
def killed_at(monkeypatch):
    """Run a stage until it has renamed a number of files; whether it was killed."""

    def kill(number, stage, config):
        left = iter(range(number, -1, -1))
        replace = os.replace

        def until(*args, **options):
            if next(left, 0) == 0:
                patch.setattr(os, "unlink", lambda *args, **options: None)  # a killed process cleans nothing up
                raise KilledError
            replace(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", until)
            try:
                pipeline.run_stage(stage, config)
            except KilledError:
                return True
        return False

    return kill


def contents(folder, names):
    """The bytes of some artifacts, as the program's readers find them."""
    found = {}
    for name in names:
        with artifacts.open_input(folder / name) as file:
            found[name] = file.read()
    return found


# What each stage makes, and with which other settings it makes something else.
TOGETHER = {
    "label": (["emails_labeled.json", "emails_unacted.json"], "label.action_lag=1d"),
    "split": (["train.json", "val.json", "test.json", "split_metadata.json"], "split.seed=7"),
}


@pytest.mark.parametrize("stage", TOGETHER)
def test_a_kill_between_renames_leaves_no_mixture(data, killed_at, stage):
    names, other = TOGETHER[stage]
    before = contents(data, names)
    pipeline.run_stage(stage, small(other))
    after = contents(data, names)
    assert any(before[name] != after[name] for name in names)
    seen = set()
    for number in range(30):
        pipeline.run_stage(stage, small())
        assert contents(data, names) == before
        was_killed = killed_at(number, stage, small(other))
        found = contents(data, names)
        assert found in (before, after)
        seen.add(found == after)
        pipeline.run_stage(stage, small(other))
        assert contents(data, names) == after  # the same bytes after a rerun
        assert pipeline.stage_run(stage, small(other)).is_up_to_date()
        if not was_killed:
            break
    assert not was_killed
    assert seen == {False, True}
    assert not list(data.glob(".*"))


def test_a_kill_while_a_folder_is_replaced_leaves_the_old_or_the_new_one(tmp_path, monkeypatch):
    def configuration(number):
        archive = tmp_path / f"{number}.tar"
        if not archive.exists():
            with tarfile.open(archive, "w") as packed:
                for name in (f"{number}/inbox/1.", "both/inbox/1."):
                    member = tarfile.TarInfo(name)
                    member.size = 2
                    packed.addfile(member, io.BytesIO(b"%d\n" % number))
        return small(f"download.source={archive}", overwrite=True)

    def mail():
        pipeline.stage_run("parse", configuration(1)).finish_interrupted()  # as every stage begins
        folder = tmp_path / "data" / "maildir"
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    pipeline.run_stage("download", configuration(2))
    after = mail()
    pipeline.run_stage("download", configuration(1))
    before, seen = mail(), set()
    for number in range(200):
        was_killed = is_killed_at_change(number, lambda: pipeline.run_stage("download", configuration(2)), monkeypatch)
        found = mail()
        assert found in (before, after)
        seen.add(found == after)
        pipeline.run_stage("download", configuration(2))
        assert mail() == after
        assert pipeline.stage_run("download", configuration(2)).is_up_to_date()
        assert not list((tmp_path / "data").glob(".*"))
        if not was_killed:
            break
        pipeline.run_stage("download", configuration(1))
    assert not was_killed
    assert seen == {False, True}


def is_killed_at_change(number, work, monkeypatch):
    """Run something until it has renamed or removed a number of files and folders; whether it was killed."""
    left = iter(range(number, -1, -1))

    def until(function):
        def change(*args, **options):
            if next(left, 0) == 0:  # and from then on: a killed process cleans nothing up
                raise KilledError
            return function(*args, **options)

        return change

    with monkeypatch.context() as patch:
        for name in ("rename", "replace", "unlink", "rmdir"):
            patch.setattr(os, name, until(getattr(os, name)))
        try:
            work()
        except KilledError:
            return True
    return False


def test_the_next_stage_trains_on_one_split_after_a_kill(data, killed_at):
    number = next(number for number in range(1, 30) if is_left_unfinished(data, killed_at, number))
    assert number
    assert (
        "the program ended while this file was being replaced"
        in pipeline.status(small("pipeline.stages=[split]")).table
    )
    assert clean(small(), caches=False, every_run=False, dry_run=False).data["files"] == []  # they are still needed
    pipeline.run_stage("sft", small())
    mailboxes = {name: users(data / f"{name}.json") for name in ("train", "val", "test")}
    metadata = json.loads((data / "split_metadata.json").read_bytes())
    assert all(mailboxes[name] <= set(metadata["mailboxes"][name]) for name in mailboxes)
    assert pipeline.stage_run("split", small("split.seed=7")).is_up_to_date()


def is_left_unfinished(data, killed_at, number):
    return killed_at(number, "split", small("split.seed=7")) and (data / ".lock.journal").exists()


def users(path):
    return {record["user"] for record in json.loads(path.read_bytes())}


def test_a_killed_training_leaves_the_last_and_the_best_policy_of_one_run(data, killed_at):
    names = ["stage_1.pt", "best_sft.pt"]
    pipeline.run_stage("sft", small())
    before = contents(Path("checkpoints"), names)
    other = small("sft.epochs=2", "sft.seed=3", overwrite=True)
    for number in range(1, 40, 2):
        was_killed = killed_at(number, "sft", other)
        found = contents(Path("checkpoints"), names)
        assert len({found[name] == before[name] for name in names}) == 1
        if not was_killed:
            break
    assert not was_killed


def test_a_training_that_was_killed_in_an_epoch_has_the_metrics_of_all_its_epochs_in_the_end(data, killed_at):
    config = small("sft.epochs=2")
    pipeline.run_stage("sft", config)
    whole = metrics_in(Path("checkpoints"))
    assert len(whole) == 2
    for number in range(5):  # the renames of the epochs' checkpoints and metrics, and one after them
        shutil.rmtree("checkpoints")
        assert killed_at(number, "sft", config)
        pipeline.run_stage("sft", config)
        assert metrics_in(Path("checkpoints")) == whole
        assert not list(Path("checkpoints").glob(".*.partial"))


def metrics_in(folder):
    lines = (folder / "stage_1_metrics.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name != "seconds"} for line in lines]


def test_splits_that_were_copied_from_two_runs_are_refused(data):
    shutil.copytree(data, "earlier")
    pipeline.run_stage("split", small("split.seed=7"))
    for name in ("train.json", "train.json.meta.json"):
        shutil.copy(f"earlier/{name}", data / name)
    with pytest.raises(UsageError, match=r"not made in the same run .*; run `triage split` again"):
        pipeline.run_stage("sft", small())
    pipeline.run_stage("split", small())
    pipeline.run_stage("sft", small())


def changing(monkeypatch, module, name, path):
    """Let a function of a stage change a file, after it has done its work."""
    whole = getattr(module, name)

    def work(*args, **options):
        result = whole(*args, **options)
        path.write_bytes(path.read_bytes().removesuffix(b"\n"))
        return result

    monkeypatch.setattr(module, name, work)


def test_an_artifact_that_changes_while_it_is_read_leaves_the_old_outputs(data, monkeypatch):
    before = contents(data, TOGETHER["split"][0])
    changing(monkeypatch, split, "read_columns", data / "emails_labeled.json")
    with pytest.raises(TriageError, match=r"emails_labeled\.json: changed while it was read; run the same command"):
        pipeline.run_stage("split", small("split.seed=7"))
    assert contents(data, TOGETHER["split"][0]) == before


def test_labels_of_records_that_change_meanwhile_are_not_put_in_place(data, monkeypatch):
    before = contents(data, TOGETHER["label"][0])
    changing(monkeypatch, label, "_write_labels", data / "emails.json")
    with pytest.raises(TriageError, match=r"emails\.json: changed while it was read"):
        pipeline.run_stage("label", small())
    assert contents(data, TOGETHER["label"][0]) == before


def test_a_training_on_a_split_that_changes_meanwhile_ends_before_the_first_epoch(data, monkeypatch):
    changing(monkeypatch, sft, "load_split", data / "val.json")
    with pytest.raises(TriageError, match=r"val\.json: changed while it was read"):
        pipeline.run_stage("sft", small())
    assert not list(Path("checkpoints").glob("*.pt"))


def test_mail_that_changes_while_it_is_parsed_is_said_and_never_up_to_date(tiny_corpus, tmp_path, monkeypatch, caplog):
    mail = tmp_path / "mail"
    shutil.copytree(tiny_corpus, mail)
    config = small(f"parse.source={mail}", "pipeline.stages=[parse]")
    arrived = next(path for path in sorted(mail.rglob("*")) if path.is_file())
    content = arrived.read_bytes()
    arrived.unlink()

    def arrives(*args):  # and is gone before anybody compares the folder again
        arrived.write_bytes(content)
        return real(*args)

    real = parse._parsed_batches
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "enron_triage"):
        patch.setattr(parse, "_parsed_batches", arrives)
        pipeline.run_stage("parse", config)
    assert f"{mail}: changed while it was read" in caplog.text
    arrived.unlink()
    assert pipeline.stage_run("parse", config).reasons_to_run() == [f"{mail}: changed while it was read"]
    caplog.clear()
    pipeline.run_stage("parse", config)
    assert "changed while" not in caplog.text
    assert pipeline.stage_run("parse", config).is_up_to_date()


@pytest.mark.parametrize(
    ("first", "second"), [("parse", "label"), ("label", "parse"), ("split", "split"), ("sft", "sft"), ("label", "run")]
)
def test_a_stage_beside_another_in_the_same_folder_is_refused_and_changes_nothing(data, tiny_corpus, first, second):
    config = small(f"parse.source={tiny_corpus}", "pipeline.stages=[parse, label, split, sft]", overwrite=True)
    before = {path: path.read_bytes() for path in sorted(data.iterdir()) if path.suffix == ".json"}
    with pytest.raises(KeyboardInterrupt), pipeline.stage_run(first, config).track():
        with pytest.raises(
            UsageError, match=r"process \d+ .* is writing it; wait for it to finish, or work in another folder"
        ):
            if second == "run":
                pipeline.run(config, force=True)
            else:
                pipeline.run_stage(second, config)
        raise KeyboardInterrupt
    assert {path: path.read_bytes() for path in sorted(data.iterdir()) if path.suffix == ".json"} == before
    assert not Path("checkpoints").exists() or not list(Path("checkpoints").glob("*.pt"))


def test_a_training_beside_a_split_trains_on_one_of_both_splits(data):
    whole = pipeline.stage_run("split", small("split.seed=7"))
    with pytest.raises(KeyboardInterrupt), whole.track():
        for name in ("train", "val"):
            with artifacts.record_writer(whole.outputs[name]) as writer:
                writer.write(b"{}")  # whole, but not in place
        pipeline.run_stage("sft", small())
        raise KeyboardInterrupt
    assert pipeline.stage_run("sft", small()).is_up_to_date()


def test_an_evaluation_on_another_split_than_the_policy_was_trained_on_says_so(data, monkeypatch):
    monkeypatch.setattr(evaluate, "draw_confusion", lambda *args: None)  # which take seconds
    monkeypatch.setattr(evaluate, "compare_with_bayes_baseline", lambda *args: None)
    pipeline.run_stage("sft", small())
    said = "the policy was trained on another split of this mail (split.seed was 42, is 7)"
    assert not any("another split" in note for note in pipeline.run_stage("evaluate", small()).data["notes"])
    pipeline.run_stage("split", small("split.seed=7"))
    assert any(note.startswith(said) for note in pipeline.run_stage("evaluate", small()).data["notes"])
