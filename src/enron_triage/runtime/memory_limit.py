"""A limit on the memory for one task, so that a hostile message becomes an error entry and does not stop the stage.

The operating system refuses memory beyond it (``RLIMIT_DATA``; Linux counts what is allocated, since version 4.7), and
Python raises `MemoryError`.
"""

from __future__ import annotations

import contextlib
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

_STATUS = Path("/proc/self/status")


@contextlib.contextmanager
def memory_limit(size: int) -> Iterator[None]:
    """Let the block take so much memory, and no more, beyond what the process has.

    There is no limit outside of a process's main thread, as other threads would be limited, too; nor on systems other
    than Linux.

    Parameters
    ----------
    size : int
        Bytes that the block may take.

    Raises
    ------
    MemoryError
        In the block, from what takes more.
    """
    held = _held() if threading.current_thread() is threading.main_thread() else None
    if held is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (held + size, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _held() -> int | None:
    """The bytes that this process has allocated; None if the system does not tell."""
    try:
        status = _STATUS.read_text("ascii", "replace")
    except OSError:
        return None
    fields = status.partition("VmData:")[2].split()
    return int(fields[0]) * 1024 if fields else None
