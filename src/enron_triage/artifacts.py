"""Reading and writing artifacts.

An artifact is written to a temporary name beside it and moved into place when complete, so an
interrupted stage leaves the old one whole. Beside it, ``<name>.meta.json`` says what it was made
from and with which settings; `up_to_date` decides from it what ``triage run`` may skip.

A JSON artifact of records is one JSON array with one record per line: ``json.load`` reads it
whole, `read_records` streams it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from enron_triage import __version__
from enron_triage.errors import TriageError, UsageError

Record = TypeVar("Record")

# Which stage makes an artifact: for the advice in error messages.
MAKER = {
    "maildir": "download",
    "emails.json": "parse",
    "parse_errors.json": "parse",
    "emails_labeled.json": "label",
    "emails_unacted.json": "label",
    "train.json": "split",
    "val.json": "split",
    "test.json": "split",
    "split_metadata.json": "split",
    "best_sft.pt": "sft",
    "stage_1.pt": "sft",
}
SPLITS = ("train", "val", "test")


class FileState(msgspec.Struct, frozen=True):
    """What a file or a folder looked like: enough to tell whether it is still the same."""

    size: int
    modified_ns: int
    sha256: str


class Meta(msgspec.Struct, kw_only=True):
    """The content of ``<name>.meta.json``."""

    stage: str
    version: str
    settings: dict[str, Any]
    inputs: dict[str, FileState]
    artifact: FileState
    counts: dict[str, Any]
    seconds: float


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
        raise TriageError(
            f"{path}: cannot be written: {error.strerror or error}; free or choose another place with --data-dir"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            remove(temporary)


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
        raise UsageError(f"{path}: not what the program wrote there ({error}); {_make_again(path)}") from None


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
        raise UsageError(f"{path}: no such file; {_make_again(path)}") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: is a folder where a file belongs; move it away, then {_make_again(path)}") from None
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
            raise UsageError(f"{path}: not an artifact of records, one per line; {_make_again(path)}")
        offset = 2
        line = file.readline()
        while line not in (b"]\n", b"]"):
            # Every line but the last record's ends in a comma; only "]" ends the file.
            following = file.readline()
            is_last = following in (b"]\n", b"]")
            if not following or line.endswith(b",\n") == is_last:
                raise UsageError(f"{path}: truncated or edited near byte {offset}; {_make_again(path)}")
            yield offset, line[:-1] if is_last else line[:-2]
            offset += len(line)
            line = following
        if file.read(1):
            raise UsageError(f"{path}: goes on after its end, near byte {offset}; {_make_again(path)}")


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
    for number, (offset, line) in enumerate(iterate_lines(path), 2):
        user = decode_line(decode, line, path, number).user
        span = spans.get(user)
        if span is None:
            span = Span(user, offset, offset, number, 0)
        elif next(reversed(spans)) != user:
            raise UsageError(f"{path}, line {number}: mailbox {user} in two places; {_make_again(path)}")
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
        raise UsageError(f"{path}, line {number}: not a record of this kind ({error}); {_make_again(path)}") from None


def _make_again(path: Path) -> str:
    maker = MAKER.get(path.name)
    return f"run `triage {maker}`" if maker else "give the right path"


# ---------------------------------------------------------------------------- what was made from what


def meta_path(path: Path) -> Path:
    """``<name>.meta.json`` beside an artifact."""
    return path.with_name(f"{path.name}.meta.json")


def file_state(path: Path, known: FileState | None = None) -> FileState:
    """Size, time and hash of a file; of a folder, of the list of its files' names, sizes and times.

    Parameters
    ----------
    path : Path
    known : FileState, optional
        An earlier state; the file is not read again if size and time still agree.
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
    folders = [str(root)]
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as entries:
            listing = sorted(entries, key=lambda entry: entry.name)
        for entry in listing:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
                continue
            status = entry.stat(follow_symlinks=False)
            size += status.st_size
            modified = max(modified, status.st_mtime_ns)
            name = os.path.relpath(folder, root) + "/" + entry.name
            digest.update(os.fsencode(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n"))
    return FileState(size, modified, digest.hexdigest())


def write_meta(
    outputs: Iterable[Path],
    *,
    stage: str,
    settings: dict[str, Any],
    inputs: dict[str, FileState],
    counts: dict[str, Any],
    seconds: float,
) -> None:
    """Record beside each output what it was made from.

    Parameters
    ----------
    outputs : iterable of Path
        Existing artifacts.
    settings : dict
        The part of the configuration that decides the outputs; plain values.
    inputs : dict of str to FileState
        As `input_states` gave them before the work began, so that a change meanwhile is noticed.
    """
    for output in outputs:
        meta = Meta(
            stage=stage,
            version=__version__,
            settings=settings,
            inputs=inputs,
            artifact=file_state(output),
            counts=counts,
            seconds=round(seconds, 3),
        )
        write_json(meta_path(output), meta)


def read_meta(path: Path) -> Meta | None:
    """The meta data of an artifact; None if there are none, or they cannot be understood."""
    try:
        return msgspec.json.decode(meta_path(path).read_bytes(), type=Meta)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def input_states(inputs: Iterable[Path]) -> dict[str, FileState]:
    """The state of each input, reading again only what its meta data do not vouch for."""
    states = {}
    for path in inputs:
        meta = read_meta(path)
        states[str(path)] = file_state(path, meta.artifact if meta else None)
    return states


def up_to_date(stage: str, settings: dict[str, Any], inputs: Iterable[Path], outputs: Iterable[Path]) -> bool:
    """Whether every output stands as `stage` made it, with these settings, from these inputs."""
    inputs = list(inputs)
    if not all(path.exists() for path in inputs):
        return False
    states: dict[str, FileState] | None = None
    for output in outputs:
        meta = read_meta(output)
        if meta is None or not output.exists():
            return False
        if (meta.stage, meta.version, meta.settings) != (stage, __version__, settings):
            return False
        if file_state(output, meta.artifact).sha256 != meta.artifact.sha256:
            return False
        if states is None:
            states = input_states(inputs)
        # A path is compared by its content only: the whole data folder may have been moved.
        if [state.sha256 for state in meta.inputs.values()] != [state.sha256 for state in states.values()]:
            return False
    return True


def plain(value: Any) -> Any:
    """A configuration section as the plain JSON values that the meta data hold."""
    return msgspec.json.decode(msgspec.json.encode(value))
