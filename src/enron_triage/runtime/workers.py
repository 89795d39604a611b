"""Work on many items in several processes or on a Dask cluster; the results come in the order of the items."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import resource
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future, ProcessPoolExecutor
from multiprocessing import forkserver, get_context, parent_process
from multiprocessing.context import ForkServerContext
from typing import Any, Generic, TypeVar

from tqdm import tqdm

from enron_triage.errors import TriageError, UsageError
from enron_triage.runtime.extras import install_command

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Out = TypeVar("Out")

# Modules that the worker processes need, imported once before they are forked; none of them imports torch.
_PRELOADED = [
    "enron_triage.mail.batches",
    "enron_triage.labels.label",
    "enron_triage.labels.received",  # which `label` imports where it is called
    "enron_triage.features.extract",
]
_PREFETCH = 2  # items in flight per worker: enough to keep it busy, few enough to bound memory
_TIMEOUT = 10  # seconds to wait for the scheduler to answer, and then for a first worker to register
_MOST_DEATHS = 20  # of processes; more have another cause than what they were given
_RETRIES = 3  # how often an item is tried again after its worker died


class Rescue(Generic[Item, Out]):
    """What to do about an item on which a worker process dies, other than to end the work.

    Parameters
    ----------
    divide : callable
        Gives the parts of an item, which are tried one by one in a process of their own; at least one.
    died : callable
        Gives the result for a part on which that process has died, too.
    """

    def __init__(self, divide: Callable[[Item], list[Item]], died: Callable[[Item], Out]) -> None:
        self.divide = divide
        self.died = died


class WorkerDiedError(TriageError):
    """A process of this machine that was at work for this one has died."""


def map_ordered(
    function: Callable[[Item], Out],
    items: Iterable[Item],
    workers: int | str,
    rescue: Rescue[Item, Out] | None = None,
) -> Iterator[Out]:
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
    rescue : Rescue, optional
        What to do if a process of this machine dies on an item, a few times at most. Without it, that is an error.

    Yields
    ------
    Out
        The result of `function` for each item; of an item that had to be rescued, those for its parts. An exception
        that `function` raises is raised here.

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
    if rescue is not None and isinstance(workers, int):
        yield from _map_rescued(function, iter(items), workers, rescue)
        return
    pending: deque[Future[Out]] = deque()
    with _cluster(workers) if isinstance(workers, str) else _processes(workers) as (submit, count):
        for item in items:
            pending.append(submit(function, item))
            if len(pending) > count * _PREFETCH:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _map_rescued(
    function: Callable[[Item], Out], items: Iterator[Item], workers: int, rescue: Rescue[Item, Out]
) -> Iterator[Out]:
    pending: deque[tuple[Item, Future[Out] | None]] = deque()

    def first() -> Out:
        future = pending[0][1]
        assert future is not None, "only an item that could not be submitted has none"
        result = future.result()
        pending.popleft()
        return result

    for deaths in range(_MOST_DEATHS + 1):
        try:
            with _processes(workers) as (submit, count):
                for item in items:
                    pending.append((item, None))  # so that it is not lost if there is no process to take it
                    pending[-1] = (item, submit(function, item))
                    if len(pending) > count * _PREFETCH:
                        yield first()
                while pending:
                    yield first()
            return
        except WorkerDiedError:
            if deaths == _MOST_DEATHS:
                raise
            logger.warning("a worker process died: searching for the input that caused it")
        while pending:
            item, future = pending.popleft()
            has_ended = future is not None and future.done() and not future.cancelled()  # the pool is gone
            if future is None or not has_ended or isinstance(future.exception(), BrokenExecutor):
                yield from _one_by_one(function, item, rescue)
            else:
                yield future.result()


def _one_by_one(function: Callable[[Item], Out], item: Item, rescue: Rescue[Item, Out]) -> Iterator[Out]:
    """The results for the parts of an item on which a process may have died."""
    left = deque(rescue.divide(item))
    while left:
        try:
            with _processes(1) as (submit, _):
                while left:
                    yield submit(function, left[0]).result()
                    left.popleft()
        except WorkerDiedError:
            yield rescue.died(left.popleft())


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
        _terminate(pool)  # rather than wait for work that nobody wants any more
        raise
    except BrokenExecutor:
        raise WorkerDiedError(
            "a worker process died, perhaps because memory ran out; try again with --set workers=1"
        ) from None
    finally:
        if pool._broken:  # it would wait forever for a process that it was starting when another one died
            _terminate(pool)
        pool.shutdown(cancel_futures=True)


def _terminate(pool: ProcessPoolExecutor) -> None:
    for process in list(pool._processes.values()):
        process.terminate()


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[tuple[Callable[..., Any], int]]:
    """Give the block a function that submits work to a Dask cluster, and how many items its workers handle at once."""
    try:
        from distributed import Client, KilledWorker
        from distributed.comm.core import CommClosedError
    except ImportError:
        raise UsageError(f"scheduler: needs Dask; run {install_command('cluster')}") from None
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
                f"the scheduler {address} was lost; finished artifacts are unchanged: run the same command again"
            ) from None
        except KilledWorker as error:
            raise TriageError(
                f"the cluster's workers died on one item repeatedly ({error}); give them more memory"
            ) from None


def _follow_parent() -> None:
    """Leave interrupts to the parent process, exit when it ends, even if it was killed, and never dump the memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # it holds mail
    tqdm.set_lock(threading.RLock())  # its own is shared between processes, and would be left behind by a killed one
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
