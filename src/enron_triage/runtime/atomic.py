"""Writing files so that a reader finds either the old content or the new content, never a part of it.

The content is written to a temporary file in the same folder, which replaces the old file when it is complete. A stage
that is interrupted therefore leaves the old artifact as it was. (``rename`` replaces a file atomically: POSIX.1-2017.)
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from enron_triage.errors import TriageError, UsageError, cause_of

# Files that appear later, together with others, and whether each has been written: see `together.held_together`.
held: ContextVar[dict[Path, bool] | None] = ContextVar("held", default=None)  # of a thread


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give the block a temporary path to write to, and move it to `path` unless the block raises.

    Parameters
    ----------
    path : Path
        Where the file or folder appears when the block ends; the folder it is in is made if it is missing. A folder
        replaces an older one.

    Yields
    ------
    Path
        ``.<name>.partial`` in the same folder. A killed process may have left a file there, which the block overwrites.
        If the block raises, the temporary file is deleted. One of the files that a stage puts in place together
        (`together`) stays there until all are whole.

    Raises
    ------
    TriageError
        If the file cannot be written, e.g. because the disk is full, the folder is read-only, or `path` is a folder.
    """
    temporary = temporary_path(path)
    is_held = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        together = held.get()
        is_held = together is not None and path in together and (temporary.is_dir() or not path.is_dir())
        if together is not None and is_held:
            together[path] = True
        else:
            put_in_place(path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        if not is_held:
            with contextlib.suppress(OSError):
                remove(temporary)


def temporary_path(path: Path) -> Path:
    """Where a file is written before it appears.

    Parameters
    ----------
    path : Path
        Where it appears.
    """
    return path.with_name(f".{path.name}.partial")


def put_in_place(path: Path) -> None:
    """Move what was written to the temporary path of a file or folder to its place.

    A file replaces an older one by a single rename. No rename replaces a folder that is not empty: it is first renamed
    to ``.<name>.old``. Where a process is killed between the two, calling this again does the rest.

    Parameters
    ----------
    path : Path
        Where it appears.

    Raises
    ------
    OSError
        If it cannot be moved; an older file or folder then stays.
    """
    temporary, old = temporary_path(path), path.with_name(f".{path.name}.old")
    if temporary.is_dir() and path.is_dir():
        remove(old)
        path.rename(old)
    try:
        temporary.replace(path)
    finally:
        if old.is_dir():
            if path.exists():
                remove(old)
            else:
                old.rename(path)


@contextlib.contextmanager
def atomic_open(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing bytes; it appears at `path`, complete, when the block ends.

    Parameters
    ----------
    path : Path
        Where the file appears; its folder is made if it is missing.

    Yields
    ------
    binary file
        The open temporary file.

    Raises
    ------
    TriageError
        If the file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        yield file


def refuse_missing_folder(path: Path) -> None:
    """Refuse a file in a folder that is not there: where the user names a file, a folder is not made for it.

    Parameters
    ----------
    path : Path
        The file to be written.

    Raises
    ------
    UsageError
        If its folder is missing.
    """
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it, or name a file in another one")


def not_written(path: Path, error: OSError) -> TriageError:
    """The error to raise for an artifact that cannot be written.

    Parameters
    ----------
    path : Path
        The artifact.
    error : OSError
        What the operating system answered.

    Returns
    -------
    TriageError
        One line with the path, the cause and the options that choose another folder.
    """
    return TriageError(
        f"{path}: cannot be written: {cause_of(error)}; "
        "free some space there, or choose another folder (--data-dir, --checkpoint-dir)"
    )


def remove(path: Path) -> None:
    """Delete a file, a symbolic link or a whole folder, if it exists.

    Parameters
    ----------
    path : Path
        What to delete. Of a symbolic link only the link is deleted.

    Raises
    ------
    OSError
        If it exists and cannot be deleted.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
