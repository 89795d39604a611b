"""Compressed files, read as they are expanded, within bounds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from enron_triage.errors import TriageError
from enron_triage.mail.sources.content import HEAD, Kind, kind_of

OPENERS: dict[Kind, Callable[[BinaryIO], Any]] = {"gzip": gzip.open, "xz": lzma.open, "bzip2": bz2.open}
# What the libraries raise for damaged or hostile files.
DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile),
    *(ValueError, OverflowError, RuntimeError, struct.error, LookupError),
)
_MAX_RATIO = 500  # expanded to stored; mail is compressed to a tenth or so
_UNCHECKED = 1 << 28  # bytes; what expands to less is harmless


class _Counted(io.RawIOBase):
    """A stream that counts what was read of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._stream.read(len(buffer))
        buffer[: len(block)] = block
        self.count += len(block)
        return len(block)


class Bounded(io.RawIOBase):
    """An expanded stream that ends with an error where it expands to more than any mail would.

    Parameters
    ----------
    stream : binary file
        The expanded content.
    stored : callable
        How many stored bytes have been read so far.
    name : str
        The file that the error names.
    """

    def __init__(self, stream: BinaryIO, stored: Callable[[], int], name: str) -> None:
        self._stream = stream
        self._stored = stored
        self._name = name
        self._count = 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer.

        Parameters
        ----------
        buffer : writable buffer
            What to fill.

        Raises
        ------
        TriageError
            If the file expands without end.
        """
        block = self._stream.read(len(buffer))
        buffer[: len(block)] = block
        self._count += len(block)
        if self._count > max(_UNCHECKED, _MAX_RATIO * self._stored()):
            raise TriageError(f"{self._name}: expands to more than {_MAX_RATIO} times its size; no mail does, refused")
        return len(block)


@contextmanager
def expanded(stored: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Expand a file if it is compressed with gzip, xz or bzip2.

    Parameters
    ----------
    stored : binary file
        The file, from its beginning.
    name : str
        The file that errors name.

    Yields
    ------
    binary file
        The expanded content, or the file itself.
    """
    counted = _Counted(stored)
    buffered = io.BufferedReader(counted, 1 << 20)
    opener = OPENERS.get(kind_of(buffered.peek(HEAD)[:HEAD]))
    if opener is None:
        yield buffered
        return
    with opener(buffered) as content:
        yield io.BufferedReader(Bounded(content, lambda: counted.count, name), 1 << 20)
