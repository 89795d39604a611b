"""From the bytes of one message to its record."""

from __future__ import annotations

import datetime
import hashlib

from enron_triage.mail import mime
from enron_triage.mail.addresses import parse_addresses, parse_named_addresses
from enron_triage.mail.automatic import is_automatic
from enron_triage.mail.dates import date_of_message
from enron_triage.mail.encoded_words import decode_words
from enron_triage.mail.flags import status_flags
from enron_triage.mail.gmail_labels import gmail_labels
from enron_triage.mail.headers import Headers
from enron_triage.mail.items import item_kind
from enron_triage.mail.message_ids import message_ids
from enron_triage.mail.parts import check_text
from enron_triage.mail.white_space import single_spaced
from enron_triage.records import Email

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_SECOND = datetime.timedelta(seconds=1)
_IDENTIFYING = frozenset(("from", "date", "message-id", "subject", "to"))


def parse_message(raw: bytes, *, path: str, user: str, folder: str) -> Email:
    """Parse a message.

    Parameters
    ----------
    raw : bytes
        The message as it is in its file.
    path : str
        The path of the file below the corpus, or ``<mbox>#<index>``.
    user : str
        The mailbox that it belongs to.
    folder : str
        The folders between the mailbox and the file, joined by ``/``.

    Returns
    -------
    Email
        The record.

    Raises
    ------
    ValueError
        If it is not mail: it has none of the headers that identify a message. If its headers, their addresses, its
        text, or the number or depth of its parts, are beyond those of any mail.
    """
    headers, body, attachments = mime.read(raw)
    if _IDENTIFYING.isdisjoint(headers):
        raise ValueError("no mail headers")
    check_text(len(body))
    date = date_of_message(headers.get("date", ""), headers.get("received", ""))
    timestamp = None if date is None else (date - _EPOCH) // _SECOND
    sender, sender_name = _sender(headers)
    raw_subject = headers.get("subject", "")
    subject = decode_words(raw_subject)
    to, cc, bcc = (parse_addresses(headers.get(name, "")) for name in ("to", "cc", "bcc"))
    return Email(
        path=path,
        user=user,
        folder=folder,
        labels=gmail_labels(headers),
        message_id=headers.get("message-id", ""),
        date=None if date is None else date.isoformat(),
        timestamp=timestamp,
        sender=sender,
        sender_name=sender_name,
        to=to,
        cc=cc,
        bcc=bcc,
        subject=subject,
        raw_subject=None if raw_subject == subject else raw_subject,
        body=body,
        in_reply_to=" ".join(message_ids(headers.get("in-reply-to", ""))),
        references=message_ids(headers.get("references", "")),
        fingerprint=fingerprint(timestamp, sender, subject, body),
        raw_sha256=hashlib.sha256(raw).hexdigest(),
        flags=status_flags(path, headers, raw),
        automatic=is_automatic(headers, subject),
        forwarded_ids=message_ids(headers.get("x-forwarded-message-id", "")),
        item=item_kind(headers, body, raw, sender, [*to, *cc, *bcc]),
        attachments=attachments,
    )


def fingerprint(timestamp: int | None, sender: str, subject: str, body: str) -> str:
    """A hash that the copies of one message share.

    White space in the subject and body does not count, as mail systems wrap and pad a copy's lines differently.

    Parameters
    ----------
    timestamp : int or None
        When the message was sent, in seconds UTC; None if it does not say.
    sender : str
        The sender's lower-case address.
    subject : str
        The decoded subject.
    body : str
        The text.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    head = f"{timestamp}\0{sender}\0{' '.join(subject.split())}\0"
    return hashlib.blake2b(head.encode() + single_spaced(body), digest_size=16).hexdigest()


def _sender(headers: Headers) -> tuple[str, str]:
    """Address and display name of the author; Enron's own X-From has the name where From has none."""
    authors = parse_named_addresses(headers.get("from", ""))
    name, address = authors[0] if authors else ("", "")
    if not name:
        name = headers.get("x-from", "").partition("<")[0]
    return address, " ".join(decode_words(name).replace('"', " ").split())
