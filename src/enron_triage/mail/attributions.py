"""Attribution lines such as ``On DATE, NAME wrote:``, in the forms and languages that mail programs write.

Rather than a pattern for each, it is the parts that are read: a day and a time, an address, a word that says "wrote",
the colon at the end, and whether quoted lines follow. The order of the parts depends on the language.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from enron_triage.mail.client_words import AROUND, QUOTING, WROTE
from enron_triage.mail.wall_clock import WEEKDAYS, Moment, find_moment, folded, visible

MARKS = " \t>*|"
_MAX_LINES = 4  # programs wrap attributions at 72 characters or so
_MAX_LENGTH = 400  # characters of an attribution
_MAX_LENGTH_WITHOUT_DATE = 120
_WROTE = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, WROTE))})(?!\w)", re.IGNORECASE)
# Between these scripts and the words before them there is no space.
_WROTE_UNSPACED = re.compile("|".join(re.escape(word) for word in WROTE if ord(word[-1]) >= 0xE00))
_QUOTING = re.compile(rf"(?:{QUOTING})[ ,]{{1,3}}(?=\S)", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s<>()\[\]@:,;\"]{1,64}@[\w-]{1,63}\.[\w.-]{1,255}")
_ZONE = re.compile(r"[(]?(?:[+-]\d\d:?\d\d|(?:GMT|UTC)?[+-]\d{1,2}(?::?\d\d)?|[A-Z]{2,4}T|UTC|GMT|Z)[)]?[,:]?")
_RULE = re.compile("-----|=====|_____|[*]{5}")  # of a line that separates, and no attribution
_LETTER = re.compile(r"[^\W\d_]")
_MAX_SENDER = 300
# "You wrote": whoever is written to.
_YOU = frozenset("you sie du ihr vous tu usted ustedes tú você voi lei jij u ni dig вы ты".split())


class Attribution(NamedTuple):
    """What an attribution says.

    Attributes
    ----------
    sender : str
        A name, an address or both.
    times : tuple of int
        The possible times as `QuotedHeader` has them.
    lines : int
        How many lines above the one that ends in the colon belong to it.
    days : tuple of int
        The possible days, where there is no time of day.
    """

    sender: str
    times: tuple[int, ...]
    lines: int
    days: tuple[int, ...] = ()


def is_between_marks(line: str) -> bool:
    """Whether a line is an attribution of GroupWise: ``>>> NAME DATE >>>``.

    Parameters
    ----------
    line : str
        A line of a body.
    """
    line = line.strip()
    return len(line) > 10 and line.startswith(">>> ") and line.endswith(" >>>")


def quote_depth(line: str) -> int:
    r"""How many marks of quotation a line begins with; mbox's ``>From`` is none.

    Parameters
    ----------
    line : str
        A line of a body.

    Examples
    --------
    >>> quote_depth("> > Yes."), quote_depth(">From here on")
    (2, 0)
    """
    rest = line.lstrip(" \t")
    if not rest.startswith(">") or rest.startswith(">From ") or is_between_marks(rest):
        return 0
    return rest[: len(rest) - len(rest.lstrip(" \t>"))].count(">")


def read_attribution(line: str, above: list[str], below: str) -> Attribution | None:
    """Read the attribution that ends with a line.

    Parameters
    ----------
    line : str
        The line, which ends in a colon, or stands between hyphens.
    above : list of str
        The lines above it, the nearest first; three are enough.
    below : str
        The first line below it that is not blank; empty if there is none.

    Returns
    -------
    Attribution or None
        None if it is none.
    """
    text = _bare(line)
    if not text or len(text) > _MAX_LENGTH or _RULE.search(text) is not None:
        return None
    depth = quote_depth(line)
    is_followed = quote_depth(below) > depth
    moment = find_moment(text)
    used = 0
    while moment is None and used < min(len(above), _MAX_LINES - 1):
        longer = _extended(text, above[used], depth)
        if longer is None:
            break
        text, used = longer, used + 1
        moment = find_moment(text)
    if moment is None:
        return _without_date(_bare(line), is_followed)
    while used < min(len(above), _MAX_LINES - 1) and not _opens(text, moment):
        longer = _extended(text, above[used], depth)
        again = find_moment(longer) if longer else None
        if longer is None or again is None or not _opens(longer, again):
            break
        text, used, moment = longer, used + 1, again
    return _with_date(text, moment, is_followed or is_between_marks(line), used)


def _bare(line: str) -> str:
    """A line without marks, and between hyphens without these."""
    text = visible(line).strip(MARKS + "\r")
    if text.startswith("--"):
        text = text.strip("- ")
    return text.rstrip(":\uff1a ")


def _extended(text: str, above: str, depth: int) -> str | None:
    """The text with the line above put before it; None if that cannot belong to it."""
    before = visible(above).strip(MARKS + "\r")
    if not before or before.endswith(":") or len(before) + len(text) > _MAX_LENGTH or _RULE.search(before):
        return None
    if quote_depth(above) != depth:
        return None
    return f"{before} {text}"


def _opens(text: str, moment: Moment) -> bool:
    """Whether nothing but words of an attribution stand before the date, or sender and verb do."""
    before = text[: moment.start]
    tokens = before.split()
    if len(tokens) <= 6 and all(
        folded(token) in AROUND or folded(token) in WEEKDAYS for token in tokens if folded(token)
    ):
        return bool(tokens) or moment.start == 0
    return _says_wrote(before) or (_ADDRESS.search(before) is not None and not before.startswith("<"))


def _says_wrote(text: str) -> bool:
    return _WROTE.search(text) is not None or (not text.isascii() and _WROTE_UNSPACED.search(text) is not None)


def _with_date(text: str, moment: Moment, is_followed: bool, used: int) -> Attribution | None:
    says_wrote = _says_wrote(text)
    is_addressed = bool(moment.times) and _ADDRESS.search(text) is not None
    if not (_opens(text, moment) and (says_wrote or is_addressed or is_followed)) and not (is_followed and says_wrote):
        return None
    before, after = text[: moment.start], text[moment.end :]
    is_before = (_ADDRESS.search(before) or _says_wrote(before)) and not _ADDRESS.search(after)
    senders = [_sender(before), _sender(after)] if is_before else [_sender(after), _sender(before)]
    sender = next(filter(None, senders), "")
    if sender.casefold() in _YOU:
        return Attribution("", moment.times, used) if moment.times else None
    return Attribution(sender, moment.times, used, moment.days) if sender else None


def _without_date(text: str, is_followed: bool) -> Attribution | None:
    """``NAME wrote:`` above quoted lines."""
    if not is_followed or len(text) > _MAX_LENGTH_WITHOUT_DATE:
        return None
    quoting = _QUOTING.match(text)
    if quoting is not None:
        sender = _sender(text[quoting.end() :])
        return Attribution(sender, (), 0) if sender else None
    ends = [match.end() for match in _WROTE.finditer(text)] or [match.end() for match in _WROTE_UNSPACED.finditer(text)]
    if not ends or ends[-1] != len(text):
        return None
    sender = _sender(text)
    return Attribution(sender, (), 0) if sender else None


def _sender(text: str) -> str:
    """Who stands in a part of an attribution: without the words around, from both sides."""
    text = _WROTE_UNSPACED.sub(" ", text) if not text.isascii() else text
    tokens = text.split()
    while tokens and _is_around(tokens[0]):
        tokens.pop(0)
    while tokens and _is_around(tokens[-1]):
        tokens.pop()
    sender = " ".join(tokens).strip(" ,;:").removesuffix(" (").strip()
    return sender[:_MAX_SENDER] if _LETTER.search(sender) else ""


def _is_around(token: str) -> bool:
    word = folded(token)
    if not word or word in AROUND or word in WEEKDAYS or _WROTE.fullmatch(word) or word in ("(a)", "a"):
        return True
    return _ZONE.fullmatch(token) is not None
