"""The dates of message headers (RFC 5322, section 3.3)."""

from __future__ import annotations

import datetime
import email.utils
import re

_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
# RFC 5322 as nearly every program writes it; anything else goes to email.utils.
_DATE = re.compile(
    r"(?:[A-Za-z]{3}, +)?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)(?: \([^()]*\))?"
)


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
    standard = _DATE.fullmatch(value)
    try:
        if standard is None:
            date = email.utils.parsedate_to_datetime(value)
        else:
            day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = standard.groups()
            offset = datetime.timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
            date = datetime.datetime(
                int(year),
                _MONTHS[month.lower()],
                int(day),
                int(hour),
                int(minute),
                int(second),
                tzinfo=datetime.timezone(-offset if sign == "-" else offset),
            )
        if date.tzinfo is None:  # RFC 5322, 3.3: -0000 gives UTC and says nothing of the zone
            date = date.replace(tzinfo=datetime.UTC)
        date.astimezone(datetime.UTC)  # fails where the instant has no year in UTC
    except (ValueError, KeyError, TypeError, IndexError, OverflowError):
        return None
    return date
