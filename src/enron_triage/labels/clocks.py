"""Response times when the clocks of a mailbox's received and sent mail differ by hours.

A reply that quotes the time of its original shows what the original's Date header was by the reader's own clock. What
the reply's own Date header was by that clock is shown in two ways: a program that notes when it passed a message on
(``Forwarded by <name> on <time>``) states the time of a sent message twice; and replies that all seem to precede their
originals prove that these were dated ahead. Where neither is so, both headers are taken as they are.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from enron_triage.labels.mailbox import timestamp_of
from enron_triage.mail.header_fields import NUMERIC_DATE, fields_of, lines_from
from enron_triage.mail.notes_headers import FORWARDED_BY_LINE
from enron_triage.mail.quotations import answered_header
from enron_triage.mail.quotes import QuotedHeader, quoted_header
from enron_triage.mail.wall_clock import wall_clock
from enron_triage.records import Email

_HOUR, _QUARTER = 3600, 900
_MAX_SKEW = 900  # seconds by which the clocks of two computers may differ, where the hours are right
_MAX_DELIVERY = 3000  # seconds by which a message is dated late: some lists date mail when they pass it on
_MAX_MINUTES = 120  # seconds: quoted times are cut to the minute, and clocks differ
_MAX_HOURS = 14  # time zones reach from UTC-12 to UTC+14
_FEWEST, _SHARE, _LEFT = 3, 0.1, 0.02  # of replies before their originals: so many prove hours; so many may be left
_NEAREST, _AGREEING, _NEAR = 5, 3, 30 * 86400  # statements that are asked, those that must agree, seconds to them
_MAX_LINE = 300  # characters of a line that says by whom and when a message was passed on


class Reply(msgspec.Struct, frozen=True):
    """A reply and what it answers.

    Attributes
    ----------
    sent, original : Email
        The reply, and the received message.
    is_proven : bool
        Whether threading headers prove the link: the reply came after its original for sure.
    """

    sent: Email
    original: Email
    is_proven: bool


class _Quote(msgspec.Struct, frozen=True):
    """The time of the original as the reply quotes it, and what it shows of the original's Date header."""

    time: int  # in seconds as if the wall clock were UTC
    ahead: int  # seconds by which the header is ahead of it: a multiple of a quarter of an hour
    is_numeric: bool  # whether it stands in figures beside a name, as where programs note when a message is passed on


def reply_times(replies: Sequence[Reply], sent: Sequence[Email]) -> list[int | None]:
    """How many seconds each reply took, corrected where the hours of a clock are proven to be wrong.

    Parameters
    ----------
    replies : sequence of Reply
        The linked replies of a mailbox; all messages are dated.
    sent : sequence of Email
        What the owner sent: some may state their own time.

    Returns
    -------
    list of int or None
        None where a reply still seems to come long before its original: a clock was wrong, and nobody knows by how
        much. A reply that precedes its original by less took 0 seconds.
    """
    quotes = [_quote(reply) for reply in replies]
    stated, ahead = _StatedTimes(sent), _proven_ahead(replies, quotes)
    return [_reply_time(reply, quote, stated, ahead) for reply, quote in zip(replies, quotes, strict=True)]


def _reply_time(reply: Reply, quote: _Quote | None, stated: _StatedTimes, ahead: dict[int, int]) -> int | None:
    difference = _difference(reply)
    if quote is not None:
        hours = stated.hours_near(reply.sent, anywhere=difference < -_MAX_SKEW) if quote.is_numeric else None
        if hours is None:
            difference += ahead.get(quote.ahead, 0)
        elif hours * _HOUR != quote.ahead:
            difference = timestamp_of(reply.sent) - hours * _HOUR - quote.time
    return None if difference < -_MAX_DELIVERY and not reply.is_proven else max(difference, 0)


def _difference(reply: Reply) -> int:
    return timestamp_of(reply.sent) - timestamp_of(reply.original)


def _quote(reply: Reply) -> _Quote | None:
    """What a reply quotes of its original's time; None if it quotes none, or not the minute of its Date header."""
    header = answered_header(reply.sent.body)
    if header is None:
        return None
    arrival = timestamp_of(reply.original)
    for time in sorted(header.times, key=lambda time: abs(arrival - time)):
        quarters, rest = divmod(arrival - time + _QUARTER // 2, _QUARTER)
        if abs(rest - _QUARTER // 2) <= _MAX_MINUTES and abs(quarters) * _QUARTER <= _MAX_HOURS * _HOUR:
            return _Quote(time, quarters * _QUARTER, _is_numeric(reply.sent.body, header))
    return None


def _is_numeric(body: str, header: QuotedHeader) -> bool:
    lines = lines_from(body, header.start)
    return "date" not in fields_of(lines) and NUMERIC_DATE.search("\n".join(lines[:4])) is not None


def _proven_ahead(replies: Sequence[Reply], quotes: Sequence[_Quote | None]) -> dict[int, int]:
    """By how many seconds originals were dated ahead of their replies, by what the quotes show of their headers.

    Replies that travel, or that another program wrote, quote another clock; yet none of them precedes its original. Of
    those whose originals' headers agree, some do where these are ahead: whole hours, until hardly one still does.
    """
    differences: dict[int, list[int]] = defaultdict(list)
    for reply, quote in zip(replies, quotes, strict=True):
        if quote is not None:
            differences[quote.ahead].append(_difference(reply))
    proven = {}
    for ahead, values in differences.items():
        early = sorted(value for value in values if value < -_MAX_SKEW)
        if len(early) >= max(_FEWEST, _SHARE * len(values)):
            may_be_left = int(_LEFT * len(values))
            proven[ahead] = math.ceil((-early[may_be_left] - _MAX_SKEW) / _HOUR) * _HOUR
    return proven


class _StatedTimes:
    """By how many hours Date headers of the sent mail are ahead of what the program says in the text.

    Parameters
    ----------
    sent : sequence of Email
        Sent mail, dated.
    """

    def __init__(self, sent: Sequence[Email]) -> None:
        self._stated: dict[str | None, list[tuple[int, int]]] = defaultdict(list)  # by folder, and of all: time, hours
        for email in sent:
            hours = _stated_hours(email)
            if hours is not None:
                for folder in (email.folder, None):
                    self._stated[folder].append((timestamp_of(email), hours))
        for stated in self._stated.values():
            stated.sort()

    def hours_near(self, email: Email, *, anywhere: bool) -> int | None:
        """What most of the statements nearest to a sent message say; None if they are too few or disagree.

        Folders may hold mail that went through other programs: those of its own folder are asked, and of any folder,
        which must all agree, only where it has none and nothing else is known.
        """
        folder = email.folder if email.folder in self._stated or not anywhere else None
        stated, moment = self._stated.get(folder, []), timestamp_of(email)
        middle = bisect_left(stated, (moment, 0))
        around = stated[max(middle - _NEAREST, 0) : middle + _NEAREST]
        nearest = sorted(around, key=lambda item: abs(item[0] - moment))[:_NEAREST]
        counts = Counter(hours for time, hours in nearest if abs(time - moment) <= _NEAR)
        hours, count = max(counts.items(), key=lambda item: item[1], default=(0, 0))
        return hours if count >= _AGREEING and (folder is not None or len(counts) == 1) else None


def _stated_hours(email: Email) -> int | None:
    """Whole hours from the time that a message states to that of its Date header.

    It is sent a while after that, or by a computer whose clock is slow.
    """
    line = FORWARDED_BY_LINE.search(email.body)
    if line is None:
        return None
    header = quoted_header(email.body)
    date = NUMERIC_DATE.search(email.body, line.end(), line.end() + _MAX_LINE)
    if header is None or date is None or not line.start() < date.start() <= header.start:
        return None
    hours = [(timestamp_of(email) - time + _MAX_SKEW) // _HOUR for time in wall_clock(date[0])]
    return min((value for value in hours if abs(value) <= _MAX_HOURS), key=abs, default=None)
