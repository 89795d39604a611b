r"""From a calendar entry to what it says (RFC 5545).

The library ``icalendar`` refuses a whole entry for one damaged line; here each line is read by itself.
"""

from __future__ import annotations

import re

_FOLD = re.compile(r"\n[ \t]")
_PROPERTY = re.compile(r"(SUMMARY|DTSTART|DTEND|LOCATION|DESCRIPTION|COMMENT)\b(?:;[^:\n]{0,500})?:(.*)", re.IGNORECASE)
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?")
_ESCAPED = re.compile(r"\\(.)")
_IN = ("BEGIN:VEVENT", "BEGIN:VTODO", "BEGIN:VJOURNAL", "END:VALARM")
_OUT = ("BEGIN:VALARM", "END:VEVENT", "END:VTODO", "END:VJOURNAL")


def calendar_to_text(entry: str) -> str:
    r"""Reduce a calendar entry to what a person reads in it.

    Parameters
    ----------
    entry : str
        The lines of an iCalendar object; they end in ``\n``.

    Returns
    -------
    str
        The summary, times, place and description of each event, each on a line of its own.

    Examples
    --------
    >>> calendar_to_text("BEGIN:VEVENT\nSUMMARY:Lunch\\, at last\nDTSTART:20230911T123000\nEND:VEVENT\n")
    'Lunch, at last\n2023-09-11 12:30\n'
    """
    lines = []
    inside = False
    for line in _FOLD.sub("", entry).split("\n"):
        start = line.strip().upper()
        inside = start in _IN or (inside and start not in _OUT)
        found = _PROPERTY.match(line) if inside else None
        if found:
            lines.append(_read(found[1].upper(), found[2].strip()))
    return "".join(f"{line}\n" for line in lines if line)


def _read(name: str, value: str) -> str:
    if name.startswith("DT"):
        time = _TIME.match(value)
        if time is None:
            return ""
        day = f"{time[1]}-{time[2]}-{time[3]}"
        return f"{day} {time[4]}:{time[5]}{' UTC' if time[6] else ''}" if time[4] else day
    return _ESCAPED.sub(lambda escaped: "\n" if escaped[1] in "nN" else escaped[1], value).strip()
