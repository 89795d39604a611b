import signal
import subprocess
import sys
import threading

import pytest

from enron_triage.runtime import time_limit as module
from enron_triage.runtime.time_limit import TookTooLongError, time_limit


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(module, "_TICK", 0.01)


def never_ends():
    while True:
        pass


def test_work_without_end_is_interrupted_and_the_next_goes_on():
    with time_limit(0.02) as watch:
        for _ in range(3):
            with pytest.raises(TookTooLongError):
                watch.begin()
                never_ends()
            watch.end()


def test_code_that_handles_every_exception_is_interrupted_too():
    def stubborn():
        while True:
            try:
                never_ends()
            except Exception:
                continue

    with time_limit(0.02) as watch, pytest.raises(TookTooLongError):
        watch.begin()
        stubborn()


def test_a_regular_expression_without_end_is_interrupted():
    import re

    with time_limit(0.02) as watch, pytest.raises(TookTooLongError):
        watch.begin()
        re.fullmatch(r"(?:a|aa)+b", "a" * 60)


def test_many_short_pieces_of_work_take_as_long_as_they_like():
    with time_limit(0.03) as watch:
        for _ in range(40):
            watch.begin()
            sum(range(100_000))
        watch.end()


def test_nothing_is_left_behind():
    before = signal.getsignal(signal.SIGPROF)
    with time_limit(0.02):
        sum(range(3_000_000))  # between two pieces of work
    assert signal.getsignal(signal.SIGPROF) == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_in_another_thread_there_is_no_limit():
    done = []

    def work():
        with time_limit(0.01) as watch:
            watch.begin()
            done.append(sum(range(1_000_000)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


def test_a_worker_in_code_that_does_not_come_back_is_ended_by_the_system():
    program = """if 1:
        import itertools
        from enron_triage.runtime import time_limit as module
        module.parent_process = object
        module._WITHOUT_A_LOOK = 0
        with module.time_limit(100) as watch:
            watch.begin()
            sum(itertools.repeat(1))
    """
    ran = subprocess.run([sys.executable, "-c", program], check=False)
    assert ran.returncode == -signal.SIGXCPU
