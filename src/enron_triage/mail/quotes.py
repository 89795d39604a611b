"""Finding the header of the message that a reply or forward quotes: its sender, time and subject.

Understands the blocks of Outlook (``From: / Sent: / To: / Subject:``), of Lotus Notes (a name and a
date above ``To: / cc: / Subject:``, in several arrangements) and the attribution lines of Internet
mail (``On <date>, <name> wrote:``). Quoted times are wall-clock times where the reply was written.
"""

from __future__ import annotations

import datetime
import re

import msgspec

_MONTHS = "january february march april may june july august september october november december".split()
_TIME = r"(?P<h>\d{1,2}):(?P<m>\d\d)(?::\d\d)?(?:\s*(?P<p>[AaPp])\.?[Mm])?"
_NUMERIC_DATE = re.compile(r"(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<y>\d{4}|\d{2}),?\s+" + _TIME)
_WORDED_DATE = re.compile(
    r"(?:(?P<month>[A-Za-z]{3,9})\.?\s+(?P<day>\d{1,2})|(?P<day2>\d{1,2})[ -](?P<month2>[A-Za-z]{3,9})),?"
    r"[ -]+(?P<y>\d{4}),?(?:\s+at)?\s+" + _TIME
)
_FIELD = re.compile(r"[ \t>*|]*(From|Sent|Date|To|Cc|Subject)[*]?:[*]?[ \t]*(.*)", re.IGNORECASE)
# Some of Notes' headers lost their line ends: "name date <tab> To: ... cc: ... Subject: ..."
_FIELDS_IN_ONE_LINE = re.compile(r"(?<=\d [APap][Mm])[ \t]+(?=To:)|(?<=\S)[ \t]+(?=(?:cc|Subject): )")
_NOT_THE_SENDER = re.compile(r"[ \t>*|]*(?:sent by|please respond)\b", re.IGNORECASE)
_MARKS = " \t>*|"
_ATTRIBUTION = re.compile(r"[ \t>]*On (?P<line>[^\n]{6,200}?(?:\n[^\n]{1,120}?)?)\s+wrote:")
_DAY = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}|\b\d{1,2} [A-Z][a-z]{2,8}\.?,? \d{4}|\b[A-Z][a-z]{2,8}\.? \d{1,2},? \d{4}")
_TIME_OF_DAY = re.compile(
    r",?(?: at)? \d{1,2}:\d\d(?::\d\d)?(?:\s?[AaPp]\.?[Mm]\.?)?(?: [+-]\d{4}| \(?[A-Z]{2,4}\)?(?=[ ,]))?"
)
# Where a quoted header may begin, so that most of a body is never looked at line by line. Two patterns
# that each begin with something rare are several times faster than one for both.
_HINT_LINE = re.compile(r"\n[ \t>*|]*(?:[Ff][Rr][Oo][Mm]:|[Oo][Nn] .{6,80}\d,? )")
_HINT_DATE = re.compile(r"/\d{1,2}/\d{2,4},?\s+\d{1,2}:\d\d")
_FORWARDED = re.compile(r"-{3,} ?Forwarded by\b", re.IGNORECASE)
_BLOCK_LINES = 14  # a header block is not longer, nor are the blank lines inside Notes' blocks


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
    """

    sender: str
    times: tuple[int, ...]
    subject: str | None
    start: int


def is_forwarded(body: str) -> bool:
    """Whether a message forwards another in the manner of Notes, which leaves no trace in the subject.

    Parameters
    ----------
    body : str
        The text of the message.

    Returns
    -------
    bool
        True if there is a line "Forwarded by".
    """
    return _FORWARDED.search(body) is not None


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
    for start in _hinted_lines(body):
        found = _read_at(body, start)
        if found is not None:
            return found
    return None


def _hinted_lines(body: str) -> list[int]:
    """Where the lines begin that may begin a quoted header or hold its date."""
    starts = {hint.start() for hint in _HINT_LINE.finditer("\n" + body)}  # a break before, so one character on
    for date in _HINT_DATE.finditer(body):
        if body[date.start() - 1 : date.start()].isdigit():
            starts.add(body.rfind("\n", 0, date.start()) + 1)
    return sorted(starts)


def wall_clock(text: str) -> tuple[int, ...]:
    """Parse the first date and time in a text, of those in words before those in digits.

    Parameters
    ----------
    text : str
        A header line, or a part of it.

    Returns
    -------
    tuple of int
        The possible times, in seconds since 1970 as if the wall clock were UTC; two where day and month may be
        swapped.

    Examples
    --------
    >>> wall_clock("Sent: Wednesday, September 12, 2001 11:07 AM")
    (1000292820,)
    >>> len(wall_clock("03/04/2000 10:25 AM"))  # 4 March or 3 April
    2
    """
    worded = _WORDED_DATE.search(text)
    if worded is not None:
        name = (worded["month"] or worded["month2"]).lower()
        months = [number for number, month in enumerate(_MONTHS, 1) if month.startswith(name)]
        days = [(months[0], int(worded["day"] or worded["day2"]))] if months else []
        return _seconds(worded, days)
    numeric = _NUMERIC_DATE.search(text)
    if numeric is None:
        return ()
    a, b = int(numeric["a"]), int(numeric["b"])
    return _seconds(numeric, [(a, b)] if a == b else [(a, b), (b, a)])


def _seconds(match: re.Match[str], days: list[tuple[int, int]]) -> tuple[int, ...]:
    year, hour, minute = int(match["y"]), int(match["h"]), int(match["m"])
    if year < 100:
        year += 1900 if year >= 70 else 2000  # nearly as POSIX strptime %y
    if match["p"]:
        hour = hour % 12 + (12 if match["p"] in "pP" else 0)
    times = []
    for month, day in days:
        try:
            time = datetime.datetime(year, month, day, hour, minute, tzinfo=datetime.UTC)
        except ValueError:
            continue
        times.append(int(time.timestamp()))
    return tuple(times)


def _read_at(body: str, start: int) -> QuotedHeader | None:
    """The quoted header that begins, or has its date, on the line at `start`."""
    attribution = _attribution(body, start)
    if attribution is not None:
        return attribution
    lines = [part for line in _lines_from(body, start) for part in _separate_fields(line)]
    first = _FIELD.match(lines[0])
    if first is not None and first[1].lower() == "from":
        return _from_block(first[2], lines, start)
    return _notes_block(body, lines, start)


def _attribution(body: str, start: int) -> QuotedHeader | None:
    """``On <date>, <name> wrote:``, as Internet mail programs write."""
    found = _ATTRIBUTION.match(body, start)
    day = _DAY.search(found["line"]) if found else None
    if found is None or day is None:
        return None
    line = found["line"]
    clock = _TIME_OF_DAY.match(line, day.end())
    end = clock.end() if clock else day.end()
    sender = " ".join(line[end:].lstrip(" ,").split())
    return QuotedHeader(sender, wall_clock(line[:end]), None, start) if sender else None


def _lines_from(body: str, start: int) -> list[str]:
    lines: list[str] = []
    while len(lines) < _BLOCK_LINES and start <= len(body):
        end = body.find("\n", start)
        end = len(body) if end < 0 else end
        lines.append(body[start : min(end, start + 1000)])
        start = end + 1
    return lines


def _separate_fields(line: str) -> list[str]:
    """The header fields of a line that lost its line ends; most lines hold none, and are not searched."""
    return _FIELDS_IN_ONE_LINE.split(line) if "To:" in line or "cc: " in line or "Subject: " in line else [line]


def _from_block(sender: str, lines: list[str], start: int) -> QuotedHeader | None:
    """A block that opens with ``From:``; the date is in Sent or Date, or as Notes writes it."""
    fields = _fields(lines[1:])
    if "to" not in fields and "subject" not in fields and "sent" not in fields:
        return None
    when = fields.get("sent") or fields.get("date")
    if when is None:  # Notes: on the From line or the next ones, above To:
        above = list(_until_field(lines[1:]))
        when = " ".join([sender, *above])
        inline = _NUMERIC_DATE.search(when)
        sender = when[: inline.start()] if inline else sender
    return QuotedHeader(_clean_sender(sender), wall_clock(when), fields.get("subject"), start)


def _notes_block(body: str, lines: list[str], start: int) -> QuotedHeader | None:
    """A name and a date, on one line or two, above ``To:``."""
    joined = "\n".join(lines)
    date = _NUMERIC_DATE.search(joined)
    if date is None or joined[date.end() :].lstrip(" ").startswith("--"):  # the date of "Forwarded by"
        return None
    after = joined[date.end() :].split("\n")
    if after[0].strip():
        return None
    above = [line for line in _until_field(after[1:]) if not _NOT_THE_SENDER.match(line)]
    fields = _fields(after[1:])
    if len(above) > 2 or "to" not in fields:
        return None
    sender = joined[: date.start()].lstrip(_MARKS).strip()
    if _FORWARDED.search(sender):
        return None
    # The name may be on the line above, or wrapped from it.
    if len(sender) < 3 or sender.lower() == "on" or sender.endswith((" on", "\non")):
        above_date = [line for line in body[max(0, start - 400) : start].split("\n") if line.strip()]
        names = [line for line in above_date if not _NOT_THE_SENDER.match(line)]
        line = names[-1] if names else ""
        if len(sender) < 3 or sender.lower() == "on" or "@" in line or "<" in line:
            sender = f"{line.lstrip(_MARKS)} {sender}"
            start = body.rfind(line, 0, start)
    return QuotedHeader(_clean_sender(sender), wall_clock(date[0]), fields.get("subject"), start)


def _until_field(lines: list[str]) -> list[str]:
    """The lines above the first header field, without the blank ones."""
    above = []
    for line in lines:
        if _FIELD.match(line):
            break
        if line.strip(_MARKS):
            above.append(line)
    return above


def _fields(lines: list[str]) -> dict[str, str]:
    """The header fields of a block; it ends with Subject, which Outlook and Notes write last."""
    fields: dict[str, str] = {}
    for line in lines:
        field = _FIELD.match(line)
        if field is None:
            continue
        fields.setdefault(field[1].lower(), field[2].strip())
        if field[1].lower() == "subject":
            break
    return fields


def _clean_sender(sender: str) -> str:
    sender = re.sub(r"(?i)^\s*from:|\s+on\s*$|\[mailto:|[\]*]", " ", sender.replace("\n", " "))
    return " ".join(sender.split())[:300]
