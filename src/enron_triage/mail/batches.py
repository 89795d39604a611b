"""Batches of messages: the unit of work of the parse stage.

The main process cuts a corpus into batches of one mailbox each; workers turn a batch into encoded records.
"""

from __future__ import annotations

import operator
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import msgspec

from enron_triage.mail.message import parse_message
from enron_triage.mail.message_ref import MessageRef, json_safe, read_bytes
from enron_triage.records import ParseError
from enron_triage.runtime.memory_limit import memory_limit
from enron_triage.runtime.time_limit import TookTooLongError, time_limit
from enron_triage.runtime.workers import Rescue, map_ordered

_BATCH, _BATCH_BYTES = 500, 4 * 2**20  # some 30 ms of work, and a few MB of results
_MOST_RECORDS = 64 * 2**20  # bytes of a batch's records: compressed messages, and control characters, become more
MEMORY = 2**30  # bytes for a message, some hundred times what one takes; its text has 16 MiB at most
SECONDS = 20  # of processor time for a message: a thousand times that of any that has been seen
_ENCODER = msgspec.json.Encoder()


class _Path(msgspec.Struct):
    path: str


_PATH_DECODER = msgspec.json.Decoder(_Path)


class Batch(msgspec.Struct):
    """Some messages of one mailbox.

    Attributes
    ----------
    user : str
        The name of the mailbox.
    refs : list of MessageRef
        The messages, in the order of the corpus.
    """

    user: str
    refs: list[MessageRef]


class ParsedBatch(msgspec.Struct):
    """What a worker makes of a batch.

    Attributes
    ----------
    user : str
        The name of the mailbox.
    records : bytes
        The records as JSON, separated by a comma and a newline, ready to be written.
    count : int
        The number of records.
    errors : list of ParseError
        The messages that gave no record.
    span : tuple of str, optional
        The paths of the first and the last message, where all of them are in the order of their paths; None if they are
        not, or if the source needs no grouping.
    with_labels : int
        The number of records that have Gmail labels.
    left : list of MessageRef
        The messages that have not been read, because those before them became too much.
    """

    user: str
    records: bytes
    count: int
    errors: list[ParseError]
    span: tuple[str, str] | None = None
    with_labels: int = 0
    left: list[MessageRef] = []


def make_batches(mailboxes: Iterable[tuple[str, Iterator[MessageRef]]], limit: int | None = None) -> Iterator[Batch]:
    """Cut mailboxes into batches; each batch holds messages of one mailbox.

    Parameters
    ----------
    mailboxes : iterable of (str, iterator of MessageRef)
        The name of each mailbox and its messages, as `Source.mailboxes` lists them.
    limit : int, optional
        Stop after this many messages.

    Yields
    ------
    Batch
        At most 500 messages, and no more once they have 4 MiB. Files of a message each are not looked at: a worker
        reads one at a time, and stops where their records become too much.
    """
    left = limit
    for user, refs in mailboxes:
        limited = refs if left is None else islice(refs, left)
        while chunk := _next_chunk(limited):
            left = None if left is None else left - len(chunk)
            yield Batch(json_safe(user), chunk)
        if left == 0:
            return


def _next_chunk(refs: Iterator[MessageRef]) -> list[MessageRef]:
    """The next messages, as many as fit into a batch."""
    chunk: list[MessageRef] = []
    size = 0
    for ref in islice(refs, _BATCH):
        chunk.append(ref)
        size += _size(ref)
        if size >= _BATCH_BYTES:
            break
    return chunk


def _size(ref: MessageRef) -> int:
    """The bytes of a message, but for those of a file of its own: it would have to be asked for each."""
    return len(ref.content) if ref.content is not None else max(ref.stop - ref.start, 0)


def parse_batch(batch: Batch) -> ParsedBatch:
    """Parse some messages of one mailbox; never fails.

    Parameters
    ----------
    batch : Batch
        The messages to read and parse.

    Returns
    -------
    ParsedBatch
        A record or an error for each message, but for those that are left: see `parse_batches`.
    """
    records, errors, with_labels = [], [], 0
    size = 0
    left: list[MessageRef] = []
    with time_limit(SECONDS) as watch, memory_limit(MEMORY):
        for number, ref in enumerate(batch.refs):
            if size > _MOST_RECORDS:
                left = batch.refs[number:]
                break
            try:
                watch.begin()
                email = parse_message(read_bytes(ref), path=ref.path, user=batch.user, folder=ref.folder)
                records.append(_ENCODER.encode(email))
                watch.end()
                size += len(records[-1])
                with_labels += bool(email.labels)
            except Exception as error:  # a hostile message must cost an entry, never the stage
                watch.end()
                errors.append(parse_error(ref, error))
            except TookTooLongError:
                watch.end()
                errors.append(took_too_long(ref))
    refs = batch.refs[: len(batch.refs) - len(left)]
    return ParsedBatch(batch.user, b",\n".join(records), len(records), errors, _span(refs), with_labels, left)


def _span(refs: list[MessageRef]) -> tuple[str, str] | None:
    """`ParsedBatch.span` of messages that came with their content, as those of an archive do."""
    if not refs or refs[0].content is None:
        return None
    keys = [ref.path.split("/") for ref in refs]
    return (refs[0].path, refs[-1].path) if all(map(operator.lt, keys, keys[1:])) else None


def parse_error(ref: MessageRef, error: Exception) -> ParseError:
    """The entry of ``parse_errors.json`` for a message that could not be read or parsed.

    Parameters
    ----------
    ref : MessageRef
        The message.
    error : Exception
        What reading or parsing it raised.

    Returns
    -------
    ParseError
        The message's path with the system's reason, or with the type and text of the exception.
    """
    why = error.strerror or str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError):
        why = f"took more than {MEMORY >> 20:,} MiB of memory to read"
    return ParseError(path=ref.path, error=why)


def single_messages(batch: Batch) -> list[Batch]:
    """A batch for each message, to find the one on which a worker process dies.

    Parameters
    ----------
    batch : Batch
        Any batch.
    """
    return [Batch(batch.user, [ref]) for ref in batch.refs]


def killed_batch(batch: Batch) -> ParsedBatch:
    """What stands for a batch on which a worker process died: an error for each message.

    Parameters
    ----------
    batch : Batch
        The messages, usually one.
    """
    why = "ended the process that read it (too much time or memory)"
    errors = [ParseError(path=ref.path, error=why) for ref in batch.refs]
    return ParsedBatch(batch.user, b"", 0, errors, _span(batch.refs))


def parse_batches(batches: Iterable[Batch], workers: int | str) -> Iterator[ParsedBatch]:
    """Parse batches in several processes; a message that ends one of these is an error.

    Parameters
    ----------
    batches : iterable of Batch
        The messages.
    workers : int or str
        As for `workers.map_ordered`.

    Yields
    ------
    ParsedBatch
        In the order of the messages; several for a batch that becomes too much.
    """
    for parsed in map_ordered(parse_batch, batches, workers, Rescue(single_messages, killed_batch)):
        yield parsed
        if parsed.left:
            yield from parse_batches([Batch(parsed.user, parsed.left)], workers)


def took_too_long(ref: MessageRef) -> ParseError:
    """The entry of ``parse_errors.json`` for a message that was read for longer than `SECONDS`.

    Parameters
    ----------
    ref : MessageRef
        The message.
    """
    return ParseError(path=ref.path, error=f"took more than {SECONDS} s to read")


def group_by_mailbox(parsed: Iterable[ParsedBatch], folder: Path) -> Iterator[ParsedBatch]:
    """Sort the batches of an archive by mailbox and then by path, as if the archive had been unpacked.

    Parameters
    ----------
    parsed : iterable of ParsedBatch
        Batches in any order, with any number for each mailbox; kept in a temporary file until the last has come.
    folder : Path
        Where the temporary file is made: the artifacts' own disk, as it may be larger than the memory.

    Yields
    ------
    ParsedBatch
        One for each mailbox, in the order of their names.
    """
    batches: dict[str, list[_Spooled]] = {}
    with tempfile.TemporaryFile(dir=folder) as spool:
        for batch in parsed:
            place = _Spooled(spool.tell(), len(batch.records), batch.count, batch.errors, batch.span, batch.with_labels)
            batches.setdefault(batch.user, []).append(place)
            spool.write(batch.records)
        for user in sorted(batches):
            blocks = []
            for place in batches[user]:
                spool.seek(place.start)
                blocks.append(spool.read(place.size))
            if not _are_in_order(batches[user]):
                lines = [line for block in blocks if block for line in block.split(b",\n")]
                blocks = sorted(lines, key=lambda line: _PATH_DECODER.decode(line).path.split("/"))
            errors = sorted(chain(*(place.errors for place in batches[user])), key=lambda error: error.path.split("/"))
            count = sum(place.count for place in batches[user])
            with_labels = sum(place.with_labels for place in batches[user])
            yield ParsedBatch(user, b",\n".join(filter(None, blocks)), count, errors, with_labels=with_labels)


class _Spooled(msgspec.Struct):
    """A batch whose records are in the temporary file; `start` and `size` tell where."""

    start: int
    size: int
    count: int
    errors: list[ParseError]
    span: tuple[str, str] | None
    with_labels: int


def _are_in_order(batches: list[_Spooled]) -> bool:
    """Whether the messages of a mailbox came in the order of their paths, so that no record has to be looked at."""
    spans = [batch.span for batch in batches]
    ends = [path.split("/") for span in spans if span is not None for path in span]
    return None not in spans and all(map(operator.lt, ends[1:-1:2], ends[2::2]))
