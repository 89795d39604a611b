"""What a response says about its original, as it is compared with received messages: names, times and text."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence

from enron_triage.mail.quotations import quotations
from enron_triage.mail.quotes import is_header_line
from enron_triage.records import Email

_MAX_TIME_DIFFERENCE = 120  # seconds: quoted times are cut to the minute, and clocks differ
# Seconds from UTC of the zones that are not whole hours off it (IANA's time zone database).
_ODD_ZONES = tuple(60 * minutes for minutes in (-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825))
# Letters and digits. The longer a snippet, the surer it is the text of one message; a shorter one occurs by chance.
SNIPPET_LENGTHS = (60, 48, 36, 24, 12)
_MIN_SNIPPET_WEIGHT = 12  # a letter of these scripts tells as much as two of an alphabet's:
_DENSE = re.compile(r"[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_MAX_BODY_LENGTH = 90_000  # characters of a body in which quoted text is looked for
_MAX_OWN_TEXT = 20_000  # characters of a body in which its own text is told from what it quotes
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


def sender_tokens(message: Email) -> set[str]:
    """The address of a message's sender and the words of the name, in lower case.

    Where a mailing list put itself in the sender's place ("Jane Doe via Choir"), the name alone is the sender's, and
    the message has the token `VIA_LIST`, too.

    Parameters
    ----------
    message : Email
        The message.
    """
    name, via, _ = message.sender_name.lower().partition(" via ")
    if via:
        return _name_tokens(name) | {VIA_LIST}
    tokens = _name_tokens(message.sender) | _name_tokens(name)
    return tokens | {message.sender} if message.sender else tokens


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


def possible_moments(times: Iterable[int], max_hours: int, odd_zones: bool) -> list[tuple[int, int]]:
    """The stretches of time that a quoted wall clock can mean, in whatever time zone it was read.

    Parameters
    ----------
    times : iterable of int
        The readings of the quoted time, in seconds as if the wall clock were UTC.
    max_hours : int
        How many hours the time zone may be from UTC.
    odd_zones : bool
        Whether it may be one of those that are not whole hours from it.

    Returns
    -------
    list of tuple of int and int
        First and last second of each.
    """
    offsets = [3600 * hours for hours in range(-max_hours, max_hours + 1)]
    if odd_zones:
        offsets += _ODD_ZONES
    return [
        (time - offset - _MAX_TIME_DIFFERENCE, time - offset + _MAX_TIME_DIFFERENCE)
        for time in times
        for offset in offsets
    ]


def normalise(text: str) -> str:
    r"""The letters and digits of a text, in any script, which stay the same however a mail program quotes it.

    Quote marks, quoted headers, spaces, punctuation and line ends are left out.

    Parameters
    ----------
    text : str
        The body of a message, or a part of it; only its first 90,000 characters count.

    Examples
    --------
    >>> normalise("> Are you in?\n> On Monday Jane wrote:\n>> Да.")
    'areyouinда'
    """
    lines = [
        line for line in text[:_MAX_BODY_LENGTH].split("\n") if not _may_be_header(line) or not is_header_line(line)
    ]
    return "".join(_WORD.findall("\n".join(lines).lower()))


def _may_be_header(line: str) -> bool:
    return ":" in line or "--" in line or "\uff1a" in line


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
    spans = quotations(body[:_MAX_OWN_TEXT])
    position = 0
    longest = ""
    for start, end in [*spans, (len(body), len(body))]:
        piece = normalise(body[position : min(start, position + _MAX_OWN_TEXT)])[: SNIPPET_LENGTHS[0]]
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


def within(moments: Sequence[tuple[int, int]], first: int) -> list[tuple[int, int]]:
    """The part of some stretches of time from a second on.

    Parameters
    ----------
    moments : sequence of tuple of int and int
        First and last second of each.
    first : int
        The second.
    """
    return [(max(low, first), high) for low, high in moments if high >= first]


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
