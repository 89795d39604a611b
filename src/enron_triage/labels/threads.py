"""Which received message a sent reply or forward answers.

Threading headers decide where there are any. Enron has none, so conversations are found from the
subject, the participants, the time order and the quoted text, and the header that the reply quotes
decides between the candidates: one that contradicts it is no match, and where the true original is
not in the mailbox the reply stays unlinked.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from enron_triage.corpus.quotes import QuotedHeader, is_forwarded, quoted_header
from enron_triage.records import Email

Kind = Literal["reply", "forward"]
How = Literal[
    "threading_headers",  # In-Reply-To or References name it
    "quoted_header",  # the quoted sender and time are its own
    "quoted_text",  # its text stands in the reply
    "conversation",  # subject, participants and time order
    "unlinked_original_absent",  # a header names an original that is not here
    "unlinked_no_candidate",  # nothing here fits
]

_PREFIX = re.compile(r"^\s*(?:(?:re|aw|sv|antw|fwd?|fw|wg|forwarded)\s*(?:\[\d+\]|\(\d+\))?\s*:\s*)+", re.IGNORECASE)
_REPLY_PREFIX = re.compile(r"\s*(?:re|aw|sv|antw)\s*(?:\[\d+\]|\(\d+\))?\s*:", re.IGNORECASE)
_FORWARD_PREFIX = re.compile(r"\s*(?:fwd?|fw|wg|forwarded)\s*:", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9]+")
_MINUTES_APART = 120  # seconds: quoted times are cut to the minute, and clocks differ
_MOST_HOURS = 14  # time zones reach from UTC-12 to UTC+14,
_MOST_HOURS_OTHER_SUBJECT = 6  # but where the subject does not agree, chance would find too much
_SNIPPET = 60  # letters and digits: enough to tell a message's text from another's
_LEAST_SNIPPET = 12  # fewer would be found anywhere
_SNIPPET_FROM = 2000  # characters of the original in which the snippet surely ends
_UNQUOTED_LETTERS = 500  # nine answers of ten that quote nothing are shorter,
_UNQUOTED_WITHIN = 2 * 86400  # and come within so many seconds
_NOWHERE = sys.maxsize
_QUOTED_HEADER_LINE = re.compile(
    r"^(?:[ \t>*|]*(?:From|Sent|Date|To|Cc|Bcc|Subject):.*|.*\d{1,2}/\d{1,2}/\d{2,4},?\s+\d{1,2}:\d\d.*"
    r"|.*-{3,} ?(?:Original Message|Forwarded by).*|.{0,120}wrote:\s*)$",
    re.MULTILINE | re.IGNORECASE,
)
_AROUND = 90_000  # characters: how far into a sent body quoted text is looked for
# Words that stand in nearly every quoted sender here and name nobody.
_NO_NAMES = frozenset(
    {
        "com",
        "net",
        "org",
        "www",
        "mailto",
        "from",
        "the",
        "and",
        "enron",
        "ect",
        "hou",
        "corp",
        "na",
        "imceanotes",
    }
)


class Link(msgspec.Struct, frozen=True):
    """What one sent message answers or forwards.

    Attributes
    ----------
    sent : int
        Index of the sent message.
    received : int or None
        Index of the received message; None if it stays unlinked.
    kind : {"reply", "forward"}
    how : str
        What decided.
    """

    sent: int
    received: int | None
    kind: Kind
    how: How


def conversation_subject(subject: str) -> str:
    """The subject without reply and forward marks, in lower case, with single spaces.

    >>> conversation_subject("RE: Fw:  Gas  prices")
    'gas prices'
    """
    return " ".join(_PREFIX.sub("", subject).lower().split())


def sent_kind(message: Email) -> Kind | None:
    """Whether a sent message replies, forwards, or does neither."""
    if _FORWARD_PREFIX.match(message.subject):
        return "forward"
    if _REPLY_PREFIX.match(message.subject) or message.in_reply_to:
        return "reply"
    return "forward" if is_forwarded(message.body) else None


def link_sent(sent: Sequence[Email], received: Sequence[Email], window: int) -> list[Link]:
    """Link the replies and forwards among a mailbox's sent messages to what they answer.

    Parameters
    ----------
    sent, received : sequence of Email
        The mailbox's messages, one copy of each, dated.
    window : int
        Seconds that an answer may come after its original, unless threading headers prove one.

    Returns
    -------
    list of Link
        One for each sent message that replies or forwards.
    """
    index = _Index(sent, received, window)
    links = []
    for position, message in enumerate(sent):
        kind = sent_kind(message)
        if kind is not None:
            links.append(index.link(position, message, kind))
    return links


def same_person(quoted: str, message: Email) -> bool:
    """Whether a quoted sender and a message's sender share a name token or the address."""
    quoted = quoted.lower()
    if message.sender and message.sender in quoted:
        return True
    return not _name_tokens(quoted).isdisjoint(_name_tokens(message.sender, message.sender_name.lower()))


def times_agree(times: Iterable[int], timestamp: int, most_hours: int) -> bool:
    """Whether a quoted wall-clock time can be this moment, at most so many whole hours from UTC."""
    for time in times:
        hours, rest = divmod(timestamp - time + 1800, 3600)
        if abs(hours) <= most_hours and abs(rest - 1800) <= _MINUTES_APART:
            return True
    return False


class _Index:
    """The received messages of a mailbox, by what a reply can know of its original."""

    def __init__(self, sent: Sequence[Email], received: Sequence[Email], window: int) -> None:
        self._received = received
        self._window = window
        self._by_subject: dict[str, list[int]] = defaultdict(list)
        self._by_minute: dict[int, list[int]] = defaultdict(list)
        self._by_message_id: dict[str, int] = {}
        for position, message in enumerate(received):
            self._by_subject[conversation_subject(message.subject)].append(position)
            self._by_minute[_timestamp(message) % 3600 // 60].append(position)
            if message.message_id:
                self._by_message_id[message.message_id] = position
        self._sent = sent
        self._sent_by_subject: dict[str, list[int]] = defaultdict(list)
        for position, message in enumerate(sent):
            self._sent_by_subject[conversation_subject(message.subject)].append(position)

    def link(self, position: int, message: Email, kind: Kind) -> Link:
        parents = [message.in_reply_to] if message.in_reply_to else message.references[-1:]
        if parents:
            found = self._by_message_id.get(parents[0])
            return Link(position, found, kind, "unlinked_original_absent" if found is None else "threading_headers")
        quoted = quoted_header(message.body)
        if quoted is not None and (quoted.times or quoted.sender):
            return self._link_quoted(position, message, kind, quoted)
        return self._link_conversation(position, message, kind)

    def _link_quoted(self, position: int, message: Email, kind: Kind, quoted: QuotedHeader) -> Link:
        """Only a candidate of the quoted sender and time will do, whatever its subject."""
        candidates = self._before(message, self._by_subject[conversation_subject(message.subject)])
        if quoted.subject:
            candidates += self._before(message, self._by_subject[conversation_subject(quoted.subject)])
        matching = [c for c in candidates if self._agrees(quoted, c, _MOST_HOURS)]
        if not matching and quoted.times:  # a changed subject
            minute = quoted.times[0] // 60
            near = [c for shift in range(-2, 3) for c in self._by_minute[(minute + shift) % 60]]
            matching = [c for c in self._before(message, near) if self._agrees(quoted, c, _MOST_HOURS_OTHER_SUBJECT)]
        if not matching:
            return Link(position, None, kind, "unlinked_original_absent")
        return Link(position, self._latest(matching), kind, "quoted_header")

    def _link_conversation(self, position: int, message: Email, kind: Kind) -> Link:
        """No quoted header names the original: the quoted text and the participants decide."""
        subject = conversation_subject(message.subject)
        candidates = self._before(message, self._by_subject[subject])
        if kind == "reply":
            recipients = {*message.to, *message.cc, *message.bcc}
            candidates = [c for c in candidates if _is_among(self._received[c], recipients)]
        unlinked = Link(position, None, kind, "unlinked_no_candidate")
        if not candidates:
            return unlinked
        body = _letters(message.body)
        place, by_text = min(((_place(body, self._received[c]), -c) for c in candidates), default=(_NOWHERE, 0))
        if place < _NOWHERE:
            # The owner's own words above it: what was answered came later, and is not here.
            own = self._before_own(message, self._sent_by_subject[subject])
            is_older = any(_place(body, self._sent[s]) < place for s in own)
            return unlinked if is_older else Link(position, -by_text, kind, "quoted_text")
        latest = self._latest(candidates)
        is_fresh = _timestamp(message) - _timestamp(self._received[latest]) <= _UNQUOTED_WITHIN
        # A long answer quotes something, and that was none of these.
        return Link(position, latest, kind, "conversation") if is_fresh and len(body) <= _UNQUOTED_LETTERS else unlinked

    def _before(self, message: Email, candidates: Sequence[int]) -> list[int]:
        """Those that arrived before the answer was sent, and not too long before."""
        end = _timestamp(message)
        return [c for c in candidates if end - self._window <= _timestamp(self._received[c]) < end]

    def _before_own(self, message: Email, candidates: Sequence[int]) -> list[int]:
        end = _timestamp(message)
        return [c for c in candidates if end - self._window <= _timestamp(self._sent[c]) < end]

    def _agrees(self, quoted: QuotedHeader, candidate: int, most_hours: int) -> bool:
        original = self._received[candidate]
        if quoted.times and not times_agree(quoted.times, _timestamp(original), most_hours):
            return False
        return not quoted.sender or same_person(quoted.sender, original)

    def _latest(self, candidates: Sequence[int]) -> int:
        return max(candidates, key=lambda c: (_timestamp(self._received[c]), self._received[c].fingerprint))


def _is_among(message: Email, addresses: set[str]) -> bool:
    """Whether a message's sender is one of the addresses, or shares a name with one."""
    if message.sender in addresses:
        return True
    names = _name_tokens(message.sender, message.sender_name.lower())
    return any(not names.isdisjoint(_name_tokens(address)) for address in addresses)


def _place(body: str, original: Email) -> int:
    """Where in the letters of an answer the original's text begins; `_NOWHERE` if it is not there."""
    snippet = _letters(original.body[:_SNIPPET_FROM])[:_SNIPPET]
    place = body.find(snippet) if len(snippet) >= _LEAST_SNIPPET else -1
    return _NOWHERE if place < 0 else place


def _letters(text: str) -> str:
    """What is left of a text when a mail program has quoted it: no marks, headers or line ends."""
    return "".join(_WORD.findall(_QUOTED_HEADER_LINE.sub("", text[:_AROUND]).lower()))


def _name_tokens(*texts: str) -> set[str]:
    """Words of names and local parts; ``/``-separated organisation units of Notes are cut off."""
    tokens: set[str] = set()
    for text in texts:
        tokens.update(re.findall(r"[^\W\d_]{2,}", re.sub(r"[/@][^\s<>]*", " ", text)))
    return tokens - _NO_NAMES


def _timestamp(message: Email) -> int:
    assert message.timestamp is not None, "undated messages are dropped before linking"
    return message.timestamp
