"""A zip archive as a tree of files (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT); never unpacked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO, cast

from enron_triage.errors import TriageError, UsageError, cause_of
from enron_triage.mail.sources.expanding import DAMAGED, Bounded
from enron_triage.mail.sources.tree import Listing, Tree

_ENCRYPTED = 0x1
_MAX_DEPTH = 100  # folders


class ZipTree(Tree):
    """The files of a zip archive, each of which can be read by itself.

    Parameters
    ----------
    path : Path
        The archive.

    Raises
    ------
    UsageError
        If it cannot be opened, or is encrypted.
    TriageError
        If it is damaged or hostile.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, path.stem)
        try:
            self._archive = zipfile.ZipFile(path)
            self._members: dict[str, zipfile.ZipInfo] = {}
            folders = set()
            for member in self._archive.infolist():
                name = member_path(path, member.filename)
                if member.is_dir():
                    folders.add(name)
                else:
                    if member.flag_bits & _ENCRYPTED:
                        raise UsageError(f"{path}: is encrypted; unpack it with its password, and name the folder")
                    if name in self._members:
                        raise TriageError(f"{path}: {name!r} appears twice; refused")
                    self._members[name] = member
        except DAMAGED as error:
            raise TriageError(f"{path}: truncated or damaged; fetch it again ({type(error).__name__})") from None
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {cause_of(error)}") from None
        self._listings = listings(path, self._members, folders)

    def listing(self, path: str) -> Listing:
        """See `Tree.listing`."""
        return self._listings.get(path, Listing())

    def open(self, path: str) -> BinaryIO:
        """See `Tree.open`."""
        member = self._members[path]
        content = cast(BinaryIO, self._archive.open(member))
        bounded = Bounded(content, lambda: member.compress_size, f"{self.path}/{path}")
        return cast(BinaryIO, io.BufferedReader(bounded, 1 << 16))


def member_path(archive: Path, name: str) -> str:
    """The path of an archive's member in the tree.

    Parameters
    ----------
    archive : Path
        The archive that an error names.
    name : str
        The member's name.

    Returns
    -------
    str
        Its components, joined by ``/``.

    Raises
    ------
    TriageError
        If it leads out of the archive, or has very many components.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise TriageError(f"{archive}: {name!r} would be written outside the target folder; refused")
    if len(parts) > _MAX_DEPTH:
        raise TriageError(f"{archive}: {name[:40]!r}... is more than {_MAX_DEPTH} folders deep; refused")
    return "/".join(parts)


def listings(archive: Path, names: Collection[str], folders: Iterable[str]) -> dict[str, Listing]:
    """The listing of each folder of an archive.

    Parameters
    ----------
    archive : Path
        The archive that an error names.
    names : collection of str
        The paths of its files; a set or a dictionary.
    folders : iterable of str
        The paths of its folders, as far as it names them: an empty one is found in no other way.

    Returns
    -------
    dict of str to Listing
        By the path of the folder.

    Raises
    ------
    TriageError
        If a name is both a file's and a folder's.
    """
    files: dict[str, list[str]] = {}
    inside: dict[str, set[str]] = {"": set()}
    for name in names:
        folder, _, file = name.rpartition("/")
        files.setdefault(folder, []).append(file)
    for place in (*files, *folders):
        folder = place
        while folder not in inside:
            if folder in names:
                raise TriageError(f"{archive}: {folder!r} is a file, and others are below it; refused")
            inside[folder] = set()
            folder = folder.rpartition("/")[0]
    for folder in list(inside):
        above, _, below = folder.rpartition("/")
        if folder:
            inside[above].add(below)
    return {
        folder: Listing(tuple(sorted(below)), tuple(sorted(files.get(folder, ())))) for folder, below in inside.items()
    }
