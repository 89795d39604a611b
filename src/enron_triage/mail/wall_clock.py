"""Dates and times as mail programs write them into what they quote, in people's languages.

The names of months are those of CLDR. What is read is the wall clock where the answer was written: a zone is ignored.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from typing import NamedTuple

from enron_triage.mail.calendar_words import MONTH_WORDS, WEEKDAY_WORDS
from enron_triage.mail.letters import without_case

# CLDR up to release 46, as programs still write them.
_FINNISH = "tammik helmik maalisk huhtik toukok kesäk heinäk elok syysk lokak marrask jouluk".split()


def _months() -> dict[str, tuple[int, ...]]:
    months: dict[str, tuple[int, ...]] = {}
    for number, words in enumerate(MONTH_WORDS, 1):
        for word in without_case(words).split():
            months[word] = (*months.get(word, ()), number)
    for number, word in enumerate(_FINNISH, 1):
        months[word] = (number,)
    return months | {"mrz": (3,), "sept": (9,), "set": (9,), "фев": (2,), "сен": (9,), "ноя": (11,)}


def _plain(word: str) -> str:
    """A word without accents, which some programs leave out."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign))


_MONTHS = _months()
_PLAIN_MONTHS = {_plain(name): numbers for name, numbers in _MONTHS.items() if len(numbers) == 1}
WEEKDAYS = frozenset(word for words in WEEKDAY_WORDS for word in without_case(words).split())
# Not part of a text, but of how it is shown: marks of direction, the byte order mark. Spaces of several widths are one.
_UNSEEN = dict.fromkeys(map(ord, "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"))
_SHOWN = _UNSEEN | dict.fromkeys(map(ord, "\u00a0\u2007\u2009\u202f\u3000"), " ")

_NAME = r"[^\s\d,:;<>()/]{1,20}"
_YEAR = r"(?P<y>\d{4})(?!\d)"
_OF = r"(?:de |of |d['\u2019])?"
_WORDED = (
    re.compile(  # 14 May 2001, 14-May-2001, 14. mai 2001, 14 de mayo de 2001
        rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|[.\u00ba\u00aa])?[ /-]{{1,3}}{_OF}(?P<n>{_NAME})"
        rf"[ ,./-]{{1,3}}(?:de |del )?{_YEAR}"
    ),
    # May 14, 2001; May 14th, 2001
    re.compile(rf"(?P<n>{_NAME})\s{{1,3}}(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? {{1,2}}{_YEAR}"),
    # 2001. május 14., 2001 m. gegužės 14
    re.compile(
        rf"(?<!\d){_YEAR}(?:\.| ?[mgгр]\.| ?\. ?[gгр]\.)?,?[ ]{{1,2}}(?P<n>{_NAME})[ ]{{1,2}}(?P<d>\d{{1,2}})(?!\d)"
    ),
    # 2001. gada 14. maijs
    re.compile(rf"(?<!\d){_YEAR}\. ?(?:g\.|gada)[ ]{{1,2}}(?P<d>\d{{1,2}})\.? (?P<n>{_NAME})"),
)
_YEAR_FIRST = re.compile(
    rf"(?<!\d){_YEAR} ?[-./\u5e74\ub144] ?(?P<m>\d{{1,2}}) ?[-./\u6708\uc6d4] ?(?P<d>\d{{1,2}})(?!\d)[\u65e5\uc77c]?"
)
_VIETNAMESE = re.compile(rf"(?<!\d)(?P<d>\d{{1,2}}),? (?:thg|tháng) (?P<m>\d{{1,2}}),? (?:năm )?{_YEAR}")
_DAY_FIRST = re.compile(r"(?<!\d)(?P<d>\d{1,2})\. ?(?P<m>\d{1,2})\. ?(?P<y>\d{4}|\d\d)(?!\d)")
_EITHER_ORDER = re.compile(r"(?<!\d)(?P<a>\d{1,2})([/-])(?P<b>\d{1,2})\2(?P<y>\d{4}|\d\d)(?!\d)")
_DIGIT = re.compile(r"\d")
_FOUR_DIGITS = re.compile(r"\d{4}")
_BEFORE_NOON = "上午|午前|오전|de\\.|πμ"
_AFTER_NOON = "下午|午後|오후|du\\.|μμ"
_CLOCK = re.compile(
    rf"(?<![\d.:])(?:(?P<am>{_BEFORE_NOON})|(?P<pm>{_AFTER_NOON}))? ?(?P<h>\d{{1,2}})"
    r"(?:[:.hH]|時|시 ?|點|点)(?P<min>\d\d)(?!\d)(?:[:.]\d\d(?!\d))?"
    r"(?:\s{0,3}(?:(?P<a>(?:[Aa]\. ?[Mm]|[Aa][Mm]|π\.? ?μ|ص|SA|PG)\b\.?)"
    r"|(?P<p>(?:[Pp]\. ?[Mm]|[Pp][Mm]|μ\.? ?μ|م|CH|PTG)\b\.?)))?"
)
_MAX_GAP = 60  # characters between a day and its time: "Wednesday, September 12, 2001 at"
_MAX_GAP_BEFORE = 30  # characters between a time and the day behind it


class Moment(NamedTuple):
    """A day in a text, with its time if there is one.

    Attributes
    ----------
    times : tuple of int
        The possible readings, in seconds since 1970 as if the wall clock were UTC; none without a time of day.
    start, end : int
        The offsets in the text between which day and time are.
    days : tuple of int
        The possible days, as the times of their midnights, where there is no time of day.
    """

    times: tuple[int, ...]
    start: int
    end: int
    days: tuple[int, ...] = ()


def visible(text: str) -> str:
    r"""A text without marks of direction, and with spaces of every width as spaces.

    Parameters
    ----------
    text : str
        A line or two.

    Examples
    --------
    >>> visible("9:03\u202fAM")
    '9:03 AM'
    """
    return text if text.isascii() else text.translate(_SHOWN)


def folded(word: str) -> str:
    """A word as words are compared: without case, and without stops around it.

    Parameters
    ----------
    word : str
        A word, as it stands in a text.

    Examples
    --------
    >>> folded("Nov.")
    'nov'
    """
    return without_case(word).strip(".,;()-\u060c")


def months_named(word: str) -> tuple[int, ...]:
    """The numbers of the months that a word names in any language.

    Parameters
    ----------
    word : str
        A word, as it stands in a text.

    Returns
    -------
    tuple of int
        Two where it names one month here and another there; none where it names no month.

    Examples
    --------
    >>> months_named("Sept."), months_named("listopad"), months_named("Monday")
    ((9,), (10, 11), ())
    """
    name = folded(word)
    # Hebrew: "in November" is one word.
    for known, key in ((_MONTHS, name), (_MONTHS, name.removeprefix("ב")), (_PLAIN_MONTHS, _plain(name))):
        if key in known:
            return known[key]
    return ()


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
        swapped, or where the name of a month means two in different languages.

    Examples
    --------
    >>> wall_clock("Sent: Wednesday, September 12, 2001 11:07 AM")
    (1000292820,)
    >>> wall_clock("Gesendet: Mittwoch, 12. September 2001 11:07")
    (1000292820,)
    >>> len(wall_clock("03/04/2000 10:25 AM"))  # 4 March or 3 April
    2
    """
    moment = find_moment(visible(text))
    return moment.times if moment else ()


def find_moment(text: str) -> Moment | None:
    """Find the first day in a text, of those in words before those in digits, and the time that belongs to it.

    Parameters
    ----------
    text : str
        A line or two, as `visible` returns them.

    Returns
    -------
    Moment or None
        None if there is no day.
    """
    found = _find_day(text)
    if found is None:
        return None
    days, start, end = found
    clock = _CLOCK.search(text, end, end + _MAX_GAP)
    if clock is None:
        before = list(_CLOCK.finditer(text, max(0, start - _MAX_GAP_BEFORE), start))
        clock = before[-1] if before else None
    if clock is None:
        return Moment((), start, end, _seconds(days, 0, 0))
    hour, minute = int(clock["h"]), int(clock["min"])
    if clock["am"] or clock["a"]:
        hour %= 12
    elif clock["pm"] or clock["p"]:
        hour = hour % 12 + 12
    return Moment(_seconds(days, hour, minute), min(start, clock.start()), max(end, clock.end()))


def _find_day(text: str) -> tuple[list[tuple[int, int, int]], int, int] | None:
    """The possible days (year, month, day) and where they stand."""
    if _DIGIT.search(text) is None:
        return None
    for pattern in _WORDED if _FOUR_DIGITS.search(text) is not None else ():
        for match in pattern.finditer(text):
            months = months_named(match["n"])
            if months:
                days = [(_full_year(match["y"]), month, int(match["d"])) for month in months]
                return days, match.start(), match.end()
    for pattern in (_YEAR_FIRST, _VIETNAMESE, _DAY_FIRST):
        found = pattern.search(text)
        if found is not None:
            return [(_full_year(found["y"]), int(found["m"]), int(found["d"]))], found.start(), found.end()
    found = _EITHER_ORDER.search(text)
    if found is None:
        return None
    year, a, b = _full_year(found["y"]), int(found["a"]), int(found["b"])
    days = [(year, a, b)] if a == b else [(year, a, b), (year, b, a)]
    return days, found.start(), found.end()


def _full_year(digits: str) -> int:
    year = int(digits)
    if year >= 100:
        return year - 543 if 2540 <= year < 2700 else year  # Thai programs count from the Buddha's death
    return year + (1900 if year >= 70 else 2000)  # nearly as POSIX strptime %y


def _seconds(days: list[tuple[int, int, int]], hour: int, minute: int) -> tuple[int, ...]:
    times = []
    for year, month, day in days:
        try:
            time = datetime.datetime(year, month, day, hour, minute, tzinfo=datetime.UTC)
        except ValueError:
            continue
        times.append(int(time.timestamp()))
    return tuple(times)
