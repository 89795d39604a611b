"""The state of files and folders, from which a later run can tell whether they have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_READ_WHOLE = 64 << 20  # bytes: less than a second


class FileState(msgspec.Struct, frozen=True):
    """The state of a file or a folder at one time, to find out later whether it has changed.

    Attributes
    ----------
    size : int
        Bytes; of a folder, the sum over its files.
    modified_ns : int
        When it was last modified, in nanoseconds since 1970; of a folder, the latest of its files' times.
    sha256 : str
        SHA-256 of the content, in hexadecimal; of a folder, see `file_state`.
    listing : str
        Of a folder, the SHA-256 of its files' names, sizes and times; empty for a file.
    names : str
        Of a folder, the SHA-256 of its files' names and sizes; empty for a file.
    """

    size: int
    modified_ns: int
    sha256: str
    listing: str = ""
    names: str = ""


def file_state(path: Path, known: FileState | None = None) -> FileState:
    """The present state of a file or a folder.

    The hash of a folder is that of its files' names and contents, up to `_READ_WHOLE` bytes in all; of a larger folder
    it is that of their names, sizes and times, because reading it would take too long.

    Parameters
    ----------
    path : Path
        An existing file or folder.
    known : FileState, optional
        An earlier state. If the size and the time of a file, or of every file of a folder, are the same as then,
        nothing is read again, and `known` is returned.

    Returns
    -------
    FileState
        The state.

    Raises
    ------
    OSError
        If it does not exist or cannot be read.
    """
    if path.is_dir():
        return _folder_state(path, known)
    status = path.stat()
    if known is not None and (known.size, known.modified_ns) == (status.st_size, status.st_mtime_ns):
        return known
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileState(status.st_size, status.st_mtime_ns, digest)


def is_edited(path: Path, known: FileState) -> bool:
    """Whether an artifact is not any more what a stage left there.

    Parameters
    ----------
    path : Path
        An existing file or folder.
    known : FileState
        Its state when the stage had made it.

    Returns
    -------
    bool
        For a folder, whether it has other files, or files of other sizes: copying a folder changes their times.
    """
    now = file_state(path, known)
    return now.sha256 != known.sha256 and (not known.names or now.names != known.names)


def _folder_state(root: Path, known: FileState | None) -> FileState:
    """The state of a folder; its files are read only if `known` does not tell, and there is not too much of them."""
    listing, names = hashlib.sha256(), hashlib.sha256()
    size = modified = 0
    files: list[str] = []
    for name, status in _files(root):
        files.append(name)
        size += status.st_size
        modified = max(modified, status.st_mtime_ns)
        names.update(os.fsencode(f"{name}\0{status.st_size}\n"))
        listing.update(os.fsencode(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n"))
    if known is not None and known.listing == listing.hexdigest():
        return known
    content = listing if size > _READ_WHOLE else _content(root, files)
    return FileState(size, modified, content.hexdigest(), listing.hexdigest(), names.hexdigest())


def _files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The files below a folder, with their paths relative to it, in an order that is always the same."""
    folders = [(str(root), ".")]
    while folders:
        folder, relative = folders.pop()
        with os.scandir(folder) as entries:
            listing = sorted(entries, key=lambda entry: entry.name)
        for entry in listing:
            if entry.is_dir(follow_symlinks=False):
                folders.append((entry.path, entry.name if relative == "." else f"{relative}/{entry.name}"))
            else:
                yield f"{relative}/{entry.name}", entry.stat(follow_symlinks=False)


def _content(root: Path, names: Iterable[str]) -> Hash:
    digest = hashlib.sha256()
    for name in names:
        path = root / name
        content = path.read_bytes() if path.is_file() else os.fsencode(os.readlink(path)) if path.is_symlink() else b""
        digest.update(os.fsencode(f"{name}\0{hashlib.sha256(content).hexdigest()}\n"))
    return digest
