"""What a response says about its original, in a form for comparison with received messages: names, times, text."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterable, Iterator, Sequence

from enron_triage.mail.quotations import quotations
from enron_triage.mail.quotes import is_header_line
from enron_triage.records import Email

_QUARTER = 900  # seconds: all zones are that many times a whole number from UTC
_MAX_TIME_DIFFERENCE = 120  # seconds: quoted times are cut to the minute, and clocks differ
# Seconds from UTC of the zones that are not whole hours off it (IANA's time zone database).
_ODD_ZONES = tuple(60 * minutes for minutes in (-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825))
# Letters and digits. The longer a snippet, the surer it is the text of one message; a shorter one occurs by chance.
SNIPPET_LENGTHS = (60, 48, 36, 24, 12)
_MIN_SNIPPET_WEIGHT = 12  # a letter of these scripts tells as much as two of an alphabet's:
_DENSE = re.compile(r"[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_MAX_BODY_LENGTH = 90_000  # characters of a body in which quoted text is looked for
MAX_OWN_TEXT = 20_000  # characters of a body in which its own text is told from what it quotes
VIA_LIST = "via list"  # no word of a name
# Words that occur in nearly every quoted sender, and are not names.
_NOT_NAMES = frozenset(
    {"com", "net", "org", "www", "mailto", "from", "the", "and", "via", "enron", "ect", "hou", "corp", "na"}
)
_ORGANISATION = re.compile(r"[/@][^\s<>]*")  # the units of a Notes name, the domain of an address
_NAME = re.compile(r"[^\W\d_]{2,}")
_ADDRESS = re.compile(r"[^\s<>\"'()\[\]:;,]{1,64}@[\w.-]{1,255}")
_WORD = re.compile(r"[^\W_]+")
_MAX_SENDER = 1000
_MAX_TOKENS = 24


def sender_tokens(message: Email) -> frozenset[str]:
    """The address of a message's sender and the words of the name, in lower case.

    Where a mailing list put itself in the sender's place ("Jane Doe via Choir"), the name alone is the sender's, and
    the message has the token `VIA_LIST`, too.

    Parameters
    ----------
    message : Email
        The message.
    """
    return _tokens_of_sender(message.sender, message.sender_name)


@functools.lru_cache(maxsize=20_000)
def _tokens_of_sender(sender: str, sender_name: str) -> frozenset[str]:
    name, via, _ = sender_name.lower().partition(" via ")
    if via:
        return frozenset({*_name_tokens(name), VIA_LIST})
    tokens = _name_tokens(sender) | _name_tokens(name)
    return frozenset({*tokens, sender} if sender else tokens)


def list_token(address: str) -> str:
    """The token of the messages that went to a mailing list.

    Parameters
    ----------
    address : str
        The list's address.
    """
    return f"list {address}"


def quoted_tokens(quoted: str) -> set[str]:
    """The addresses in a quoted sender and the words of the name: one that it shares with a message's is enough.

    Parameters
    ----------
    quoted : str
        The sender as a quoted header gives it: a name, an address or both.
    """
    quoted, via, _ = quoted[:_MAX_SENDER].lower().partition(" via ")
    tokens = set(sorted(_name_tokens(quoted), key=lambda token: (-len(token), token))[:_MAX_TOKENS])
    return tokens if via else tokens | {address.rstrip(".") for address in _ADDRESS.findall(quoted)}


class QuotedClock:
    """What moments a quoted wall clock can mean, in whatever time zone it was read.

    Parameters
    ----------
    times : iterable of int
        The readings of the quoted time, in seconds as if the wall clock were UTC.
    max_hours : int
        How many hours the time zone may be from UTC.
    odd_zones : bool
        Whether it may be one of those that are not whole hours from it.
    """

    def __init__(self, times: Iterable[int], max_hours: int, odd_zones: bool) -> None:
        self._times = tuple(times)
        self._quarters = _quarters(max_hours, odd_zones)
        self._slack = max_hours * 3600 + _MAX_TIME_DIFFERENCE

    def can_be(self, moment: int) -> bool:
        """Whether the clock can mean a moment.

        Parameters
        ----------
        moment : int
            Seconds UTC.
        """
        for time in self._times:
            quarter, rest = divmod(time - moment + _QUARTER // 2, _QUARTER)
            if quarter in self._quarters and abs(rest - _QUARTER // 2) <= _MAX_TIME_DIFFERENCE:
                return True
        return False

    def spans(self) -> list[tuple[int, int]]:
        """The first and the last second that each reading can mean."""
        return [(time - self._slack, time + self._slack) for time in self._times]

    def moments(self) -> Iterator[tuple[int, int]]:
        """The stretches of time that the clock can mean, by their first and last second."""
        for time in self._times:
            for quarter in self._quarters:
                moment = time - quarter * _QUARTER
                yield moment - _MAX_TIME_DIFFERENCE, moment + _MAX_TIME_DIFFERENCE


@functools.cache
def _quarters(max_hours: int, odd_zones: bool) -> frozenset[int]:
    """How many quarters of an hour zones are from UTC."""
    whole = range(-4 * max_hours, 4 * max_hours + 1, 4)
    return frozenset(whole) | {zone // _QUARTER for zone in _ODD_ZONES if odd_zones and abs(zone) <= max_hours * 3600}


def normalise(text: str) -> str:
    r"""The letters and digits of a text, in any script, which stay the same however a mail program quotes it.

    Quote marks, quoted headers, spaces, punctuation and line ends are left out.

    Parameters
    ----------
    text : str
        The body of a message, or a part of it; only its first 90,000 characters count.

    Examples
    --------
    >>> normalise("> Are you in?\n> On 14 May 2001, Jane wrote:\n>> Да.")
    'areyouinда'
    """
    lines = [
        line for line in text[:_MAX_BODY_LENGTH].split("\n") if not _may_be_header(line) or not is_header_line(line)
    ]
    return "".join(_WORD.findall("\n".join(lines).lower()))


def _may_be_header(line: str) -> bool:
    return ":" in line or "--" in line or "\uff1a" in line


def quotes(message: Email, response: Email) -> bool:
    """Whether a message quotes the beginning of what a response says, so that it answers the response.

    Parameters
    ----------
    message, response : Email
        The messages.
    """
    text, body = snippet(response), message.body[:MAX_OWN_TEXT]
    return bool(text) and any(text in normalise(body[start:stop]) for start, stop in quotations(body))


def snippet(original: Email) -> str:
    """The beginning of what a message says, by which a response that quotes it is told.

    Parameters
    ----------
    original : Email
        The message that may be quoted.

    Returns
    -------
    str
        As `normalise` returns it, of one of the lengths `SNIPPET_LENGTHS`; empty if the text is too short to be sure.
    """
    body = original.body
    spans = quotations(body[:MAX_OWN_TEXT])
    position = 0
    longest = ""
    for start, end in [*spans, (len(body), len(body))]:
        piece = normalise(body[position : min(start, position + MAX_OWN_TEXT)])[: SNIPPET_LENGTHS[0]]
        longest = max(longest, piece, key=len)
        if len(longest) >= SNIPPET_LENGTHS[0]:
            break
        position = end
    return _cut(longest) or _cut(
        normalise(body)[: SNIPPET_LENGTHS[0]]
    )  # a few words above a quote: with what they quote


def _cut(text: str) -> str:
    """A text cut to one of the lengths of snippets; empty if it is too short to be sure."""
    if len(text) + len(_DENSE.findall(text)) < _MIN_SNIPPET_WEIGHT:
        return ""
    return next((text[:length] for length in SNIPPET_LENGTHS if len(text) >= length), text)


def recipients_of(message: Email) -> set[str]:
    """The addresses that a message goes to, and the words of the names in them.

    Parameters
    ----------
    message : Email
        The message.
    """
    recipients: set[str] = set()
    for address in (*message.to, *message.cc, *message.bcc):
        recipients |= quoted_tokens(address)
    return recipients


def narrowed(days: Sequence[int], zone: int | None, first: int, end: int) -> list[tuple[int, int]]:
    """A stretch of time cut to some quoted days, more strictly before less strictly.

    Parameters
    ----------
    days : sequence of int
        The midnights with which the days begin, as if the wall clock were UTC; if there are none, nothing is cut.
    zone : int or None
        Seconds from UTC of the clock, if they are known.
    first, end : int
        The stretch, from one second until before another.
    """
    if not days:
        return [(first, end)]
    low, high = min(days) - (zone or 0), max(days) + 86400 - (zone or 0)
    slack = 14 * 3600  # the zone may be any
    return [(max(first, low - more), min(end, high + more)) for more in (0, slack)]


def zone_of(message: Email) -> int | None:
    """Seconds from UTC of the time zone in which a message was sent; None if its date does not say.

    Parameters
    ----------
    message : Email
        The message.
    """
    offset = datetime.datetime.fromisoformat(message.date).utcoffset() if message.date else None
    return None if offset is None else round(offset.total_seconds())


def _name_tokens(text: str) -> set[str]:
    return set(_NAME.findall(_ORGANISATION.sub(" ", text))) - _NOT_NAMES
