"""Where the values of a configuration come from, and the names of the shipped files."""

import os
from pathlib import Path

import pytest

from enron_triage.config import shipped
from enron_triage.config.load import load_config, value_origins
from enron_triage.config.merging import read_sources
from enron_triage.errors import UsageError

CHECKOUT = Path(__file__).parents[2] / "configs"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, text):
    Path(name).write_text(text)
    return Path(name)


def test_every_given_key_has_the_origin_that_wins_and_no_other_key_has_one():
    first = write("a.yaml", "download: {source: demo}\nsft: {epochs: 3, seed: 1}\nrewards: {partial_credit: 0.5}\n")
    second = write("b.yaml", "sft:\n  epochs: 4\n")
    origins = value_origins([first, second], ["sft={seed: 2}", "run=x"], data_dir="elsewhere", device=None)
    assert origins == {
        "download.source": "a.yaml",
        "sft.epochs": "b.yaml",
        "sft.seed": "--set",
        "rewards.partial_credit": "a.yaml",
        "run": "--set",
        "data_dir": "--data-dir",
    }
    assert value_origins() == {}


def test_a_value_that_was_given_has_an_origin_though_it_is_the_default():
    assert value_origins([], ["download.source=cmu"]) == {"download.source": "--set"}


def test_a_file_that_can_be_read_only_once_gives_both_the_configuration_and_the_origins():
    reading, writing = os.pipe()
    os.write(writing, b"seed: 7\n")
    os.close(writing)
    sources = read_sources([f"/dev/fd/{reading}"])
    os.close(reading)
    assert (sources.load().seed, list(sources.origins())) == (7, ["seed"])


def test_a_shipped_configuration_is_found_by_its_name_from_any_folder():
    assert load_config(["sft_weighted"]) == load_config([CHECKOUT / "sft_weighted.yaml"])
    assert value_origins(["sft_weighted"])["sft.class_weights"] == "configs/sft_weighted.yaml (shipped)"
    assert shipped.shipped_files() == {file.stem: file for file in sorted(CHECKOUT.glob("*.yaml"))}


def test_a_file_wins_over_the_shipped_one_of_its_name_and_a_folder_does_not():
    Path("demo").mkdir()
    assert load_config(["demo"]).download.source == "demo"
    write("enron", "seed: 3\n")
    assert load_config(["enron"]).seed == 3
    assert value_origins(["enron"]) == {"seed": "enron"}


@pytest.mark.parametrize("name", ["sft_wieghted", "configs/sft_weighted.yaml", "sft_weighted.yml"])
def test_an_unknown_name_is_answered_with_the_shipped_ones_and_the_closest(name):
    with pytest.raises(
        UsageError, match=rf"configuration {name}: no such file; did you mean the shipped sft_weigh"
    ) as no:
        load_config([name])
    assert "shipped are: all_stages, demo, dpo, " in str(no.value)
    assert "\n" not in str(no.value)


def test_the_installed_package_has_its_own_copy_which_is_found_first(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "enron_triage"
    (package / "configs").mkdir(parents=True)
    (package / "configs" / "mine.yaml").write_text("seed: 1\n")
    monkeypatch.setattr(shipped, "_FOLDERS", (package / "configs", CHECKOUT))
    assert load_config(["mine"]).seed == 1
    with pytest.raises(UsageError, match="shipped are: mine"):
        load_config(["demo"])
    monkeypatch.setattr(shipped, "_FOLDERS", (tmp_path / "nowhere",))
    with pytest.raises(UsageError, match="shipped are: none, in this installation"):
        load_config(["demo"])


def test_the_wheel_takes_the_shipped_configurations_along():
    project = (CHECKOUT.parent / "pyproject.toml").read_text()
    assert '[tool.hatch.build.targets.wheel.force-include]\nconfigs = "enron_triage/configs"\n' in project


def test_the_summary_is_the_first_sentence_of_the_first_comment():
    text = "# One thing, over\n# two lines. And more.\nseed: 1\n# other\n"
    assert shipped.summary(write("a.yaml", text)) == "One thing, over two lines."
    assert shipped.summary(write("b.yaml", "seed: 1\n")) == ""
