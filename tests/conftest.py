"""Fixtures for the tests of several packages; a ``new_...`` fixture is a function that makes one with given fields."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import builders
import hypothesis
import pytest

# Before torch is imported: its threads spin, and the tests already run in parallel processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from enron_triage.mail.demo.corpus import write_demo
from enron_triage.records import Email, History, LabeledEmail

# A shell has its background jobs ignore interrupts, and what these start would do so, too: tests send interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# An example may take any time: a loaded machine is not a failure.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that hold slow tests, so that no process is left alone with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def assert_linear() -> Callable[[Callable[[Any], object], Callable[[int], Any], int], None]:
    """Check that work on hostile input grows in proportion to its size, whatever the machine and its load."""

    def check(work: Callable[[Any], object], make: Callable[[int], Any], size: int) -> None:
        """Compare the processor time for `make(size)` and `make(8 * size)`: 8 times if linear, 64 if quadratic."""

        def cost(value: Any) -> float:
            started = time.process_time()
            work(value)
            return time.process_time() - started

        small, large = make(size), make(8 * size)
        # The least of several runs is the one that nothing disturbed; a millisecond hides what the clock cannot see.
        ratio = min(cost(large) for _ in range(3)) / max(min(cost(small) for _ in range(5)), 1e-3)
        assert ratio < 28, f"8 times the input takes {ratio:.0f} times as long"

    return check


@pytest.fixture(scope="session")
def new_email() -> Callable[..., Email]:
    """See `builders.new_email`."""
    return builders.new_email


@pytest.fixture(scope="session")
def new_history() -> Callable[..., History]:
    """See `builders.new_history`."""
    return builders.new_history


@pytest.fixture(scope="session")
def new_record() -> Callable[..., LabeledEmail]:
    """See `builders.new_record`."""
    return builders.new_record


@pytest.fixture(scope="session")
def checkpoint_fields() -> Callable[..., dict[str, Any]]:
    """See `builders.checkpoint_fields`."""
    return builders.checkpoint_fields


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A maildir of 3 owners and some 150 messages."""
    root = tmp_path_factory.mktemp("corpus") / "maildir"
    write_demo(root, seed=7, mailboxes=3, messages=150)
    return root


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may touch the checkout's own data."""
    monkeypatch.chdir(tmp_path)
