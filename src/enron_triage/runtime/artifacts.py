"""Reading and writing artifacts.

An artifact is written to a temporary name beside it and moved into place when complete, so an
interrupted stage leaves the old one whole.

A JSON artifact of records is one JSON array with one record per line: ``json.load`` reads it
whole, `read_records` streams it.
"""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from enron_triage.errors import ArtifactError, TriageError, UsageError
from enron_triage.runtime.progress import progress

Record = TypeVar("Record")

_UNLABELLED = "missing required field `action`"


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it into place unless the block raises.

    Raises
    ------
    TriageError
        If the file cannot be written: a full disk, a read-only folder, a folder in its place.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            remove(temporary)


def not_written(path: Path, error: OSError) -> TriageError:
    """The error to raise where an artifact cannot be written."""
    return TriageError(
        f"{path}: cannot be written: {error.strerror or error}; "
        "make room there, or choose another place (--data-dir, --checkpoint-dir)"
    )


@contextlib.contextmanager
def atomic_open(path: Path) -> Iterator[IO[bytes]]:
    """Open `path` for writing bytes; it appears, whole, when the block ends."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        yield file


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class RecordWriter:
    """Writes the lines of a JSON array of records."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.count = 0

    def write(self, encoded: bytes) -> None:
        """Append one record, already encoded as JSON."""
        self._file.write(b",\n" if self.count else b"[\n")
        self._file.write(encoded)
        self.count += 1

    def write_many(self, block: bytes, count: int) -> None:
        r"""Append `count` encoded records that stand in `block`, joined by ``",\n"``."""
        if count:
            self.write(block)
            self.count += count - 1

    def finish(self) -> None:
        """Close the array."""
        self._file.write(b"\n]\n" if self.count else b"[\n]\n")


@contextlib.contextmanager
def record_writer(path: Path) -> Iterator[RecordWriter]:
    """Write an artifact of records; it appears, whole, when the block ends."""
    with atomic_open(path) as file:
        writer = RecordWriter(file)
        yield writer
        writer.finish()


def write_json(path: Path, value: Any) -> None:
    """Write one value as indented JSON."""
    with atomic_open(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def read_json(path: Path, schema: type[Record]) -> Record:
    """Read and check one value.

    Raises
    ------
    UsageError
        If the file is missing, no valid JSON, or of another form.
    """
    with open_input(path) as file:
        content = file.read()
    try:
        return msgspec.json.decode(content, type=schema)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(path, f"not what the program wrote there ({error})") from None


def open_input(path: Path) -> io.BufferedReader:
    """Open a file for reading bytes.

    Raises
    ------
    UsageError
        If it is missing, a folder, or not allowed to be read, with the command that makes it.
    """
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise ArtifactError(path, "no such file") from None
    except IsADirectoryError:
        problem = "is a folder where a file belongs"
        raise ArtifactError(path, problem, remedy="move it away, then {command}", otherwise="name a file") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def iterate_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Stream an artifact of records: the byte offset and the JSON of each, undecoded.

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
            raise ArtifactError(path, f"goes on after its end, near byte {offset}")


class Span(msgspec.Struct, frozen=True):
    """The records of one mailbox in an artifact: `count` lines from byte `start` to `stop`."""

    user: str
    start: int
    stop: int
    line: int
    count: int


def mailbox_spans(path: Path) -> list[Span]:
    """Where each mailbox lies in an artifact whose records are grouped by mailbox.

    Raises
    ------
    UsageError
        As `iterate_lines`, for a line without a user, and for a mailbox that stands in two places.
    """
    decode = msgspec.json.Decoder(_User).decode
    spans: dict[str, Span] = {}
    lines = progress(iterate_lines(path), description=f"look through {path.name}", unit=" messages")
    for number, (offset, line) in enumerate(lines, 2):
        user = decode_line(decode, line, path, number).user
        span = spans.get(user)
        if span is None:
            span = Span(user, offset, offset, number, 0)
        elif next(reversed(spans)) != user:
            raise ArtifactError(path, f"line {number}: mailbox {user} appears in two places")
        spans[user] = Span(user, span.start, offset + len(line), span.line, span.count + 1)
    return list(spans.values())


def read_span(path: Path, span: Span, schema: type[Record]) -> list[Record]:
    """The records of one mailbox, each checked against `schema`.

    Raises
    ------
    UsageError
        For a line that does not fit the schema.
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
    """Stream the records of an artifact, each checked against `schema`.

    Raises
    ------
    UsageError
        As `iterate_lines`, and for a line that does not fit the schema.
    """
    decode = msgspec.json.Decoder(schema).decode
    for number, (_, line) in enumerate(iterate_lines(path), 2):
        yield decode_line(decode, line, path, number)


def decode_line(decode: Any, line: bytes, path: Path, number: int) -> Any:
    """Decode one record; `number` is its line in the file, for the error.

    Raises
    ------
    UsageError
        If the line does not fit the decoder's schema.
    """
    try:
        return decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if _UNLABELLED in str(error):
            raise UsageError(
                f"{path}: line {number}: {error}; give labelled records, as `triage label` makes them"
            ) from None
        raise ArtifactError(path, f"line {number}: not a record of this kind ({error})") from None
