"""Locks: only one process at a time may write the same files.

The locks are those of the operating system (``flock``), taken through `filelock`: a process that dies leaves none
behind.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import logging
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import filelock
import msgspec

from enron_triage.errors import UsageError
from enron_triage.runtime.atomic import not_written

logger = logging.getLogger(__name__)

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # what a file system without locks answers
_SHOWN_CHARACTERS = 120  # of a command


class Holder(msgspec.Struct, kw_only=True):
    """The process that holds a lock, as it has written it beside the lock.

    Attributes
    ----------
    pid : int
        Its number.
    command : str
        How it was called.
    since : str
        When it took the lock, by the clock of its machine.
    """

    pid: int
    command: str
    since: str


@contextlib.contextmanager
def locked(lock: Path, written: Path, instead: str) -> Iterator[None]:
    """Hold a lock for the duration of the block.

    Parameters
    ----------
    lock : Path
        The file of the lock, which is there only for that time; its folder is made if it is missing.
    written : Path
        What the process is going to write, for the messages.
    instead : str
        What to do instead of waiting for the other process, for the message.

    Raises
    ------
    UsageError
        If another process holds the lock; the message names it.
    TriageError
        If the file cannot be written.
    """
    holder = lock.with_suffix(".holder")
    handle = filelock.FileLock(lock, timeout=0)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle.acquire()
    except filelock.Timeout:
        raise UsageError(
            f"{written}: {_described(holder)} is writing it; wait for it to finish, or {instead}"
        ) from None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise not_written(written, error) from error
        logger.warning("%s: this file system has no locks: make sure that no other process writes there", written)
        yield
        return
    try:
        now = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
        command = " ".join(shlex.join(sys.orig_argv).split())
        me = Holder(pid=os.getpid(), command=command[:_SHOWN_CHARACTERS], since=now)
        with contextlib.suppress(OSError):  # then only the message is poorer
            holder.write_bytes(msgspec.json.encode(me))
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)  # while it is held: whoever has opened it notices, and opens the next one
        handle.release()


def _described(holder: Path) -> str:
    try:
        other = msgspec.json.decode(holder.read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return "another process"
    return f"process {other.pid} (`{other.command}`, since {other.since})"
