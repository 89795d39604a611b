"""Artifacts of records: one JSON array with one record per line.

``json.load`` reads such a file whole, and `read_records` streams it. All data stages exchange such files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from enron_triage.errors import ArtifactError, UsageError
from enron_triage.runtime.atomic import atomic_open
from enron_triage.runtime.json_files import open_input
from enron_triage.runtime.progress import progress

Record = TypeVar("Record")

_UNLABELLED = "missing required field `action`"  # msgspec's words for a record of `parse` where a label is needed
_FIRST_LINE = 2  # line 1 of the file is "["


class RecordWriter:
    """Writes records, which the caller has encoded, as a JSON array with one record per line.

    Parameters
    ----------
    file : binary file
        The file to write to, open and empty.

    Attributes
    ----------
    count : int
        How many records have been written.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.count = 0

    def write(self, encoded: bytes) -> None:
        """Append one record.

        Parameters
        ----------
        encoded : bytes
            The record as JSON, without a line end.
        """
        self._file.write(b",\n" if self.count else b"[\n")
        self._file.write(encoded)
        self.count += 1

    def write_many(self, block: bytes, count: int) -> None:
        r"""Append several records at once.

        Parameters
        ----------
        block : bytes
            The records as JSON, joined by ``",\n"``.
        count : int >= 0
            How many records are in `block`; with 0 nothing is written.
        """
        if count:
            self.write(block)
            self.count += count - 1

    def finish(self) -> None:
        """Close the array; no record can follow."""
        self._file.write(b"\n]\n" if self.count else b"[\n]\n")


@contextlib.contextmanager
def record_writer(path: Path) -> Iterator[RecordWriter]:
    """Write an artifact of records; it appears at `path`, complete, when the block ends.

    Parameters
    ----------
    path : Path
        The artifact; its folder is made if it is missing.

    Yields
    ------
    RecordWriter
        Takes the records; the array is closed when the block ends.

    Raises
    ------
    TriageError
        If the file cannot be written.
    """
    with atomic_open(path) as file:
        writer = RecordWriter(file)
        yield writer
        writer.finish()


def iterate_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Stream the records of an artifact without decoding them.

    Parameters
    ----------
    path : Path
        An artifact of records.

    Yields
    ------
    offset : int
        The byte in the file at which the record begins.
    line : bytes
        The record as JSON, without the comma and the line end.

    Raises
    ------
    UsageError
        If the file is missing, truncated, or not one record per line.
    """
    with open_input(path) as file:
        if file.readline() != b"[\n":
            raise ArtifactError(path, "not an artifact of records, one per line")
        offset = 2
        line = file.readline()
        while line not in (b"]\n", b"]"):
            # Every line but the last record's ends in a comma; only "]" ends the file.
            following = file.readline()
            is_last = following in (b"]\n", b"]")
            if not following or line.endswith(b",\n") == is_last:
                raise ArtifactError(path, f"truncated or edited near byte {offset}")
            yield offset, line[:-1] if is_last else line[:-2]
            offset += len(line)
            line = following
        if file.read(1):
            raise ArtifactError(path, f"has data after its end, near byte {offset}")


class Span(msgspec.Struct, frozen=True):
    """The part of an artifact that holds the records of one mailbox.

    Attributes
    ----------
    user : str
        The mailbox.
    start, stop : int
        The bytes of the file from the beginning of the first record to the end of the last.
    line : int
        The line of the file in which the first record is, counted from 1.
    count : int
        The number of records.
    """

    user: str
    start: int
    stop: int
    line: int
    count: int


def mailbox_spans(path: Path) -> list[Span]:
    """Find each mailbox in an artifact whose records are grouped by mailbox.

    Parameters
    ----------
    path : Path
        An artifact of records that have a field ``user``.

    Returns
    -------
    list of Span
        One per mailbox, in the order of the file.

    Raises
    ------
    UsageError
        As `iterate_lines`; also for a record without a user, and for a mailbox whose records are not all together.
    """
    decode = msgspec.json.Decoder(_User).decode
    spans: dict[str, Span] = {}
    lines = progress(iterate_lines(path), description=f"look through {path.name}", unit=" messages")
    for number, (offset, line) in enumerate(lines, _FIRST_LINE):
        user = decode_line(decode, line, path, number).user
        span = spans.get(user)
        if span is None:
            span = Span(user, offset, offset, number, 0)
        elif next(reversed(spans)) != user:
            raise ArtifactError(path, f"line {number}: mailbox {user} appears in two places")
        spans[user] = Span(user, span.start, offset + len(line), span.line, span.count + 1)
    return list(spans.values())


def read_span(path: Path, span: Span, schema: type[Record]) -> list[Record]:
    """Read the records of one mailbox, and no other part of the file.

    Parameters
    ----------
    path : Path
        An artifact of records.
    span : Span
        One of the spans that `mailbox_spans` found in the artifact.
    schema : type
        The type that each record must have.

    Returns
    -------
    list of Record
        The records, in the order of the file.

    Raises
    ------
    UsageError
        If the file cannot be read, or a record does not fit the schema.
    """
    decode = msgspec.json.Decoder(schema).decode
    with open_input(path) as file:
        file.seek(span.start)
        block = file.read(span.stop - span.start)
    return [
        decode_line(decode, line.removesuffix(b","), path, number)
        for number, line in enumerate(block.split(b"\n"), span.line)
    ]


class _User(msgspec.Struct):
    user: str


def read_records(path: Path, schema: type[Record]) -> Iterator[Record]:
    """Stream the records of an artifact.

    Parameters
    ----------
    path : Path
        An artifact of records.
    schema : type
        The type that each record must have.

    Yields
    ------
    Record
        The records, in the order of the file.

    Raises
    ------
    UsageError
        As `iterate_lines`; also for a record that does not fit the schema.
    """
    decode = msgspec.json.Decoder(schema).decode
    for number, (_, line) in enumerate(iterate_lines(path), _FIRST_LINE):
        yield decode_line(decode, line, path, number)


def decode_line(decode: Callable[[bytes], Record], line: bytes, path: Path, number: int) -> Record:
    """Decode one record, with an error that names its place.

    Parameters
    ----------
    decode : callable
        The method ``decode`` of a decoder with a schema.
    line : bytes
        The record as JSON.
    path : Path
        The file that holds the record, for the error.
    number : int
        The line of the file that holds the record, for the error.

    Returns
    -------
    Record
        What `decode` gives.

    Raises
    ------
    UsageError
        If the record does not fit the decoder's schema.
    """
    try:
        return decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if _UNLABELLED in str(error):
            raise UsageError(
                f"{path}: line {number}: {error}; give labelled records, as `triage label` makes them"
            ) from None
        raise ArtifactError(path, f"line {number}: not a record of this kind ({error})") from None
