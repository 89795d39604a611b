"""A tree of named files: a folder on the disk, or an archive. Layouts are recognised on it, whatever holds it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from enron_triage.errors import TriageError, UsageError, cause_of
from enron_triage.mail.message_ref import MAX_BYTES, TOO_LARGE, MessageRef, json_safe
from enron_triage.mail.sources.content import HEAD, Kind, kind_of
from enron_triage.mail.sources.expanding import DAMAGED, OPENERS, expanded
from enron_triage.mail.sources.store import Store

_MAX_NAMED = 6  # names, or endings of names, in a warning


class Listing(msgspec.Struct, frozen=True):
    """What is in one folder of a tree.

    Attributes
    ----------
    folders : tuple of str
        The names of the folders in it, sorted.
    files : tuple of str
        The names of the files in it, sorted; links and devices as well.
    """

    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


class Unread:
    """Counts the files of a tree that are not read.

    Attributes
    ----------
    names : Counter of str
        How many files were passed over, by the ending of their names, or by name where there is none.
    kinds : Counter of str
        How many there were of the kinds that a user can convert.
    """

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()

    def add(self, name: str, kind: Kind = "other") -> None:
        """Count a file.

        Parameters
        ----------
        name : str
            Its name.
        kind : str
            What it is.
        """
        ending = os.path.splitext(name)[1]
        if ending.lower() == ".olm":
            kind = "olm"
        elif (kind, ending.lower()) not in (("zip", ".zip"), ("ole", ".msg")) and kind in ("zip", "ole"):
            kind = "other"  # a document of an office program
        self.names[f"*{ending.lower()}" if ending else name] += 1
        self.kinds[kind] += 1

    @property
    def count(self) -> int:
        """How many files were passed over."""
        return self.names.total()

    def __str__(self) -> str:
        """The names and how often each was found, the most frequent first."""
        most = sorted(self.names.items(), key=lambda item: (-item[1], item[0]))
        shown = [json_safe(name) if count == 1 else f"{count:,} {json_safe(name)}" for name, count in most[:_MAX_NAMED]]
        return ", ".join(shown + ["..."] * (len(most) > _MAX_NAMED))


class Tree(ABC):
    """A tree of files; paths in it are joined by ``/``, and that of its top is empty.

    Attributes
    ----------
    path : Path
        The folder or archive.
    name : str
        What to call it, where the mail in it is one mailbox.
    unread : Unread
        The files that the layouts passed over.
    folders : dict of str to Counter of str
        For each mailbox that was read, how many messages each of its folders had.
    found : dict of tuple of str to list of Store
        The stores of the layouts that were looked for, so that a tree is searched once.
    is_streamed : bool
        Whether its files can only be read in their own order.
    is_file : bool
        Whether it is one file, which is no archive.
    """

    is_streamed = False
    is_file = False

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self.unread = Unread()
        self.folders: dict[str, Counter[str]] = {}
        self.found: dict[tuple[str, ...], list[Store]] = {}
        self._kinds: dict[str, Kind] = {}

    @abstractmethod
    def listing(self, path: str) -> Listing:
        """What is in a folder of the tree.

        Parameters
        ----------
        path : str
            The folder.

        Raises
        ------
        UsageError
            If it cannot be listed.
        """

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """Open a file of the tree as it is stored.

        Parameters
        ----------
        path : str
            The file.

        Raises
        ------
        OSError
            If it cannot be opened.
        """

    def kind(self, path: str) -> Kind:
        """What a file is, by its content; of a compressed mbox or message, what is in it.

        Parameters
        ----------
        path : str
            The file.
        """
        if path not in self._kinds:
            self._kinds[path] = self._kind(path)
        return self._kinds[path]

    def is_compressed(self, path: str) -> bool:
        """Whether a file is compressed by itself.

        Parameters
        ----------
        path : str
            The file.

        Raises
        ------
        OSError
            If it cannot be opened.
        """
        with self.open(path) as stored:
            return kind_of(stored.read(HEAD)) in OPENERS

    def record_prefix(self) -> str:
        """What the paths of records begin with where the whole tree is one mailbox."""
        return f"{self.name}/"

    def stream(self) -> Iterator[tuple[str, BinaryIO]]:
        """Read the files of a streamed tree in its own order; others are read one by one.

        Yields
        ------
        path : str
            A file.
        content : binary file
            What is in it; to be read before the next one is asked for.
        """
        raise NotImplementedError

    def disk_file(self, path: str) -> str:
        """The file on the disk that holds a file of the tree as it is, or an empty string.

        Parameters
        ----------
        path : str
            The file.
        """
        return ""

    @contextmanager
    def read(self, path: str) -> Iterator[BinaryIO]:
        """Read a file of the tree, expanded if it is compressed.

        Parameters
        ----------
        path : str
            The file.

        Yields
        ------
        binary file
            Its content.

        Raises
        ------
        UsageError
            If it cannot be opened.
        TriageError
            If it is truncated, damaged or hostile.
        """
        name = f"{self.path}/{path}" if path else str(self.path)
        try:
            with self.open(path) as stored, expanded(stored, name) as content:
                yield content
        except DAMAGED as error:
            raise TriageError(f"{name}: truncated or damaged; fetch it again ({type(error).__name__})") from None
        except OSError as error:
            raise UsageError(f"{name}: cannot be read: {cause_of(error)}") from None

    def message(self, path: str, record_path: str, folder: str) -> MessageRef:
        """A reference to a file that is one message.

        Parameters
        ----------
        path : str
            The file.
        record_path : str
            The path that its record gets.
        folder : str
            The mail folder that its record gets.
        """
        file = self.disk_file(path)
        if file:
            return MessageRef(record_path, folder, file)
        with self.read(path) as content:
            return held_message(content.read(MAX_BYTES + 1), record_path, folder)

    def _kind(self, path: str) -> Kind:
        """As `kind`, looked at."""
        try:
            with self.open(path) as stored:
                head = stored.read(HEAD)
            kind = kind_of(head)
            if kind in OPENERS:
                with self.read(path) as content:
                    inner = kind_of(content.read(HEAD))
                return inner if inner in ("mbox", "message", "tar") else "other"
        except (OSError, UsageError):
            return "other"
        except (*DAMAGED, TriageError):
            return "damaged"
        return kind


def held_message(content: bytes, record_path: str, folder: str) -> MessageRef:
    """A reference to a message that is in memory; a worker would not read one that is too large.

    Parameters
    ----------
    content : bytes
        The message, or more of it than a message may have.
    record_path : str
        The path that its record gets.
    folder : str
        The mail folder that its record gets.

    Returns
    -------
    MessageRef
        The reference.
    """
    if len(content) > MAX_BYTES:
        return MessageRef(record_path, folder, "", content=b"", problem=TOO_LARGE)
    return MessageRef(record_path, folder, "", content=content)
