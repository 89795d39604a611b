"""Messages and mailboxes from wherever a user keeps them, parsed."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from enron_triage.errors import UsageError
from enron_triage.mail.mailboxes import mailbox_items
from enron_triage.mail.message import parse_message
from enron_triage.mail.message_ref import Batch, MessageRef, read_message_ref
from enron_triage.mail.parse import parse_batch
from enron_triage.records import Email, ParseError
from enron_triage.runtime.progress import progress
from enron_triage.runtime.workers import map_ordered

STANDARD_INPUT = "-"
_BATCH = 500
_PARALLEL_FROM = 4000  # messages of a mailbox; fewer are read before worker processes have started


def read_messages(paths: Iterable[str]) -> Iterator[Email | ParseError]:
    """Read the messages at some paths: files, Maildirs, mbox files, folders, or ``-`` for the standard input.

    Raises
    ------
    UsageError
        If a path is missing or cannot be read.
    """
    for path in paths:
        if path == STANDARD_INPUT:
            yield from _read_standard_input()
        else:
            yield from map(_read, mailbox_items(Path(path)))


def read_mailbox(source: Path, workers: int | str) -> list[Email]:
    """Read every message of a mailbox that can be read.

    Raises
    ------
    UsageError
        If there is none.
    """
    items = list(mailbox_items(source))
    batches = [Batch("", items[start : start + _BATCH]) for start in range(0, len(items), _BATCH)]
    decode = msgspec.json.Decoder(list[Email]).decode
    emails = []
    parsed = map_ordered(parse_batch, batches, workers if len(items) >= _PARALLEL_FROM else 1)
    for batch in progress(parsed, description="mailbox", total=len(batches), unit=" batches"):
        emails += decode(b"[" + batch.records + b"]")
    if not emails:
        raise UsageError(f"{source}: holds no mail that can be read; give a Maildir, an mbox or a folder of messages")
    return emails


def _read_standard_input() -> Iterator[Email | ParseError]:
    """The messages of the standard input, by way of a temporary file: an mbox may be larger than the memory."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, STANDARD_INPUT)
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        if not copy.stat().st_size:
            raise UsageError("-: the standard input is empty; pipe a message or an mbox into it")
        for item in mailbox_items(copy):
            yield _read(msgspec.structs.replace(item, path=item.path.replace(str(copy), STANDARD_INPUT)))


def _read(item: MessageRef) -> Email | ParseError:
    try:
        return parse_message(read_message_ref(item), path=item.path, user="", folder=item.folder)
    except OSError as error:
        return ParseError(path=item.path, error=error.strerror or str(error))
    except Exception as error:  # a hostile message must cost a line, never the rest
        return ParseError(path=item.path, error=f"{type(error).__name__}: {error}")
