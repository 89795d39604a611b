import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from enron_triage import __version__, cli, pipeline
from enron_triage.cli import app

QUICK = [
    "--set",
    "sft.epochs=2",
    "--set",
    "model.hidden=[16]",
    "--set",
    "model.boosting=5",
    "--set",
    "workers=1",
    "--device",
    "cpu",
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


def test_help_names_every_stage(triage):
    status, out, _ = triage("--help")
    assert status == 0
    stages = ("download", "parse", "label", "split", "sft", "reward", "dpo", "grpo", "evaluate", "run")
    for name in (*stages, "predict", "preferences", "report"):
        assert f" {name} " in out
    assert triage()[1] == out  # without arguments likewise


def test_the_version_is_printed(triage):
    assert triage("--version")[:2] == (0, f"triage {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "frobnicate"),
        (["stf"], "Did you mean 'sft'?"),
        (["parse", "--bogus"], "--bogus"),
        (["parse", "--confg", "x.yaml"], "--confg (Possible options: --config"),
        (["parse", "--set", "parse.sorce=x"], "did you mean source?"),
        (["parse", "--config", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["parse"], "maildir: no such file or folder; run `triage download`"),
        (["label"], "emails.json: no such file or folder; run `triage run --config NAME` first"),
        (["split"], "emails_labeled.json: no such file or folder; run `triage run --config NAME` first"),
        (["sft"], "train.json: no such file or folder; run `triage run --config NAME` first"),
        (["predict", "new.eml"], "best_sft.pt: no such file; run `triage run --config NAME`"),
        (["predict"], "Missing argument 'PATH...'"),
        (["predict", "--reasons", "-1", "new.eml"], "--reasons"),
        (["preferences"], "Missing option '--sample-uncertain'"),
        (["preferences", "--sample-uncertain", "0"], "--sample-uncertain"),
        (["preferences", "--sample-uncertain", "5"], "best_sft.pt: no such file; run `triage run --config NAME`"),
        (["report"], "contains no evaluation; run `triage evaluate` first"),
        (["grpo"], "train.json: no such file or folder; run `triage run --config NAME` first"),
        (["grpo", "--set", "grpo.estimator=both"], "grpo.estimator"),
        (["dpo", "--set", "dpo.label_smoothing=0.5"], "dpo.label_smoothing"),
        (["evaluate"], "best_sft.pt: no such file or folder; run `triage run --config NAME` first"),
        (["evaluate", "--set", "evaluate.checkpoint=other.pt"], "other.pt: no such file or folder"),
        (["sft", "--device", "tpu"], "device: must be auto, cpu, cuda, mps, or one of several GPUs such as cuda:1"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(triage, arguments, message):
    status, out, err = triage(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_names_with_control_characters_do_not_reach_the_terminal(triage, tmp_path):
    odd = tmp_path / "a\x1b]0;title\x07\u202eb\x9bc"
    for name in ("Inbox/1.eml", "Inbox/2.eml", "Sent/3.\x1b[2Jpdf"):
        (odd / name).parent.mkdir(parents=True, exist_ok=True)
        (odd / name).write_bytes(b"From: a@x.example\nSubject: x\n\nx\n" if name.endswith("1.eml") else b"")
    for source in (odd, odd / "nowhere"):
        _, out, err = triage("parse", "--set", f"parse.source={source}")
        assert "a\\x1b]0;title\\x07\\u202eb\\x9bc" in err
        assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(out + err)


def test_a_crash_is_one_line_and_the_traceback_shows_with_verbose(triage, monkeypatch):
    def crash(name, config):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(pipeline, "run_stage", crash)
    status, _, err = triage("parse")
    assert status == 1
    assert (
        err == "triage: internal error, ZeroDivisionError: by nothing; please report it with the output of --verbose\n"
    )
    assert "Traceback" in triage("parse", "--verbose")[2]
    assert "Traceback" in triage("-v", "parse")[2]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", "data/x"), KeyboardInterrupt()])
def test_failures_of_the_machine_and_interrupts_have_their_status(triage, monkeypatch, error):
    def fail(name, config):
        raise error

    monkeypatch.setattr(pipeline, "run_stage", fail)
    status, _, err = triage("parse")
    if isinstance(error, KeyboardInterrupt):
        assert (status, "interrupted" in err) == (130, True)
    else:
        assert (status, err) == (1, "triage: data/x: permission denied\n")


@pytest.mark.slow
def test_the_whole_pipeline_runs_then_skips_what_is_up_to_date(triage, tiny_corpus, tmp_path):
    stages = "pipeline.stages=[parse, label, split, sft, evaluate]"
    arguments = ["run", "--json", "--set", stages, "--set", f"parse.source={tiny_corpus}", *QUICK]
    status, out, err = triage(*arguments)
    assert status == 0, err
    first = json.loads(out)["stages"]
    assert first["parse"]["records"] == first["parse"]["files"]
    assert 0 <= first["evaluate"]["accuracy"] <= 1
    written = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.is_file()}
    second = json.loads(triage(*arguments)[1])["stages"]
    assert {name: second[name] for name in ("parse", "label", "split", "sft")} == dict.fromkeys(
        ("parse", "label", "split", "sft"), "up to date"
    )
    assert second["evaluate"]["accuracy"] == first["evaluate"]["accuracy"]
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.is_file()} == written

    # A changed option of one stage runs that stage and what follows from it, no more.
    _, out, _ = triage(*arguments, "--set", "sft.learning_rate=0.01", "--overwrite")
    third = json.loads(out)["stages"]
    assert third["split"] == "up to date"
    assert third["sft"]["epochs"] == 2
    assert third["evaluate"]["count"] == first["evaluate"]["count"]


@pytest.mark.slow
def test_the_refining_stages_run_from_the_command_line_and_end_in_a_report(triage, tiny_corpus):
    stages = "pipeline.stages=[parse, label, split, sft, reward, grpo, dpo, evaluate]"
    short = [word for name in ("reward_model", "grpo", "dpo") for word in ("--set", f"{name}.epochs=1")]
    options = [*QUICK, *short, "--set", f"parse.source={tiny_corpus}", "--set", "evaluate.checkpoint=best_grpo"]
    status, out, _ = triage("run", *options, "--set", stages)
    assert status == 0
    assert "mean reward" in out
    status, out, err = triage("run", *options, "--set", stages, "--json")
    assert json.loads(out)["stages"]["evaluate"]["checkpoint"] == "best_grpo"  # shown all the same
    assert err.count("up to date") == 7 + 6  # the stages before, and each policy on val and on test
    _, out, err = triage("run", *options, "--set", stages, "--set", "grpo.beta=0.5", "--overwrite")
    assert "grpo: running" in err
    assert "reward: up to date" in err
    assert "dpo: up to date" in err
    status, out, _ = triage("report", "--log", "--json")
    assert status == 0
    assert list(json.loads(out)["policies"]) == ["best_sft", "best_grpo", "best_dpo"]
    assert json.loads(out)["test_sets"][0]["best"] in json.loads(out)["policies"]
    assert "is the only policy" in triage("report", "--sort", "mean_reward", "--runs", "best_g*")[1]
    assert triage("report", "--runs", "none")[0] == 2
    assert "best_grpo" in Path("TRAINING_LOG.md").read_text()
    status, out, _ = triage("preferences", "--sample-uncertain", "4", *QUICK)
    assert (status, len(Path("data/preferences.jsonl").read_text().splitlines())) == (0, 4)


def test_stdout_holds_only_the_table_and_quiet_silences_the_rest(triage, tiny_corpus):
    status, out, err = triage("parse", "-q", "--set", f"parse.source={tiny_corpus}", *QUICK)
    assert (status, err) == (0, "")
    assert "records" in out
    assert "\x1b" not in out


def test_an_artifact_of_another_scheme_is_refused(triage, tiny_corpus):
    triage("parse", "--set", f"parse.source={tiny_corpus}", *QUICK)
    folder = ["--set", "label.scheme=folder", "--set", "features.groups=[metadata]"]
    assert triage("label", *folder, *QUICK)[0] == 0
    status, _, err = triage("split", *QUICK)
    assert status == 2
    assert "labelled with scheme folder, the configuration says received" in err


def test_an_input_made_with_other_settings_is_named(triage, tiny_corpus):
    triage("parse", "--set", f"parse.source={tiny_corpus}", *QUICK)
    assert "other settings" not in triage("label", "--set", f"parse.source={tiny_corpus}", *QUICK)[2]
    status, _, err = triage("label", *QUICK)
    assert status == 0
    assert f"parse.source was '{tiny_corpus}', is None" in err
    assert "run `triage parse` to make it again" in err


def test_an_edited_input_is_named(triage, tiny_corpus):
    source = ["--set", f"parse.source={tiny_corpus}"]
    triage("parse", *source, *QUICK)
    assert "edited" not in triage("label", *source, *QUICK)[2]
    emails = Path("data/emails.json")
    emails.write_text(emails.read_text().replace('"to":[', '"to":["x@x.example",', 1).replace(",]", "]", 1))
    status, _, err = triage("label", *source, *QUICK)
    assert status == 0
    assert "data/emails.json: edited since `triage parse` made it" in err


def test_a_read_only_folder_is_refused_and_nothing_changes(triage, tiny_corpus, tmp_path):
    if os.getuid() == 0:  # root may write anywhere; a file where the folder belongs stops root, too
        (tmp_path / "locked").write_text("x")
    else:
        (tmp_path / "locked").mkdir(mode=0o500)
    status, _, err = triage("parse", "--data-dir", "locked", "--set", f"parse.source={tiny_corpus}", *QUICK)
    assert status == 1
    assert "locked/emails.json: cannot be written" in err


def program(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "enron_triage", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def finished(*arguments):
    """Run the program to its end; gives the exit status."""
    process = program(*arguments)
    process.communicate()
    return process.returncode


@pytest.mark.slow
def test_data_stages_and_help_do_not_import_torch():
    code = (
        "import sys; from enron_triage import cli, pipeline; import enron_triage.mail.parse, "
        "enron_triage.mail.download, enron_triage.labels.label, enron_triage.labels.split; "
        "from enron_triage.config.load import load_config; "
        "load_config([], ['sft.loss=focal', 'dpo.loss=ipo', 'decision.rule=prior', 'features.groups=[metadata]']); "
        "sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_showing_a_stored_evaluation_does_not_import_what_labels_mail():
    code = (
        "import sys; import enron_triage.evaluation.stored; from enron_triage.labels.schemes import SCHEMES; "
        "sys.exit(not SCHEMES['folder'].leak_note or 'enron_triage.labels.linking' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def killed_while_writing(arguments, partial, count):
    """Start the program, kill it once it has written `count` bytes of an artifact, and leave those on the disk.

    A pipe takes the place of the partial file. It holds less than the rest of the artifact, so the program has to wait
    for this test to read: however fast or busy the machine is, it has begun and cannot have finished.
    """
    partial.unlink(missing_ok=True)
    os.mkfifo(partial)
    reader = os.open(partial, os.O_RDONLY | os.O_NONBLOCK)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 2**16)
    process = program(*arguments)
    written = b""
    while len(written) < count:
        try:
            chunk = os.read(reader, count - len(written))
        except BlockingIOError:  # opened by the program, and nothing written yet
            chunk = b""
        written += chunk
        if not chunk:
            assert process.poll() is None, process.communicate()[1].decode()
            time.sleep(0.01)
    assert process.poll() is None
    process.kill()
    process.communicate()  # ends only when its workers, which hold the same pipes, have ended, too
    os.close(reader)
    partial.unlink()
    partial.write_bytes(written)
    return written


@pytest.mark.slow
def test_parse_killed_at_any_moment_and_run_again_gives_the_same_bytes(tiny_corpus, tmp_path):
    arguments = ("parse", "-q", "--set", f"parse.source={tiny_corpus}")
    assert finished(*arguments, "--data-dir", "whole") == 0
    expected = (tmp_path / "whole" / "emails.json").read_bytes()
    output, partial = tmp_path / "data" / "emails.json", tmp_path / "data" / ".emails.json.partial"
    output.parent.mkdir()
    third = len(expected) // 3
    assert len(expected) - third > 2**16 + io.DEFAULT_BUFFER_SIZE  # more than the pipe and the file's buffer hold

    process = program(*arguments)
    process.kill()  # before it has begun
    process.communicate()
    for count in (1, third):
        assert killed_while_writing(arguments, partial, count) == expected[:count]
        assert not output.exists()
    assert finished(*arguments) == 0
    assert output.read_bytes() == expected
    assert not list(output.parent.glob(".*"))

    killed_while_writing(arguments, partial, third)
    assert output.read_bytes() == expected  # the old artifact is whole


@pytest.mark.slow
def test_an_interrupted_training_ends_with_130_and_resumes_where_it_was(tiny_corpus, tmp_path):
    arguments = [
        "--set",
        f"parse.source={tiny_corpus}",
        "--set",
        "model.hidden=[16]",
        "--set",
        "model.boosting=5",
        "--device",
        "cpu",
    ]
    data = ["--set", "pipeline.stages=[parse, label, split, sft]"]
    assert finished("run", "-q", *data, "--set", "sft.epochs=1", *arguments) == 0
    before = (tmp_path / "checkpoints" / "best_sft.pt").read_bytes()
    endless = ["sft", "--overwrite", "--set", "sft.epochs=100000", "--set", "sft.patience=100000", *arguments]
    process = program(*endless, text=True)
    seen = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith("epoch 3/"):
            process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert seen[-1].startswith("triage: interrupted")
    assert not any("Traceback" in line for line in seen)
    assert (tmp_path / "checkpoints" / "best_sft.pt").read_bytes() == before
    again = program(*endless, text=True)
    assert any(line.startswith("resuming after epoch") for line in iter(again.stderr.readline, ""))
    again.kill()
    again.communicate()


def test_an_interrupt_while_an_error_is_explained_is_told(monkeypatch, capsys):
    def interrupted(error, sources):
        raise KeyboardInterrupt  # as SIGTERM does, which torchrun sends to the process whose peer has died

    monkeypatch.setattr(app, "explained", interrupted)
    monkeypatch.setattr(sys, "argv", ["triage", "label"])  # there is nothing to label
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("triage: interrupted; finished artifacts are unchanged")
