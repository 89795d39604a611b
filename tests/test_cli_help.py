"""Help, shell completion and printing: what one sees of the command line before and after the work."""

import importlib.util
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from enron_triage import cli
from enron_triage.cli import output
from enron_triage.cli.commands import COMMANDS
from enron_triage.config.keys import documented_keys, keys_below
from enron_triage.pipeline import STAGES

ROOT = Path(__file__).parents[1]
PROGRAM = [sys.executable, "-m", "enron_triage"]
EVERY = [*STAGES, *COMMANDS]
COMMON = ["--config", "--set", "--data-dir", "--checkpoint-dir", "--device", "--json", "--verbose", "--quiet"]


@pytest.fixture
def triage(monkeypatch, capsys):
    """Run the command line in this process; gives stdout."""

    def run(*arguments, **environment):
        for name in ("COMP_WORDS", "COMP_CWORD", "_TRIAGE_COMPLETE_BEFORE"):  # which the program changes
            monkeypatch.setenv(name, "")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["triage", *arguments])
        handler = signal.getsignal(signal.SIGTERM)
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        signal.signal(signal.SIGTERM, handler)
        out, err = capsys.readouterr()
        assert (stopped.value.code, err) == (0, "")
        return out

    return run


@pytest.fixture
def bash(triage):
    """What bash completes: it ends a word at each = and :, so the words are given as it has them."""

    def complete(*words):
        out = triage(
            _TRIAGE_COMPLETE="complete_bash", COMP_WORDS="\n".join(["triage", *words]), COMP_CWORD=str(len(words))
        )
        return out.split()

    return complete


@pytest.fixture
def zsh(triage):
    """What zsh completes, which leaves a word whole."""

    def complete(line):
        out = triage(_TRIAGE_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=line)
        return re.findall(r'^(?:_arguments .*\(\()?"([^"]*)"', out, re.MULTILINE)

    return complete


def unwrapped(text):
    return " ".join(text.split())


@pytest.mark.parametrize("columns", ["80", "60"])
@pytest.mark.parametrize("arguments", [[], *([name] for name in EVERY)], ids=str)
def test_no_line_of_the_help_is_too_long_and_nothing_is_cut_off(triage, arguments, columns):
    out = triage(*arguments, "--help", COLUMNS=columns)
    # What cannot be broken, such as a call to copy, may be longer than a very narrow terminal.
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "..." not in unwrapped(out).replace("COMMAND [ARGS]...", "").replace("PATH...", "").replace("}...", "")
    assert "\x1b" not in out


def test_the_help_of_the_program_says_the_whole_sentence_of_each_command(triage):
    out = unwrapped(triage("--help", COLUMNS="80"))
    for stage in STAGES.values():
        assert stage.help in out
    for command in COMMANDS.values():
        assert unwrapped(command.run.__doc__.partition("\n\n")[0]) in out


@pytest.mark.parametrize("name", EVERY)
def test_every_command_takes_the_same_options_and_has_an_example(triage, name):
    out = triage(name, "--help")
    options = out.partition("Options:")[2].partition("\n\n")[0]
    assert [option for option in COMMON if f"{option} " not in options.replace(",", " ") + " "] == []
    example = (STAGES.get(name) or COMMANDS.get(name)).example
    assert example.startswith(f"triage {name} ")
    assert f"Example:\n  {example}\n" in out


def test_an_option_that_changes_nothing_is_not_offered_as_if_it_did(triage):
    out = triage("predict", "--help")
    assert "--overwrite" not in out
    assert "--json                No effect: the output is JSON Lines in any case." in out
    assert "--overwrite" in triage("sft", "--help")
    assert triage("configs", "--overwrite") == triage("configs")
    assert triage("inspect", "--help").count("--config ") == 1


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("download", "download"),
        ("parse", "parse"),
        ("label", "label"),
        ("split", "split"),
        ("sft", "sft"),
        ("reward", "reward_model"),
        ("dpo", "dpo"),
        ("grpo", "grpo"),
        ("evaluate", "evaluate"),
        ("run", "pipeline"),
    ],
)
def test_the_help_of_a_command_describes_every_key_of_its_section(triage, name, section):
    out = unwrapped(triage(name, "--help"))
    for key in keys_below(section):
        assert unwrapped(f"{key.path}={key.default} ({key.allowed}) {key.meaning}") in out


def test_the_help_of_a_stage_names_its_files_and_the_other_settings_that_decide_it(triage):
    out = triage("sft", "--help")
    files = out.partition("Inputs")[2]
    for path in ("data/train.json", "data/val.json", "checkpoints/stage_1.pt", "checkpoints/best_sft.pt"):
        assert f"  {path}" in files
    others = out.partition("Other settings")[2]
    for name in ("model", "features", "decision", "rewards.costs", "label.scheme", "device"):
        assert f"\n  {name} " in others
    assert "docs/configuration.md" in others


def test_the_headings_of_the_help_are_bold_on_a_terminal_alone(triage, monkeypatch):
    monkeypatch.setattr("typer._click._compat.isatty", lambda stream: True)
    out = triage("sft", "--help")
    assert "\x1b[1mOptions:\x1b[0m\n" in out
    assert "\x1b[1mExample:\x1b[0m\n" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["s"], ["split", "sft", "status", "sweep"]),
        (["sft", "--dev"], ["--device"]),
        (["sft", "--device", "c"], ["cpu", "cuda"]),
        (["sft", "--set", "sft.class"], ["sft.class_weights=", "sft.class_weights_power=", "sft.class_weights_beta="]),
        (["sft", "--set", "sft.loss", "=", "fo"], ["focal"]),
        (["sft", "--set", "sft.loss", "="], ["cross_entropy", "focal"]),
        (["sft", "--set", "=", "sft.loss", "=", "fo"], ["focal"]),  # --set=sft.loss=fo
        (["sft", "--set", "a.b", "=", "c", "--set", "sft.loss", "=", "fo"], ["focal"]),
        (["sft", "--set", "a.b", "=", "--set", "sft.loss", "=", "fo"], ["focal"]),
        (["sft", "--set", "sft.resume", "="], ["true", "false"]),
        (["sft", "--set", "decision.rule", "=", "n"], ["null"]),
        (["sft", "--set", "features.groups", "=", "[text,his"], ["[text,history]", "[text,history,"]),
        (["sft", "--set", "features.groups", "=", "[text,t"], []),  # is there already
        (["sft", "--set", "parse.source", "=", ""], []),  # so that bash completes files
        (["sft", "--set", "no.such", "=", "x"], []),
    ],
)
def test_bash_completes_commands_options_keys_and_values(bash, words, expected):
    assert bash(*words) == expected


def test_a_key_that_is_certain_is_completed_without_a_space_after_it(bash):
    # A space follows a single word; two begin alike.
    assert bash("sft", "--set", "sft.ep") == ["sft.epochs=", "sft.epochs=8"]
    assert bash("sft", "--set", "sft.loss") == ["sft.loss=", "sft.loss=cross_entropy", "sft.loss=focal"]


def test_every_key_is_completed(bash):
    assert bash("sft", "--set", "") == [f"{path}=" for path in documented_keys()]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("triage s", ["split", "sft", "status", "sweep"]),
        ("triage sft --set sft.ep", ["sft.epochs=", "sft.epochs=8"]),
        ("triage sft --set sft.loss=fo", ["sft.loss=focal"]),
        ("triage sft --set sft.loss=", ["sft.loss=cross_entropy", "sft.loss=focal"]),
        ("triage sft --device c", ["cpu", "cuda"]),
    ],
)
def test_zsh_completes_whole_words(zsh, line, expected):
    assert zsh(line) == expected


@pytest.fixture
def checkpoints(tmp_path):
    """Checkpoints of no run and of the run `weighted`, and a file that is none."""
    for path in ("best_sft.pt", "weighted/best_sft.pt", "weighted/best_dpo.pt", "weighted/stage_1.json"):
        file = tmp_path / "checkpoints" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


@pytest.mark.usefixtures("checkpoints")
def test_checkpoints_are_completed_by_name(bash, zsh, tmp_path):
    every = ["best_sft", "weighted/best_dpo", "weighted/best_sft"]
    assert bash("predict", "--checkpoint", "") == every
    assert bash("evaluate", "--set", "evaluate.checkpoint", "=") == every
    assert zsh("triage dpo --set dpo.init=weighted/best_d") == ["dpo.init=weighted/best_dpo"]
    named = ["--set", "run", "=", "weighted"]
    assert bash("evaluate", *named, "--set", "evaluate.checkpoint", "=", "best_d") == ["best_dpo"]
    assert zsh("triage evaluate --set run=weighted --set evaluate.checkpoint=best_d") == [
        "evaluate.checkpoint=best_dpo"
    ]
    assert bash("predict", "--checkpoint-dir", "checkpoints/weighted", "--checkpoint", "") == ["best_dpo", "best_sft"]
    (tmp_path / "own.yaml").write_text("run: weighted\n")
    assert bash("predict", "--config", "own.yaml", "--checkpoint", "best_d") == ["best_dpo"]
    (tmp_path / "own.yaml").write_text("wrong: [\n")
    assert bash("predict", "--config", "own.yaml", "--checkpoint", "") == every


def test_configurations_are_completed_by_name_and_by_path(bash, tmp_path):
    assert "sft_weighted" in bash("sft", "--config", "")
    assert bash("sft", "--config", "sft_w") == ["sft_weighted"]
    (tmp_path / "mine").mkdir()
    for name in ("a.yaml", "b.yml", "c.txt"):
        (tmp_path / "mine" / name).touch()
    assert bash("sft", "--config", "mi") == ["mine/a.yaml", "mine/b.yml"]
    assert bash("sft", "--config", "mine/") == ["mine/a.yaml", "mine/b.yml"]


@pytest.mark.slow
def test_completion_and_help_do_not_import_torch():
    code = (
        "import sys\nfrom enron_triage import cli\nsys.argv[1:] = ['grpo', '--help']\n"
        "try: cli.main()\nfinally: print('torch' in sys.modules, 'sklearn' in sys.modules, file=sys.stderr)"
    )
    completing = {"_TRIAGE_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "triage dpo --set dpo.loss="}
    for environment, text in (({}, "grpo.num_generations=8"), (completing, "dpo.loss=hinge")):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment})
        assert text in done.stdout
        assert done.stderr == "False False\n"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_that_is_shown_completes_in_bash(tmp_path):
    program = tmp_path / "triage"
    program.write_text(f'#!/bin/sh\nexec {" ".join(PROGRAM)} "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = subprocess.run(
        ["bash", "-c", "triage --show-completion; true"], capture_output=True, text=True, check=True, env=environment
    ).stdout
    assert "complete -o default -F _triage_completion triage" in script
    script += "\nCOMP_WORDS=(triage sft --set sft.loss = fo); COMP_CWORD=5; _triage_completion triage"
    script += '\necho "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "focal\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


TABLE = "\n".join(
    [
        "best_sft on test: " + "a sentence that goes on " * 5,
        "",
        "              accuracy  reward" + " " * 60 + "note",
        "policy          0.5000  1.0000  collapsed",
        "",
        "parse: up to date",
        "costs: [" + "0.5, " * 30 + "]  # a value of a configuration",
        "| not | cut | off | " + "x " * 60,
    ]
)


def test_a_table_is_plain_where_the_output_is_not_a_terminal(capsys):
    output.print_table(TABLE)
    assert capsys.readouterr().out == f"{TABLE}\n"


@pytest.mark.parametrize(("columns", "shown"), [("80", "narrow"), ("200", "wide")])
def test_wide_rows_are_for_a_pipe_and_for_a_terminal_that_has_the_room(monkeypatch, capsys, columns, shown):
    tables = {"narrow": "rank  status\n1     narrow", "wide": f"rank  run{' ' * 90}  status\n1     wide"}
    output.print_table(tables["narrow"], tables["wide"])
    assert capsys.readouterr().out == f"{tables['wide']}\n"
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", Terminal())
    output.print_table(tables["narrow"], tables["wide"])
    assert shown in sys.stdout.getvalue()
    assert sum(word in sys.stdout.getvalue() for word in tables) == 1


def test_a_table_has_colour_on_a_terminal_and_breaks_sentences_between_words_and_rows_not_at_all(monkeypatch):
    for name, value in {"COLUMNS": "80", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    output.print_table(TABLE)
    shown = terminal.getvalue()
    assert "\x1b[1m              accuracy" in shown
    assert "\x1b[1;31mcollapsed\x1b[0m" in shown
    assert "\x1b[32mup to date\x1b[0m" in shown
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown)
    rows = [line.rstrip() for line in TABLE.splitlines()]
    assert plain.splitlines()[-1].rstrip() == rows[-1]
    assert {rows[2], rows[6]} <= {line.rstrip() for line in plain.splitlines()}
    sentence = plain.splitlines()[:2]
    assert all(len(line) <= 80 for line in sentence)
    assert unwrapped(" ".join(sentence)) == unwrapped(rows[0])


def test_the_page_of_the_configuration_is_current():
    file = ROOT / "scripts" / "document_configuration.py"
    spec = importlib.util.spec_from_file_location("document_configuration", file)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    current = script.PAGE.read_text(encoding="utf-8") == script.page()
    assert current, "run `python scripts/document_configuration.py`"
