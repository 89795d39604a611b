"""A pool of processes, or a Dask cluster: results in the order of the items, whoever does the work."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from enron_triage.errors import TriageError, UsageError

Item = TypeVar("Item")
Out = TypeVar("Out")

# What worker processes will need; none of it imports torch.
_PRELOADED = ["enron_triage.mail.parse", "enron_triage.labels.label", "enron_triage.features.extract"]
_PREFETCH = 2  # items in flight per worker: enough to keep it busy, few enough to bound memory
_TIMEOUT = 10  # seconds for a scheduler to answer, and for a first worker to be there
_RETRIES = 3  # of an item whose worker died


def map_ordered(function: Callable[[Item], Out], items: Iterable[Item], workers: int | str) -> Iterator[Out]:
    """Apply `function` to each item; yield the results in order.

    Parameters
    ----------
    function : callable
        Must be importable by name (no lambda), since it crosses to another process.
    items : iterable
        Read lazily, at most a few items per worker ahead of what has been yielded.
    workers : int >= 1 or str
        So many processes (with 1, everything runs in this one), or the address of a Dask scheduler whose
        workers see the same files.

    Raises
    ------
    UsageError
        If Dask is not installed, or no scheduler with a worker is at the address.
    TriageError
        If a worker process dies, e.g. for want of memory, or the scheduler is lost. A cluster's worker that
        dies is no error: its items go to the others.
    """
    if workers == 1:
        yield from map(function, items)
        return
    pending: deque[Future[Out]] = deque()
    with _cluster(workers) if isinstance(workers, str) else _processes(workers) as (submit, count):
        for item in items:
            pending.append(submit(function, item))
            if len(pending) > count * _PREFETCH:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


@contextlib.contextmanager
def _processes(count: int) -> Iterator[tuple[Callable[..., Any], int]]:
    """How to have work done by processes of this machine, and how many they are."""
    # "spawn" would import afresh for every stage; "fork" is unsafe once torch has started threads.
    context = get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_follow_the_parent)
    try:
        yield pool.submit, count
    except BrokenExecutor:
        raise TriageError("a worker process died, perhaps for want of memory; try again with --set workers=1") from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[tuple[Callable[..., Any], int]]:
    """How to have work done by the workers of a Dask cluster, and on how many items they work at once."""
    try:
        from distributed import Client, KilledWorker
        from distributed.comm.core import CommClosedError
    except ImportError:
        raise UsageError("scheduler: needs Dask; pip install -e '.[cluster]' -c constraints.txt") from None
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what matters is said below, in one line
    try:
        client = Client(address, timeout=_TIMEOUT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise UsageError(f"scheduler: {address} cannot be reached ({error}); start `dask scheduler` there") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_TIMEOUT)
        except TimeoutError:
            raise UsageError(f"scheduler: {address} has no workers; start `dask worker {address}`") from None
        try:
            submit = functools.partial(client.submit, pure=False, retries=_RETRIES)
            yield submit, sum(client.nthreads().values())  # type: ignore[no-untyped-call]
        except (CommClosedError, CancelledError):
            raise TriageError(
                f"the scheduler {address} was lost; finished artifacts are as they were, run the same command again"
            ) from None
        except KilledWorker as error:
            raise TriageError(
                f"the cluster's workers died on one item again and again ({error}); give them more memory"
            ) from None


def _follow_the_parent() -> None:
    """Leave interrupts to the parent process, and end when it ends, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
