"""A sweep end to end: named runs, killed and gone on with, several at a time, failures, interrupts."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from enron_triage import cli, pipeline
from enron_triage.config.load import load_config
from enron_triage.config.sources import ConfigSources
from enron_triage.errors import UsageError
from enron_triage.policy.checkpoint import load_checkpoint
from enron_triage.sweep import command

pytestmark = pytest.mark.slow  # trains

SMALL = """
set:
  pipeline.stages: [parse, label, split, sft, evaluate]
  workers: 1
  model: {hidden: [4], ensemble: 1, boosting: 0}
  features.groups: [metadata]
  sft: {epochs: 2}
"""
GRID = SMALL + "grid: {sft.learning_rate: [1e-3, 1e-2, 3e-2], model.dropout: [0.0, 0.5]}\n"
RUNS = [f"s-learning_rate-{rate}-dropout-{dropout}" for rate in ("0.001", "0.01", "0.03") for dropout in ("0.0", "0.5")]


@pytest.fixture
def sources(tiny_corpus):
    return ConfigSources(overrides=(f"parse.source={tiny_corpus}",))


@pytest.fixture
def sweep(sources):
    """Run a sweep in this process; gives its result."""

    def run(text, name="s.yaml"):
        Path(name).write_text(text)
        return command.run(sources, Path(name))

    return run


@pytest.fixture(scope="module")
def whole(tiny_corpus, tmp_path_factory):
    """What the grid gives, one trial at a time: its trials, and the content of its policies."""
    with contextlib.chdir(tmp_path_factory.mktemp("whole")):
        Path("s.yaml").write_text(GRID)
        command.run(ConfigSources(overrides=(f"parse.source={tiny_corpus}",)), Path("s.yaml"))
        return untimed(stored()), contents_of_policies()


def stored(name="s"):
    """The trials by their run, as the results' file holds them."""
    return {trial["run"]: trial for trial in json.loads(Path(f"data/sweeps/{name}.json").read_text())["trials"]}


def untimed(trials):
    return {run: {**trial, "seconds": None} for run, trial in trials.items()}


def policies():
    """Content and time of every finished policy."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path("checkpoints").glob("*/best_sft.pt")}


def contents_of_policies():
    return {path: content for path, (content, _) in policies().items()}


def start(text, *arguments, script=""):
    """Start a sweep as a process of its own, with some lines of Python before."""
    Path("s.yaml").write_text(text)
    code = f"{script}\nfrom enron_triage.cli import main\nmain()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "sweep", "s.yaml", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_grid_is_a_run_for_each_combination_ranked_by_validation(sweep):
    result = sweep(f"metric: macro_f1\n{GRID}")
    trials = stored()
    assert list(trials) == RUNS
    for run, trial in trials.items():
        lines = Path("checkpoints", run, "stage_1_metrics.jsonl").read_text().splitlines()
        best = json.loads(lines[json.loads(lines[-1])["best_epoch"] - 1])
        assert trial["metrics"]["macro_f1"] == best["macro_f1"]
        assert trial["metrics"]["loss"] == best["val_loss"]
    ranked = [trial["metrics"]["macro_f1"] for trial in result.data["trials"]]
    assert ranked == sorted(ranked, reverse=True)
    assert result.data["best"] == result.data["trials"][0]["run"]
    assert f"--set run={result.data['best']}" in result.table.splitlines()[-1]
    assert "macro_f1 on validation (only" in result.table  # there are few messages
    assert not result.problem
    assert not Path("data/eval").exists()  # test is not looked at
    assert Path("data/sweeps/s.md").read_text().count("| finished |") == 6


def test_the_lowest_loss_is_best(sweep):
    losses = [trial["metrics"]["loss"] for trial in sweep(f"metric: loss\n{GRID}").data["trials"]]
    assert losses == sorted(losses)


def test_a_trial_is_the_run_that_its_settings_alone_would_give(sweep, sources):
    sweep(GRID)
    small = ["model={hidden: [4], ensemble: 1, boosting: 0}", "features.groups=[metadata]", "sft.epochs=2", "workers=1"]
    values = ["sft.learning_rate=0.01", "model.dropout=0.5", "run=alone"]
    pipeline.run_stage("sft", load_config([], [*small, *values]))
    alone, trial = (load_checkpoint(Path("checkpoints", run, "best_sft.pt")) for run in ("alone", RUNS[3]))
    assert all(torch.equal(weight, trial.weights[name]) for name, weight in alone.weights.items())
    assert alone.metrics == trial.metrics


KILLED_IN_THE_THIRD = """
import os, signal
from enron_triage.training import trainer
save = trainer.save_checkpoint
def save_and_die(path, checkpoint):
    save(path, checkpoint)
    if path.name == "sft_epoch_1.pt" and len(list(path.parent.parent.glob("*/best_sft.pt"))) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
trainer.save_checkpoint = save_and_die
"""


def test_a_killed_sweep_goes_on_where_it_was(tiny_corpus, whole):
    source = ("--set", f"parse.source={tiny_corpus}")
    killed = start(GRID, *source, script=KILLED_IN_THE_THIRD)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    before = policies()
    assert sorted(path.parent.name for path in before) == sorted(RUNS[:2])
    assert [trial["status"] for trial in stored().values()] == ["finished"] * 2 + ["pending"] * 4

    again = start(GRID, *source)
    out, err = again.communicate()
    assert again.returncode == 0
    assert {path: policies()[path] for path in before} == before  # neither trained nor written again
    assert err.count("resuming after epoch 1 of an unfinished run") == 1
    assert sorted(line.split()[1] for line in out.splitlines()[1:7]) == sorted(RUNS)
    assert out.count(" finished\n") == 6
    assert (untimed(stored()), contents_of_policies()) == whole


def test_two_at_a_time_give_the_same_as_one_at_a_time(sweep, whole):
    sweep(f"parallel: 2\n{GRID}")
    assert (untimed(stored()), contents_of_policies()) == whole


def test_a_trial_that_fails_does_not_stop_the_others(sweep, capsys, monkeypatch, tiny_corpus):
    text = SMALL + "grid: {sft.learning_rate: [1e30, 1e-2]}\n"
    result = sweep(text)
    failed, finished = stored().values()
    assert failed["status"] == "failed"
    assert failed["error"] == "the policy's logits became NaN or infinite; lower learning_rate"
    assert finished["status"] == "finished"
    assert result.data["best"] == finished["run"]
    assert "-     s-learning_rate-1e30" in result.table
    assert result.problem == "1 of 2 trials failed; the same command tries them again"

    monkeypatch.setattr(sys, "argv", ["triage", "sweep", "s.yaml", "--set", f"parse.source={tiny_corpus}", "--json"])
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    signal.signal(signal.SIGTERM, handler)
    out, err = capsys.readouterr()
    assert stopped.value.code == 1
    assert [trial["status"] for trial in json.loads(out)["trials"]] == ["finished", "failed"]
    assert err.splitlines()[-1] == f"triage: {result.problem}"


def test_an_interrupt_ends_all_trials_and_keeps_the_finished_ones(tiny_corpus):
    long = SMALL.replace("epochs: 2", "patience: 1000000, keep_checkpoints: 1")
    text = f"parallel: 2\n{long}grid: {{sft.epochs: [1, 100000, 100001]}}\n"
    process = start(text, "--set", f"parse.source={tiny_corpus}")
    deadline = time.monotonic() + 300
    while len(list(Path("checkpoints").glob("s-epochs-10000?/sft_epoch_*.pt"))) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("triage: interrupted; finished artifacts are unchanged")
    assert [trial["status"] for trial in stored().values()] == ["finished", "pending", "pending"]
    epochs = sorted(Path("checkpoints").glob("s-epochs-10000?/sft_epoch_*.pt"))
    time.sleep(1)
    assert sorted(Path("checkpoints").glob("s-epochs-10000?/sft_epoch_*.pt")) == epochs  # nobody trains any more


def test_optuna_goes_on_with_the_trials_that_it_asked_for(sweep, monkeypatch):
    space = (
        "space: {sft.learning_rate: {low: 1e-3, high: 1e-1, log: true}, sft.batch_size: {low: 8, high: 64, int: true}}"
    )
    text = SMALL + f"optuna: {{trials: TOTAL, seed: 1, {space}}}\nmetric: macro_f1\n"
    sweep(text.replace("TOTAL", "3"))
    first, before = stored(), policies()
    result = sweep(text.replace("TOTAL", "5"))
    assert list(stored())[:3] == list(first)
    assert len(stored()) == len(result.data["trials"]) == 5
    assert {path: policies()[path] for path in before} == before
    five = untimed(stored())
    Path("data/sweeps/s.json").unlink()
    assert (
        untimed({t["run"]: t for t in sweep(text.replace("TOTAL", "5")).data["trials"]}) == five
    )  # none is trained again


def test_random_draws_are_trained(sweep):
    space = "space: {sft.learning_rate: {low: 1e-3, high: 1e-1, log: true}, sft.loss: [cross_entropy, focal]}"
    sweep(SMALL + f"random: {{trials: 3, seed: 4, {space}}}\n")
    assert [trial["status"] for trial in stored().values()] == ["finished"] * 3


def test_trials_of_later_stages_begin_with_the_policy_of_their_own_run(sweep):
    stages = "stages: [sft, dpo]\n"
    result = sweep(
        stages + SMALL.replace("sft: {epochs: 2}", "sft.epochs: 2\n  dpo.epochs: 1") + "grid: {dpo.beta: [0.1, 0.5]}\n"
    )
    assert [trial["status"] for trial in result.data["trials"]] == ["finished"] * 2
    assert "--set evaluate.checkpoint=best_dpo" in result.data["evaluate"]
    with pytest.raises(UsageError, match=r"best_sft\.pt: no such file; add its stage to `stages`, or name another"):
        sweep(SMALL + "stages: [dpo]\ngrid: {dpo.beta: [0.1, 0.5]}\n", "t.yaml")


def test_runs_of_other_settings_are_not_replaced(sweep):
    grid = "grid: {sft.learning_rate: [1e-2]}\n"
    sweep(SMALL + grid)
    before = policies()
    with pytest.raises(UsageError, match=r"trained with other settings \(sft\.epochs was 2, is 1\)"):
        sweep(SMALL.replace("epochs: 2", "epochs: 1") + grid)
    assert policies() == before


def test_a_sweep_that_another_process_works_on_is_left_alone(sweep, sources):
    import filelock

    Path("data/sweeps").mkdir(parents=True)
    with (
        filelock.FileLock("data/sweeps/.s.lock"),
        pytest.raises(
            UsageError, match=r"s\.json: another process is writing it; wait for it to finish, or rename the sweep"
        ),
    ):
        sweep(GRID)


def test_the_workers_of_a_cluster_find_the_folder_and_train_one_trial_at_a_time(sweep, whole, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    no_dashboard = ["--no-dashboard"]
    processes = []

    def dask(*arguments):
        program = [sys.executable, "-m", f"distributed.cli.dask_{arguments[0]}", *arguments[1:], *no_dashboard]
        process = subprocess.Popen(program, stderr=subprocess.PIPE, text=True, cwd=elsewhere)
        processes.append(process)
        return next(line for line in process.stderr if re.search(r"Scheduler at:|Registered to:", line))

    try:
        address = re.search(r"tcp://\S+", dask("scheduler", "--host", "127.0.0.1", "--port", "0"))[0]
        dask("worker", address, "--nthreads", "2", "--no-nanny", "--local-directory", str(elsewhere))
        sweep(GRID.replace("workers: 1", f"scheduler: {address}"))
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stderr.close()
    assert (untimed(stored()), contents_of_policies()) == whole
