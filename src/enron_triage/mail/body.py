"""The parts of a message's body: what its sender wrote, the signature below it, and what is quoted."""

from __future__ import annotations

import re
from typing import NamedTuple

from enron_triage.mail.quotes import quoted_header
from enron_triage.records import Email

_SEPARATOR = re.compile(r"-- ?|[-_=*~]{5,}")
_NAME = re.compile(r"[^\W\d_]{3,}")
_SIGNATURE_LINES = 8  # a signature begins in the last lines of what was written
_NAME_WORDS = 3  # a line that holds a name and little else
_SPLIT = 20_000  # characters that are looked at: what decides stands at the top, and hostile mail is long


class BodyParts(NamedTuple):
    """What a body consists of, in this order."""

    new: str
    signature: str
    quoted: str


def split_body(email: Email) -> BodyParts:
    """The parts of a message's body; joined, they are the body again."""
    body = email.body
    end = _end_of_new(body[:_SPLIT])
    new, quoted = (body, "") if end is None else (body[:end], body[end:])
    start = _start_of_signature(new, f"{email.sender_name} {email.sender.partition('@')[0]}")
    return BodyParts(new[:start], new[start:], quoted)


def _end_of_new(body: str) -> int | None:
    """Where the quoted original begins: its header, or Outlook's line above that; None if nothing is quoted."""
    quoted = quoted_header(body)
    line = body.find("-----Original Message", 0, quoted.start if quoted else None)
    if line >= 0:
        return line
    return quoted.start if quoted else None


def _start_of_signature(new: str, sender: str) -> int:
    """Where a separator, or a line of little but the sender's name, begins near the end; else the end."""
    text = new.rstrip()
    names = set(_NAME.findall(sender.lower()))
    start = len(text)
    found = len(new)
    for _ in range(_SIGNATURE_LINES):
        if start <= 0:
            break
        end, start = start, text.rfind("\n", 0, start) + 1
        line = text[start:end].strip()
        if start and (_SEPARATOR.fullmatch(line) or _is_name(line, names)):
            found = start
        start -= 1
    return found


def _is_name(line: str, names: set[str]) -> bool:
    words = _NAME.findall(line.lower()) if len(line) < 60 else []
    return 0 < len(words) <= _NAME_WORDS and not names.isdisjoint(words)
