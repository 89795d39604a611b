"""The commands that show the configuration, as they are called."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from enron_triage import cli
from enron_triage.config.load import load_config

ROOT = Path(__file__).parents[1]


@pytest.fixture
def triage(monkeypatch, capsys, tmp_path):
    """Run the command line in this process, in an empty folder; gives status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["triage", *arguments])
        handler = signal.getsignal(signal.SIGTERM)
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        signal.signal(signal.SIGTERM, handler)
        out, err = capsys.readouterr()
        return stopped.value.code, out, err

    return run


def test_config_prints_what_config_reads_again_and_where_each_value_comes_from(triage):
    given = ["--config", "sft_weighted", "--set", "sft.epochs=3", "--data-dir", "elsewhere", "--device", "cuda:1"]
    status, out, err = triage("config", *given)
    assert (status, err) == (0, "")
    assert "  class_weights: inverse # configs/sft_weighted.yaml (shipped)\n" in out
    assert "  epochs: 3 # --set\n" in out
    assert "data_dir: elsewhere # --data-dir\n" in out
    assert "seed: 42\n" in out
    Path("again.yaml").write_text(out)
    expected = load_config(["sft_weighted"], ["sft.epochs=3"], data_dir="elsewhere", device="cuda:1")
    assert load_config(["again.yaml"]) == expected
    printed = json.loads(triage("config", *given, "--json")[1])
    Path("again.json").write_text(json.dumps(printed["config"]))
    assert load_config(["again.json"]) == expected
    assert printed["origins"]["sft.epochs"] == "--set"
    assert set(printed["origins"]) == {
        "device",
        "data_dir",
        "run",
        "sft.epochs",
        "sft.loss",
        "sft.class_weights",
        "decision.keep_class_weights",
    }


def test_what_config_prints_on_a_terminal_reads_back_too(triage, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    out = triage("config", "--set", "label.scheme=folder", "--set", f"data_dir={'long name ' * 20}")[1]
    Path("again.yaml").write_text(out)
    assert load_config(["again.yaml"]) == load_config([], ["label.scheme=folder", f"data_dir={'long name ' * 20}"])


def test_config_shows_one_section(triage):
    status, out, _ = triage("config", "split", "--set", "split.by=time")
    assert (status, out.splitlines()[:2]) == (0, ["split:", "  by: time # --set"])
    assert json.loads(triage("config", "split.by", "--json")[1]) == {"config": {"split": {"by": "user"}}, "origins": {}}


def test_config_compares_two_files_or_shipped_names(triage):
    Path("b.yaml").write_text("run: mine\nsft: {epochs: 3}\n")
    status, out, _ = triage("config", "--diff", "sft_weighted", "b.yaml", "--set", "sft.loss=focal")
    assert status == 0
    assert [line.split() for line in out.splitlines()] == [
        ["sft_weighted", "b.yaml"],
        ["run", "sft_weighted", "mine"],
        ["sft.epochs", "8", "3"],
        ["sft.class_weights", "inverse", "power"],
        ["decision.keep_class_weights", "true", "false"],
    ]
    status, out, _ = triage("config", "--diff", "demo", "own_mail")
    assert "--- demo\n+++ own_mail\n" in out
    assert "split.by\n  - user\n  + time\n" in out
    assert triage("config", "--diff", "demo", "demo")[:2] == (0, "no key differs\n")
    differences = json.loads(triage("config", "--diff", "demo", "enron", "--json")[1])
    assert (differences["a"], differences["b"]) == ("demo", "enron")
    assert differences["differences"] == {
        "data_dir": ["demo/data", "enron/data"],
        "checkpoint_dir": ["demo/checkpoints", "enron/checkpoints"],
        "download.source": ["demo", "cmu"],
    }


def test_config_prints_the_schema(triage):
    status, out, _ = triage("config", "--schema")
    assert status == 0
    assert json.loads(out) == json.loads(triage("config", "--schema", "--json")[1])
    assert json.loads(out)["$defs"]["Config"]["additionalProperties"] is False


def test_configs_lists_shows_and_copies_the_shipped_files(triage):
    names = sorted(file.stem for file in (ROOT / "configs").glob("*.yaml"))
    status, out, _ = triage("configs")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == names
    assert max(map(len, out.splitlines())) <= 80
    assert list(json.loads(triage("configs", "list", "--json")[1])["configs"]) == names
    text = (ROOT / "configs" / "sft_focal.yaml").read_text()
    assert triage("configs", "show", "sft_focal")[:2] == (0, text)
    status, out, _ = triage("configs", "copy", "sft_focal")
    assert status == 0
    assert out.startswith("sft_focal.yaml: copied from sft_focal; its `run: sft_focal` names the folder")
    assert Path("sft_focal.yaml").read_text() == text
    Path("folder").mkdir()
    assert triage("configs", "copy", "demo", "folder")[:2] == (0, "folder/demo.yaml: copied from demo\n")
    assert triage("configs", "copy", "demo", "mine.yaml")[0] == 0
    assert load_config(["mine.yaml"]) == load_config(["demo"])


def test_configs_copies_over_no_file(triage):
    Path("demo.yaml").write_text("mine")
    status, out, err = triage("configs", "copy", "demo")
    assert (status, out) == (2, "")
    assert "demo.yaml: exists already; name another file" in err
    assert Path("demo.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["config", "sfft"], "sfft: no such section or key; did you mean sft?"),
        (["config", "--schema", "sft"], "give one of SECTION, --schema and --diff"),
        (["config", "--diff", "demo"], "--diff"),
        (["config", "--diff", "demo", "nowhere"], "configuration nowhere: no such file"),
        (["config", "--set", "seed=on"], 'seed: must be a whole number, not "on"'),
        (["config", "--device", "cuda:x"], "device: must be auto, cpu, cuda, mps, or one of several GPUs"),
        (["sft", "--config", "sft_wieghted"], "did you mean the shipped sft_weighted?"),
        (["configs", "show"], "name a shipped configuration; `triage configs` lists them"),
        (["configs", "copy", "demmo"], "did you mean the shipped demo?"),
        (
            ["configs", "copy", "demo", "no/such/folder/x.yaml"],
            "x.yaml: there is no folder no/such/folder; make it",
        ),
        (["configs", "show", "demo", "x"], "`configs copy NAME [TARGET]`"),
        (["configs", "list", "demo"], "`configs show NAME`"),
        (["configs", "demo"], "'demo' is not one of 'list', 'show', 'copy'"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(triage, arguments, message):
    status, out, err = triage(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["config", "--schema"], ["config", "--config", "sft_focal"], ["configs"]])
def test_the_configuration_is_shown_without_loading_torch(arguments):
    code = (
        "import sys; from enron_triage import cli\n"
        "try:\n    cli.main()\nexcept SystemExit as left:\n    assert not left.code and 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("owner", ["[jane@x.example]", "{doe-j: [jane@x.example, j@y.example]}"])
def test_config_shows_the_owner_that_was_given(triage, tmp_path, owner):
    status, out, _ = triage("config", "--set", f"label.owner={owner}")
    assert status == 0
    assert next(line for line in out.splitlines() if line.startswith("  owner: ")).endswith("# --set")
    (tmp_path / "again.yaml").write_text(out)
    assert load_config([tmp_path / "again.yaml"]).label.owner == load_config([], [f"label.owner={owner}"]).label.owner


def test_an_owner_without_an_address_is_refused(triage):
    status, _, err = triage("config", "--set", "label.owner=[jane]")
    assert status == 2
    assert "label.owner: must be a list of addresses" in err
