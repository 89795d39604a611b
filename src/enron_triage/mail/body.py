"""Splitting a body into what its sender wrote, the signature below it, and what is quoted."""

from __future__ import annotations

import re
from typing import NamedTuple

from enron_triage.mail.quotations import quotations
from enron_triage.records import Email

_SEPARATOR = re.compile(r"-- ?|[-_=*~]{5,}")
_WORD = re.compile(r"[^\W\d_]{3,}")
_MAX_SIGNATURE_LINES = 8
_MAX_NAME_WORDS = 3  # in a line that holds a name and little else
_MAX_NAME_LENGTH = 59
_MAX_SCANNED = 20_000  # characters: a quoted header is near the top, and hostile mail is long


class BodyParts(NamedTuple):
    """The parts of a body. Every line of it is in one of them, in their order.

    Attributes
    ----------
    new : str
        What the sender wrote, wherever it stands: above what is quoted, below, or between.
    signature : str
        The sender's signature; empty if there is none.
    quoted : str
        What is replied to or forwarded, with its header, or with the attribution above it; empty if there is none.
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
        The parts; joined, they are the body again unless something is written below what is quoted.
    """
    body = email.body
    new, quoted = _without_quotations(body, quotations(body[:_MAX_SCANNED]))
    start = _start_of_signature(new, f"{email.sender_name} {email.sender.partition('@')[0]}")
    return BodyParts(new[:start], new[start:], quoted)


def _without_quotations(body: str, spans: list[tuple[int, int]]) -> tuple[str, str]:
    """What is not quoted, and what is."""
    if not spans:
        return body, ""
    if spans[-1][1] >= min(len(body), _MAX_SCANNED):  # what was not looked at goes on as the rest ends
        spans[-1] = (spans[-1][0], len(body))
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(body)]
    new = "".join(body[end:start] for end, start in zip(ends, starts, strict=True))
    return new, "".join(body[start:end] for start, end in spans)


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
