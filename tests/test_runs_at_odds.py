"""Runs that meet each other's files: what another one has left is never taken for one's own."""

import contextlib
import errno
import logging
import shutil
from pathlib import Path

import pytest
import torch

from enron_triage import pipeline
from enron_triage.cli.clean import clean
from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.evaluation.reading import read_evaluations
from enron_triage.policy.checkpoint import load_checkpoint
from enron_triage.runtime import code_digest, locks
from enron_triage.training import post_training, trainer

SMALL = [
    *("model.hidden=[4]", "model.ensemble=1", "model.boosting=0", "sft.epochs=1", "sft.patience=10"),
    *("features.groups=[metadata]", "workers=1", "device=cpu"),
]


def small(*overrides, **top_level):
    return load_config([], [*SMALL, *overrides], **top_level)


def train(*overrides, **top_level):
    return pipeline.run_stage("sft", small(*overrides, **top_level))


@pytest.fixture
def data(tiny_corpus, tmp_path):
    """A data folder with splits, in the working folder."""
    pipeline.run(small("pipeline.stages=[parse, label, split]", f"parse.source={tiny_corpus}"))
    return tmp_path / "data"


@pytest.fixture
def killed_after(monkeypatch):
    """Make trainings end after an epoch, as if they were killed."""

    @contextlib.contextmanager
    def kill(epoch):
        whole = trainer.Trainer._epoch

        def one(self):
            whole(self)
            if self.state.epoch == epoch:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(trainer.Trainer, "_epoch", one)
            yield

    return kill


def weights(path="checkpoints/best_sft.pt"):
    return load_checkpoint(Path(path)).weights


def equal(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_best_epoch_of_another_run_is_not_taken_for_ones_own(data, killed_after, monkeypatch):
    for module in (trainer, post_training):
        monkeypatch.setattr(module, "selection_score", lambda metrics, by, epoch=0: -abs(next(count) - 2))  # 2 is best
    count = iter(range(1, 100))
    train("sft.epochs=4")
    count = iter(range(1, 100))
    with killed_after(3):
        train("sft.epochs=4", "seed=2", overwrite=True)  # its epochs 1 to 3 replace the first run's
    count = iter(range(1, 100))
    train("sft.epochs=5")
    mine = load_checkpoint(Path("checkpoints/best_sft.pt"))
    assert (mine.seed, mine.origin.config["sft"]["seed"]) == (42, 42)
    assert mine.origin.extended_from == []
    count = iter(range(1, 100))
    train("sft.epochs=5", "run=alone")
    assert equal(mine.weights, weights("checkpoints/alone/best_sft.pt"))


def test_a_killed_run_goes_on_beside_the_epochs_of_a_longer_one(data, killed_after, caplog):
    train("sft.epochs=6")
    with killed_after(3):
        train("sft.epochs=4", overwrite=True)
    with caplog.at_level(logging.INFO, "enron_triage"):
        train("sft.epochs=4", overwrite=True)
    assert "resuming after epoch 3" in caplog.text


def test_an_evaluation_of_an_earlier_training_is_left_out_of_the_report(data, caplog):
    train()
    pipeline.run_stage("evaluate", small())
    assert [policy.name for policy in read_evaluations(data / "eval")] == ["best_sft"]
    train("sft.learning_rate=0.1", overwrite=True)
    assert read_evaluations(data / "eval") == []
    assert "it evaluates an earlier training of its checkpoint; run `triage evaluate` again" in caplog.text
    pipeline.run_stage("evaluate", small())
    shutil.rmtree("checkpoints")
    assert len(read_evaluations(data / "eval")) == 1  # nothing speaks against it


def test_an_extended_training_is_named_in_its_evaluation(data):
    train()
    train("sft.epochs=2")
    evaluation = pipeline.run_stage("evaluate", small()).data
    assert evaluation["source"]["extended_from"] == [1]
    assert "the training was extended, from 1 epochs" in evaluation["notes"]


def test_a_policy_that_was_copied_there_is_kept(data):
    train("run=elsewhere")
    shutil.copy("checkpoints/elsewhere/best_sft.pt", "checkpoints/best_sft.pt")
    with pytest.raises(UsageError, match=r"best_sft\.pt: exists already, and nothing shows .* run=NAME"):
        train()


def test_code_that_is_edited_during_the_work_makes_its_result_out_of_date(data, monkeypatch):
    before = {"labels.split": "before"}
    monkeypatch.setattr("enron_triage.stage_run.module_digests", lambda module: dict(before))
    whole = pipeline.stages.STAGES["split"]
    stage = pipeline.stage_run("split", small())
    with stage.track() as counts:
        counts["edited"] = True
        before["labels.split"] = "after"
    assert whole.number is None
    assert "the program's code has changed: labels.split" in stage.reasons_to_run()


def test_the_same_folder_in_another_spelling_is_the_same_mail(data, tiny_corpus, monkeypatch):
    monkeypatch.chdir(tiny_corpus.parent)
    config = small(f"parse.source={tiny_corpus.name}", data_dir=str(data))
    pipeline.stage_run("parse", config).refuse_to_replace()
    with pytest.raises(UsageError, match="made from"):
        pipeline.stage_run("parse", small("parse.source=.", data_dir=str(data))).refuse_to_replace()


def test_a_file_system_without_locks_costs_a_warning(tmp_path, monkeypatch, caplog):
    def refuse(self):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.filelock.FileLock, "acquire", refuse)
    with locks.locked(tmp_path / ".lock", tmp_path / "x", ""):
        pass
    assert "this file system has no locks" in caplog.text


def test_clean_leaves_what_a_run_goes_on_from(data, killed_after):
    train("sft.epochs=2")
    with killed_after(3):
        train("sft.epochs=4")
    before = sorted(Path("checkpoints").glob("sft_epoch_*.pt"))
    with locks.locked(Path("data/.lock"), Path("data/x"), ""):
        Path("data/.emails.json.partial").write_text("[")
        found = clean(small(), caches=False, every_run=False, dry_run=False).data["files"]
    assert found == []
    assert sorted(Path("checkpoints").glob("sft_epoch_*.pt")) == before
    train("sft.epochs=4")


def test_a_warm_start_is_compared_with_the_policy_as_it_was(data):
    train("sft.epochs=3", "run=first")
    first = load_checkpoint(Path("checkpoints/first/best_sft.pt"))
    plain = train("run=plain", "sft.init=first/best_sft", "sft.class_weights=none").data["before"]
    weighted = train("run=weighted", "sft.init=first/best_sft", "sft.class_weights=inverse").data["before"]
    assert plain["accuracy"] == weighted["accuracy"]
    assert plain["macro_f1"] == weighted["macro_f1"]
    assert first.class_prior == load_checkpoint(Path("checkpoints/plain/best_sft.pt")).class_prior


def test_the_digests_of_the_code_are_of_files_that_are_read_once(data):
    code_digest._parsed.cache_clear()
    code_digest.module_digests("enron_triage.labels.split")
    misses = code_digest._parsed.cache_info().misses
    code_digest.module_digests("enron_triage.labels.split")
    assert code_digest._parsed.cache_info().misses == misses


def test_the_place_of_an_evaluation_is_that_of_the_run_whatever_folder_the_options_name(data):
    train("run=a")
    pipeline.run_stage("evaluate", small("run=a"))
    pipeline.run_stage("evaluate", small(checkpoint_dir="checkpoints/a"))
    assert [path.relative_to("data/eval").as_posix() for path in Path("data/eval").rglob("*.test.json")] == [
        "a/best_sft.test.json"
    ]


def test_two_checkpoints_never_share_the_name_of_an_evaluation_on_different_splits(data):
    train(checkpoint_dir="one")
    train(checkpoint_dir="two")
    pipeline.run_stage("evaluate", small(checkpoint_dir="one"))
    pipeline.run_stage("evaluate", small("evaluate.split=val", checkpoint_dir="two"))
    found = {policy.name: list(policy.evaluations) for policy in read_evaluations(data / "eval")}
    assert found.pop("best_sft") == ["test"]
    assert list(found.values()) == [["val"]]


def test_more_epochs_without_the_earlier_ones_need_a_word(data):
    train("sft.epochs=2")
    assert "cannot be extended" in clean(small(), caches=False, every_run=False, dry_run=False).table
    with pytest.raises(UsageError, match=r"trained with other settings \(sft\.epochs was 2, is 3\)"):
        train("sft.epochs=3")


def test_a_missing_checkpoint_is_answered_with_those_there_are(data):
    train("run=weighted")
    with pytest.raises(UsageError, match=r"wieghted/best_sft\.pt: no such file; did you mean weighted/best_sft\?"):
        train("run=mine", "sft.init=wieghted/best_sft")
    with pytest.raises(UsageError, match=r"checkpoints/best_sft\.pt: no such file; there are weighted/best_sft"):
        pipeline.run_stage("evaluate", small())


def test_a_newer_policy_of_a_run_is_named_where_that_of_no_run_is_evaluated(data, caplog):
    train()
    train("run=weighted")
    with caplog.at_level(logging.INFO, "enron_triage"):
        pipeline.run_stage("evaluate", small())
    assert "the one of the run weighted is newer: --set run=weighted" in caplog.text


def test_other_settings_are_not_blamed_on_the_code(data):
    found = pipeline.stage_run("parse", small("parse.limit=3")).reasons_to_run()
    assert not any("code" in reason for reason in found)
