"""From the bytes of one message to its record."""

from __future__ import annotations

import datetime
import email.header
import email.utils
import hashlib
import re

from enron_triage.mail import mime
from enron_triage.records import Email

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
# RFC 5322 as nearly every program writes it; anything else goes to email.utils.
_DATE = re.compile(
    r"(?:[A-Za-z]{3}, +)?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)(?: \([^()]*\))?"
)
_ADDRESS = re.compile(r"""[^\s<>,;:"()\[\]@]{1,64}@[^\s<>,;:"()\[\]@]{1,255}""")  # lengths: RFC 5321, 4.5.3.1
# An address, or a name and an address in angle brackets, nothing of it quoted.
_PLAIN_MAILBOX = re.compile(
    r"(?:([\w&'/-]+(?: [\w&'/-]+)*) )?<([\w#&'+./-]+@[\w.-]+)>|([\w#&'+./-]+@[\w.-]+)", re.ASCII
)
_ENCODED_WORD = r"=\?[^?\s]+\?[bqBQ]\?[^?]*\?="
_ENCODED_WORDS = re.compile(rf"{_ENCODED_WORD}(?:\s+{_ENCODED_WORD})*", re.ASCII)
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_NEEDS_PARSING = re.compile(r'["<>():;\\]')
_IDENTIFYING = ("from", "date", "message-id", "subject", "to")


def parse_message(raw: bytes, *, path: str, user: str, folder: str) -> Email:
    """Parse a message.

    Parameters
    ----------
    raw : bytes
        The message as it lies in its file.
    path, user, folder : str
        Where it lies; see `Email`.

    Raises
    ------
    ValueError
        If it is no mail: it has none of the headers that identify one.
    RecursionError
        If its parts are nested beyond reason.
    """
    headers, body = mime.read(raw)
    if not any(name in headers for name in _IDENTIFYING):
        raise ValueError("no mail headers")
    moment = parse_date(headers.get("date", ""))
    timestamp = None if moment is None else (moment - _EPOCH) // datetime.timedelta(seconds=1)
    sender, sender_name = _sender(headers)
    raw_subject = headers.get("subject", "")
    subject = decode_words(raw_subject)
    replied = _MESSAGE_ID.search(headers.get("in-reply-to", ""))
    return Email(
        path=path,
        user=user,
        folder=folder,
        labels=[label.strip() for label in decode_words(headers.get("x-gmail-labels", "")).split(",") if label.strip()],
        message_id=headers.get("message-id", ""),
        date=None if moment is None else moment.isoformat(),
        timestamp=timestamp,
        sender=sender,
        sender_name=sender_name,
        to=addresses(headers.get("to", "")),
        cc=addresses(headers.get("cc", "")),
        bcc=addresses(headers.get("bcc", "")),
        subject=subject,
        raw_subject=None if raw_subject == subject else raw_subject,
        body=body,
        in_reply_to=replied[0] if replied else "",
        references=_MESSAGE_ID.findall(headers.get("references", "")),
        fingerprint=fingerprint(timestamp, sender, subject, body),
        raw_sha256=hashlib.sha256(raw).hexdigest(),
    )


def fingerprint(timestamp: int | None, sender: str, subject: str, body: str) -> str:
    """Equal for the copies of one message: 32 hexadecimal digits.

    A hash of the time, the sender, the decoded subject and the body with its white space
    normalised (mail systems wrap and pad a copy's lines differently).
    """
    content = "\0".join((str(timestamp), sender, " ".join(subject.split()), " ".join(body.split())))
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def parse_date(value: str) -> datetime.datetime | None:
    """The moment that a Date header names; None if it is missing or unusable.

    >>> parse_date("Mon, 14 May 2001 16:39:00 -0700 (PDT)").isoformat()
    '2001-05-14T16:39:00-07:00'
    >>> parse_date("yesterday") is None
    True
    """
    plain = _DATE.fullmatch(value)
    try:
        if plain is None:
            moment = email.utils.parsedate_to_datetime(value)
        else:
            day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = plain.groups()
            offset = datetime.timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
            moment = datetime.datetime(
                int(year),
                _MONTHS[month.lower()],
                int(day),
                int(hour),
                int(minute),
                int(second),
                tzinfo=datetime.timezone(-offset if sign == "-" else offset),
            )
        if moment.tzinfo is None:  # RFC 5322, 3.3: -0000 tells UTC and nothing of the zone
            moment = moment.replace(tzinfo=datetime.UTC)
        moment.astimezone(datetime.UTC)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError):
        return None
    return moment


def addresses(value: str) -> list[str]:
    """The lower-case addresses of an address header (RFC 5322, 3.4), in order.

    >>> addresses('"Doe, Jane" <Jane@x.example>, bob')
    ['jane@x.example', 'bob']
    """
    if not _NEEDS_PARSING.search(value):
        parts = [part.strip() for part in value.split(",")]
        return [part.lower() for part in (map(decode_words, parts) if "=?" in value else parts) if part]
    return [address for _, address in _mailboxes(value)]


def decode_words(value: str) -> str:
    """Decode the encoded words of a header (RFC 2047); what cannot be decoded stays as it is.

    >>> decode_words("=?utf-8?q?caf=C3=A9?= at noon")
    'café at noon'
    """
    return _ENCODED_WORDS.sub(lambda words: _decode_run(words[0]), value) if "=?" in value else value


def _decode_run(words: str) -> str:
    """Decode encoded words that follow each other; the white space between them is not text."""
    try:
        parts = email.header.decode_header(words)
    except (email.errors.HeaderParseError, ValueError):
        return words
    return "".join(
        part if isinstance(part, str) else mime.decode(part, charset or "us-ascii") for part, charset in parts
    )


def _mailboxes(value: str) -> list[tuple[str, str]]:
    """Display name and lower-case address of each mailbox in an address header."""
    return plain_mailboxes(value) or parsed_mailboxes(value)


def plain_mailboxes(value: str) -> list[tuple[str, str]] | None:
    """Display names and lower-case addresses of a list without quoting or comments; None if it is anything else."""
    found = [_PLAIN_MAILBOX.fullmatch(part.strip()) for part in value.split(",")]
    if not all(found):
        return None
    return [(mailbox[1] or "", (mailbox[2] or mailbox[3]).lower()) for mailbox in found if mailbox]


def parsed_mailboxes(value: str) -> list[tuple[str, str]]:
    """Display names and lower-case addresses of any address header, by the standard ``email`` package."""
    try:
        pairs = email.utils.getaddresses([value])
    except RecursionError:  # thousands of nested comments
        pairs = []
    found = [(name, address.strip().lower()) for name, address in pairs if address.strip()]
    if any(_NEEDS_PARSING.search(address) for _, address in found):  # it gave up on an unclosed quotation
        found = []
    return found or [("", address.lower()) for address in _ADDRESS.findall(value)]


def _sender(headers: mime.Headers) -> tuple[str, str]:
    """Address and display name of the author; Enron's own X-From has the name where From has none."""
    value = headers.get("from", "")
    pairs = _mailboxes(value) if _NEEDS_PARSING.search(value) else [("", address) for address in addresses(value)]
    name, address = pairs[0] if pairs else ("", "")
    if not name:
        name = headers.get("x-from", "").partition("<")[0]
    return address, " ".join(decode_words(name).replace('"', " ").split())
