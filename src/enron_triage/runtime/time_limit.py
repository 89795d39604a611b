"""A limit on the processor time of one piece of work, so that a hostile message costs an entry and not the stage.

The operating system counts the time of the process and interrupts it (``setitimer``, POSIX.1-2017). That ends what
Python computes, regular expressions included; a C library that computes without end is not interrupted, and the
messages that go through one are bounded before.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_TICK = 1.0  # seconds of processor time between two looks


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
        if watch.is_at_work and watch.ticks * _TICK > seconds:
            raise TookTooLongError

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, _TICK, _TICK)
    try:
        yield watch
    finally:
        watch.end()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
