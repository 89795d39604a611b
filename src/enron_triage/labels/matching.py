"""Does a received message fit what an answer says of its original: its sender, its time, its text."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from enron_triage.mail.quotes import quoted_header
from enron_triage.records import Email

NOWHERE = sys.maxsize  # the place of a text that is not quoted at all

_MINUTES_APART = 120  # seconds: quoted times are cut to the minute, and clocks differ
_SNIPPET = 60  # letters and digits: enough to tell a message's text from another's,
_MIN_SNIPPET = 12  # and fewer would be found anywhere
_MAX_LENGTH = 90_000  # characters: how far into a body quoted text is looked for
# Words that stand in nearly every quoted sender and name nobody.
_NO_NAMES = frozenset({"com", "net", "org", "www", "mailto", "from", "the", "and", "enron", "ect", "hou", "corp", "na"})
_ORGANISATION = re.compile(r"[/@][^\s<>]*")  # the units of a Notes name, the domain of an address
_NAME = re.compile(r"[^\W\d_]{2,}")
_WORD = re.compile(r"[a-z0-9]+")
_QUOTED_HEADER_LINE = re.compile(
    r"^(?:[ \t>*|]*(?:From|Sent|Date|To|Cc|Bcc|Subject):.*|.*\d{1,2}/\d{1,2}/\d{2,4},?\s+\d{1,2}:\d\d.*"
    r"|.*-{3,} ?(?:Original Message|Forwarded by).*|.{0,120}wrote:\s*)$",
    re.MULTILINE | re.IGNORECASE,
)


def same_person(quoted: str, message: Email) -> bool:
    """Whether a quoted sender and a message's sender share a name token or the address."""
    quoted = quoted.lower()
    if message.sender and message.sender in quoted:
        return True
    return not _name_tokens(quoted).isdisjoint(_sender_tokens(message))


def is_among(message: Email, addresses: set[str]) -> bool:
    """Whether a message's sender is one of the addresses, or shares a name token with one."""
    if message.sender in addresses:
        return True
    names = _sender_tokens(message)
    return any(not names.isdisjoint(_name_tokens(address)) for address in addresses)


def times_agree(times: Iterable[int], timestamp: int, most_hours: int) -> bool:
    """Whether a quoted wall-clock time can be this moment, at most so many whole hours from UTC.

    Parameters
    ----------
    times : iterable of int
        Readings of the wall clock, in seconds as if it were UTC.
    timestamp : int
        Seconds UTC.
    most_hours : int
    """
    for time in times:
        hours, rest = divmod(timestamp - time + 1800, 3600)
        if abs(hours) <= most_hours and abs(rest - 1800) <= _MINUTES_APART:
            return True
    return False


def normalise(text: str) -> str:
    r"""What is left of a text however a mail program quotes it: no marks, headers or line ends.

    >>> normalise("> Are you in?\n> On Monday Jane wrote:\n>> Yes.")
    'areyouinyes'
    """
    return "".join(_WORD.findall(_QUOTED_HEADER_LINE.sub("", text[:_MAX_LENGTH]).lower()))


def quote_offset(answer: str, original: Email) -> int:
    """Where an answer quotes the beginning of the original's text.

    Parameters
    ----------
    answer : str
        The `normalise` of the answer.
    original : Email

    Returns
    -------
    int
        An offset in `answer`; `NOWHERE` if the text is not there, or too short to tell.
    """
    quoted = quoted_header(original.body)
    snippet = normalise(original.body[: quoted.start])[:_SNIPPET] if quoted else ""
    if len(snippet) < _MIN_SNIPPET:  # a few words above a quotation: take that along
        snippet = normalise(original.body)[:_SNIPPET]
    place = answer.find(snippet) if len(snippet) >= _MIN_SNIPPET else -1
    return NOWHERE if place < 0 else place


def _sender_tokens(message: Email) -> set[str]:
    return _name_tokens(message.sender) | _name_tokens(message.sender_name.lower())


def _name_tokens(text: str) -> set[str]:
    return set(_NAME.findall(_ORGANISATION.sub(" ", text))) - _NO_NAMES
