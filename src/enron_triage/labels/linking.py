"""Which received message a sent reply or forward responds to.

Threading headers decide if they name a message that is here. Else the original is looked for by subject, participants,
time order and quoted text, and the header that the response quotes decides between the candidates: a candidate that
contradicts it is not a match, and if the true original is not in the mailbox, the response stays unlinked.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from enron_triage.labels.mailbox import timestamp_of
from enron_triage.labels.matching import (
    VIA_LIST,
    QuotedClock,
    list_token,
    narrowed,
    normalise,
    quoted_tokens,
    quotes,
    recipients_of,
    zone_of,
)
from enron_triage.labels.originals import ANYBODY, Originals
from enron_triage.labels.response_kinds import ResponseKind, kind_of_link, response_kind
from enron_triage.mail.quotations import answered_header, below_header
from enron_triage.mail.quotes import QuotedHeader
from enron_triage.mail.subjects import conversation_subject
from enron_triage.records import Email

LinkRule = Literal[
    "threading_headers",  # In-Reply-To, References or X-Forwarded-Message-Id name the original
    "quoted_header",  # the quoted sender and time are those of the original
    "quoted_text",  # the response quotes the text of the original
    "conversation",  # subject, participants and time order agree
    "unlinked_original_absent",  # a header names an original that is not in the mailbox
    "unlinked_no_candidate",  # no message of the mailbox agrees
]

_MAX_HOURS = 14  # time zones reach from UTC-12 to UTC+14
_MAX_HOURS_OTHER_SUBJECT = 6  # if the subjects differ, more hours would match too much by chance
_CLOCK_SKEW = 3 * 3600  # seconds by which some senders' clocks were ahead of the owner's
_MAX_REFERENCES, _MAX_TEXTS = 100, 20  # ids that are looked up; candidates whose text is compared: the latest ones
_MAX_QUOTATION = 3_000  # characters of a quotation, header included, in which the text of its original is looked for
# Nine of ten responses that quote nothing are shorter, in letters and digits, and are sent within that many seconds.
_MAX_UNQUOTED_LENGTH, _MAX_UNQUOTED_DELAY = 500, 2 * 86400


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
        One for each sent message that is a reply or a forward, in the order of `sent`; several where one message
        forwards several whose ids it names.
    """
    linker = _Linker(sent, received, window)
    links: list[Link] = []
    for position, message in enumerate(sent):
        kind = response_kind(message)
        if kind is not None:
            links += linker.links_of(position, message, kind)
    return links


class _Linker:  # finds originals among the messages of a mailbox
    def __init__(self, sent: Sequence[Email], received: Sequence[Email], window: int) -> None:
        self._given = received
        self._received = Originals(received, frozenset(message.sender for message in sent))
        self._sent = Originals(sent)
        self._window = window

    def links_of(self, position: int, message: Email, kind: ResponseKind) -> Iterator[Link]:
        """The links of one sent message, at least one."""
        forwarded = {self._received.position_of_id(message_id) for message_id in message.forwarded_ids}
        originals = sorted(original for original in forwarded if original is not None)
        for original in originals:
            yield Link(position, original, "forward", "threading_headers")
        if originals:
            return
        found, rule = self._find_original(message, kind)
        if found is not None:
            to_sender = self._received.is_to_sender_of(found, recipients_of(message))
            kind = kind_of_link(message, kind, self._given[found], is_to_sender=to_sender)
        yield Link(position, found, kind, rule)

    def _find_original(self, message: Email, kind: ResponseKind) -> tuple[int | None, LinkRule]:
        """The index of the received message that a sent one responds to, and the rule that decided."""
        for parent in (*message.in_reply_to.split(), *message.references[-1:]):
            found = self._received.position_of_id(parent)
            if found is not None:
                return found, "threading_headers"
        quoted = answered_header(message.body)
        if quoted is not None and not quoted.times and not quoted.sender:
            quoted = None
        if message.in_reply_to or message.references:
            rank, rule = self._find_renamed(message, quoted)
        elif quoted is not None:
            rank, rule = self._find_quoted(message, quoted)
        else:
            rank, rule = self._find_in_conversation(message, kind)
        return None if rank is None else self._received.positions[rank], rule

    def _find_renamed(self, message: Email, quoted: QuotedHeader | None) -> tuple[int | None, LinkRule]:
        """The original if the headers name none that is here, as some relays give a message another id.

        Header and text must both be quoted. Where the headers name other messages of the mailbox, ids are kept, and the
        original is really absent.
        """
        ids = (*message.in_reply_to.split(), *message.references[-_MAX_REFERENCES:])
        if any(
            originals.position_of_id(name) is not None for name in ids for originals in (self._received, self._sent)
        ):
            return None, "unlinked_original_absent"
        if quoted is None:
            return _rule("quoted_text", self._find_quoted_text(message, normalise(message.body))[0])
        end = timestamp_of(message)
        text = normalise(message.body[quoted.start :])
        candidates = self._at_quoted_time(quoted, *_asked(message, quoted), end - self._window, end)
        rank = next((rank for rank in candidates if self._received.is_quoted_in(rank, text)), None)
        return _rule("quoted_header", rank)

    def _find_quoted(self, message: Email, quoted: QuotedHeader) -> tuple[int | None, LinkRule]:
        """The message of the quoted sender and time; of several, or if only the minutes differ, the text decides."""
        conversations, tokens = _asked(message, quoted)
        end = timestamp_of(message)
        first = end - self._window
        if not quoted.times:
            for low, high in narrowed(quoted.days, zone_of(message), first, end):
                ranks = [self._received.latest(subject, tokens, low, high) for subject in conversations]
                if any(rank is not None for rank in ranks):
                    return max(rank for rank in ranks if rank is not None), "quoted_header"
            return None, "unlinked_original_absent"
        candidates = self._at_quoted_time(quoted, conversations, tokens, first, end)
        in_zone = [rank for rank in candidates if self._is_at(rank, quoted, message)]
        if len(in_zone) == 1:
            return in_zone[0], "quoted_header"
        delivered = self._delivered_near(quoted, conversations, tokens, first, end)
        if len(candidates) <= 1 and delivered.issubset(candidates):  # no text could tell of another
            return _rule("quoted_header", next(iter(candidates), None))
        quotation = message.body[: quoted.start + _MAX_QUOTATION]
        text = normalise(quotation[quoted.start :]) if candidates else ""
        for rank in in_zone or candidates:
            if self._received.is_quoted_in(rank, text):
                return rank, "quoted_header"
        below = normalise(below_header(quotation, quoted.start)) if delivered else ""
        for rank in sorted(delivered, reverse=True):
            if self._received.begins(rank, below):
                return rank, "quoted_text"
        return _rule("quoted_header", next(iter(in_zone or candidates), None))

    def _at_quoted_time(
        self, quoted: QuotedHeader, conversations: set[str], tokens: set[str], first: int, end: int
    ) -> list[int]:
        """The messages that have the quoted sender and time, the latest first."""
        received = self._received
        clock = QuotedClock(quoted.times, _MAX_HOURS, odd_zones=True)
        found = {rank for subject in conversations for rank in received.at(subject, tokens, clock, first, end)}
        if not found:
            near = QuotedClock(quoted.times, _MAX_HOURS_OTHER_SUBJECT, odd_zones=False)
            found = received.at_any(tokens, near, first, end)
        if not found:
            late = end + _CLOCK_SKEW
            found = {rank for subject in conversations for rank in received.at(subject, tokens, clock, end, late)}
        return sorted(found, reverse=True)

    def _is_at(self, rank: int, quoted: QuotedHeader, message: Email) -> bool:
        """Whether a message was sent at the quoted time, read in the time zone of the response's Date header."""
        zone = zone_of(message)
        if zone is None:
            return False
        clock = QuotedClock([time - zone for time in quoted.times], 0, odd_zones=False)
        return clock.can_be(timestamp_of(self._received[rank]))

    def _delivered_near(
        self, quoted: QuotedHeader, conversations: set[str], tokens: set[str], first: int, end: int
    ) -> set[int]:
        """The latest messages of the quoted sender, or of a list in its place, from around the quoted time."""
        slack = _MAX_HOURS * 3600 + 1800
        first, end = max(first, min(quoted.times) - slack), min(end, max(quoted.times) + slack)
        return {
            rank
            for conversation in conversations
            for token in (*tokens, VIA_LIST)
            for rank in itertools.islice(self._received.latest_first(conversation, token, first, end), _MAX_TEXTS)
        }

    def _find_in_conversation(self, message: Email, kind: ResponseKind) -> tuple[int | None, LinkRule]:
        """Without a quoted header: the quoted text decides, else participants and time."""
        conversation, end = conversation_subject(message.subject), timestamp_of(message)
        body = normalise(message.body)
        rank, is_quoted = self._find_quoted_text(message, body)
        if is_quoted:
            return rank, "unlinked_no_candidate" if rank is None else "quoted_text"
        # A longer response would quote its original, so that is none of these.
        if len(body) > _MAX_UNQUOTED_LENGTH:
            return None, "unlinked_no_candidate"
        tokens = {ANYBODY} if kind == "forward" else recipients_of(message)
        first = end - min(_MAX_UNQUOTED_DELAY, self._window)
        rank = self._received.latest_unanswering(conversation, tokens, first, end, message)
        if rank is None:
            rank = self._latest_on_list(message, conversation, first, end)
        return rank, "unlinked_no_candidate" if rank is None else "conversation"

    def _latest_on_list(self, message: Email, conversation: str, first: int, end: int) -> int | None:
        """The latest message to a list that the response goes to, if only one person wrote of this there."""
        for address in (*message.to, *message.cc):
            to_list = self._received.latest_first(conversation, list_token(address), first, end)
            latest = list(itertools.islice(to_list, _MAX_TEXTS))
            senders = {(self._received[rank].sender, self._received[rank].sender_name) for rank in latest}
            if len(senders) == 1 and not quotes(self._received[latest[0]], message):
                return latest[0]
        return None

    def _find_quoted_text(self, message: Email, body: str) -> tuple[int | None, bool]:
        """The message whose text stands topmost in the response, and whether any message's does.

        None if the owner's own later words stand above it: then the response is to a still later message, not here.
        """
        conversation, end = conversation_subject(message.subject), timestamp_of(message)
        received, sent = self._received, self._sent
        first, last = received.before(end - self._window), received.before(end)
        found = list(received.texts(conversation).quoted_in(body, first, last))
        if not found:
            return None, False
        offset, rank = min(found, key=lambda occurrence: (occurrence[0], -occurrence[1]))  # of equal texts the latest
        arrival = timestamp_of(received[rank])
        own = sent.texts(conversation).quoted_in(body, sent.before(arrival + 1), sent.before(end))
        return (None if any(position < offset for position, _ in own) else rank), True


def _asked(message: Email, quoted: QuotedHeader) -> tuple[set[str], set[str]]:
    """The conversations in which the original of a response may be, and what names its sender."""
    conversations = {conversation_subject(subject) for subject in (message.subject, quoted.subject or message.subject)}
    return conversations, quoted_tokens(quoted.sender) if quoted.sender else {ANYBODY}


def _rule(rule: LinkRule, rank: int | None) -> tuple[int | None, LinkRule]:
    return rank, "unlinked_original_absent" if rank is None else rule
