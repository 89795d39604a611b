"""Finding the header of the message that a reply or forward quotes: its sender, time and subject.

Understands the blocks of Outlook (``From: / Sent: / To: / Subject:``) and of whatever program writes header fields
above what it quotes, those of Lotus Notes (a name and a date above ``To: / cc: / Subject:``, in several arrangements),
and the attribution lines of Internet mail (``On <date>, <name> wrote:``), in the languages of `client_words`. Quoted
times are wall-clock times where the reply was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from enron_triage.mail.attributions import MARKS, is_between_marks, read_attribution
from enron_triage.mail.client_words import FORWARDED, FORWARDED_BY, ORIGINAL
from enron_triage.mail.header_fields import (
    MAX_FIELD_NAME,
    MAX_LINE,
    NUMERIC_DATE,
    clean_sender,
    field,
    field_kind,
    fields_of,
    lines_from,
    until_field,
)
from enron_triage.mail.letters import without_case
from enron_triage.mail.notes_headers import FORWARDED_BY_LINE, notes_block
from enron_triage.mail.wall_clock import wall_clock

_BETWEEN_RULES = re.compile(r"-{3,} ?([^-\n]{5,60}[^-\n ]) ?-{3,}(?=\w)")
_HINT_DATE = re.compile(r"\d/\d{1,2}/\d{2,4},?\s+\d{1,2}:\d\d")
_BEGINS_WITH_TIME = re.compile(r"[ \t>*|]*\d{1,2}:\d\d")
_INVISIBLE = " \t\r\u00a0*\u202c\u200e\u200f\u202b\u2069\ufeff"


class QuotedHeader(msgspec.Struct, frozen=True):
    """The topmost quoted header of a body.

    Attributes
    ----------
    sender : str
        The sender as the header names it: a name, an address or both.
    times : tuple of int
        The possible times, in seconds since 1970 as if the quoted wall clock were UTC: two where day and
        month may be swapped, none where the header has no time.
    subject : str or None
        The quoted subject; None where the header has none.
    start : int
        The offset in the body where the header begins, in characters; what the sender added is before it.
    days : tuple of int
        The possible days of an attribution without a time of day, as the times of their midnights.
    """

    sender: str
    times: tuple[int, ...]
    subject: str | None
    start: int
    days: tuple[int, ...] = ()


def is_forwarded(body: str) -> bool:
    """Whether a message forwards another and says so in a line of its own, as Notes does whatever the subject is.

    Parameters
    ----------
    body : str
        The text of the message.

    Returns
    -------
    bool
        True if there is a line "Forwarded by" or "Forwarded message", in whatever language.
    """
    if FORWARDED_BY_LINE.search(body) is not None:
        return True
    lines = (line for line in body.split("\n") if "---" in line or line.rstrip().endswith((":", "\uff1a")))
    return any(_announced(line) in FORWARDED for line in lines)


def is_separator(line: str) -> bool:
    """Whether a line says that a message follows that is answered or passed on.

    Parameters
    ----------
    line : str
        A line of a body.

    Examples
    --------
    >>> is_separator("-----Ursprüngliche Nachricht-----")
    True
    """
    words = _announced(line)
    return words in FORWARDED or words in ORIGINAL or words.startswith(FORWARDED_BY)


def _announced(line: str) -> str:
    """What a line says between hyphens or before a colon; empty if it is no such line."""
    text = line[:MAX_LINE].strip(" \t>*|\r\u00a0")
    is_ruled = text.startswith(("--", "\u2014", "==", "__"))
    if not is_ruled and not text.endswith((":", "\uff1a")):
        return ""
    between = _BETWEEN_RULES.match(text)  # behind the second rule, some programs leave out the end of the line
    words = without_case((between[1] if between else text).strip("-\u2013\u2014=_:\uff1a \u00a0"))
    return words if is_ruled or words in FORWARDED else ""


def quoted_header(body: str) -> QuotedHeader | None:
    """Find the topmost quoted header of a body.

    Parameters
    ----------
    body : str
        The text of a message.

    Returns
    -------
    QuotedHeader or None
        The header; None if there is none.
    """
    text = body if body.isascii() else body.replace("\uff1a", ":")
    for start, end, colon in _lines_with_colon(text):
        found = _read_at(text, start, end, colon)
        if found is not None:
            return found
    return None


def is_header_line(line: str) -> bool:
    """Whether a line looks like one of a quoted header, rather than like text.

    Parameters
    ----------
    line : str
        A line of a body.

    Examples
    --------
    >>> is_header_line("> Gesendet: Montag, 14. Mai 2001 16:39"), is_header_line("Note: it is late.")
    (True, False)
    """
    line = line[:MAX_LINE].replace("\uff1a", ":")
    colon = line.find(":")
    if colon < 0:
        return "---" in line and is_separator(line)
    if field_kind(line[:colon]) is not None or NUMERIC_DATE.search(line) is not None:
        return True
    if _ends_in_colon(line):
        return is_separator(line) or read_attribution(line, [], ">") is not None
    return "---" in line and is_separator(line)


def _lines_with_colon(text: str) -> Iterator[tuple[int, int, int]]:
    """Start, end and first colon of each line that has one: no header is without."""
    colon = text.find(":")
    while colon >= 0:
        start = text.rfind("\n", 0, colon) + 1
        end = text.find("\n", colon)
        end = len(text) if end < 0 else end
        yield start, end, colon
        colon = text.find(":", end)


def _read_at(text: str, start: int, end: int, colon: int) -> QuotedHeader | None:
    """The quoted header that begins, ends, or has its date, on the line from `start` to `end`."""
    kind = field_kind(text[start:colon]) if colon - start <= MAX_FIELD_NAME else None
    if kind is not None and kind != "cc":
        lines = lines_from(text, start)
        block = _from_block(lines, start) if kind == "from" else _other_block(lines, start)
        if block is not None:
            return block
    line = text[start : min(end, start + MAX_LINE)]
    if _ends_in_colon(line):
        attribution = _attribution(text, start, end, line)
        if attribution is not None:
            return attribution
    return _dated(text, start, line, is_time=text[colon - 1 : colon].isdecimal())


def _dated(text: str, start: int, line: str, *, is_time: bool) -> QuotedHeader | None:
    """The header of Notes that has its date on a line, or on the line above it where the line begins with the time."""
    if start and is_time and _BEGINS_WITH_TIME.match(line):
        above = text.rfind("\n", 0, start - 1) + 1
        if start - above < MAX_LINE:
            line, start = text[above : start + len(line)], above
    if "/" not in line or _HINT_DATE.search(line) is None:
        return None
    found = notes_block(text, lines_from(text, start), start)
    return QuotedHeader(*found) if found else None


def _ends_in_colon(line: str) -> bool:
    ending = line.rstrip(_INVISIBLE)
    if ending.endswith((" ---", " ----")) and ending.lstrip().startswith("---- "):  # Zoho
        return True
    return ending.endswith(":") or is_between_marks(ending)


def _attribution(text: str, start: int, end: int, line: str) -> QuotedHeader | None:
    """``On <date>, <name> wrote:``, as Internet mail programs write."""
    above: list[str] = []
    starts = [start]
    while len(above) < 3 and starts[-1] > 0:
        before = text.rfind("\n", max(0, starts[-1] - 1 - MAX_LINE), starts[-1] - 1) + 1
        above.append(text[before : starts[-1] - 1])
        starts.append(before)
    found = read_attribution(line, above, _line_below(text, end))
    return QuotedHeader(found.sender, found.times, None, starts[found.lines], found.days) if found else None


def _line_below(text: str, end: int) -> str:
    """The first line below that is not blank, among the next few."""
    for _ in range(4):
        if end >= len(text):
            break
        start = end + 1
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start : min(end, start + MAX_LINE)]
        if line.strip(" \t\r\u00a0\ufeff"):
            return line
    return ""


def _from_block(lines: list[str], start: int) -> QuotedHeader | None:
    """A block that opens with ``From:``; the date is in Sent or Date, or as Notes writes it."""
    first = field(lines[0])
    fields = fields_of(lines[1:])
    if first is None:
        return None
    sender, when = first[1], fields.get("date")
    if "to" not in fields and "subject" not in fields and not wall_clock(when or ""):
        return None
    if when is None:  # Notes: on the From line or the next ones, above To:
        when = " ".join([sender, *until_field(lines[1:])])
        inline = NUMERIC_DATE.search(when)
        sender = when[: inline.start()] if inline else sender
    return QuotedHeader(clean_sender(sender), wall_clock(when), fields.get("subject"), start)


def _other_block(lines: list[str], start: int) -> QuotedHeader | None:
    """A block that opens with another field, as Thunderbird's forwards do; its fields follow each other."""
    fields: dict[str, str] = {}
    for line in lines:
        found = field(line)
        if found is not None:
            fields.setdefault(found[0], found[1].strip())
        elif not line.strip(MARKS):
            break
    if "from" not in fields or len(fields) < 3:
        return None
    return QuotedHeader(clean_sender(fields["from"]), wall_clock(fields.get("date", "")), fields.get("subject"), start)
