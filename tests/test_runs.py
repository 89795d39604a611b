"""Working with several runs: none replaces, hides or is taken for another one."""

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from enron_triage import pipeline
from enron_triage.cli.clean import clean
from enron_triage.config.evaluations import evaluation_file
from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.runtime import code_digest
from enron_triage.runtime.locks import locked

SMALL = [
    *("model.hidden=[4]", "model.ensemble=1", "model.boosting=0", "sft.epochs=1", "dpo.epochs=1", "grpo.epochs=1"),
    *("features.groups=[metadata]", "workers=1", "device=cpu"),
]
DATA = "pipeline.stages=[parse, label, split]"


def small(*overrides, **top_level):
    return load_config([], [*SMALL, *overrides], **top_level)


@pytest.fixture
def data(tiny_corpus, tmp_path):
    """A data folder with splits, in the working folder."""
    pipeline.run(small(DATA, f"parse.source={tiny_corpus}"))
    return tmp_path / "data"


def train(*overrides, **top_level):
    return pipeline.run_stage("sft", small(*overrides, **top_level))


def evaluate(*overrides, **top_level):
    return pipeline.run_stage("evaluate", small(*overrides, **top_level)).data


def evaluations():
    return sorted(path.relative_to("data/eval").as_posix() for path in Path("data/eval").rglob("*.*.json"))[::2]


class TestThePlaceOfAnEvaluation:
    def test_it_follows_from_the_checkpoint_however_that_is_named(self, data):
        for run in ("a", "b"):
            train(f"run={run}", f"seed={ord(run)}")
        for name in ("checkpoints/b/best_sft.pt", "b/best_sft", str(Path("checkpoints/b/best_sft.pt").absolute())):
            assert evaluation_file(small(f"evaluate.checkpoint={name}")) == Path("data/eval/b/best_sft.test.json")
            assert evaluation_file(small("run=a", f"evaluate.checkpoint={name}")).parent == Path("data/eval/b")
        evaluate("run=a")
        before = Path("data/eval/a/best_sft.test.json").read_bytes()
        evaluate("run=a", "evaluate.checkpoint=checkpoints/b/best_sft.pt")
        assert Path("data/eval/a/best_sft.test.json").read_bytes() == before

    def test_it_says_of_which_checkpoint_run_data_and_settings_it_is(self, data):
        train("run=a")
        source = evaluate("run=a", "evaluate.split=val")["source"]
        files = (Path("checkpoints/a/best_sft.pt"), Path("data/val.json"))
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
        assert source["checkpoint"] == "../checkpoints/a/best_sft.pt"
        assert source["run"] == "a"
        assert source["records"] == "val.json"
        assert [source["checkpoint_sha256"], source["records_sha256"]] == digests
        assert source["settings"]["evaluate"] == {"seed": 42}
        assert source["training"]["sft"]["epochs"] == 1

    def test_checkpoints_of_two_folders_share_one_data_folder(self, data):
        for folder in ("one", "two"):
            train(checkpoint_dir=folder)
            evaluate(checkpoint_dir=folder)
        for folder in ("one", "two"):
            again = evaluation_file(small(checkpoint_dir=folder))
            assert json.loads(again.read_text())["source"]["checkpoint"] == f"../{folder}/best_sft.pt"
        assert len(list(Path("data/eval").glob("best_sft*.test.json"))) == 2

    def test_a_checkpoint_from_elsewhere_and_records_of_a_splits_name_have_places_of_their_own(self, data):
        train()
        evaluate()
        before = Path("data/eval/best_sft.test.json").read_bytes()
        Path("elsewhere").mkdir()
        shutil.copy("checkpoints/best_sft.pt", "elsewhere/best_sft.pt")
        shutil.copy("data/val.json", "elsewhere/test.json")
        evaluate("evaluate.checkpoint=elsewhere/best_sft.pt")
        evaluate("evaluate.split=elsewhere/test.json")
        assert Path("data/eval/best_sft.test.json").read_bytes() == before
        assert len(list(Path("data/eval").glob("best_sft*.test.json"))) == 3

    def test_it_survives_a_move_of_the_whole_folder(self, data, tmp_path, monkeypatch):
        train()
        evaluate()
        (tmp_path / "there").mkdir()
        for name in ("data", "checkpoints"):
            shutil.move(name, tmp_path / "there" / name)
        monkeypatch.chdir(tmp_path / "there")
        assert evaluation_file(small()) == Path("data/eval/best_sft.test.json")
        assert pipeline.stage_run("evaluate", small()).is_up_to_date()


class TestEditedCode:
    def edit(self, monkeypatch, tmp_path, name, old, new):
        """Make the program read a copy of its own code, with an edit."""
        root = tmp_path / "code"
        shutil.copytree(code_digest._ROOT, root)
        path = root / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
        monkeypatch.setattr(code_digest, "_ROOT", root)
        monkeypatch.setattr(code_digest, "_KNOWN", tmp_path / "known.json")
        code_digest._parsed.cache_clear()
        monkeypatch.setattr(code_digest, "_parsed", functools.cache(code_digest._parsed.__wrapped__))

    def why(self, name):
        return pipeline.stage_run(name, small()).reasons_to_run()

    @pytest.mark.parametrize(
        ("file", "old", "new"),
        [
            ("features/metadata.py", "return ", "assert True\n    return "),
            ("training/losses.py", "return ", "assert True\n    return "),
        ],
    )
    def test_a_feature_group_or_a_loss_that_was_edited_makes_the_policy_out_of_date(
        self, data, monkeypatch, tmp_path, file, old, new
    ):
        train()
        assert self.why("sft") == []
        self.edit(monkeypatch, tmp_path, file, old, new)
        module = file.removesuffix(".py").replace("/", ".")
        assert self.why("sft") == [f"the program's code has changed: {module}"]
        assert self.why("label") == []

    def test_features_that_other_code_extracts_are_not_taken_from_the_cache(self, data, monkeypatch, tmp_path):
        train()
        before = set(Path("data/features").glob("train-*.pt"))
        train()
        assert set(Path("data/features").glob("train-*.pt")) == before
        self.edit(monkeypatch, tmp_path, "features/metadata.py", "return ", "assert True\n    return ")
        train()
        assert len(set(Path("data/features").glob("train-*.pt")) - before) == 1


class TestSeeds:
    def test_another_seed_trains_another_policy_on_the_same_data(self, tiny_corpus):
        stages = "pipeline.stages=[download, parse, label, split, sft]"
        corpus = ["download.source=demo", "download.demo.mailboxes=8", "download.demo.messages=400"]
        pipeline.run(small(stages, *corpus, "run=one"))
        before = {path: path.read_bytes() for path in Path("data").glob("*.json")}
        pipeline.run(small(stages, *corpus, "run=two", "seed=2"))
        assert {path: path.read_bytes() for path in Path("data").glob("*.json")} == before
        one, two = (Path("checkpoints", run, "best_sft.pt").read_bytes() for run in ("one", "two"))
        assert one != two


class TestReplacing:
    def copy_with_a_message_less(self, corpus, target):
        shutil.copytree(corpus, target)
        sent = next(path for path in sorted(Path(target).rglob("*")) if path.is_file() and "inbox" in path.parts)
        sent.unlink()

    def test_a_policy_of_other_settings_is_kept_until_one_says_so(self, data):
        train()
        before = Path("checkpoints/best_sft.pt").read_bytes()
        with pytest.raises(UsageError, match=r"stage_1\.pt: .*learning_rate was 0\.001, is 0\.1\).*--overwrite"):
            train("sft.learning_rate=0.1")
        assert Path("checkpoints/best_sft.pt").read_bytes() == before
        train("sft.learning_rate=0.1", "run=other")
        assert Path("checkpoints/best_sft.pt").read_bytes() == before
        train("sft.learning_rate=0.1", "overwrite=true")
        assert Path("checkpoints/best_sft.pt").read_bytes() != before

    def test_the_same_settings_and_another_device_need_no_word(self, data):
        train()
        train("device=auto")

    def test_records_of_another_source_are_kept_until_one_says_so(self, data, tiny_corpus):
        shutil.copytree(tiny_corpus, "other")
        before = Path("data/emails.json").read_bytes()
        with pytest.raises(UsageError, match=r"emails\.json: made from .*maildir, not from other; .*--data-dir"):
            pipeline.run(small(DATA, "parse.source=other"))
        assert Path("data/emails.json").read_bytes() == before
        pipeline.run(small(DATA, "parse.source=other", overwrite=True))
        assert pipeline.stage_run("split", small(DATA, "parse.source=other")).is_up_to_date()

    def test_a_policy_trained_on_other_mail_is_kept(self, data, tiny_corpus):
        train()
        self.copy_with_a_message_less(tiny_corpus, "other")
        pipeline.run(small(DATA, "parse.source=other", overwrite=True))
        with pytest.raises(UsageError, match=r"made from .*maildir, not from other; .*--set run=NAME"):
            train()

    def test_mail_that_the_program_did_not_fetch_is_never_replaced_unasked(self):
        own = Path("data/maildir/me/inbox/1.")
        own.parent.mkdir(parents=True)
        own.write_text("From: a@x.example\n\nmine\n")
        with pytest.raises(UsageError, match="maildir: exists already, and was not made by `triage download`"):
            pipeline.run_stage("download", small("download.source=demo"))
        assert own.read_text().endswith("mine\n")

    def test_what_would_be_refused_is_refused_before_anything_runs(self, data, tiny_corpus):
        train()
        stages = "pipeline.stages=[parse, label, split, sft]"
        before = {path: path.stat().st_mtime_ns for path in Path("data").iterdir()}
        with pytest.raises(UsageError, match="trained with other settings"):
            pipeline.run(small(stages, f"parse.source={tiny_corpus}", "label.link_window=5d", "sft.batch_size=7"))
        assert {path: path.stat().st_mtime_ns for path in Path("data").iterdir()} == before


class TestEvaluationsOfARun:
    def test_every_policy_that_the_run_makes_is_evaluated_on_val_and_test(self, data):
        result = pipeline.run(small("pipeline.stages=[sft, reward, dpo, grpo, evaluate]", "reward_model.epochs=1"))
        found = {(each["checkpoint"], each["split"]) for each in result.data["evaluations"]}
        assert found == {(f"best_{name}", split) for name in ("sft", "dpo", "grpo") for split in ("val", "test")}
        for checkpoint, split in found:
            assert Path(f"data/eval/{checkpoint}.{split}.json").exists()
        assert result.data["stages"]["evaluate"]["checkpoint"] == "best_sft"
        assert result.data["stages"]["evaluate"]["split"] == "test"

    def test_a_run_that_trains_nothing_evaluates_what_is_named(self, data):
        train()
        result = pipeline.run(small("pipeline.stages=[evaluate]", "evaluate.split=val"))
        assert [(each["checkpoint"], each["split"]) for each in result.data["evaluations"]] == [("best_sft", "val")]

    def test_from_and_force_say_what_runs(self, data):
        stages = "pipeline.stages=[sft, evaluate]"
        pipeline.run(small(stages))
        assert "would run" not in pipeline.status(small(stages)).table
        forced = pipeline.status(small(stages), start="evaluate", force=True).data["stages"]
        assert list(forced) == ["evaluate best_sft on val", "evaluate best_sft on test"]
        assert all(stage["reasons"] == ["--force"] for stage in forced.values())
        times = Path("checkpoints/best_sft.pt").stat().st_mtime_ns
        pipeline.run(small(stages), start="evaluate", force=True)
        assert Path("checkpoints/best_sft.pt").stat().st_mtime_ns == times
        pipeline.run(small(stages), force=True)
        assert Path("checkpoints/best_sft.pt").stat().st_mtime_ns != times
        with pytest.raises(UsageError, match="--from label: not a stage of this pipeline, which has sft, evaluate"):
            pipeline.run(small(stages), start="label")


class TestLocks:
    HOLD = (
        "import sys; from pathlib import Path; from enron_triage.runtime.locks import locked\n"
        "with locked(Path(sys.argv[1]), Path('x'), ''):\n    print('held', flush=True); sys.stdin.read()"
    )

    @pytest.fixture
    def hold(self):
        processes = []

        def start(path):
            process = subprocess.Popen(
                [sys.executable, "-c", self.HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            processes.append(process)
            assert process.stdout.readline() == "held\n"
            return process

        yield start
        for process in processes:
            process.communicate()

    def test_a_second_run_in_one_folder_is_answered_with_a_line_that_names_the_first(self, data, hold):
        first = hold("checkpoints/.lock")
        with pytest.raises(
            UsageError, match=rf"stage_1\.pt: process {first.pid} .*wait for it to finish, or .*run=NAME"
        ):
            train()
        train("run=another")  # not in its way
        first.communicate()
        train()
        assert not list(Path("checkpoints").glob(".lock*"))

    def test_a_killed_process_leaves_no_lock_behind(self, hold):
        first = hold("folder/.lock")
        first.kill()
        first.wait()
        with locked(Path("folder/.lock"), Path("folder/x"), "do something else"):
            pass
        assert not os.listdir("folder")

    def test_the_data_stages_and_evaluations_are_locked_too(self, data, tiny_corpus, hold):
        first = hold("data/.lock")
        with pytest.raises(UsageError, match=r"emails\.json: process"):
            pipeline.run_stage("parse", small(f"parse.source={tiny_corpus}"))
        first.communicate()
        train()
        Path("data/eval").mkdir()
        hold("data/eval/.best_sft.test.lock")
        with pytest.raises(UsageError, match=r"best_sft\.test\.json: process"):
            evaluate()
        evaluate("evaluate.split=val")


class TestClean:
    def clean(self, *overrides, **options):
        return clean(small(*overrides), **{"caches": False, "every_run": False, "dry_run": False, **options})

    def test_it_removes_the_epochs_of_finished_trainings_and_what_killed_runs_left(self, data):
        train("run=a", "sft.epochs=2")
        train("sft.epochs=2")
        kept = {path: path.read_bytes() for path in Path("checkpoints").glob("*.pt") if "epoch" not in path.name}
        Path("data/.emails.json.partial").write_text("[")
        epochs = sorted(str(path) for path in Path("checkpoints").glob("sft_epoch_*.pt"))
        assert len(epochs) == 2
        found = self.clean(dry_run=True).data
        assert found["files"] == [*epochs, "data/.emails.json.partial"]
        assert all(Path(name).exists() for name in found["files"])
        assert self.clean().data["files"] == found["files"]
        assert not any(Path(name).exists() for name in found["files"])
        assert {path: path.read_bytes() for path in Path("checkpoints").glob("*.pt")} == kept
        assert pipeline.stage_run("sft", small("sft.epochs=2")).is_up_to_date()
        assert len(list(Path("checkpoints/a").glob("sft_epoch_*.pt"))) == 2
        assert len(self.clean(every_run=True).data["files"]) == 2

    def test_an_unfinished_training_and_caches_stay_unless_asked(self, data):
        train()
        unfinished = Path("checkpoints/sft_epoch_7.pt")
        unfinished.write_bytes(b"later than the last")
        os.utime(unfinished, ns=(0, Path("checkpoints/stage_1.pt").stat().st_mtime_ns + 1))
        self.clean()
        assert unfinished.exists()
        assert list(Path("data/features").iterdir())
        self.clean(caches=True)
        assert not list(Path("data/features").iterdir())
