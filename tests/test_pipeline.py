"""The table of stages, and what follows from it."""

import importlib
import json
from pathlib import Path

import pytest

from enron_triage import pipeline
from enron_triage.config.load import load_config
from enron_triage.config.schema import Config
from enron_triage.errors import ArtifactError
from enron_triage.pipeline import STAGES, stage_run
from enron_triage.runtime.settings import changed_settings

SETTINGS = ["pipeline.stages=[parse, label, split]", "workers=1"]


def test_every_row_names_a_function_and_settings_that_exist():
    for name, stage in STAGES.items():
        for reference in filter(None, (stage.run, stage.stored)):
            module, _, function = reference.partition(":")
            assert callable(getattr(importlib.import_module(module), function)), name
        assert stage_run(name, Config()).settings


def test_the_numbers_of_the_training_stages_are_in_the_names_of_their_files():
    numbers = {name: stage.number for name, stage in STAGES.items() if stage.number}
    assert numbers == {"sft": 1, "reward": 2, "grpo": 3, "dpo": 4}
    for name, number in numbers.items():
        assert stage_run(name, Config()).outputs == {
            "last": Path(f"checkpoints/stage_{number}.pt"),
            "best": Path(f"checkpoints/best_{name}.pt"),
        }


@pytest.mark.parametrize(
    ("name", "maker"),
    [("maildir", "download"), ("emails.json", "parse"), ("val.json", "split"), ("best_reward.pt", "reward")],
)
def test_an_artifact_is_known_by_the_stage_that_makes_it(name, maker):
    error = ArtifactError(Path("elsewhere", name), "is damaged")
    assert str(error) == f"elsewhere/{name}: is damaged; give the right path"
    assert str(pipeline.with_advice(error)) == f"elsewhere/{name}: is damaged; run `triage {maker}`"


def test_an_artifact_that_no_stage_makes_is_the_callers_to_name():
    error = pipeline.with_advice(ArtifactError(Path("mine.json"), "is damaged"))
    assert str(error) == "mine.json: is damaged; give the right path"


def test_a_damaged_input_is_answered_with_the_command_that_makes_it(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "emails.json").write_text("[\n{}")
    with pytest.raises(ArtifactError, match=r"emails\.json: truncated or edited near byte 2; run `triage parse`"):
        pipeline.run_stage("label", load_config())


def test_status_says_what_would_run_and_why_without_doing_anything(tiny_corpus):
    config = load_config([], [*SETTINGS, f"parse.source={tiny_corpus}"])
    fresh = pipeline.status(config)
    assert not Path("data").exists()
    assert fresh.table.splitlines() == [
        *("parse: would run: 2 files are missing", "label: would run: 3 files are missing"),
        *("split: would run: 5 files are missing", "`triage status --details` lists every reason"),
    ]
    assert "parse: would run\n  data/emails.json: is missing" in pipeline.status(config, details=True).table
    assert len(fresh.data["stages"]["split"]["reasons"]) == 5
    pipeline.run(config)
    files = {path: path.stat().st_mtime_ns for path in Path("data").rglob("*")}
    assert pipeline.status(config).table == "parse: up to date\nlabel: up to date\nsplit: up to date"
    changed = pipeline.status(load_config([], [*SETTINGS, f"parse.source={tiny_corpus}", "label.link_window=5d"]))
    assert changed.data["stages"]["label"] == {
        "up_to_date": False,
        "reasons": ["label.link_window was '30d', is '5d'"],
        "after": [],
    }
    assert changed.data["stages"]["split"] == {"up_to_date": True, "reasons": [], "after": ["label"]}
    assert "label: would run: label.link_window was '30d', is '5d'\nsplit: up to date, unless" in changed.table
    assert "split: up to date, unless label changes its input" in changed.table
    assert {path: path.stat().st_mtime_ns for path in Path("data").rglob("*")} == files
    Path("data/emails_unacted.json").unlink()
    two = pipeline.status(load_config([], [*SETTINGS, f"parse.source={tiny_corpus}", "label.link_window=5d"]))
    assert "label: would run: label.link_window was '30d', is '5d' (and 1 more)" in two.table


def test_a_run_that_reads_other_mail_downloads_none(tiny_corpus, caplog):
    settings = ["pipeline.stages=[download, parse]", "download.source=demo", "download.demo.messages=30", "workers=1"]
    with caplog.at_level("INFO"):
        other = pipeline.run(load_config([], [*settings, f"parse.source={tiny_corpus}"]))
    assert list(other.data["stages"]) == ["parse"]
    assert "download: not needed, because parse.source names the mail" in caplog.text
    assert not Path("data/maildir").exists()
    same = pipeline.run(load_config([], [*settings, "parse.source=own/maildir"], data_dir="own"))
    assert list(same.data["stages"]) == ["download", "parse"]  # it is what download provides


def test_status_follows_a_change_through_every_later_stage(tiny_corpus):
    stages = "pipeline.stages=[parse, label, split, sft]"
    small = ["model.hidden=[4]", "model.ensemble=1", "model.boosting=0", "sft.epochs=1", "features.groups=[metadata]"]
    settings = [*SETTINGS, stages, *small, f"parse.source={tiny_corpus}"]
    pipeline.run(load_config([], settings))
    found = pipeline.status(load_config([], [*settings, "label.link_window=5d"])).data["stages"]
    assert {name: stage["after"] for name, stage in found.items()} == {
        "parse": [],
        "label": [],
        "split": ["label"],
        "sft": ["split"],
    }


def test_metadata_that_earlier_versions_wrote_are_understood():
    before = {"split": {"by": "user"}, "scheme": "received"}
    assert changed_settings(before, {"split": {"by": "user"}, "label": {"scheme": "received"}}) == []


def test_status_names_an_edited_artifact_a_changed_input_and_another_version(tiny_corpus):
    config = load_config([], [*SETTINGS, f"parse.source={tiny_corpus}"])
    pipeline.run(config)
    emails = Path("data/emails.json")
    emails.write_text(emails.read_text().replace('"to":[', '"to":["x@x.example",', 1).replace(",]", "]", 1))
    meta = Path("data/test.json.meta.json")
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "version": "0.0.1"}))
    stages = pipeline.status(config).data["stages"]
    assert stages["parse"]["reasons"] == ["data/emails.json: was edited"]
    assert stages["label"]["reasons"] == ["data/emails.json: has changed"]
    assert any("made by version 0.0.1" in reason for reason in stages["split"]["reasons"])
