"""A message as the page shows it: plain text in every part, and nothing that reveals what its owner did with it."""

from __future__ import annotations

import datetime

import msgspec

from enron_triage.annotation.conversations import Conversation
from enron_triage.annotation.visible import visible, visible_line
from enron_triage.mail.body import split_body
from enron_triage.records import ACTIONS, Action, ActionCounts, Email, History, LabeledEmail

_MOST_CHARACTERS = 40_000  # of a part of the text: more would make the page slow, and nobody reads it
_MOST_IN_LINE = 1_000
_MOST_RECIPIENTS = 60  # of a header
_UNITS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
ACTION_WORDS = {  # as the owner did them
    Action.REPLY_NOW: "answered at once",
    Action.REPLY_LATER: "answered later",
    Action.FORWARD: "forwarded",
    Action.ARCHIVE: "archived",
    Action.DELETE: "deleted",
}


class MessageView(msgspec.Struct, frozen=True):
    """What is shown of a message; every text in it is safe to be shown as text.

    Attributes
    ----------
    mailbox : str
        The mailbox that it belongs to.
    sender : str
        Name and address.
    recipients : dict of str to list of str
        The addresses by header: ``to``, ``cc``, ``bcc``.
    date, subject : str
        As the message gives them.
    text, signature, quoted : str
        The parts of the text: see `mail.body.BodyParts`.
    cut : int
        How many characters of the text are not shown, as it is too long.
    attachments : list of str
        The names of what is attached, as the records hold them.
    notes : list of str
        What else is known, such as that a program sent it.
    """

    mailbox: str
    sender: str
    recipients: dict[str, list[str]]
    date: str
    subject: str
    text: str
    signature: str
    quoted: str
    cut: int
    attachments: list[str]
    notes: list[str]


class ContextView(msgspec.Struct, frozen=True):
    """What is shown beside a message.

    Attributes
    ----------
    sender : list of str
        Sentences on what the owner had done with mail of this sender before.
    conversation : list of MessageView
        The latest earlier messages of the conversation, the latest first.
    count : int
        How many there are.
    unknown : str
        Why the conversation is not known; empty if it is.
    """

    sender: list[str]
    conversation: list[MessageView]
    count: int
    unknown: str


def message_view(email: Email) -> MessageView:
    """A message as it is shown: without its folder, flags and labels, which tell what the owner did.

    Parameters
    ----------
    email : Email
        The message.
    """
    parts = split_body(email)
    texts = [visible(part[:_MOST_CHARACTERS]).strip("\n") for part in parts]
    notes = []
    if email.automatic:
        notes.append("A program sent this automatically.")
    if email.item:
        notes.append("This is a meeting request." if email.item == "meeting" else "This is a calendar entry.")
    return MessageView(
        mailbox=visible_line(email.user),
        sender=_person(email),
        recipients={
            name: _addresses(addresses)
            for name, addresses in (("to", email.to), ("cc", email.cc), ("bcc", email.bcc))
            if addresses and not (name == "bcc" and addresses == email.cc)  # as the Enron archive has it
        },
        date=_date(email.date),
        subject=_line(email.subject),
        text=texts[0],
        signature=texts[1],
        quoted=texts[2],
        cut=sum(max(len(part) - _MOST_CHARACTERS, 0) for part in parts),
        attachments=[_line(name) for name in email.attachments],
        notes=notes,
    )


def context_view(record: LabeledEmail, conversation: Conversation) -> ContextView:
    """What is shown beside a message.

    Parameters
    ----------
    record : LabeledEmail
        The message.
    conversation : Conversation
        What came before it.
    """
    return ContextView(
        sender=_about_sender(record.history),
        conversation=[message_view(email) for email in conversation.earlier],
        count=conversation.count,
        unknown=visible_line(conversation.unknown),
    )


def in_words(seconds: float) -> str:
    """A span of time in one unit, rounded down.

    Parameters
    ----------
    seconds : float >= 0
        The span.

    Examples
    --------
    >>> in_words(7300)
    '2 hours'
    """
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "second"))
    return _counted(int(seconds // size), unit)


def _about_sender(history: History | None) -> list[str]:
    if history is None:
        return ["What the owner did before is not known for this message."]
    if not history.received_from_sender:
        lines = ["The owner had received nothing from this sender before."]
    else:
        received = f"{_counted(history.received_from_sender, 'message')} from this sender before"
        lines = [f"{received}, the last {in_words(history.since_received_from_sender or 0)} earlier."]
        lines.append(_outcomes(history.received_from_sender, history.sender))
    if history.sent_to_sender:
        sent = f"The owner had sent {_counted(history.sent_to_sender, 'message')} to this sender"
        lines.append(f"{sent}, the last {in_words(history.since_sent_to_sender or 0)} earlier.")
    if history.response_to_sender is not None:
        lines.append(f"Answers to this sender took {in_words(history.response_to_sender)} (geometric mean).")
    if history.last_sender_action is not None:
        lines.append(f"The latest with a known outcome was {ACTION_WORDS[history.last_sender_action]}.")
    lines += filter(None, [_actions("In this conversation", history.conversation)])
    return lines


def _outcomes(received: int, counts: ActionCounts) -> str:
    """What became of a sender's messages, and of how many that is not known."""
    known = _actions("What became of them", counts)
    unknown = received - sum(counts.counts)
    if not known:
        return "What became of them is not known."
    return f"{known.removesuffix('.')}; of the other {unknown:,}, nothing was known yet." if unknown > 0 else known


def _actions(what: str, counts: ActionCounts) -> str:
    named = zip(ACTIONS, counts.counts, strict=True)
    listed = ", ".join(f"{count:,} {ACTION_WORDS[action]}" for action, count in named if count)
    return f"{what}: {listed}." if listed else ""


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def _line(text: str) -> str:
    shown = visible_line(text[:_MOST_IN_LINE])
    return f"{shown} [...]" if len(text) > _MOST_IN_LINE else shown


def _person(email: Email) -> str:
    if not email.sender:
        return _line(email.sender_name) or "(no sender)"
    return _line(f"{email.sender_name} <{email.sender}>" if email.sender_name else email.sender)


def _addresses(addresses: list[str]) -> list[str]:
    shown = [_line(address) for address in addresses[:_MOST_RECIPIENTS]]
    return [*shown, f"and {len(addresses) - _MOST_RECIPIENTS:,} more"] if len(addresses) > _MOST_RECIPIENTS else shown


def _date(date: str | None) -> str:
    """A date as its sender's clock showed it, in words that do not depend on the machine's language."""
    if date is None:
        return "(no date)"
    parsed = datetime.datetime.fromisoformat(date)
    weekday = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[parsed.weekday()]
    return f"{weekday} {parsed.date().isoformat()} {date[11:16]} ({date[19:]})"
