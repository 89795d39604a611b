"""Which received message a sent reply or forward responds to.

Threading headers decide if there are any. Enron has none, so the original is looked for by subject, participants, time
order and quoted text, and the header that the response quotes decides between the candidates: a candidate that
contradicts it is not a match, and if the true original is not in the mailbox, the response stays unlinked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from enron_triage.labels.mailbox import timestamp_of
from enron_triage.labels.matching import NOT_QUOTED, is_among, normalise, quote_offset, same_person, times_agree
from enron_triage.mail.quotes import QuotedHeader, is_forwarded, quoted_header
from enron_triage.records import Email

ResponseKind = Literal["reply", "forward"]
LinkRule = Literal[
    "threading_headers",  # In-Reply-To or References name the original
    "quoted_header",  # the quoted sender and time are those of the original
    "quoted_text",  # the response quotes the text of the original
    "conversation",  # subject, participants and time order agree
    "unlinked_original_absent",  # a header names an original that is not in the mailbox
    "unlinked_no_candidate",  # no message of the mailbox agrees
]

_PREFIX = re.compile(r"^\s*(?:(?:re|aw|sv|antw|fwd?|fw|wg|forwarded)\s*(?:\[\d+\]|\(\d+\))?\s*:\s*)+", re.IGNORECASE)
_REPLY_PREFIX = re.compile(r"\s*(?:re|aw|sv|antw)\s*(?:\[\d+\]|\(\d+\))?\s*:", re.IGNORECASE)
_FORWARD_PREFIX = re.compile(r"\s*(?:fwd?|fw|wg|forwarded)\s*:", re.IGNORECASE)
_MAX_HOURS = 14  # time zones reach from UTC-12 to UTC+14
_MAX_HOURS_OTHER_SUBJECT = 6  # if the subjects differ, more hours would match too much by chance
_CLOCK_SKEW = 3 * 3600  # seconds by which some senders' clocks were ahead of the owner's
# Nine of ten responses that quote nothing are shorter than this, and are sent within this time.
_MAX_UNQUOTED_LENGTH = 500  # letters and digits
_MAX_UNQUOTED_DELAY = 2 * 86400  # seconds


class Link(msgspec.Struct, frozen=True):
    """Which message one sent message responds to.

    Attributes
    ----------
    sent : int
        The index of the sent message.
    received : int or None
        The index of the original among the received messages; None if the response stays unlinked.
    kind : {"reply", "forward"}
        How the sent message responds.
    rule : str
        The rule that decided, one of `LinkRule`.
    """

    sent: int
    received: int | None
    kind: ResponseKind
    rule: LinkRule


def conversation_subject(subject: str) -> str:
    """The subject without reply and forward marks, in lower case, with single spaces.

    Parameters
    ----------
    subject : str
        The decoded Subject header.

    Examples
    --------
    >>> conversation_subject("RE: Fw:  Gas  prices")
    'gas prices'
    """
    return " ".join(_PREFIX.sub("", subject).lower().split())


def response_kind(message: Email) -> ResponseKind | None:
    """Whether a sent message is a reply, a forward, or neither (None).

    Parameters
    ----------
    message : Email
        A sent message.
    """
    if _FORWARD_PREFIX.match(message.subject):
        return "forward"
    if _REPLY_PREFIX.match(message.subject) or message.in_reply_to:
        return "reply"
    return "forward" if is_forwarded(message.body) else None


def link_sent(sent: Sequence[Email], received: Sequence[Email], window: int) -> list[Link]:
    """Link the replies and forwards among a mailbox's sent messages to their originals.

    Parameters
    ----------
    sent, received : sequence of Email
        The messages of a mailbox, one copy of each, dated.
    window : int
        How many seconds a response may come after its original, unless threading headers link them.

    Returns
    -------
    list of Link
        One for each sent message that is a reply or a forward, in the order of `sent`.
    """
    linker = _Linker(sent, received, window)
    links = []
    for position, message in enumerate(sent):
        kind = response_kind(message)
        if kind is not None:
            original, rule = linker.find_original(message, kind)
            links.append(Link(position, original, kind, rule))
    return links


class _Linker:
    """Finds originals: the messages of a mailbox, indexed by what a response says about its original."""

    def __init__(self, sent: Sequence[Email], received: Sequence[Email], window: int) -> None:
        self._sent = sent
        self._received = received
        self._window = window
        self._sent_by_subject = _index_by_subject(sent)
        self._by_subject = _index_by_subject(received)
        self._by_minute: dict[int, list[int]] = defaultdict(list)  # minute of the hour: time zones keep it
        self._by_message_id: dict[str, int] = {}
        for position, message in enumerate(received):
            self._by_minute[timestamp_of(message) % 3600 // 60].append(position)
            if message.message_id:
                self._by_message_id.setdefault(message.message_id, position)

    def find_original(self, message: Email, kind: ResponseKind) -> tuple[int | None, LinkRule]:
        """The index of the received message that a sent one responds to, and the rule that decided."""
        parents = [message.in_reply_to] if message.in_reply_to else message.references[-1:]
        if parents:
            found = self._by_message_id.get(parents[0])
            return found, "unlinked_original_absent" if found is None else "threading_headers"
        quoted = quoted_header(message.body)
        if quoted is not None and (quoted.times or quoted.sender):
            found = self._find_quoted(message, quoted)
            return found, "unlinked_original_absent" if found is None else "quoted_header"
        return self._find_in_conversation(message, kind)

    def _find_quoted(self, message: Email, quoted: QuotedHeader) -> int | None:
        """Of the first group of candidates in which some have the quoted sender and time, the latest of these."""
        same_subject = set(self._by_subject[conversation_subject(message.subject)])
        if quoted.subject:
            same_subject.update(self._by_subject[conversation_subject(quoted.subject)])
        end = timestamp_of(message)
        before = self._between(end - self._window, end)
        groups: list[tuple[Iterable[int], Callable[[int], bool], int]] = [(same_subject, before, _MAX_HOURS)]
        if quoted.times:
            minute = quoted.times[0] // 60
            same_minute = [c for shift in range(-2, 3) for c in self._by_minute[(minute + shift) % 60]]
            groups.append((same_minute, before, _MAX_HOURS_OTHER_SUBJECT))
            groups.append((same_subject, self._between(end, end + _CLOCK_SKEW), _MAX_HOURS))
        for candidates, is_in_time, max_hours in groups:
            matching = [c for c in candidates if is_in_time(c) and self._agrees(quoted, c, max_hours)]
            if matching:
                return self._latest(matching)
        return None

    def _find_in_conversation(self, message: Email, kind: ResponseKind) -> tuple[int | None, LinkRule]:
        """Without a quoted header: the quoted text decides, else participants and time."""
        subject, end = conversation_subject(message.subject), timestamp_of(message)
        is_in_time = self._between(end - self._window, end)
        candidates = [c for c in self._by_subject[subject] if is_in_time(c)]
        body = normalise(message.body)
        offsets = {c: quote_offset(body, self._received[c]) for c in candidates}
        topmost = min(candidates, key=lambda c: (offsets[c], -c), default=None)  # of equal texts the latest
        if topmost is not None and offsets[topmost] < NOT_QUOTED:
            if self._owner_wrote_since(self._received[topmost], message, body, offsets[topmost]):
                return None, "unlinked_no_candidate"
            return topmost, "quoted_text"
        recent = [c for c in candidates if end - timestamp_of(self._received[c]) <= _MAX_UNQUOTED_DELAY]
        if kind == "reply":
            recipients = {*message.to, *message.cc, *message.bcc}
            recent = [c for c in recent if is_among(self._received[c], recipients)]
        # A longer response would quote its original, so that is none of these.
        if recent and len(body) <= _MAX_UNQUOTED_LENGTH:
            return self._latest(recent), "conversation"
        return None, "unlinked_no_candidate"

    def _owner_wrote_since(self, original: Email, message: Email, body: str, offset: int) -> bool:
        """Whether a message that the owner sent after the original is quoted above it, at `offset` of `body`.

        Then the message responds to a still later one, which is not in the mailbox.
        """
        arrival, end = timestamp_of(original), timestamp_of(message)
        own = (self._sent[position] for position in self._sent_by_subject[conversation_subject(message.subject)])
        return any(arrival < timestamp_of(mail) < end and quote_offset(body, mail) < offset for mail in own)

    def _between(self, first: int, end: int) -> Callable[[int], bool]:
        return lambda candidate: first <= timestamp_of(self._received[candidate]) < end

    def _agrees(self, quoted: QuotedHeader, candidate: int, max_hours: int) -> bool:
        original = self._received[candidate]
        if quoted.times and not times_agree(quoted.times, timestamp_of(original), max_hours):
            return False
        return not quoted.sender or same_person(quoted.sender, original)

    def _latest(self, candidates: Iterable[int]) -> int:
        return max(candidates, key=lambda c: (timestamp_of(self._received[c]), self._received[c].fingerprint))


def _index_by_subject(messages: Sequence[Email]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = defaultdict(list)
    for position, message in enumerate(messages):
        positions[conversation_subject(message.subject)].append(position)
    return positions
