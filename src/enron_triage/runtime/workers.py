"""Work on many items in several processes or on a Dask cluster; the results come in the order of the items."""

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
from multiprocessing import forkserver, get_context, parent_process
from multiprocessing.context import ForkServerContext
from typing import Any, TypeVar

from tqdm import tqdm

from enron_triage.errors import TriageError, UsageError

Item = TypeVar("Item")
Out = TypeVar("Out")

# Modules that the worker processes need, imported once before they are forked; none of them imports torch.
_PRELOADED = ["enron_triage.mail.batches", "enron_triage.labels.label", "enron_triage.features.extract"]
_PREFETCH = 2  # items in flight per worker: enough to keep it busy, few enough to bound memory
_TIMEOUT = 10  # seconds to wait for the scheduler to answer, and then for a first worker to register
_RETRIES = 3  # how often an item is tried again after its worker died


def map_ordered(function: Callable[[Item], Out], items: Iterable[Item], workers: int | str) -> Iterator[Out]:
    """Apply a function to each item, and yield the results in the order of the items.

    Parameters
    ----------
    function : callable
        Takes one item. It must be importable by name (not a lambda), because it is sent to other processes.
    items : iterable
        The items; read lazily, at most a few per worker ahead of what has been yielded.
    workers : int >= 1 or str
        The number of processes, or the address of a Dask scheduler whose workers see the same files. With 1,
        everything runs in this process.

    Yields
    ------
    Out
        The result of `function` for each item. An exception that `function` raises is raised here.

    Raises
    ------
    UsageError
        If Dask is not installed, or there is no scheduler with a worker at the address.
    TriageError
        If a process of this machine dies, e.g. because memory ran out; if the scheduler is lost; or if an item has
        killed every worker of the cluster that tried it. The items of a single worker that dies go to the others.
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


def start_early(workers: int | str) -> None:
    """Begin to import what worker processes need, in the background, if `map_ordered` is going to start any.

    Parameters
    ----------
    workers : int >= 1 or str
        As for `map_ordered`.
    """
    if isinstance(workers, int) and workers > 1:
        _context()
        forkserver.ensure_running()


def _context() -> ForkServerContext:
    # "spawn" would import everything again for every stage; "fork" is unsafe once torch has started threads.
    context = get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


@contextlib.contextmanager
def _processes(count: int) -> Iterator[tuple[Callable[..., Any], int]]:
    """Give the block a function that submits work to processes of this machine, and their number."""
    pool = ProcessPoolExecutor(count, mp_context=_context(), initializer=_follow_parent)
    try:
        yield pool.submit, count
    except KeyboardInterrupt:
        for process in pool._processes.values():  # rather than wait for work that nobody wants any more
            process.terminate()
        raise
    except BrokenExecutor:
        raise TriageError(
            "a worker process died, perhaps because memory ran out; try again with --set workers=1"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[tuple[Callable[..., Any], int]]:
    """Give the block a function that submits work to a Dask cluster, and how many items its workers handle at once."""
    try:
        from distributed import Client, KilledWorker
        from distributed.comm.core import CommClosedError
    except ImportError:
        raise UsageError("scheduler: needs Dask; pip install -e '.[cluster]' -c constraints.txt") from None
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # the errors below say it in one line
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
                f"the cluster's workers died on one item repeatedly ({error}); give them more memory"
            ) from None


def _follow_parent() -> None:
    """Leave interrupts to the parent process, and exit when it ends, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tqdm.set_lock(threading.RLock())  # its own is shared between processes, and would be left behind by a killed one
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
