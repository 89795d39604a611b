import contextlib
import errno
import signal

import numpy as np
import pytest
import torch

from enron_triage.errors import TriageError
from enron_triage.runtime import artifacts
from enron_triage.runtime.tensor_files import write_tensors


def interrupt(*_):
    raise KeyboardInterrupt


@pytest.fixture
def alarm():
    """A function that interrupts what runs after some seconds."""
    before = signal.signal(signal.SIGALRM, interrupt)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


# Between `open` and the `with` that closes the file, an interrupt leaves the closing to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_remains_an_interrupt_and_leaves_the_file_whole(alarm, tmp_path):
    path = tmp_path / "policy.pt"
    write_tensors(path, {})
    for seconds in np.linspace(0.001, 0.01, 60):
        # Not until it is interrupted: Python ignores what is raised in a destructor, also an interrupt.
        with contextlib.suppress(KeyboardInterrupt):
            alarm(seconds)
            for _ in range(100):
                write_tensors(path, {"first": torch.zeros(20_000), "second": torch.zeros(20_000)})
            alarm(0)
        assert set(torch.load(path, weights_only=True)) in (set(), {"first", "second"})
        assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named_as_what_it_is_and_the_old_file_stays(monkeypatch, tmp_path):
    path = tmp_path / "policy.pt"
    write_tensors(path, {"old": torch.zeros(2)})
    atomic_open = artifacts.atomic_open

    class FullDisk:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        flush = write

    @contextlib.contextmanager
    def on_a_full_disk(path):
        with atomic_open(path):
            yield FullDisk()

    monkeypatch.setattr(artifacts, "atomic_open", on_a_full_disk)
    with pytest.raises(TriageError, match=r"policy.pt: .*[Nn]o space left"):
        write_tensors(path, {"new": torch.zeros(100_000)})
    assert list(torch.load(path, weights_only=True)) == ["old"]
    assert list(tmp_path.iterdir()) == [path]
