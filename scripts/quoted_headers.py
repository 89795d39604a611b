"""A parser for quoted headers, used by ``audit_links.py``.

It was written independently of the package's parser, so that it does not share its errors.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = re.compile(r"\b(\d{1,2}):(\d\d)(?::\d\d)?(?:\s*([ap])\.?m\b\.?)?", re.IGNORECASE)
_DAY_NUMBERS = re.compile(r"\b(\d{1,4})([/.-])(\d{1,2})\2(\d{2,4})\b")
_DAY_WORDS = re.compile(r"\b(?:(\d{1,2})[ -])?([a-z]{3})[a-z]*\.?[ -]+(?:(\d{1,2}),?[ -]+)?(\d{4})\b", re.IGNORECASE)
_MAX_DAY_LENGTH = 45  # characters between the start of a day and its clock time: "Wednesday, September 12, 2001 at "
_MARKS = " \t\r\xa0>|*"
_FIELD = re.compile(r"(from|sent|date|to|cc|bcc|subject|importance)[*\s]*:[*\s]*(.*)", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"-{3,}[> ]*(?:original (?:message|appointment)|(?:inline )?forwarded)|begin forwarded", re.IGNORECASE
)
_ASIDE = re.compile(r"sent by:|please respond", re.IGNORECASE)
_ZONE = re.compile(r"[\s,]*(?:\(?[a-z]{2,4}(?:[+-][\d:]+)?\)?)?[\s,:]*", re.IGNORECASE)
_GROUPWISE = re.compile(r"\s*>>>.*\d.*>>>\s*")
_ONE_LINE = re.compile(r"^(.*\d:\d\d(?::\d\d)?\s?[AP]M)[ \t]+(To:.*)$", re.MULTILINE | re.IGNORECASE)
_NEXT_FIELD = re.compile(r"[ \t]+(?=(?:b?cc|Subject):)", re.IGNORECASE)
_MAX_HEADER_LINES = 400  # some lists of recipients are that long
_MAX_LINES_ABOVE = 9  # name, date, reply-to and blank lines above the To: of Notes
_FULL_LINE = 60  # characters: a line this long may have been wrapped
_SUBJECT_MARKS = re.compile(r"(?:\s*(?:re|fwd?|fw|aw|wg|sv)(?:\[\d+\])?\s*:)+", re.IGNORECASE)
# Words of quoted senders that are not names.
_NOT_NAMES = frozenset(
    {"enron", "ect", "hou", "na", "corp", "com", "net", "mailto", "imceanotes", "on", "at", "the", "am", "pm"}
)


class Moment(NamedTuple):
    """A date and time in a text.

    Attributes
    ----------
    start, stop : int
        The offsets in the text between which it is.
    readings : tuple of int
        Every way to read it, in seconds as if it were UTC, sorted; several if day and month may be swapped.
    """

    start: int
    stop: int
    readings: tuple[int, ...]


class Quoted(NamedTuple):
    """A quoted header.

    Attributes
    ----------
    sender : str
        The quoted sender: a name, an address or both.
    times : tuple of int
        The readings of the quoted time, as in `Moment`; empty if there is no time.
    subject : str
        The quoted subject; empty if there is none.
    first, stop : int
        The lines of the body that it takes up: from the first to the one before `stop`.
    """

    sender: str
    times: tuple[int, ...]
    subject: str
    first: int
    stop: int


def last_moment(text: str) -> Moment | None:
    """The last date and time in a text; None if there is none.

    Parameters
    ----------
    text : str
        Any text, such as a line of a quoted header.
    """
    for clock in reversed(list(_CLOCK.finditer(text))):
        floor = max(0, clock.start() - _MAX_DAY_LENGTH)
        days = [day for form in (_DAY_NUMBERS, _DAY_WORDS) for day in form.finditer(text, floor, clock.start())]
        day = max(days, key=lambda found: found.end(), default=None)
        if day is None or len(text[day.end() : clock.start()].strip(" ,at\t\n")) > 0:
            day = _DAY_NUMBERS.match(text, clock.end() + 1)  # "At 10:25 AM 3/31/2000"
        if day is None:
            continue
        hour, minute, half = int(clock[1]), int(clock[2]), (clock[3] or "").lower()
        if half:
            hour = hour % 12 + 12 * (half == "p")
        found = {_seconds(*date, hour, minute) for date in _days(day)}
        readings = tuple(sorted(reading for reading in found if reading is not None))
        if readings:
            return Moment(min(day.start(), clock.start()), max(day.end(), clock.end()), readings)
    return None


def _days(day: re.Match[str]) -> Iterator[tuple[int, int, int]]:
    """Every (year, month, day) that a date can mean; day and month may be swapped."""
    if day.re is _DAY_WORDS:
        number = day[1] or day[3]
        if number and day[2].lower() in _MONTHS:
            yield int(day[4]), _MONTHS.index(day[2].lower()) + 1, int(number)
        return
    first, second, third = int(day[1]), int(day[3]), int(day[4])
    if first > 99:
        yield first, second, third
        return
    year = third if third > 99 else third + (1900 if third > 50 else 2000)
    yield year, first, second
    yield year, second, first


def _seconds(year: int, month: int, day: int, hour: int, minute: int) -> int | None:
    try:
        return int(datetime.datetime(year, month, day, hour, minute, tzinfo=datetime.UTC).timestamp())
    except ValueError:
        return None  # not a day of the calendar: the other reading is meant


def quoted_headers(body: str) -> list[Quoted]:
    """Every quoted header of a body, at every depth of quoting, from the top.

    Parameters
    ----------
    body : str
        The body of a message.
    """
    lines = _lines(body)
    found: list[Quoted] = []
    floor = at = 0
    while at < len(lines):
        header = _attribution(lines, at, floor) or _block(lines, at, floor)
        if header:
            found.append(header)
        at = floor = header.stop if header else at + 1
        if header is None:
            floor = found[-1].stop if found else 0
    return found


def _lines(body: str) -> list[str]:
    """The lines of a body; a Notes header that lost its line breaks gets them back."""
    return _ONE_LINE.sub(lambda one: f"{one[1]}\n{_NEXT_FIELD.sub(chr(10), one[2])}", body).split("\n")


def _bare(line: str) -> str:
    return line.strip(_MARKS)


def _attribution(lines: Sequence[str], at: int, floor: int) -> Quoted | None:
    """``On <date>, <name> wrote:``, on up to three lines, or GroupWise's ``>>> <name> <date> >>>``."""
    line = _bare(lines[at])
    if _GROUPWISE.fullmatch(lines[at]):
        moment = last_moment(line)
        return Quoted(line[: moment.start], moment.readings, "", at, at + 1) if moment else None
    if not line.lower().endswith(("wrote:", "writes:")):
        return None
    text, first = line, at
    while (moment := last_moment(text)) is None and first > max(floor, at - 2) and _bare(lines[first - 1]):
        first -= 1
        text = f"{_bare(lines[first])} {text}"
    if moment is None:
        return Quoted(line, (), "", at, at + 1)
    return Quoted(text[: moment.start] + text[moment.stop :], moment.readings, "", first, at + 1)


def _block(lines: Sequence[str], at: int, floor: int) -> Quoted | None:
    """A block of fields that opens with From:, or with To: below a name and a date (Notes)."""
    opening = _FIELD.match(_bare(lines[at]))
    if opening is None or opening[1].lower() not in ("from", "to"):
        return None
    fields, stop = _fields(lines, at)
    subject = fields.get("subject", "")
    if "from" in fields:
        written = fields.get("sent") or fields.get("date")
        moment = last_moment(written if written is not None else fields["from"])
        if len(fields) < 3 and moment is None:
            return None
        sender = fields["from"] if written is not None or moment is None else fields["from"][: moment.start]
        return Quoted(sender, moment.readings if moment else (), subject, at, stop)
    above = _name_and_date(lines, at, floor) if len(fields) > 1 else None
    return Quoted(above[0], above[1].readings, subject, above[2], stop) if above else None


def _fields(lines: Sequence[str], at: int) -> tuple[dict[str, str], int]:
    """The fields of a block with their continuation lines, and the line after it."""
    fields: dict[str, str] = {}
    current, blanks, stop = "", 0, at
    for number in range(at, min(len(lines), at + _MAX_HEADER_LINES)):
        line = _bare(lines[number])
        field = _FIELD.match(line)
        name = field[1].lower() if field else ""
        if field and name not in fields and (current != "subject" or name in ("importance", "date")):
            fields[name] = field[2]
            current = name
        elif field or current == "importance":
            break
        elif not line:
            blanks += 1
            if blanks > (6 if current == "from" else 2) or current == "subject":
                break
            continue
        elif current == "subject":
            is_last = number + 1 == len(lines) or not _bare(lines[number + 1])
            if len(lines[stop - 1]) < _FULL_LINE or not is_last:
                break
            fields[current] += f" {line}"
        elif blanks and current != "from":
            break
        else:
            fields[current] += f" {line}"
        stop, blanks = number + 1, 0
    return fields, stop


def _name_and_date(lines: Sequence[str], at: int, floor: int) -> tuple[str, Moment, int] | None:
    """The sender and time that Notes writes above To:, and the number of their first line; both may be wrapped."""
    text = ""
    for number in range(at - 1, max(floor, at - _MAX_LINES_ABOVE) - 1, -1):
        line = _bare(lines[number])
        if _SEPARATOR.search(line) or _FIELD.match(line) or line.endswith("---"):
            return None
        if _ASIDE.match(line):
            # Below such a line is the date, or the rest of the line itself if it was wrapped.
            text = text if last_moment(text) else ""
            continue
        text = f"{line} {text}".strip()
        moment = last_moment(text)
        if moment is None:
            continue
        if not _ZONE.fullmatch(text, moment.stop):
            return None
        sender = re.sub(r"\s+on$", "", text[: moment.start].strip(), flags=re.IGNORECASE)
        if name_tokens(sender) and not sender.startswith("<") and sender.count('"') % 2 == 0:
            return sender, moment, number
    return None


def hide_quoted_headers(body: str) -> str:
    """The body without its quoted header lines, at every depth; the quoted text remains.

    Parameters
    ----------
    body : str
        The body of a message.
    """
    lines = _lines(body)
    hidden = {number for header in quoted_headers(body) for number in range(header.first, header.stop)}
    for number, line in enumerate(lines):
        if number in hidden:
            continue
        if _SEPARATOR.search(line):
            wrapped = number + 1 < len(lines) and _bare(lines[number + 1]).endswith("---")
            hidden.update((number, number + 1) if wrapped else (number,))
        elif _FIELD.match(_bare(line)):
            fields, stop = _fields(lines, number)
            if len(fields) > 1:  # a single one is a word and a colon in somebody's text
                hidden.update(range(number, stop))
    return "\n".join(line for number, line in enumerate(lines) if number not in hidden)


def name_tokens(text: str) -> set[str]:
    """The words of a name or an address, without domains, organisation units and the company.

    Parameters
    ----------
    text : str
        One or several names and addresses, in any case.
    """
    return set(re.findall(r"[^\W\d_]{2,}", re.sub(r"[@/]\S*", " ", text.lower()))) - _NOT_NAMES


def conversation(subject: str) -> str:
    """The subject without reply and forward marks.

    Parameters
    ----------
    subject : str
        The decoded Subject header.
    """
    return " ".join(_SUBJECT_MARKS.sub("", subject, count=1).lower().split())
