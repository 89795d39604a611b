"""Parsed messages and mailboxes, from wherever a user keeps them."""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from enron_triage.errors import UsageError
from enron_triage.mail.batches import MEMORY, SECONDS, make_batches, parse_batches, parse_error, took_too_long
from enron_triage.mail.message import parse_message
from enron_triage.mail.message_ref import MAX_BYTES, MessageRef, json_safe, read_bytes
from enron_triage.mail.sources import find_source, open_tree
from enron_triage.mail.sources.content import HEAD, kind_of
from enron_triage.records import Email, ParseError
from enron_triage.runtime.input_changes import read_unchanged
from enron_triage.runtime.memory_limit import memory_limit
from enron_triage.runtime.progress import progress
from enron_triage.runtime.time_limit import TookTooLongError, time_limit

STANDARD_INPUT = "-"
_BLOCK = 2**20
_MAX_INPUT = 4 * 2**30  # bytes of the standard input, which are kept on disk
_PARALLEL_FROM = 8  # batches of a mailbox; fewer are read before worker processes have started

logger = logging.getLogger(__name__)


def read_messages(paths: Iterable[str]) -> Iterator[Email | ParseError]:
    """Read the messages at some paths, one by one.

    Parameters
    ----------
    paths : iterable of str
        Files of one message, mail in any layout that ``parse.source`` may have, or ``-`` for the standard input.

    Yields
    ------
    Email or ParseError
        A message, or why it could not be read.

    Raises
    ------
    UsageError
        If a path is missing or cannot be read; if the standard input goes on for longer than any mail.
    TriageError
        If a file changed while it was read.
    """
    for path in paths:
        if path == STANDARD_INPUT:
            yield from _read_standard_input()
        else:
            with read_unchanged(Path(path)):
                yield from map(_read, list_messages(Path(path)))


def read_mailbox(path: Path, workers: int | str) -> list[Email]:
    """Read every message of a mailbox that can be read, as the stage ``parse`` does; says how many cannot.

    Parameters
    ----------
    path : Path
        Mail in any layout that ``parse.source`` may have: a Maildir, an mbox, a profile, an archive, ...
    workers : int or str
        How many processes read a large mailbox, or the address of a Dask cluster.

    Returns
    -------
    list of Email
        The messages, in the order of the source; `Email.user` is empty.

    Raises
    ------
    UsageError
        If there is none.
    TriageError
        If a file changed while it was read.
    """
    with read_unchanged(path):
        emails, errors = _read_batches(path, workers)
    if not emails:
        raise UsageError(f"{path}: contains no mail that can be read; give a Maildir, an mbox or a folder of messages")
    if errors:
        logger.warning(
            "%s: %d messages cannot be read (the first: %s: %s)", path, len(errors), errors[0].path, errors[0].error
        )
    return emails


def _read_batches(path: Path, workers: int | str) -> tuple[list[Email], list[ParseError]]:
    batches = make_batches([("", list_messages(path))])
    first = list(islice(batches, _PARALLEL_FROM))
    decode = msgspec.json.Decoder(list[Email]).decode
    emails: list[Email] = []
    errors: list[ParseError] = []
    parsed = parse_batches(chain(first, batches), workers if len(first) == _PARALLEL_FROM else 1)
    for batch in progress(parsed, description="mailbox", unit=" batches"):
        emails += decode(b"[" + batch.records + b"]")
        errors += batch.errors
    return emails, errors


def list_messages(path: Path) -> Iterator[MessageRef]:
    """List the messages of a mailbox, or the message in a file.

    Parameters
    ----------
    path : Path
        Mail in any layout that ``parse.source`` may have, or the file of a single message.

    Yields
    ------
    MessageRef
        The messages: of a file alone, under the path as it was given.

    Raises
    ------
    UsageError
        If there is nothing at `path`, or it cannot be read.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder; give a message, a Maildir, an mbox or a folder of messages")
    tree = open_tree(path)
    if path.is_file() and tree.disk_file(path.name) and tree.kind(path.name) != "mbox":
        yield MessageRef(json_safe(str(path)), "", str(path))
        return
    for _, refs in find_source(tree)[1].mailboxes(tree):
        yield from refs


def _read_standard_input() -> Iterator[Email | ParseError]:
    """The messages of the standard input, by way of a temporary file: an mbox may be larger than the memory."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, STANDARD_INPUT)
        with copy.open("wb") as file:
            _copy_standard_input(file)
        if not copy.stat().st_size:
            raise UsageError("-: the standard input is empty; pipe a message or an mbox into it")
        for ref in list_messages(copy):
            yield _read(msgspec.structs.replace(ref, path=ref.path.replace(str(copy), STANDARD_INPUT)))


def _copy_standard_input(file: BinaryIO) -> None:
    """Copy the standard input, which may be endless; one that does not begin as an mbox is a single message."""
    size, limit = 0, MAX_BYTES
    while block := sys.stdin.buffer.read(_BLOCK):
        if not size and kind_of(block[:HEAD]) not in ("message", "other", "empty"):
            limit = _MAX_INPUT
        size += len(block)
        if size > limit:
            raise UsageError(
                f"-: the standard input is longer than {limit >> 20:,} MiB, the limit for "
                f"{'one message' if limit == MAX_BYTES else 'an mbox'}; give a file instead"
            )
        file.write(block)


def _read(ref: MessageRef) -> Email | ParseError:
    with time_limit(SECONDS) as watch, memory_limit(MEMORY):
        try:
            watch.begin()
            email = parse_message(read_bytes(ref), path=ref.path, user="", folder=ref.folder)
            watch.end()
        except Exception as error:  # a hostile message must cost a line, never the rest
            watch.end()
            return parse_error(ref, error)
        except TookTooLongError:
            watch.end()
            return took_too_long(ref)
    return email
