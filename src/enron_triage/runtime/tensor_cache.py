"""A cache of tensor files: each is made once, concurrent processes wait for it, and a damaged one is made again.

A cache never decides anything: what is wrong with it costs a warning and the time to make the content again.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import filelock

from enron_triage.errors import TriageError
from enron_triage.runtime.tensor_files import write_tensors

Value = TypeVar("Value")
logger = logging.getLogger(__name__)


def cached(
    path: Path,
    make: Callable[[], dict[str, Any]],
    restore: Callable[[dict[str, Any]], Value],
    *,
    what: str,
    keep: int,
) -> Value:
    """Read a cached value, or make it and keep it for the next time.

    Parameters
    ----------
    path : Path
        The file: ``<kind>-<digest>.pt``, with a digest of all that decides the value.
    make : callable
        Makes the value as nested tensors and plain values.
    restore : callable
        Takes what `make` gave, or what was read, and gives the value; raises an exception if it cannot be right.
    what : str
        What the value is, for people.
    keep : int
        How many files of the kind are kept, those used last.
    """
    content = read(path, restore, what=what, warn=False)
    if content is not None:
        _remove_abandoned_lock(path)
        return content
    with _locked(path, what):
        content = read(path, restore, what=what)  # another process may have made it in the meantime
        if content is not None:
            return content
        made = make()
        _write(path, made)
        _remove_oldest(path, keep)
        return restore(made)


def read(path: Path, restore: Callable[[dict[str, Any]], Value], *, what: str, warn: bool = True) -> Value | None:
    """Read a cached value; None if there is none, or none that can be used.

    Parameters
    ----------
    path : Path
        The file.
    restore : callable
        As for `cached`.
    what : str
        What the value is, for people.
    warn : bool
        Whether to warn of a file that cannot be used.
    """
    import torch

    if not path.exists():
        return None
    try:
        value = restore(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # whatever is wrong with a cache, the answer is to make it again
        if warn:
            logger.warning("%s: cannot be used (%s); computing %s again", path, type(error).__name__, what)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # it was used last
    logger.debug("%s: from the cache (%s)", what, path)
    return value


def _write(path: Path, content: dict[str, Any]) -> None:
    try:
        write_tensors(path, content)
    except TriageError as error:
        logger.warning("not cached: %s", error)


@contextlib.contextmanager
def _locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock of a file; where there can be no locks, go on without: two processes then make the same twice."""
    lock = filelock.FileLock(_lock_of(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            logger.info("%s: another process is computing it; waiting (%s)", what, path)
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        if isinstance(error, filelock.Timeout):
            raise
        logger.debug("%s: no lock (%s)", path, error)
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()  # while it is held: whoever has opened it notices, and opens the next one
        lock.release()


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _remove_abandoned_lock(path: Path) -> None:
    """Remove the lock that a process has left which was killed once the file was there."""
    if _lock_of(path).exists():
        lock = filelock.FileLock(_lock_of(path), timeout=0)
        with contextlib.suppress(OSError, NotImplementedError, filelock.Timeout), lock:
            _lock_of(path).unlink()


def _remove_oldest(path: Path, keep: int) -> None:
    kind = path.name.rpartition("-")[0]
    with contextlib.suppress(OSError):  # another process may be doing the same
        files = sorted(path.parent.glob(f"{kind}-*.pt"), key=lambda file: file.stat().st_mtime_ns)
        for old in files[:-keep]:
            old.unlink(missing_ok=True)
