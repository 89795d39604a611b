"""A tar archive of mail, read as a stream: file by file, or unpacked into a folder, all or nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from enron_triage.errors import TriageError, UsageError
from enron_triage.mail.tar_stream import DAMAGE, read_members
from enron_triage.runtime import artifacts
from enron_triage.runtime.progress import progress_bar

_TOP = "maildir"  # the folder that the CMU archive packs its mailboxes in
_MAX_BYTES = 1 << 28  # of one file, which is held in memory
_MAX_SHOWN = 200  # characters of a name in a message
_MAX_DEPTH = 100  # folders: making and removing them recurses


class Unpacked(msgspec.Struct):
    """How much was unpacked.

    Attributes
    ----------
    files : int
        The number of files.
    size : int
        Their bytes together.
    """

    files: int = 0
    size: int = 0


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Make a folder that appears, whole, when the block ends.

    If the block raises, the target stays as it was and nothing half-made is left.

    Parameters
    ----------
    target : Path
        The folder to make; an older one is replaced.

    Yields
    ------
    Path
        An empty folder next to `target`, which takes its place when the block ends.
    """
    artifacts.remove(artifacts.temporary_path(target))
    with artifacts.atomic_path(target) as partial:
        partial.mkdir()
        yield partial


def unpack(archive: Path, target: Path) -> Unpacked:
    """Unpack a ``.tar``, ``.tar.gz`` or ``.tar.xz`` into an empty folder, as a stream.

    A leading ``maildir/`` of the members is stripped. Only plain files and folders are accepted;
    owners, permissions and times in the archive are ignored.

    Parameters
    ----------
    archive : Path
        The archive.
    target : Path
        An empty folder.

    Returns
    -------
    Unpacked
        The number of files and their size.

    Raises
    ------
    UsageError
        If the archive is missing, or holds no file.
    TriageError
        If it is truncated, damaged or hostile; see `archived_files`.
    OSError
        If the target cannot be written.
    """
    found = Unpacked()
    folders = {target}
    with (
        artifacts.open_input(archive) as file,
        progress_bar(description="unpack", total=archive.stat().st_size, unit="B") as bar,
    ):
        for name, content in archived_files(archive, file):
            path = target / name
            if path.parent not in folders:
                path.parent.mkdir(parents=True, exist_ok=True)
                folders.add(path.parent)
            _write(path, content)
            found.files += 1
            found.size += len(content)
            bar.update(file.tell() - bar.n)
    if not found.files:
        raise UsageError(f"{archive}: holds no file; it should unpack to maildir/<owner>/<folder>/<file>")
    return found


class _Names:
    """The names of an archive's files so far; one that appears twice is an attack or damage."""

    def __init__(self) -> None:
        self._files: set[int] = set()  # hashes, as an archive may hold very many
        self._folders = {""}

    def add(self, name: str) -> str:
        """Add a name; returns what is wrong with it, or an empty string."""
        if hash(name) in self._files or name in self._folders:
            return "appears twice"
        self._files.add(hash(name))
        folder = name.rpartition("/")[0]
        while folder not in self._folders:
            if hash(folder) in self._files:
                return "is below a file"
            self._folders.add(folder)
            folder = folder.rpartition("/")[0]
        return ""


def archived_files(archive: Path, file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Read the files of an archive one by one, as it streams by.

    Parameters
    ----------
    archive : Path
        The path that error messages name.
    file : BinaryIO
        The archive, opened; its position tells how much has been read.

    Yields
    ------
    name : str
        The path of a file, without a leading ``maildir/``.
    content : bytes
        The whole file.

    Raises
    ------
    TriageError
        If the archive is truncated or damaged, or holds a link, a device, a member whose name leads
        out of the archive, or a name that appears twice or is both a file's and a folder's.
    """
    names = _Names()
    count, last = 0, ""
    try:
        for member in read_members(file, _MAX_BYTES):
            name = _inside(archive, member.name)
            if member.content is not None:
                if problem := names.add(name):
                    raise TriageError(f"{archive}: {name!r} {problem}; refused")
                yield name, member.content
            elif member.is_file:
                raise TriageError(f"{archive}: {member.name!r} is larger than any mail; refused")
            elif not member.is_folder:
                raise TriageError(f"{archive}: {member.name!r} is a link, a device or sparse; refused")
            count, last = count + 1, member.name
    except DAMAGE as error:
        after = f"after member {count}, {last[:_MAX_SHOWN]!r}" if count else "from its beginning"
        raise TriageError(f"{archive}: truncated or damaged; fetch it again ({type(error).__name__} {after})") from None


def _inside(archive: Path, name: str) -> str:
    """The path of a member below the target; refuses one that leads out of it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise TriageError(f"{archive}: {name!r} would be written outside the target folder; refused")
    if len(parts) > _MAX_DEPTH:
        raise TriageError(f"{archive}: {name[:40]!r}... is more than {_MAX_DEPTH} folders deep; refused")
    return "/".join(parts[1:] if parts[:1] == [_TOP] else parts)


def _write(path: Path, content: bytes) -> None:
    # O_EXCL: two names may be one on this disk only. os.open avoids tarfile's chown and utime for each file.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    # Buffered: an unbuffered write to a full disk may write less than all of it and raise nothing.
    with open(descriptor, "wb") as file:
        file.write(content)
