"""A mailbox sorted out: copies made one, sent told from received."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

import msgspec

from enron_triage.config.data import LabelConfig
from enron_triage.labels.folders import FolderRoles, Role, owner_addresses
from enron_triage.labels.owner import Owner
from enron_triage.records import Email


class MergedMessage(msgspec.Struct):
    """One message of a mailbox, with all that its copies say."""

    email: Email
    roles: frozenset[Role]
    folders: list[str]
    copies: int


class Mailbox(msgspec.Struct):
    """A mailbox sorted out: what the owner sent, what reached the owner, what is left out and why."""

    owner: Owner
    sent: list[MergedMessage]
    received: list[MergedMessage]
    dropped: Counter[str]


def partition_mailbox(emails: Iterable[Email], config: LabelConfig, addresses: frozenset[str] = frozenset()) -> Mailbox:
    """Reduce copies to messages, and tell what the owner sent from what reached the owner.

    Both lists are in time order. Every record is in one of them, a copy of one, or counted as
    dropped: `undated`, `junk`, `copy`, `draft`.

    Parameters
    ----------
    emails : iterable of Email
        Every record of the mailbox, in any order.
    config : LabelConfig
    addresses : set of str
        The owner's, where they are known; else they are learned from the sent folders.
    """
    roles = FolderRoles(config.folders)
    copies: dict[str, list[tuple[Email, Role]]] = defaultdict(list)
    for email in emails:
        copies[email.fingerprint].append((email, roles.of_message(email)))
    sent = [email for group in copies.values() for email, role in group if role == "sent"]
    owner = Owner.of(addresses or owner_addresses(email.sender for email in sent), sent)
    mailbox = Mailbox(owner, [], [], Counter())
    for group in copies.values():
        message = merge_copies(group)
        mailbox.dropped["copy"] += message.copies - 1
        if not is_dated(message.email, config):
            mailbox.dropped["undated"] += 1
        elif message.email.sender in owner.addresses or "sent" in message.roles:
            if message.roles == {"drafts"}:
                mailbox.dropped["draft"] += 1
            else:
                mailbox.sent.append(message)
        else:
            mailbox.received.append(message)
    for messages in (mailbox.sent, mailbox.received):
        sort_messages(messages)
    return mailbox


def is_dated(email: Email, config: LabelConfig) -> bool:
    """Whether a message has a date, within ``label.dates``."""
    first, last = (_midnight(day) for day in config.dates)
    return email.timestamp is not None and first <= email.timestamp < last


def sort_messages(messages: list[MergedMessage]) -> None:
    """Put messages in time order, in place."""
    messages.sort(key=lambda message: (message.email.timestamp, message.email.path))


def merge_copies(group: Sequence[tuple[Email, Role]]) -> MergedMessage:
    """The copies of a message as one; the smallest hash decides which is kept, so that no folder does."""
    kept = min((email for email, _ in group), key=lambda email: (email.raw_sha256, email.path))
    folders = sorted({place for email, _ in group for place in (email.labels or [email.folder])})
    return MergedMessage(kept, frozenset(role for _, role in group), folders, len(group))


@functools.cache
def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
