"""Replacing files that belong together in one step: a reader finds the files of one run, never of two.

A stage's outputs are written to temporary files (`atomic`) and kept there until the last is whole (`held_together`).
Then a journal, ``<lock>.journal``, lists the renames that are due, and they are done. A process that is killed before
the journal is there leaves the old files; after that, whoever next opens one of the files, or writes there, first does
the renames that are left (`finish_renames`). That is a redo log (Gray and Reuter 1992, "Transaction Processing",
section 10.3), of renames, which may be done twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from enron_triage.errors import UsageError
from enron_triage.runtime import atomic
from enron_triage.runtime.atomic import atomic_open, not_written, temporary_path
from enron_triage.runtime.locks import locked

_JOURNAL = ".journal"


class _Journal(msgspec.Struct, forbid_unknown_fields=True):
    """The names of the files, in the journal's folder, whose temporary files are whole."""

    names: list[str]


@contextlib.contextmanager
def held_together(paths: Iterable[Path], lock: Path) -> Iterator[Callable[[Path], Path]]:
    """Put files in place when the block ends, all of them or, if it raises, none.

    Parameters
    ----------
    paths : iterable of Path
        The files, all in the lock's folder, which the block may write with `atomic`; other files appear at once.
    lock : Path
        The lock that the process holds; see `locks.locked`.

    Yields
    ------
    callable
        Takes one of the paths, and gives where its content is as long as the block lasts.

    Raises
    ------
    TriageError
        If a file cannot be put in place.
    """
    held = {path: False for path in paths if path.parent == lock.parent}
    token = atomic.held.set(held)
    try:
        try:
            yield lambda path: temporary_path(path) if held.get(path) else path
        finally:
            atomic.held.reset(token)
        _put_in_place([path for path, is_written in held.items() if is_written], lock)
    except BaseException:
        if not journal_of(lock).exists():
            with contextlib.suppress(OSError):
                for path in (path for path, is_written in held.items() if is_written):
                    atomic.remove(temporary_path(path))
        raise


def _put_in_place(paths: list[Path], lock: Path) -> None:
    if len(paths) == 1:  # a rename is atomic by itself
        with _writing(paths[0]):
            atomic.put_in_place(paths[0])
    elif paths:
        with atomic_open(journal_of(lock)) as file:
            file.write(msgspec.json.encode(_Journal([path.name for path in paths])))
        finish_renames_in(lock)


def journal_of(lock: Path) -> Path:
    """The list of renames that are due in the folder of a lock.

    Parameters
    ----------
    lock : Path
        The lock under which the files are written.
    """
    return lock.with_name(f"{lock.name}{_JOURNAL}")


def finish_renames_in(lock: Path) -> None:
    """Do the renames that an interrupted process has left, if any, in a process that holds the lock.

    Parameters
    ----------
    lock : Path
        The lock, which the process holds.

    Raises
    ------
    UsageError
        If the journal is damaged.
    TriageError
        If a file cannot be put in place.
    """
    journal = journal_of(lock)
    try:
        names = msgspec.json.decode(journal.read_bytes(), type=_Journal).names
    except FileNotFoundError:
        return
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise _damaged(journal, str(error)) from None
    if any(Path(name).name != name or not name for name in names):
        raise _damaged(journal, "it names files in another folder")
    for name in names:
        path = journal.with_name(name)
        with _writing(path), contextlib.suppress(FileNotFoundError):  # it was done before the interruption
            atomic.put_in_place(path)
    with _writing(journal):
        atomic.remove(journal)


def finish_renames(path: Path) -> None:
    """Do the renames that an interrupted process has left and that may concern a file, before it is read.

    Parameters
    ----------
    path : Path
        The file, or the folder.

    Raises
    ------
    UsageError
        If another process is doing them now, or the journal is damaged.
    TriageError
        If a file cannot be put in place.
    """
    for lock in locks_of(path):
        if journal_of(lock).exists():
            with locked(lock, path, "run the same command again"):
                finish_renames_in(lock)


def is_unfinished(path: Path) -> bool:
    """Whether an interrupted process has left renames that may concern a file.

    Parameters
    ----------
    path : Path
        The file, or the folder.
    """
    return any(journal_of(lock).exists() for lock in locks_of(path))


def locks_of(path: Path) -> list[Path]:
    """The locks under which a file may be written: that of its folder, and its own.

    Parameters
    ----------
    path : Path
        The file.
    """
    return [path.with_name(".lock"), path.with_name(f".{path.stem}.lock")] if path.name else []


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise not_written(path, error) from error


def _damaged(journal: Path, why: str) -> UsageError:
    return UsageError(
        f"{journal}: not a list of files to put in place ({why}); remove it, and run the stage that wrote there again"
    )
