"""The dates in message headers (RFC 5322, section 3.3), and other forms that occur."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterable

from enron_triage.mail.encoded_words import decode_words
from enron_triage.mail.wall_clock import months_named
from enron_triage.mail.zones import zone_offset

_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
# RFC 5322 as nearly every program writes it; anything else goes to `_FORMS`.
_DATE = re.compile(
    r"(?:[A-Za-z]{3}, +)?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)(?: \([^()]*\))?"
)
_TIME = (
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{1,2})(?:[:.](?P<second>\d{1,2})(?:[.,]\d+)?)?(?:\s*(?P<half>[ap])\.?m\b\.?)?"
)
_ZONE = r"\s*(?P<zone>.*)"
_YEAR = r"(?P<year>\d{2,4})"
_MONTH = r"(?P<month>[^\W\d_]{3,12}|1?\d(?:月|월)?(?=[\s-]))\.?"
_DAY = r"(?<!\d)(?P<day>\d{1,2})"
_AT = r",?\s+(?:at\s+|um\s+|a\s+)?"
_FORMS = [
    re.compile(form, re.IGNORECASE | re.DOTALL)
    for form in (
        _DAY + rf"[.\s-]{{1,3}}(?:de\s+)?{_MONTH}[\s,-]{{1,3}}(?:de\s+)?{_YEAR}{_AT}{_TIME}{_ZONE}",
        rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}){_AT}{_TIME}{_ZONE}",
        # As C's ctime writes it.
        rf"\b{_MONTH}\s+(?P<day>\d{{1,2}}),?\s+{_TIME}\s+(?P<zone>(?:.*?\s)?)(?P<year>\d{{4}})\b(?!:)(?P<rest>.*)",
        _DAY + rf"\s+{_MONTH}\s+{_TIME}\s+(?P<year>\d{{4}})\b{_ZONE}",
        # ISO 8601, in its long form and its short one.
        rf"(?<!\d)(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?:T|,?\s+){_TIME}{_ZONE}",
        r"(?<!\d)(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)T(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?P<half>)"
        + _ZONE,
        _DAY + rf"\.(?P<month>\d{{1,2}})\.(?P<year>\d{{4}}){_AT}{_TIME}{_ZONE}",
    )
]
_COMMENT = re.compile(r"\([^()]*\)")
_MAX_HOPS = 100  # Received headers; RFC 5321, 6.3: so many are a loop
_MAX_PARTS = 4  # of a Received header, from its end
_MAX_LENGTH = 300  # characters; the longest that programs write have a hundred


def parse_date(value: str) -> datetime.datetime | None:
    """Parse a Date header.

    Parameters
    ----------
    value : str
        The unfolded value of the header; empty if it is missing.

    Returns
    -------
    datetime or None
        The time with its offset, UTC where the header gives none; None if the header is missing or unusable.

    Examples
    --------
    >>> parse_date("Mon, 14 May 2001 16:39:00 -0700 (PDT)").isoformat()
    '2001-05-14T16:39:00-07:00'
    >>> parse_date("yesterday") is None
    True
    """
    return _parse(value)[0]


def date_of_message(value: str, received: str) -> datetime.datetime | None:
    r"""The moment when a message was sent, or the best substitute that its headers have.

    Parameters
    ----------
    value : str
        The unfolded value of its Date header; empty if it is missing.
    received : str
        The values of its Received headers, joined by ``\n``; the last host wrote the first.

    Returns
    -------
    datetime or None
        The time of the Date header; where that is unusable or in a zone that nobody knows, the time at which the last
        host that says so received the message; else that of the Date header as if it were UTC; None without any.

    References
    ----------
    RFC 5321, section 4.4 (Received); RFC 5322, section 4.3 (unknown zones).

    Examples
    --------
    >>> date_of_message("", "from a by b; Mon, 14 May 2001 16:39:00 +0200").isoformat()
    '2001-05-14T16:39:00+02:00'
    """
    date, zone_is_known = _parse(value)
    if date is not None and zone_is_known:
        return date
    return _first(received.split("\n", _MAX_HOPS)[:_MAX_HOPS]) or date


def _first(received: Iterable[str]) -> datetime.datetime | None:
    # The date is behind the last semicolon, unless a comment follows that has some.
    dates = (_parse(part[:_MAX_LENGTH]) for hop in received for part in reversed(hop.split(";")[1:][-_MAX_PARTS:]))
    return next((date for date, zone_is_known in dates if date is not None and zone_is_known), None)


def _parse(value: str) -> tuple[datetime.datetime | None, bool]:
    """The time that a header gives, and whether its zone is known (else it is taken for UTC)."""
    standard = _DATE.fullmatch(value)
    try:
        if standard is None:
            return _parse_other(value)
        day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = standard.groups()
        if second == "60" or month.lower() not in _MONTHS:
            return _parse_other(value)
        date = datetime.datetime(
            int(year),
            _MONTHS[month.lower()],
            int(day),
            int(hour),
            int(minute),
            int(second),
            tzinfo=_zone(sign, zone_hours, zone_minutes),
        )
        if not datetime.MINYEAR < date.year < datetime.MAXYEAR:
            date.astimezone(datetime.UTC)  # fails where the instant has no year in UTC
        return date, True
    except (ValueError, KeyError, OverflowError):
        return None, False


@functools.lru_cache(maxsize=1000)
def _zone(sign: str, hours: str, minutes: str) -> datetime.timezone:
    offset = datetime.timedelta(hours=int(hours), minutes=int(minutes))
    return datetime.timezone(-offset if sign == "-" else offset)


def _parse_other(value: str) -> tuple[datetime.datetime | None, bool]:
    """Parse a date in one of the other forms; raises what `_parse` catches."""
    text = decode_words(value[:_MAX_LENGTH]).replace("\N{MINUS SIGN}", "-")
    bare = text
    while (shorter := _COMMENT.sub(" ", bare)) != bare:
        bare = shorter
    found = next(filter(None, (form.search(" ".join(bare.split())) for form in _FORMS)), None)
    if found is None:
        return None, False
    parts = found.groupdict()
    hour, second = int(parts["hour"]), int(parts["second"] or 0)
    if parts["half"] and hour <= 12:
        hour = hour % 12 + 12 * (parts["half"].lower() == "p")
    zone = f"{parts['zone']} {parts.get('rest') or ''}".strip()
    comments = " ".join(_COMMENT.findall(text))
    minutes = zone_offset(zone) if zone else None
    if minutes is None and (comments or not zone):
        minutes = zone_offset(comments)
    if minutes is None and any(sign in zone for sign in "+-"):
        return None, False  # a number that is the offset of no zone
    date = datetime.datetime(
        _year(parts["year"]),
        _month(parts["month"]),
        int(parts["day"]),
        hour,
        int(parts["minute"]),
        min(second, 59),  # `datetime` knows no leap seconds
        tzinfo=datetime.timezone(datetime.timedelta(minutes=minutes or 0)),
    )
    date += datetime.timedelta(seconds=second == 60)
    date.astimezone(datetime.UTC)  # as above
    return date, minutes is not None


def _year(digits: str) -> int:
    """The year; of those with two or three digits as RFC 5322, section 4.3, and `email.utils` have it."""
    year = int(digits)
    if len(digits) == 2:
        return year + (1900 if year > 68 else 2000)
    return year + 1900 if len(digits) == 3 else year


def _month(name: str) -> int:
    digits = name.rstrip("月월")
    if digits.isdigit():
        return int(digits)
    months = months_named(name)
    return months[0] if len(months) == 1 else _MONTHS[name[:3].lower()]
