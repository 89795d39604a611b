"""The schema of the records that the data stages write and read.

Every record is a typed struct; msgspec checks it when it is read.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from enron_triage.actions import Action

Scheme = Literal["received", "folder"]
Count = Annotated[int, msgspec.Meta(ge=0)]
ActionCounts = Annotated[list[Count], msgspec.Meta(min_length=len(Action), max_length=len(Action))]
Date = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$")]


class Email(msgspec.Struct, kw_only=True, gc=False):
    """One parsed message.

    Attributes
    ----------
    path : str
        Where the message lies: its file below the corpus root, or ``<mbox>#<index>``.
    user : str
        The mailbox that it belongs to.
    folder : str
        The folders between the mailbox and the file, joined by ``/``; empty at the top.
    labels : list of str
        Gmail labels, where the export has them.
    date : str or None
        ISO 8601 with offset; None if the Date header is missing or unusable.
    timestamp : int or None
        The same instant in seconds UTC.
    to, cc, bcc : list of str
        Lower-case addresses.
    raw_subject : str or None
        The Subject header as it was sent, where it held encoded words (RFC 2047); else None.
    references : list of str
        Message-IDs, oldest first.
    fingerprint : str
        Equal for the copies of one message: a hash of time, sender, subject and normalised body.
    raw_sha256 : str
        SHA-256 of the raw bytes; decides which of several copies is kept.
    """

    path: str
    user: str
    folder: str
    labels: list[str]
    message_id: str
    date: Date | None
    timestamp: int | None
    sender: str
    sender_name: str
    to: list[str]
    cc: list[str]
    bcc: list[str]
    subject: str
    raw_subject: str | None
    body: str
    in_reply_to: str
    references: list[str]
    fingerprint: str
    raw_sha256: str


class ParseError(msgspec.Struct, kw_only=True):
    """A file, or a message of an mbox, that gave no record."""

    path: str
    error: str


class Evidence(msgspec.Struct, kw_only=True, gc=False):
    """Why a message bears its label.

    Attributes
    ----------
    rule : str
        The rule that decided, e.g. ``reply:quoted_headers`` or ``folder:deleted``.
    sent_path : str or None
        The sent message that answers or forwards it.
    folders : list of str
        Every folder (or Gmail label) that holds a copy.
    """

    rule: str
    sent_path: str | None
    folders: list[str]


class History(msgspec.Struct, kw_only=True, gc=False):
    """What the owner had done strictly before a message arrived; raw counts of its own mailbox.

    Attributes
    ----------
    sender_actions, domain_actions, owner_actions : list of int, length 5
        How often the owner took each action, in class order: on mail of this sender, of this
        sender's domain, on any mail.
    sent_to_sender : int
        Messages that the owner had sent to this sender.
    last_sender_action : Action or None
        The action that became known last among those on mail of this sender.
    """

    sender_actions: ActionCounts
    domain_actions: ActionCounts
    owner_actions: ActionCounts
    sent_to_sender: Count
    last_sender_action: Action | None


class LabeledEmail(Email, kw_only=True, gc=False):
    """A message with what its owner did; in ``emails_unacted.json`` the action is None.

    Attributes
    ----------
    response_seconds : int or None
        Arrival to reply; None unless answered.
    history : History or None
        None under the ``folder`` scheme, which has no order of arrival to speak of.
    """

    action: Action | None
    response_seconds: int | None
    evidence: Evidence
    history: History | None
    scheme: Scheme
