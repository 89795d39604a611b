"""The data stages on a Dask cluster: a real scheduler and two real workers, on this machine."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from enron_triage import pipeline
from enron_triage.config.load import load_config
from enron_triage.errors import TriageError, UsageError
from enron_triage.runtime.workers import map_ordered

pytestmark = pytest.mark.slow  # other processes, or a whole pipeline

STAGES = "pipeline.stages=[parse, label, split]"
ARTIFACTS = ("emails.json", "parse_errors.json", "emails_labeled.json", "emails_unacted.json", "train.json", "val.json")


def start(*arguments):
    """Start a Dask process and wait until it is ready; returns it, and the line in which it says so."""
    environment = {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "10s"}
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    for line in process.stderr:
        if re.search(r"Scheduler at:|Registered to:", line):
            return process, line
    raise AssertionError(f"dask {arguments} did not start")


@pytest.fixture
def cluster(tmp_path):
    """Yields the address of a scheduler, its process, and the processes of its two workers."""
    no_dashboard = ["--no-dashboard"]
    scheduler, line = start("scheduler", "--host", "127.0.0.1", "--port", "0", *no_dashboard)
    address = re.search(r"tcp://\S+", line)[0]
    local = ["--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path), *no_dashboard]
    workers = [start("worker", address, *local)[0] for _ in range(2)]
    yield address, scheduler, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_cluster_gives_the_same_bytes_as_this_machine(cluster, tiny_corpus, tmp_path):
    address, _, _ = cluster
    for name, where in (("here", "workers=2"), ("there", f"scheduler={address}")):
        settings = [f"parse.source={tiny_corpus}", where, STAGES]
        pipeline.run(load_config([], settings, data_dir=str(tmp_path / name)))
    for name in ARTIFACTS:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_workers_in_another_folder_find_a_relative_path(cluster, tiny_corpus):
    address, _, _ = cluster
    os.symlink(tiny_corpus, "mail")
    pipeline.run(load_config([], ["parse.source=mail", f"scheduler={address}", STAGES], data_dir="there"))
    with open("there/train.json") as file:
        assert len(json.load(file)) > 0


def test_the_items_of_a_worker_that_dies_are_done_by_the_others(cluster):
    address, _, workers = cluster
    results = map_ordered(math.factorial, range(2000, 2100), address)
    first = [next(results) for _ in range(10)]
    workers[0].send_signal(signal.SIGKILL)
    assert first + list(results) == [math.factorial(n) for n in range(2000, 2100)]


def test_an_error_in_a_worker_of_a_cluster_is_raised_in_the_caller(cluster):
    with pytest.raises(ValueError, match="invalid literal for int"):
        list(map_ordered(int, ["1", "one"], cluster[0]))


def test_a_lost_scheduler_is_reported_in_one_line(cluster):
    address, scheduler, _ = cluster
    results = map_ordered(time.sleep, [0.01] * 2000, address)
    next(results)
    scheduler.kill()
    with pytest.raises(TriageError, match=rf"the scheduler {address} was lost; finished artifacts are unchanged"):
        list(results)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("enron_triage.runtime.workers._TIMEOUT", 1)
    with pytest.raises(UsageError, match=r"scheduler: tcp://127\.0\.0\.1:9 cannot be reached"):
        list(map_ordered(abs, [1], "tcp://127.0.0.1:9"))


def test_a_scheduler_without_workers_is_named_with_the_command_that_starts_one(monkeypatch):
    monkeypatch.setattr("enron_triage.runtime.workers._TIMEOUT", 1)
    scheduler, line = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    address = re.search(r"tcp://\S+", line)[0]
    try:
        with pytest.raises(UsageError, match=rf"scheduler: {address} has no workers; start `dask worker {address}`"):
            list(map_ordered(abs, [1], address))
    finally:
        scheduler.kill()
        scheduler.wait()
        scheduler.stderr.close()


def test_a_scheduler_without_a_protocol_is_refused_before_any_work():
    with pytest.raises(UsageError) as refused:
        load_config([], ["scheduler=localhost"])
    assert str(refused.value) == (
        'configuration: scheduler: must be an address such as tcp://host:8786, or null, not "localhost"'
    )
