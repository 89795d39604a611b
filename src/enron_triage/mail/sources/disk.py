"""A folder on the disk, or a file, as a tree of files."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from enron_triage.errors import TriageError, UsageError, cause_of
from enron_triage.mail.sources.tree import Listing, Tree
from enron_triage.mail.sources.zipped import ZipTree


class DirectoryTree(Tree):
    """A folder on the disk, and the zip archives at its top; links out of it are not followed.

    Parameters
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, path.resolve().name)
        self._listings: dict[str, Listing] = {}
        self._archives: dict[str, ZipTree] = {}

    def listing(self, path: str) -> Listing:
        """See `Tree.listing`."""
        if path not in self._listings:
            archive, below = self._archive(path)
            self._listings[path] = archive.listing(below) if archive else self._list(path)
        return self._listings[path]

    def open(self, path: str) -> BinaryIO:
        """See `Tree.open`; what is no regular file is not opened."""
        archive, below = self._archive(path)
        if archive:
            return archive.open(below)
        descriptor = os.open(self.disk_file(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError("not a regular file")
        return os.fdopen(descriptor, "rb")

    def disk_file(self, path: str) -> str:
        """See `Tree.disk_file`."""
        return "" if self._archive(path)[0] else f"{self.path}/{path}"

    def _archive(self, path: str) -> tuple[ZipTree | None, str]:
        """The archive that a path leads into, and the path in it."""
        if self._archives:
            for name, archive in self._archives.items():
                if path == name or path.startswith(f"{name}/"):
                    return archive, path[len(name) + 1 :]
        return None, path

    def _has_archive(self, name: str) -> bool:
        """Whether a file at the top is an archive that can be read; deeper ones are attachments."""
        if self.kind(name) == "zip":
            with contextlib.suppress(TriageError):
                self._archives[name] = ZipTree(self.path / name)
        return name in self._archives

    def _list(self, path: str) -> Listing:
        folder = self.path / path if path else self.path
        if not path and folder.is_file():
            raise UsageError(f"{folder}: is a file, but a folder is expected; set parse.format=mbox if it is an mbox")
        folders: list[str] = []
        files: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    (folders if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be listed: {cause_of(error)}") from None
        for name in [name for name in files if name.lower().endswith(".zip") and not path]:
            if self._has_archive(name):
                files.remove(name)
                folders.append(name)
        return Listing(tuple(sorted(folders)), tuple(sorted(files)))


class FileTree(Tree):
    """One file, as a tree that holds nothing else.

    Parameters
    ----------
    path : Path
        The file.
    """

    is_file = True

    def __init__(self, path: Path) -> None:
        super().__init__(path, path.name)

    def listing(self, path: str) -> Listing:
        """See `Tree.listing`."""
        return Listing(files=(self.path.name,))

    def record_prefix(self) -> str:
        """See `Tree.record_prefix`: nothing, as the file is all there is."""
        return ""

    def open(self, path: str) -> BinaryIO:
        """See `Tree.open`."""
        return self.path.open("rb")

    def disk_file(self, path: str) -> str:
        """See `Tree.disk_file`."""
        return str(self.path)
