"""A mailbox sorted out: copies made one, sent told from received."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

import msgspec

from enron_triage.config import LabelConfig
from enron_triage.labels.folders import FolderRoles, Role, owner_addresses
from enron_triage.labels.owner import Owner
from enron_triage.records import Email


class Message(msgspec.Struct):
    """One message of a mailbox, with all that its copies say."""

    email: Email
    roles: frozenset[Role]
    folders: list[str]
    copies: int


class Mailbox(msgspec.Struct):
    """A mailbox sorted out: what the owner sent, what reached the owner, what is left out and why."""

    owner: Owner
    sent: list[Message]
    received: list[Message]
    dropped: Counter[str]


def sort_mailbox(emails: Iterable[Email], config: LabelConfig) -> Mailbox:
    """Reduce copies to messages, and tell what the owner sent from what reached the owner.

    Both lists are in time order. Every record is in one of them, a copy of one, or counted as
    dropped: `undated`, `junk`, `copy`, `draft`.
    """
    roles = FolderRoles(config.folders)
    copies: dict[str, list[tuple[Email, Role]]] = defaultdict(list)
    for email in emails:
        copies[email.fingerprint].append((email, roles.of_message(email)))
    sent = [email for group in copies.values() for email, role in group if role == "sent"]
    owner = Owner.of(owner_addresses(email.sender for email in sent), sent)
    first, last = (_midnight(day) for day in config.dates)
    mailbox = Mailbox(owner, [], [], Counter())
    for group in copies.values():
        message = _one_message(group)
        timestamp = message.email.timestamp
        mailbox.dropped["copy"] += message.copies - 1
        if timestamp is None or not first <= timestamp < last:
            mailbox.dropped["undated"] += 1
        elif message.email.sender in owner.addresses or "sent" in message.roles:
            if message.roles == {"drafts"}:
                mailbox.dropped["draft"] += 1
            else:
                mailbox.sent.append(message)
        else:
            mailbox.received.append(message)
    for messages in (mailbox.sent, mailbox.received):
        messages.sort(key=lambda message: (message.email.timestamp, message.email.path))
    return mailbox


def _one_message(group: Sequence[tuple[Email, Role]]) -> Message:
    """The copies of a message as one; the smallest hash decides which is kept, so that no folder does."""
    kept = min((email for email, _ in group), key=lambda email: (email.raw_sha256, email.path))
    folders = sorted({place for email, _ in group for place in (email.labels or [email.folder])})
    return Message(kept, frozenset(role for _, role in group), folders, len(group))


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
