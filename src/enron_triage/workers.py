"""A pool of processes: results in the order of the items, whatever the number of workers."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TypeVar

from enron_triage.errors import TriageError

Item = TypeVar("Item")
Out = TypeVar("Out")

# What worker processes will need; none of it imports torch.
_PRELOADED = ["enron_triage.corpus.parse", "enron_triage.labels.label", "enron_triage.features.extract"]
_AHEAD = 2  # items in flight per worker: enough to keep it busy, few enough to bound memory


def map_ordered(function: Callable[[Item], Out], items: Iterable[Item], workers: int) -> Iterator[Out]:
    """Apply `function` to each item in `workers` processes; yield the results in order.

    Parameters
    ----------
    function : callable
        Must be importable by name (no lambda), since it crosses to another process.
    items : iterable
        Read lazily, at most a few items per worker ahead of what has been yielded.
    workers : int >= 1
        With 1, everything runs in this process.

    Raises
    ------
    TriageError
        If a worker process dies, e.g. for want of memory.
    """
    if workers == 1:
        yield from map(function, items)
        return
    pending: deque[Future[Out]] = deque()
    # "spawn" would import afresh for every stage; "fork" is unsafe once torch has started threads.
    context = get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_the_parent) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > workers * _AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool:
            pending.clear()  # the pool is failing these itself; cancelling them meanwhile can hang it (Python 3.11)
            raise TriageError(
                "a worker process died, perhaps for want of memory; try again with --set workers=1"
            ) from None
        finally:
            for future in pending:
                future.cancel()


def _follow_the_parent() -> None:
    """Leave interrupts to the parent process, and end when it ends, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
