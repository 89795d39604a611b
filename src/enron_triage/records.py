"""The schema of the records that the data stages write and read.

Every record is a typed struct; msgspec checks it when it is read.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec


class Action(StrEnum):
    """What a mailbox owner does with a message; JSON holds the value."""

    REPLY_NOW = "reply_now"
    REPLY_LATER = "reply_later"
    FORWARD = "forward"
    ARCHIVE = "archive"
    DELETE = "delete"


ACTIONS: tuple[Action, ...] = tuple(Action)
ACTION_NAMES: tuple[str, ...] = tuple(
    action.value for action in ACTIONS
)  # plain strings, as JSON and checkpoints hold them
ACTION_INDEX: dict[Action, int] = {action: index for index, action in enumerate(ACTIONS)}
REPLIES: tuple[int, ...] = (ACTION_INDEX[Action.REPLY_NOW], ACTION_INDEX[Action.REPLY_LATER])


Scheme = Literal["received", "folder"]
Count = Annotated[int, msgspec.Meta(ge=0)]
CountPerAction = Annotated[list[Count], msgspec.Meta(min_length=len(Action), max_length=len(Action))]
Weights = Annotated[
    list[Annotated[float, msgspec.Meta(ge=0)]], msgspec.Meta(min_length=len(Action), max_length=len(Action))
]
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


class ActionCounts(msgspec.Struct, kw_only=True, gc=False):
    """What the owner did with mail of one kind.

    Attributes
    ----------
    counts : list of int, length 5
        How often each action was taken, in class order.
    recent : list of float, length 5
        The same, each weighted by one half for every 30 days since.
    """

    counts: CountPerAction
    recent: Weights


class History(msgspec.Struct, kw_only=True, gc=False):
    """What had happened in the mailbox strictly before a message arrived; raw counts and times.

    Times are in seconds; None where there is nothing to count from.

    Attributes
    ----------
    owner, domain, sender, series, recipient, conversation : ActionCounts
        What was done with any mail, and with mail of this sender's domain, of this sender, of this
        sender and subject, to this first recipient (who is not the owner), and of this conversation.
    last_sender_action : Action or None
        The action that became known last among those on mail of this sender.
    sent, since_sent, sent_last_hour, sent_last_day, sent_this_hour
        Messages that the owner had sent: in all, since the last, lately, and at this hour (UTC) of any day.
    sent_to_sender, since_sent_to_sender, sent_to_domain
        Of these, to the sender and to the sender's domain.
    received, received_last_hour, received_last_day
        Messages that had reached the owner: in all and lately.
    received_from_sender, since_received_from_sender, received_from_domain, received_in_series
        Of all of these, from the sender, the domain, and of this sender and subject.
    sender_recipients : int
        Recipients of the sender's earlier messages, in all.
    conversation_started : bool or None
        Whether its first message was the owner's; None for a new conversation.
    conversation_sent, since_conversation_sent, conversation_received, since_conversation_received
        Messages of the conversation, the owner's and others'.
    response_to_sender, response : int or None
        Geometric mean of the owner's response times, to the sender and to anybody.
    recipient_field : {"to", "cc", "bcc"} or None
        Which field names the owner.
    recipient_position : int or None
        The owner's place in it, from 0.
    addressed_by_name : bool
        The text opens with the owner's name.
    from_own_domain : bool
    """

    owner: ActionCounts
    domain: ActionCounts
    sender: ActionCounts
    series: ActionCounts
    recipient: ActionCounts
    conversation: ActionCounts
    last_sender_action: Action | None
    sent: Count
    since_sent: Count | None
    sent_last_hour: Count
    sent_last_day: Count
    sent_this_hour: Count
    sent_to_sender: Count
    since_sent_to_sender: Count | None
    sent_to_domain: Count
    received: Count
    received_last_hour: Count
    received_last_day: Count
    received_from_sender: Count
    since_received_from_sender: Count | None
    sender_recipients: Count
    received_from_domain: Count
    received_in_series: Count
    conversation_started: bool | None
    conversation_sent: Count
    since_conversation_sent: Count | None
    conversation_received: Count
    since_conversation_received: Count | None
    response_to_sender: Count | None
    response: Count | None
    recipient_field: Literal["to", "cc", "bcc"] | None
    recipient_position: Count | None
    addressed_by_name: bool
    from_own_domain: bool


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


class Fingerprinted(msgspec.Struct, gc=False):
    """What finds a message again: the least of a record."""

    user: str
    fingerprint: str
