"""One mailbox, or one message, in any layout: what ``triage predict`` reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from enron_triage.errors import UsageError
from enron_triage.mail.message_ref import MessageRef, json_safe
from enron_triage.mail.sources.folders import list_messages
from enron_triage.mail.sources.maildir import is_maildir, list_maildir
from enron_triage.mail.sources.mbox import FROM, list_mbox


def list_mailbox(path: Path) -> Iterator[MessageRef]:
    """List the messages of one mailbox.

    Parameters
    ----------
    path : Path
        A Maildir, an mbox, any folder of message files, or the file of a single message.

    Returns
    -------
    iterator of MessageRef
        The messages, by path.

    Raises
    ------
    UsageError
        If there is nothing at `path`, or it cannot be read.
    """
    if path.is_dir():
        return list_maildir(path) if is_maildir(path) else list_messages(path, path.resolve().name)
    try:
        with path.open("rb") as file:
            beginning = file.read(len(FROM))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file or folder") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    return list_mbox(path) if beginning == FROM else iter([MessageRef(json_safe(str(path)), "", str(path))])
