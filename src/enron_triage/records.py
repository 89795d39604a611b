"""The five actions, and the records that the data stages write and read.

Every record is a typed struct. msgspec checks it on reading, so code can rely on its types and ranges.
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


ACTIONS: tuple[Action, ...] = tuple(Action)  # in class order: the index of an action is its class
ACTION_NAMES: tuple[str, ...] = tuple(action.value for action in ACTIONS)  # as JSON and checkpoints hold them
ACTION_INDEX: dict[Action, int] = {action: index for index, action in enumerate(ACTIONS)}
REPLIES: tuple[int, ...] = (ACTION_INDEX[Action.REPLY_NOW], ACTION_INDEX[Action.REPLY_LATER])

# A key of `labels.schemes.SCHEMES`, as the configuration checks. Not a Literal, so that a scheme is added there alone.
Scheme = str

Count = Annotated[int, msgspec.Meta(ge=0)]
DecayedCount = Annotated[float, msgspec.Meta(ge=0)]
_ONE_PER_ACTION = msgspec.Meta(min_length=len(Action), max_length=len(Action))
CountPerAction = Annotated[list[Count], _ONE_PER_ACTION]
DecayedCountPerAction = Annotated[list[DecayedCount], _ONE_PER_ACTION]
Date = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$")]


class Email(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """One parsed message; in the artifacts, the last five fields are left out if they are empty.

    Attributes
    ----------
    path : str
        Where the message was read: its file, relative to the root of the corpus, or ``<mbox>#<index>``.
    user : str
        The mailbox that it belongs to.
    folder : str
        The folders between the mailbox and the file, joined by ``/``; empty at the top level.
    labels : list of str
        The Gmail labels, if the export has them (``Archived`` if it names none); not the actions that a policy learns.
    message_id : str
        The Message-ID header (RFC 5322); empty if there is none.
    date : str or None
        The Date header as ISO 8601 with offset; None if it is missing or unusable.
    timestamp : int or None
        The same instant in seconds UTC; None if there is no date.
    sender : str
        The lower-case address of the From header; empty if there is none.
    sender_name : str
        The display name of the sender; empty if there is none.
    to, cc, bcc : list of str
        The lower-case addresses of each of these headers, in order.
    subject : str
        The decoded Subject header; empty if there is none.
    raw_subject : str or None
        The Subject header as it was sent, if it contains encoded words (RFC 2047); otherwise None.
    body : str
        The text of the message, including quoted text.
    in_reply_to : str
        The Message-ID in the In-Reply-To header, or several separated by spaces; empty if there is none.
    references : list of str
        The Message-IDs of the References header, oldest first.
    fingerprint : str
        Equal for the copies of one message: a hash of time, sender, subject and normalised body.
    raw_sha256 : str
        The SHA-256 of the raw bytes; it decides which of several copies is kept.
    flags : list of str
        The status that a mail program stored: any of ``deleted``, ``draft``, ``expunged``, ``forwarded``, ``replied``.
    automatic : bool
        Whether this is an automatic reply or report, sent by a program on behalf of the sender.
    forwarded_ids : list of str
        The Message-IDs in the X-Forwarded-Message-Id header.
    item : {"", "entry", "meeting"}
        ``entry`` for an item of the mail program, such as a calendar entry; ``meeting`` for a meeting request.
    attachments : list of str
        The names of the attachments, for display only: no feature uses them.
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
    flags: list[str] = []
    automatic: bool = False
    forwarded_ids: list[str] = []
    item: Literal["", "entry", "meeting"] = ""
    attachments: list[str] = []


class ParseError(msgspec.Struct, kw_only=True):
    """A file, or a message of an mbox, that could not be parsed.

    Attributes
    ----------
    path : str
        Where it is, in the same form as `Email.path`.
    error : str
        What is wrong with it.
    """

    path: str
    error: str


class Evidence(msgspec.Struct, kw_only=True, gc=False):
    """Why a message has its label.

    Attributes
    ----------
    rule : str
        The rule that decided, e.g. ``reply:quoted_header`` or ``folder:deleted_items``.
    sent_path : str or None
        The path of the sent message that replies to it or forwards it; None if there is none.
    folders : list of str
        Every folder (or Gmail label) that contains a copy.
    """

    rule: str
    sent_path: str | None
    folders: list[str]


class ActionCounts(msgspec.Struct, kw_only=True, gc=False):
    """How often the owner took each action on one kind of mail.

    Attributes
    ----------
    counts : list of int, length 5
        How often each action was taken, in class order.
    recent : list of float, length 5
        The same counts, in which the weight of an action halves every 30 days.
    """

    counts: CountPerAction
    recent: DecayedCountPerAction


class History(msgspec.Struct, kw_only=True, gc=False):
    """What had happened in a mailbox strictly before a message arrived: raw counts and times.

    "Since" is a number of seconds up to the arrival, and None if there is nothing to count from.

    Attributes
    ----------
    owner : ActionCounts
        The actions on any mail.
    domain, sender : ActionCounts
        The actions on mail from this sender's domain, and from this sender.
    series : ActionCounts
        The actions on mail from this sender with this subject, numbers and dates ignored.
    recipient : ActionCounts
        The actions on mail whose first recipient is the same as this message's and is not the owner.
    conversation : ActionCounts
        The actions on mail of this conversation: the same subject without reply and forward marks.
    last_sender_action : Action or None
        The most recently known action on mail from this sender; None if there is none.
    sent : int
        How many messages the owner had sent.
    since_sent : int or None
        Seconds since the last of them.
    sent_last_hour, sent_last_day : int
        How many of them the owner sent in the hour and in the day before the arrival.
    sent_this_hour : int
        How many of them the owner sent at this hour of the day (UTC), on any day.
    sent_to_sender : int
        How many of them went to this sender.
    since_sent_to_sender : int or None
        Seconds since the last of those.
    sent_to_domain : int
        How many messages the owner had sent to this sender's domain.
    received : int
        How many messages had reached the owner.
    received_last_hour, received_last_day : int
        How many of them arrived in the hour and in the day before.
    received_from_sender : int
        How many of them came from this sender.
    since_received_from_sender : int or None
        Seconds since the last of those.
    sender_recipients : int
        The total number of recipients of this sender's earlier messages.
    received_from_domain, received_in_series : int
        How many messages had come from this sender's domain, and from this sender with this subject.
    conversation_started : bool or None
        Whether the first message of the conversation was the owner's; None for a new conversation.
    conversation_sent, conversation_received : int
        How many messages of the conversation the owner had sent and received.
    since_conversation_sent, since_conversation_received : int or None
        Seconds since the last of each.
    response_to_sender, response : int or None
        The geometric mean, in seconds, of the owner's response times to this sender, and to anybody.
    recipient_field : {"to", "cc", "bcc"} or None
        The first of these headers that contains the owner's address; None if none does.
    recipient_position : int or None
        The owner's position in that header, starting from 0.
    addressed_by_name : bool
        Whether the text opens with the owner's name.
    from_own_domain : bool
        Whether the sender's domain is the owner's own.
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
    """A message with the action that its owner took.

    Attributes
    ----------
    action : Action or None
        The label; None in ``emails_unacted.json``, where the owner took no action.
    response_seconds : int or None
        Seconds from the arrival to the reply; None if there was no reply or its time is not known.
    evidence : Evidence
        Why the message has this label.
    history : History or None
        What had happened before it arrived; None under a scheme without history, such as ``folder``.
    scheme : str
        The name of the label scheme.
    """

    action: Action | None
    response_seconds: int | None
    evidence: Evidence
    history: History | None
    scheme: Scheme


class Fingerprinted(msgspec.Struct, gc=False):
    """The two fields of a record that find its message again; reading the others would take time.

    Attributes
    ----------
    user : str
        The mailbox that the message belongs to.
    fingerprint : str
        See `Email`.
    """

    user: str
    fingerprint: str
