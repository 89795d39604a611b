"""What a checkpoint tells of its making: true of the data, free of places and times."""

import json
from pathlib import Path

import pytest

from enron_triage import pipeline
from enron_triage.config.checking import check_config
from enron_triage.config.load import load_config
from enron_triage.policy.checkpoint import load_checkpoint, save_checkpoint
from enron_triage.policy.origin import decisive_values
from enron_triage.runtime import invocation

SMALL = ["features.groups=[metadata]", "model.hidden=[4]", "model.ensemble=1", "model.boosting=0", "sft.epochs=1"]
DATA = "pipeline.stages=[parse, label, split]"
SFT = "pipeline.stages=[sft]"


def run(folder, *overrides, **top_level):
    places = {"data_dir": str(folder / "data"), "checkpoint_dir": str(folder / "checkpoints"), "device": "cpu"}
    pipeline.run(load_config([], [*SMALL, *overrides], **{**places, **top_level}))
    return folder / "checkpoints" / "best_sft.pt"


@pytest.fixture
def data(tiny_corpus, tmp_path):
    run(tmp_path, DATA, f"parse.source={tiny_corpus}", "label.link_window=5d", "split.seed=9", "workers=1")
    return tmp_path


def test_the_settings_of_the_data_are_those_that_they_were_made_with(data, tiny_corpus):
    origin = load_checkpoint(run(data, SFT, "label.link_window=20d", "workers=1")).origin
    assert origin.data_stages == ["parse", "label", "split"]
    assert origin.config["parse"]["source"] == str(tiny_corpus)
    assert origin.config["label"]["link_window"] == "5d"
    assert origin.config["split"]["seed"] == 9
    assert origin.config["sft"]["epochs"] == 1
    assert list(origin.sources) == [str(tiny_corpus)]
    assert origin.init is None


def test_data_that_nobody_knows_the_making_of_are_named_as_the_source(data):
    labelled = data / "data" / "emails_labeled.json"
    labelled.write_text(labelled.read_text() + "\n")  # edited since `split` read it
    origin = load_checkpoint(run(data, SFT, "label.link_window=20d", "workers=1")).origin
    assert origin.data_stages == ["parse", "label", "split"]  # what `split` read is still known by its metadata
    (data / "data" / "emails_labeled.json.meta.json").unlink()
    origin = load_checkpoint(run(data, SFT, "seed=2", "label.link_window=20d", "workers=1", "overwrite=true")).origin
    assert origin.data_stages == ["split"]
    assert list(origin.sources) == ["emails_labeled.json"]


def test_digests_and_counts_are_those_of_the_files(data):
    path = run(data, SFT, "workers=1")
    for name, file in load_checkpoint(path).origin.data.items():
        records = json.loads((data / "data" / f"{name}.json").read_bytes())
        assert file.path == f"{name}.json"
        assert file.messages == len(records)
        assert file.mailboxes == len({record["user"] for record in records})
        assert file.actions["delete"] == sum(record["action"] == "delete" for record in records)
        meta = json.loads((data / "data" / f"{name}.json.meta.json").read_bytes())
        assert file.sha256 == meta["artifact"]["sha256"]


@pytest.mark.slow
def test_equal_runs_write_equal_files_whatever_the_workers_and_the_place(tiny_corpus, tmp_path):
    paths = []
    for number, workers in enumerate((1, 2)):
        folder = tmp_path / str(number) / "somewhere"
        run(folder, DATA, f"parse.source={tiny_corpus}", f"workers={workers}")
        paths.append(run(folder, SFT, f"workers={workers}"))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_loaded_checkpoint_is_saved_as_the_same_bytes(data, tmp_path):
    path = run(data, SFT, "workers=1")
    save_checkpoint(tmp_path / "again.pt", load_checkpoint(path))
    save_checkpoint(tmp_path / "and_again.pt", load_checkpoint(tmp_path / "again.pt"))
    assert (tmp_path / "again.pt").read_bytes() == (tmp_path / "and_again.pt").read_bytes()


def test_a_checkpoint_of_dpo_holds_how_its_beginning_was_made(data):
    run(data, SFT, "sft.learning_rate=0.01", "workers=1")
    run(data, "pipeline.stages=[dpo]", "dpo.epochs=1", "workers=1")
    origin = load_checkpoint(data / "checkpoints" / "best_dpo.pt").origin
    sft = load_checkpoint(data / "checkpoints" / "best_sft.pt").origin
    assert origin.init == sft
    assert origin.config["sft"]["learning_rate"] == 0.01  # of the policy, not of the configuration for dpo
    assert origin.data["init"].path == "best_sft.pt"
    assert (
        origin.data["init"].sha256
        == json.loads((data / "checkpoints" / "best_sft.pt.meta.json").read_bytes())["artifact"]["sha256"]
    )


def test_the_recorded_configuration_can_be_loaded_and_holds_no_place():
    config = load_config([], ["workers=3", "run=a", "sft.resume=false"], data_dir="/x", checkpoint_dir="/y")
    values = decisive_values(config)
    assert check_config(values)
    assert not {"workers", "scheduler", "run", "data_dir", "checkpoint_dir", "pipeline"} & values.keys()
    assert "resume" not in values["sft"]
    assert values["sft"]["seed"] == 42
    assert set(values["evaluate"]).isdisjoint({"checkpoint", "split"})


def test_the_code_and_the_libraries_are_named(data):
    origin = load_checkpoint(run(data, SFT, "workers=1")).origin
    assert origin.command == ""  # a library here
    assert origin.commit == invocation.code_commit()
    libraries = {"torch", "numpy", "lightgbm", "scipy"}
    names = {"python", "enron_triage", *libraries, "platform", "processor", "threads"}
    assert origin.versions.keys() == names
    assert not any("unknown" in version for version in origin.versions.values())


def test_nothing_in_a_checkpoint_tells_the_folder(data):
    path = run(data, SFT, "workers=1")
    meta = data / "data" / "emails.json.meta.json"
    assert str(Path(data, "data")) not in str(load_checkpoint(path).origin)
    assert meta.exists()
