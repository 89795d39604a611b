"""New messages as records with their history, as ``triage label`` makes them of a whole mailbox."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Collection, Iterable, Sequence

import msgspec

from enron_triage.config.data import LabelConfig
from enron_triage.labels.history import MailboxHistory
from enron_triage.labels.mailbox import Mailbox, MergedMessage, is_dated, partition_mailbox, sort_messages
from enron_triage.labels.owner import Owner
from enron_triage.labels.received import received_records
from enron_triage.records import Email, Evidence, LabeledEmail

logger = logging.getLogger(__name__)

_ANY_DATE = (datetime.date(1970, 1, 2), datetime.date(2200, 1, 1))


def new_records(
    emails: Sequence[Email], known: Sequence[Email], owner: Collection[str], settings: LabelConfig
) -> list[LabeledEmail | None]:
    """New messages as records, with the history that the owner's mailbox gives them, if there is one.

    Parameters
    ----------
    emails, known, owner, settings
        As for `records_in_mailbox`; `known` may be empty.

    Returns
    -------
    list of LabeledEmail or None
        In the order of `emails`, without actions; None for what the owner sent.
    """
    if not known:
        return [record_without_mailbox(email, owner) for email in emails]
    records = records_in_mailbox(emails, known, owner, settings)
    return [
        # The record may be a copy from the mailbox; it names the message that was asked about.
        record and msgspec.structs.replace(record, path=email.path, message_id=email.message_id)
        for email, record in zip(emails, records, strict=True)
    ]


def records_in_mailbox(
    emails: Sequence[Email], known: Sequence[Email], owner: Collection[str], settings: LabelConfig
) -> list[LabeledEmail | None]:
    """New messages with the history that the owner's mailbox gives them.

    Parameters
    ----------
    emails : sequence of Email
        The new messages; each counts as part of the others' past, too.
    known : sequence of Email
        The owner's mail, sent and received, in which the new messages may occur.
    owner : collection of str
        The owner's addresses in lower case; if it is empty, they are learned from the mailbox's sent folders.
    settings : LabelConfig
        The settings of the labels that the policy was trained on.

    Returns
    -------
    list of LabeledEmail or None
        In the order of `emails`, without actions; None for what the owner sent.
    """
    dated = _with_usable_dates(settings, [*emails, *known])
    mailbox = partition_mailbox(known, dated, frozenset(owner))
    if not mailbox.owner.addresses:
        logger.warning(
            "the mailbox has too little sent mail to identify its owner; give all of it, name its folder of sent mail "
            "in label.folders.sent, or give --owner ADDRESS"
        )
    sent_by_owner = _add_new_messages(emails, mailbox, dated)
    records = {record.fingerprint: record for record in received_records(mailbox, settings)}
    return [None if email.fingerprint in sent_by_owner else records[email.fingerprint] for email in emails]


def record_without_mailbox(email: Email, owner: Collection[str]) -> LabeledEmail | None:
    """A new message of whose owner nothing is known but, perhaps, the addresses.

    Parameters
    ----------
    email : Email
        The message.
    owner : collection of str
        The owner's addresses in lower case, as far as they are known.

    Returns
    -------
    LabeledEmail or None
        The message with an empty history; None if the owner sent it.
    """
    if email.sender in owner:
        return None
    history = MailboxHistory(Owner.from_mail(frozenset(owner), []))
    return LabeledEmail(
        **msgspec.structs.asdict(email),
        action=None,
        response_seconds=None,
        evidence=Evidence(rule="none", sent_path=None, folders=[]),
        history=history.snapshot_before(email, max(email.timestamp or 0, 0)),  # an empty one is the same at any time
        scheme="received",
    )


def _add_new_messages(emails: Iterable[Email], mailbox: Mailbox, settings: LabelConfig) -> set[str]:
    """Put new messages among the received ones; return the fingerprints of what the owner sent."""
    received = {message.email.fingerprint: message for message in mailbox.received}
    sent_by_owner = {message.email.fingerprint for message in mailbox.sent}
    latest = max((message.email.timestamp or 0 for message in [*mailbox.sent, *mailbox.received]), default=0)
    for email in emails:
        if email.sender in mailbox.owner.addresses:
            sent_by_owner.add(email.fingerprint)
        elif email.fingerprint not in received and email.fingerprint not in sent_by_owner:
            dated = email if is_dated(email, settings) else msgspec.structs.replace(email, timestamp=latest + 1)
            received[email.fingerprint] = MergedMessage(dated, frozenset(), [], 1)
            mailbox.received.append(received[email.fingerprint])
        elif email.fingerprint in received:
            message = received[email.fingerprint]
            if "junk" in message.roles or message.email.item == "meeting":
                # Labelling drops junk, and requests that were removed; but this message was asked for.
                message.roles, message.flags = frozenset(), message.flags - {"deleted"}
    sort_messages(mailbox.received)
    return sent_by_owner


def _with_usable_dates(settings: LabelConfig, emails: Iterable[Email]) -> LabelConfig:
    """The settings, with their range of dates only if most of the mail is in it.

    The range tells the broken dates of a corpus; mail of another time is not broken.
    """
    inside = [is_dated(email, settings) for email in emails if email.timestamp is not None]
    if sum(inside) > len(inside) / 2:
        return settings
    return msgspec.structs.replace(settings, dates=_ANY_DATE)
