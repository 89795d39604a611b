"""Whether a received message agrees with what a response says about its original: sender, time and text."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from enron_triage.mail.quotes import quoted_header
from enron_triage.records import Email

NOT_QUOTED = sys.maxsize  # the offset of a text that is not quoted: after every other

_MAX_TIME_DIFFERENCE = 120  # seconds: quoted times are cut to the minute, and clocks differ
# Letters and digits. The longer a snippet, the surer it is the text of one message; a shorter one occurs by chance.
_SNIPPET_LENGTH = 60
_MIN_SNIPPET_LENGTH = 12
_MAX_BODY_LENGTH = 90_000  # characters of a body in which quoted text is looked for
# Words that occur in nearly every quoted sender, and are not names.
_NOT_NAMES = frozenset(
    {"com", "net", "org", "www", "mailto", "from", "the", "and", "enron", "ect", "hou", "corp", "na"}
)
_ORGANISATION = re.compile(r"[/@][^\s<>]*")  # the units of a Notes name, the domain of an address
_NAME = re.compile(r"[^\W\d_]{2,}")
_WORD = re.compile(r"[a-z0-9]+")
_QUOTED_HEADER_LINE = re.compile(
    r"^(?:[ \t>*|]*(?:From|Sent|Date|To|Cc|Bcc|Subject):.*|.*\d{1,2}/\d{1,2}/\d{2,4},?\s+\d{1,2}:\d\d.*"
    r"|.*-{3,} ?(?:Original Message|Forwarded by).*|.{0,120}wrote:\s*)$",
    re.MULTILINE | re.IGNORECASE,
)


def same_person(quoted: str, message: Email) -> bool:
    """Whether a quoted sender and the sender of a message share the address or a word of the name.

    Parameters
    ----------
    quoted : str
        The sender as a quoted header gives it: a name, an address or both.
    message : Email
        The message to compare with.
    """
    quoted = quoted.lower()
    if message.sender and message.sender in quoted:
        return True
    return not _name_tokens(quoted).isdisjoint(_sender_tokens(message))


def is_among(message: Email, addresses: set[str]) -> bool:
    """Whether the sender of a message is one of some addresses, or shares a word of the name with one.

    Parameters
    ----------
    message : Email
        The message to compare with.
    addresses : set of str
        Lower-case addresses, such as the recipients of a reply.
    """
    if message.sender in addresses:
        return True
    names = _sender_tokens(message)
    return any(not names.isdisjoint(_name_tokens(address)) for address in addresses)


def times_agree(times: Iterable[int], timestamp: int, max_hours: int) -> bool:
    """Whether a quoted wall-clock time can be a given moment, in a time zone of whole hours.

    Parameters
    ----------
    times : iterable of int
        The readings of the quoted time, in seconds as if the wall clock were UTC; one that agrees is enough.
    timestamp : int
        The moment, in seconds UTC.
    max_hours : int
        How many hours the time zone may be from UTC.
    """
    for time in times:
        hours, rest = divmod(timestamp - time + 1800, 3600)
        if abs(hours) <= max_hours and abs(rest - 1800) <= _MAX_TIME_DIFFERENCE:
            return True
    return False


def normalise(text: str) -> str:
    r"""The letters and digits of a text, which stay the same however a mail program quotes it.

    Quote marks, quoted headers, spaces, punctuation and line ends are left out.

    Parameters
    ----------
    text : str
        The body of a message, or a part of it; only its first 90,000 characters count.

    Examples
    --------
    >>> normalise("> Are you in?\n> On Monday Jane wrote:\n>> Yes.")
    'areyouinyes'
    """
    return "".join(_WORD.findall(_QUOTED_HEADER_LINE.sub("", text[:_MAX_BODY_LENGTH]).lower()))


def quote_offset(response: str, original: Email) -> int:
    """Where a response quotes the beginning of another message's text.

    Parameters
    ----------
    response : str
        The body of the response, as `normalise` returns it.
    original : Email
        The message that may be quoted.

    Returns
    -------
    int
        An offset in `response`; `NOT_QUOTED` if the text does not occur, or is too short to be sure.
    """
    quoted = quoted_header(original.body)
    snippet = normalise(original.body[: quoted.start])[:_SNIPPET_LENGTH] if quoted else ""
    if len(snippet) < _MIN_SNIPPET_LENGTH:  # a few words above a quote: include what they quote
        snippet = normalise(original.body)[:_SNIPPET_LENGTH]
    offset = response.find(snippet) if len(snippet) >= _MIN_SNIPPET_LENGTH else -1
    return NOT_QUOTED if offset < 0 else offset


def _sender_tokens(message: Email) -> set[str]:
    return _name_tokens(message.sender) | _name_tokens(message.sender_name.lower())


def _name_tokens(text: str) -> set[str]:
    return set(_NAME.findall(_ORGANISATION.sub(" ", text))) - _NOT_NAMES
