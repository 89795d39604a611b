"""The messages that can be judged: those of a split, or new mail that has been read.

Of a split only the places of the records are held; a record is read when it is needed.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from enron_triage.errors import UsageError
from enron_triage.records import Fingerprinted, LabeledEmail
from enron_triage.runtime import artifacts

_FIRST_LINE = 2  # of a record in its file


class Key(NamedTuple):
    """What a judgement names its message by.

    Attributes
    ----------
    user : str
        The mailbox; empty for mail that belongs to none.
    fingerprint : str
        See `records.Email`.
    """

    user: str
    fingerprint: str


class Messages(Protocol):
    """Messages by number."""

    @property
    def keys(self) -> Sequence[Key]:
        """The key of each message."""

    def read(self, number: int) -> LabeledEmail:
        """One message.

        Parameters
        ----------
        number : int
            Its place in `keys`.
        """


class ListedMessages:
    """Messages in memory.

    Parameters
    ----------
    records : sequence of LabeledEmail
        The messages; of copies of one in the same mailbox, the first is taken.
    """

    def __init__(self, records: Sequence[LabeledEmail]) -> None:
        found: dict[Key, LabeledEmail] = {}
        for record in records:
            found.setdefault(Key(record.user, record.fingerprint), record)
        self.keys: Sequence[Key] = list(found)
        self._records = list(found.values())

    def read(self, number: int) -> LabeledEmail:
        """One message: see `Messages`."""
        return self._records[number]


class SplitMessages:
    """Messages of an artifact of labelled records.

    The file stays open, so that another run that replaces it does not change what is shown.

    Parameters
    ----------
    path : Path
        The artifact, such as ``train.json``.

    Raises
    ------
    UsageError
        If it is missing, damaged or empty.

    Attributes
    ----------
    rows : dict of Key to int
        Which record of the file each message is.
    count : int
        How many records the file has, copies included.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = artifacts.open_input(path)
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        decode_key = msgspec.json.Decoder(Fingerprinted).decode
        self._decode = msgspec.json.Decoder(LabeledEmail).decode
        places: dict[Key, tuple[int, int, int]] = {}
        for line_number, (offset, line) in enumerate(artifacts.iterate_lines(path), _FIRST_LINE):
            found = artifacts.decode_line(decode_key, line, path, line_number)
            places.setdefault(Key(found.user, found.fingerprint), (offset, len(line), line_number))
        if not places:
            raise UsageError(f"{path}: contains no message to judge; choose another --split")
        self.keys: Sequence[Key] = list(places)
        self.rows = {key: line_number - _FIRST_LINE for key, (_, _, line_number) in places.items()}
        self.count = line_number + 1 - _FIRST_LINE
        self._places = list(places.values())

    def read(self, number: int) -> LabeledEmail:
        """One message: see `Messages`."""
        offset, size, line_number = self._places[number]
        with self._lock:
            self._file.seek(offset)
            line = self._file.read(size)
        return artifacts.decode_line(self._decode, line, self._path, line_number)
