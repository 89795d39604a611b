"""Parsed messages and mailboxes, from wherever a user keeps them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from enron_triage.errors import UsageError
from enron_triage.mail.batches import make_batches, parse_batch, parse_error
from enron_triage.mail.message import parse_message
from enron_triage.mail.message_ref import MessageRef, read_bytes
from enron_triage.mail.sources.single import list_mailbox
from enron_triage.records import Email, ParseError
from enron_triage.runtime.progress import progress
from enron_triage.runtime.workers import map_ordered

STANDARD_INPUT = "-"
_PARALLEL_FROM = 4000  # messages of a mailbox; fewer are read before worker processes have started


def read_messages(paths: Iterable[str]) -> Iterator[Email | ParseError]:
    """Read the messages at some paths, one by one.

    Parameters
    ----------
    paths : iterable of str
        Files of one message, Maildirs, mbox files, folders of message files, or ``-`` for the standard input.

    Yields
    ------
    Email or ParseError
        A message, or why it could not be read.

    Raises
    ------
    UsageError
        If a path is missing or cannot be read.
    """
    for path in paths:
        if path == STANDARD_INPUT:
            yield from _read_standard_input()
        else:
            yield from map(_read, list_mailbox(Path(path)))


def read_mailbox(path: Path, workers: int | str) -> list[Email]:
    """Read every message of a mailbox that can be read.

    Parameters
    ----------
    path : Path
        A Maildir, an mbox or a folder of message files.
    workers : int or str
        How many processes read a large mailbox, or the address of a Dask cluster.

    Returns
    -------
    list of Email
        The messages, by path; `Email.user` is empty.

    Raises
    ------
    UsageError
        If there is none.
    """
    refs = list(list_mailbox(path))
    batches = list(make_batches([("", iter(refs))]))
    decode = msgspec.json.Decoder(list[Email]).decode
    emails = []
    parsed = map_ordered(parse_batch, batches, workers if len(refs) >= _PARALLEL_FROM else 1)
    for batch in progress(parsed, description="mailbox", total=len(batches), unit=" batches"):
        emails += decode(b"[" + batch.records + b"]")
    if not emails:
        raise UsageError(f"{path}: holds no mail that can be read; give a Maildir, an mbox or a folder of messages")
    return emails


def _read_standard_input() -> Iterator[Email | ParseError]:
    """The messages of the standard input, by way of a temporary file: an mbox may be larger than the memory."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, STANDARD_INPUT)
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        if not copy.stat().st_size:
            raise UsageError("-: the standard input is empty; pipe a message or an mbox into it")
        for ref in list_mailbox(copy):
            yield _read(msgspec.structs.replace(ref, path=ref.path.replace(str(copy), STANDARD_INPUT)))


def _read(ref: MessageRef) -> Email | ParseError:
    try:
        return parse_message(read_bytes(ref), path=ref.path, user="", folder=ref.folder)
    except Exception as error:  # a hostile message must cost a line, never the rest
        return parse_error(ref, error)
