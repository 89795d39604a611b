"""Splitting a body into what its sender wrote, the signature below it, and what is quoted."""

from __future__ import annotations

import re
from typing import NamedTuple

from enron_triage.mail.quotes import quoted_header
from enron_triage.records import Email

_SEPARATOR = re.compile(r"-- ?|[-_=*~]{5,}")
_WORD = re.compile(r"[^\W\d_]{3,}")
_MAX_SIGNATURE_LINES = 8
_MAX_NAME_WORDS = 3  # in a line that holds a name and little else
_MAX_NAME_LENGTH = 59
_MAX_SCANNED = 20_000  # characters: a quoted header is near the top, and hostile mail is long


class BodyParts(NamedTuple):
    """The parts of a body, in their order; joined, they are the body again.

    Attributes
    ----------
    new : str
        What the sender wrote.
    signature : str
        The sender's signature; empty if there is none.
    quoted : str
        The message that is replied to or forwarded, from its header on; empty if there is none.
    """

    new: str
    signature: str
    quoted: str


def split_body(email: Email) -> BodyParts:
    """Split the body of a message.

    Parameters
    ----------
    email : Email
        The message; its sender's name and address tell where the signature begins.

    Returns
    -------
    BodyParts
        The parts; joined, they are the body again.
    """
    body = email.body
    end = _start_of_quote(body[:_MAX_SCANNED])
    new, quoted = (body, "") if end is None else (body[:end], body[end:])
    start = _start_of_signature(new, f"{email.sender_name} {email.sender.partition('@')[0]}")
    return BodyParts(new[:start], new[start:], quoted)


def _start_of_quote(body: str) -> int | None:
    """Where the quoted original begins: its header, or Outlook's line above that; None if there is none."""
    quoted = quoted_header(body)
    line = body.find("-----Original Message", 0, quoted.start if quoted else None)
    if line >= 0:
        return line
    return quoted.start if quoted else None


def _start_of_signature(new: str, sender: str) -> int:
    """Where a separator, or a line of little but the sender's name, begins near the end; else the end."""
    text = new.rstrip()
    names = set(_WORD.findall(sender.lower()))
    start = len(text)
    found = len(new)
    for _ in range(_MAX_SIGNATURE_LINES):
        if start <= 0:
            break
        end, start = start, text.rfind("\n", 0, start) + 1
        line = text[start:end].strip()
        if start and (_SEPARATOR.fullmatch(line) or _is_name(line, names)):
            found = start
        start -= 1
    return found


def _is_name(line: str, names: set[str]) -> bool:
    low = line.lower() if len(line) <= _MAX_NAME_LENGTH else ""
    if not any(name in low for name in names):  # which spares most lines the search for words
        return False
    words = _WORD.findall(low)
    return len(words) <= _MAX_NAME_WORDS and not names.isdisjoint(words)
