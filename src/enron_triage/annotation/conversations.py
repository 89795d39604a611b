"""The conversation of a message: what the owner's mailbox contained of it before the message arrived.

The mailboxes are found in ``emails.json`` in the background, and one is read when a message of it is shown.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from enron_triage.errors import TriageError
from enron_triage.mail.subjects import conversation_subject
from enron_triage.records import Email, LabeledEmail
from enron_triage.runtime import artifacts

_SHOWN = 20  # messages: those that came last
_KEPT_MAILBOXES = 4


class Conversation(msgspec.Struct, frozen=True):
    """What came before a message.

    Attributes
    ----------
    earlier : list of Email
        The messages, sent and received, the latest first.
    count : int
        How many there are; only the latest are given.
    unknown : str
        Why it is not known, if it is not; else empty.
    """

    earlier: list[Email] = []
    count: int = 0
    unknown: str = ""


class Conversations(Protocol):
    """Gives the conversations of messages."""

    def before(self, record: LabeledEmail) -> Conversation:
        """What came before a message.

        Parameters
        ----------
        record : LabeledEmail
            The message.
        """


class ListedConversations:
    """The conversations in one mailbox in memory.

    Parameters
    ----------
    emails : sequence of Email
        The mailbox, sent and received; empty if there is none.
    """

    def __init__(self, emails: Sequence[Email]) -> None:
        self._subjects = [conversation_subject(email.subject) for email in emails]
        self._emails = emails

    def before(self, record: LabeledEmail) -> Conversation:
        """What came before a message: of the same subject without its marks, or named by its threading headers."""
        if not self._emails:
            return Conversation(unknown="no mailbox was given (--mailbox)")
        if record.timestamp is None:
            return Conversation(unknown="the message has no date")
        subject = conversation_subject(record.subject)
        named = {*record.references, *record.in_reply_to.split()}
        found: dict[str, Email] = {}
        for email, its_subject in zip(self._emails, self._subjects, strict=True):
            belongs = (subject and its_subject == subject) or (email.message_id and email.message_id in named)
            if belongs and email.timestamp is not None and email.timestamp < record.timestamp:
                found.setdefault(email.fingerprint, email)
        latest = sorted(found.values(), key=lambda email: -(email.timestamp or 0))
        return Conversation(latest[:_SHOWN], len(latest))


class ParsedConversations:
    """The conversations in the mailboxes of ``emails.json``.

    Parameters
    ----------
    path : Path
        The artifact.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spans: dict[str, artifacts.Span] = {}
        self._unknown = ""
        self._mailbox = functools.lru_cache(maxsize=_KEPT_MAILBOXES)(self._read_mailbox)
        self._finding = threading.Thread(target=self._find_mailboxes, daemon=True, name="find mailboxes")
        self._finding.start()

    def before(self, record: LabeledEmail) -> Conversation:
        """What came before a message: see `ListedConversations`."""
        self._finding.join()
        if self._unknown or record.user not in self._spans:
            return Conversation(unknown=self._unknown or f"{self._path.name} has no mailbox {record.user}")
        try:
            return self._mailbox(record.user).before(record)
        except TriageError as error:
            return Conversation(unknown=str(error))

    def _find_mailboxes(self) -> None:
        try:
            self._spans = {span.user: span for span in artifacts.mailbox_spans(self._path)}
        except TriageError as error:
            self._unknown = str(error)

    def _read_mailbox(self, user: str) -> ListedConversations:
        return ListedConversations(artifacts.read_span(self._path, self._spans[user], Email))
