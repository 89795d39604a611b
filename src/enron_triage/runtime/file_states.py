"""The state of files and folders, which shows a later run whether they have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from operator import attrgetter
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


def times_of_files(path: Path) -> dict[str, tuple[int, int]]:
    """The size and the time of a file, or of every file of a folder; nothing is read.

    Parameters
    ----------
    path : Path
        An existing file or folder.

    Returns
    -------
    dict of str to (int, int)
        Bytes, and nanoseconds since 1970, by name.

    Raises
    ------
    OSError
        If it does not exist or cannot be read.
    """
    if not path.is_dir():
        status = path.stat()
        return {path.name: (status.st_size, status.st_mtime_ns)}
    return {name: (status.st_size, status.st_mtime_ns) for files in _folders(path) for name, status in files}


class _Listing(msgspec.Struct):
    """What a folder's files are by their names, sizes and times; the digests are those of `FileState`."""

    size: int
    modified_ns: int
    listing: Hash
    names: Hash
    files: list[str]


_listings: dict[Path, _Listing] | None = None  # within `listed_once`


@contextmanager
def listed_once() -> Iterator[None]:
    """Walk through no folder twice within the block, which must not change any."""
    global _listings
    before, _listings = _listings, {}
    try:
        yield
    finally:
        _listings = before


def _folder_state(root: Path, known: FileState | None) -> FileState:
    """The state of a folder; its files are read only if `known` does not tell, and there is not too much of them."""
    found = _listings.get(root) if _listings is not None else None
    if found is None:
        found = _listed(root)
        if _listings is not None:
            _listings[root] = found
    listing = found.listing.hexdigest()
    if known is not None and known.listing == listing:
        return known
    content = found.listing if found.size > _READ_WHOLE else _content(root, found.files)
    return FileState(found.size, found.modified_ns, content.hexdigest(), listing, found.names.hexdigest())


def _listed(root: Path) -> _Listing:
    found = _Listing(0, 0, hashlib.sha256(), hashlib.sha256(), [])
    for files in _folders(root):
        found.files += [name for name, _ in files]
        found.size += sum(status.st_size for _, status in files)
        found.modified_ns = max([found.modified_ns, *(status.st_mtime_ns for _, status in files)])
        named = [f"{name}\0{status.st_size}" for name, status in files]
        timed = [f"{line}\0{status.st_mtime_ns}\n" for line, (_, status) in zip(named, files, strict=True)]
        found.names.update(os.fsencode("".join(f"{line}\n" for line in named)))
        found.listing.update(os.fsencode("".join(timed)))
    return found


def _folders(root: Path) -> Iterator[list[tuple[str, os.stat_result]]]:
    """The files of each folder, with their paths relative to the root, in an order that is always the same."""
    folders = [(str(root), ".")]
    while folders:
        folder, relative = folders.pop()
        with os.scandir(folder) as entries:
            listing = sorted(entries, key=attrgetter("name"))
        files = []
        for entry in listing:
            if entry.is_dir(follow_symlinks=False):
                folders.append((entry.path, entry.name if relative == "." else f"{relative}/{entry.name}"))
            else:
                files.append((f"{relative}/{entry.name}", entry.stat(follow_symlinks=False)))
        yield files


def _content(root: Path, names: Iterable[str]) -> Hash:
    digest = hashlib.sha256()
    for name in names:
        content = hashlib.sha256(_bytes(f"{root}/{name}")).hexdigest()
        digest.update(os.fsencode(f"{name}\0{content}\n"))
    return digest


def _bytes(path: str) -> bytes:
    """The bytes of a file; of a link that leads to none, where it leads."""
    if os.path.isfile(path):
        with open(path, "rb", buffering=0) as file:
            return file.read()
    return os.fsencode(os.readlink(path)) if os.path.islink(path) else b""
