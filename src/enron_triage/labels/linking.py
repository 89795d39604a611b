"""Which received message a sent reply or forward answers.

Threading headers decide where there are any. Enron has none, so conversations are found from the
subject, the participants, the time order and the quoted text, and the header that the reply quotes
decides between the candidates: one that contradicts it is no match, and where the true original is
not in the mailbox the reply stays unlinked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, cast

import msgspec

from enron_triage.labels.matching import NOWHERE, is_among, normalise, quote_offset, same_person, times_agree
from enron_triage.mail.quotes import QuotedHeader, is_forwarded, quoted_header
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
_MAX_HOURS = 14  # time zones reach from UTC-12 to UTC+14,
_MAX_HOURS_OTHER_SUBJECT = 6  # but where the subject does not agree, chance would find too much
_CLOCK_SKEW = 3 * 3600  # seconds: so far behind the sender's clock, some mailboxes' own clock was
_UNQUOTED_LETTERS = 500  # nine answers of ten that quote nothing are shorter,
_UNQUOTED_WITHIN = 2 * 86400  # and come within so many seconds


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
                self._by_message_id.setdefault(message.message_id, position)
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
        """Only a candidate of the quoted sender and time will do; the first of these groups that has one."""
        same_subject = set(self._by_subject[conversation_subject(message.subject)])
        if quoted.subject:
            same_subject.update(self._by_subject[conversation_subject(quoted.subject)])
        end = _timestamp(message)
        before = self._between(end - self._window, end)
        groups: list[tuple[Iterable[int], Callable[[int], bool], int]] = [(same_subject, before, _MAX_HOURS)]
        if quoted.times:
            minute = quoted.times[0] // 60
            same_minute = [c for shift in range(-2, 3) for c in self._by_minute[(minute + shift) % 60]]
            groups.append((same_minute, before, _MAX_HOURS_OTHER_SUBJECT))
            groups.append((same_subject, self._between(end, end + _CLOCK_SKEW), _MAX_HOURS))
        for candidates, in_time, most_hours in groups:
            matching = [c for c in candidates if in_time(c) and self._agrees(quoted, c, most_hours)]
            if matching:
                return Link(position, self._latest(matching), kind, "quoted_header")
        return Link(position, None, kind, "unlinked_original_absent")

    def _link_conversation(self, position: int, message: Email, kind: Kind) -> Link:
        """No quoted header names the original: the quoted text decides, else participants and time."""
        subject, end = conversation_subject(message.subject), _timestamp(message)
        in_time = self._between(end - self._window, end)
        candidates = [c for c in self._by_subject[subject] if in_time(c)]
        body = normalise(message.body)
        place, quoted = min(((quote_offset(body, self._received[c]), -c) for c in candidates), default=(NOWHERE, 0))
        if place < NOWHERE:
            chosen, how = self._unless_answered_since(-quoted, place, body, message, subject), "quoted_text"
        else:
            recipients = {*message.to, *message.cc, *message.bcc}
            fresh = [c for c in candidates if end - _timestamp(self._received[c]) <= _UNQUOTED_WITHIN]
            if kind == "reply":
                fresh = [c for c in fresh if is_among(self._received[c], recipients)]
            # A long answer quotes something, and that was none of these.
            chosen = self._latest(fresh) if fresh and len(body) <= _UNQUOTED_LETTERS else None
            how = "conversation"
        return Link(position, chosen, kind, "unlinked_no_candidate" if chosen is None else cast("How", how))

    def _unless_answered_since(self, candidate: int, place: int, body: str, message: Email, subject: str) -> int | None:
        """None if the owner's own words stand above the candidate's: what is answered came later, and is not here."""
        arrival, end = _timestamp(self._received[candidate]), _timestamp(message)
        own = (self._sent[s] for s in self._sent_by_subject[subject])
        if any(arrival < _timestamp(mail) < end and quote_offset(body, mail) < place for mail in own):
            return None
        return candidate

    def _between(self, first: int, end: int) -> Callable[[int], bool]:
        return lambda candidate: first <= _timestamp(self._received[candidate]) < end

    def _agrees(self, quoted: QuotedHeader, candidate: int, most_hours: int) -> bool:
        original = self._received[candidate]
        if quoted.times and not times_agree(quoted.times, _timestamp(original), most_hours):
            return False
        return not quoted.sender or same_person(quoted.sender, original)

    def _latest(self, candidates: Iterable[int]) -> int:
        return max(candidates, key=lambda c: (_timestamp(self._received[c]), self._received[c].fingerprint))


def _timestamp(message: Email) -> int:
    assert message.timestamp is not None, "undated messages are dropped before linking"
    return message.timestamp
