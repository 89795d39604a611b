"""The messages of one mailbox: copies merged, and what the owner sent separated from what reached the owner."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

import msgspec

from enron_triage.config.data import LabelConfig
from enron_triage.labels.owner import Owner
from enron_triage.labels.owner_identity import OwnerDecision, identify_owner
from enron_triage.mail.folder_names import Role
from enron_triage.mail.folder_roles import FolderRoles
from enron_triage.mail.modified_utf7 import decode_modified_utf7
from enron_triage.mail.white_space import single_spaced
from enron_triage.records import Email

_DEAD = frozenset({"deleted", "expunged"})  # flags of a copy that its program no longer shows
_LEAST_TEXT = 40  # characters; "Thank you" may be said twice
_MAX_ZONES = 14 * 3600  # seconds: from UTC to the farthest time zone
_UNSENT: frozenset[Role] = frozenset({"drafts", "filing"})  # Gmail shows drafts in All Mail, too


class MergedMessage(msgspec.Struct):
    """One message of a mailbox, with the places of all its copies.

    Attributes
    ----------
    email : Email
        The copy that is kept.
    roles : frozenset of str
        The roles of the folders that hold a copy.
    folders : list of str
        The names of these folders, or of the Gmail labels, sorted.
    copies : int
        How many copies there are.
    flags : frozenset of str
        What mail programs noted on the copies, as in `Email.flags`; ``deleted`` only if no copy is left, ``draft`` only
        if each of those left is one.
    """

    email: Email
    roles: frozenset[Role]
    folders: list[str]
    copies: int
    flags: frozenset[str] = frozenset()


class Mailbox(msgspec.Struct):
    """The messages of one mailbox.

    Attributes
    ----------
    owner : Owner
        Whose mailbox it is.
    sent, received : list of MergedMessage
        What the owner sent and what reached the owner, each in time order; every message is dated.
    dropped : Counter of str
        How many records are in neither list, by reason: ``copy``, ``undated``, ``no_mail`` (an entry of a
        calendar and the like), ``draft`` or ``sent_by_another`` (than the owner, from the owner's sent folders).
    decision : OwnerDecision
        How the owner was found, and who was not taken for the owner.
    """

    owner: Owner
    sent: list[MergedMessage]
    received: list[MergedMessage]
    dropped: Counter[str]
    decision: OwnerDecision


def partition_mailbox(emails: Iterable[Email], config: LabelConfig, addresses: frozenset[str] = frozenset()) -> Mailbox:
    """Merge the copies of each message, and separate what the owner sent from what reached the owner.

    Every record is in one of the two lists, is a copy of a message in one, or is counted as dropped.

    Parameters
    ----------
    emails : iterable of Email
        Every record of the mailbox, in any order.
    config : LabelConfig
        The section ``label``: the names of folders, and the dates that count as such.
    addresses : frozenset of str
        All of the owner's addresses if they are known; if empty, they are learned from the mail.

    Returns
    -------
    Mailbox
        Its owner has no addresses if there is too little sent mail to learn them.
    """
    emails = list(emails)
    roles = FolderRoles(config.folders)
    copies: dict[str, list[tuple[Email, Role]]] = defaultdict(list)
    for email in emails:
        copies[email.fingerprint].append((email, roles.of_message(email)))
    messages = [merge_copies(group) for group in _joined(copies.values())]
    owner, decision = _find_owner(messages, sorted(addresses))
    mailbox = Mailbox(owner, [], [], Counter(), decision)
    for message in messages:
        mailbox.dropped["copy"] += message.copies - 1
        place = _place(message, owner, config)
        if place == "sent":
            mailbox.sent.append(message)
        elif place == "received":
            mailbox.received.append(message)
        else:
            mailbox.dropped[place] += 1
    for found in (mailbox.sent, mailbox.received):
        sort_messages(found)
    return mailbox


def _joined(groups: Iterable[list[tuple[Email, Role]]]) -> list[list[tuple[Email, Role]]]:
    """The groups of copies, with those joined that differ by whole hours alone, to the second.

    One of the two was stored with a wrong time zone. What is sent again and again, as programs do, makes more than two.
    """
    joined: list[list[tuple[Email, Role]]] = []
    alike: dict[tuple[str, str, int], list[list[tuple[Email, Role]]]] = defaultdict(list)
    for group in groups:
        email = group[0][0]
        if email.timestamp is None:
            joined.append(group)
        else:
            alike[email.sender, email.subject, email.timestamp % 3600].append(group)
    for candidates in alike.values():
        same: dict[bytes, list[list[tuple[Email, Role]]]] = defaultdict(list)
        for group in candidates:
            same[single_spaced(group[0][0].body) if len(candidates) > 1 else b""].append(group)
        for several in same.values():
            times = [timestamp_of(group[0][0]) for group in several]
            is_long = len(several[0][0][0].body) >= _LEAST_TEXT
            if is_long and len(several) == 2 and 0 < abs(times[1] - times[0]) <= _MAX_ZONES:
                joined.append([*several[0], *several[1]])
            else:
                joined += several
    return joined


def _find_owner(messages: Sequence[MergedMessage], addresses: Sequence[str]) -> tuple[Owner, OwnerDecision]:
    mail = [message for message in messages if message.email.item != "entry"]
    sent = [message.email for message in mail if "sent" in message.roles]
    elsewhere = [message.email for message in mail if "sent" not in message.roles]
    decision = identify_owner(messages[0].email.user if messages else "", sent, elsewhere, addresses)
    return Owner.from_mail(frozenset(decision.addresses), [message.email for message in mail]), decision


def _place(message: MergedMessage, owner: Owner, config: LabelConfig) -> str:
    """Which list of a mailbox a message belongs to, or why to none."""
    email = message.email
    if not is_dated(email, config):
        return "undated"
    if email.item == "entry":
        return "no_mail"
    if "draft" in message.flags:
        return "draft"
    is_in_sent_folder = "sent" in message.roles
    if email.sender in owner.addresses or (is_in_sent_folder and not (email.sender and owner.addresses)):
        return "draft" if "drafts" in message.roles and message.roles <= _UNSENT else "sent"
    if is_in_sent_folder and "inbox" not in message.roles and owner.find_recipient(email)[0] is None:
        return "sent_by_another"
    return "received"


def is_dated(email: Email, config: LabelConfig) -> bool:
    """Whether a message has a date within ``label.dates``.

    Parameters
    ----------
    email : Email
        Any message.
    config : LabelConfig
        The section ``label``.
    """
    first, last = (_midnight(day) for day in config.dates)
    return email.timestamp is not None and first <= email.timestamp < last


def timestamp_of(email: Email) -> int:
    """The time of a dated message, in seconds UTC.

    Parameters
    ----------
    email : Email
        A message of a `Mailbox`.
    """
    assert email.timestamp is not None, "partition_mailbox drops undated messages"
    return email.timestamp


def sort_messages(messages: list[MergedMessage]) -> None:
    """Sort messages by time, in place.

    Parameters
    ----------
    messages : list of MergedMessage
        Dated messages; those of the same second are sorted by path.
    """
    messages.sort(key=lambda message: (message.email.timestamp, message.email.path))


def merge_copies(group: Sequence[tuple[Email, Role]]) -> MergedMessage:
    """Make one message of its copies.

    Parameters
    ----------
    group : sequence of (Email, Role)
        The copies, at least one, each with the role of its folder.

    Returns
    -------
    MergedMessage
        Of the earliest copies (all are, unless some were dated in a wrong zone) the one with the smallest hash of its
        raw bytes is kept, so that neither a folder decides the text nor a hash how long a reply took. A copy that is
        flagged as deleted was left behind by a move if another one is not: its folder does not count then.
    """
    if len(group) == 1 and not group[0][0].flags:  # as nearly always
        email, role = group[0]
        return MergedMessage(email, frozenset({role}), _folders(group), 1)
    kept = min((email for email, _ in group), key=lambda email: (email.timestamp or 0, email.raw_sha256, email.path))
    places = [(email, role) for email, role in group if _DEAD.isdisjoint(email.flags)]
    flags = {flag for email, _ in group for flag in email.flags} - {*_DEAD, "draft"}
    if not places:
        places, flags = list(group), flags | {"deleted"}
    if all("draft" in email.flags for email, _ in places):
        flags.add("draft")
    return MergedMessage(kept, frozenset(role for _, role in places), _folders(places), len(group), frozenset(flags))


def _folders(places: Sequence[tuple[Email, Role]]) -> list[str]:
    return sorted({name for email, _ in places for name in email.labels or [decode_modified_utf7(email.folder)]})


@functools.cache
def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
