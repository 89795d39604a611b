"""A limit on the processor time for one task, so that a hostile message becomes an error entry.

The operating system counts the time of the process and interrupts it (``setitimer``, POSIX.1-2017). That ends what
Python computes, regular expressions included. Where code in C does not come back to Python, the system ends a worker
process (``RLIMIT_CPU``); `workers.map_ordered` then finds the message on which it died.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing import parent_process
from types import FrameType

_TICK = 1.0  # seconds of processor time between two looks
_WITHOUT_A_LOOK = 30  # seconds of processor time after which a worker process is ended


class TookTooLongError(BaseException):
    """Work was interrupted; no `Exception`, so that the code that is interrupted does not take it for its own."""


class Watch:
    """What is watched within `time_limit`.

    Attributes
    ----------
    is_at_work : bool
        Whether there is a piece of work to interrupt.
    ticks : int
        For how many looks it has been going on.
    """

    def __init__(self) -> None:
        self.is_at_work = False
        self.ticks = 0

    def begin(self) -> None:
        """Count from now on; the last piece of work is done."""
        self.ticks = 0
        self.is_at_work = True

    def end(self) -> None:
        """Interrupt nothing until the next `begin`."""
        self.is_at_work = False


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[Watch]:
    """Interrupt each piece of work in the block that takes too much processor time.

    There is no limit outside of a process's main thread, where no signal can be handled, as in a worker of Dask that
    runs several threads; nor on systems without ``setitimer``.

    Parameters
    ----------
    seconds : float >= 1
        The limit, which is kept to the second.

    Yields
    ------
    Watch
        Its `begin` and `end` are called around each piece of work, both inside a ``try`` that handles what follows.

    Raises
    ------
    TookTooLongError
        In the block, from the piece of work that takes too long.
    """
    watch = Watch()
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield watch
        return

    def look(number: int, frame: FrameType | None) -> None:
        watch.ticks += 1
        _live_on()
        if watch.is_at_work and watch.ticks * _TICK > seconds:
            raise TookTooLongError

    limit = resource.getrlimit(resource.RLIMIT_CPU)
    _live_on()
    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, _TICK, _TICK)
    try:
        yield watch
    finally:
        watch.end()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_CPU, limit)


def _live_on() -> None:
    """Put off the end of this process, if it is a worker."""
    if parent_process() is None:
        return
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    until = int(time.process_time()) + 1 + _WITHOUT_A_LOOK
    soft = until if hard == resource.RLIM_INFINITY else min(until, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
