"""The state of files and folders, from which a later run can tell whether they have changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec


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
    """

    size: int
    modified_ns: int
    sha256: str


def file_state(path: Path, known: FileState | None = None) -> FileState:
    """The present state of a file or a folder.

    The hash of a folder is that of the list of its files' names, sizes and times, without their contents.

    Parameters
    ----------
    path : Path
        An existing file or folder.
    known : FileState, optional
        An earlier state. If the size and the time of a file are the same as then, it is not read again, and `known` is
        returned.

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
        return _folder_state(path)
    status = path.stat()
    if known is not None and (known.size, known.modified_ns) == (status.st_size, status.st_mtime_ns):
        return known
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileState(status.st_size, status.st_mtime_ns, digest)


def _folder_state(root: Path) -> FileState:
    digest = hashlib.sha256()
    size = modified = 0
    folders = [(str(root), ".")]  # with their paths relative to the root
    while folders:
        folder, relative = folders.pop()
        with os.scandir(folder) as entries:
            listing = sorted(entries, key=lambda entry: entry.name)
        lines = []
        for entry in listing:
            if entry.is_dir(follow_symlinks=False):
                folders.append((entry.path, entry.name if relative == "." else f"{relative}/{entry.name}"))
                continue
            status = entry.stat(follow_symlinks=False)
            size += status.st_size
            modified = max(modified, status.st_mtime_ns)
            lines.append(f"{relative}/{entry.name}\0{status.st_size}\0{status.st_mtime_ns}\n")
        digest.update(os.fsencode("".join(lines)))
    return FileState(size, modified, digest.hexdigest())
