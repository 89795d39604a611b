"""The messages that responses may answer, indexed by what a response says about its original.

Every question is answered in about the logarithm of the number of messages, however many bear one subject or stand in
one minute: an answered newsletter or a ticket system must not take the square of its length.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from enron_triage.labels.mailbox import timestamp_of
from enron_triage.labels.matching import (
    MAX_OWN_TEXT,
    QuotedClock,
    list_token,
    normalise,
    quotes,
    sender_tokens,
    snippet,
)
from enron_triage.labels.quotable_texts import QuotableTexts
from enron_triage.mail.message_ids import id_key
from enron_triage.mail.quotations import own_text
from enron_triage.mail.subjects import conversation_subject
from enron_triage.records import Email

_MAX_RECIPIENTS = 20  # of a message that went to a list
_MAX_AT_ONCE = 8  # messages of one sender in one minute that are told apart
_MAX_ANSWERS = 5  # messages that quote the response, before its original is given up
_FEW = 64  # candidates of which each is looked at on its own
_MIN_QUOTED = 40  # letters of a quotation that a message must hold: fewer are often a signature
ANYBODY = ""  # the token of every message


class Originals:
    """Messages by id, subject, sender and time.

    Messages are named by their rank: the place in time order, of one second by fingerprint.

    Parameters
    ----------
    messages : sequence of Email
        Dated messages.
    reader : frozenset of str
        The addresses of whom they reached: what went to none of these went to a list that the reader is on.
    """

    def __init__(self, messages: Sequence[Email], reader: frozenset[str] = frozenset()) -> None:
        self.positions = sorted(
            range(len(messages)), key=lambda p: (timestamp_of(messages[p]), messages[p].fingerprint, -p)
        )
        self._given = messages
        self._reader = reader
        self._messages = [messages[position] for position in self.positions]
        self._times = [timestamp_of(message) for message in self._messages]
        self._by_sender: dict[str, dict[str, list[int]]] = {}  # by conversation, then by token
        self._by_token: dict[str, list[int]] = {}
        self._snippets: dict[int, str] = {}
        self._texts: dict[str, QuotableTexts] = {}

    # What follows is made when it is first asked for: of most conversations, names and ids of a mailbox nothing is.

    @functools.cached_property
    def _by_id(self) -> dict[str, int]:
        by_id: dict[str, int] = {}
        for position, message in enumerate(self._given):
            if message.message_id:
                by_id.setdefault(id_key(message.message_id), position)
        return by_id

    @functools.cached_property
    def _conversations(self) -> dict[str, list[int]]:
        conversations: dict[str, list[int]] = defaultdict(list)
        for rank, message in enumerate(self._messages):
            conversations[conversation_subject(message.subject)].append(rank)
        return dict(conversations)

    @functools.cached_property
    def _people(self) -> dict[str, list[list[int]]]:
        """By token, the messages of each sender that has it."""
        by_sender: dict[tuple[str, str], list[int]] = defaultdict(list)
        for rank, message in enumerate(self._messages):
            by_sender[message.sender, message.sender_name].append(rank)
        people: dict[str, list[list[int]]] = defaultdict(list)
        for ranks in by_sender.values():
            for token in sender_tokens(self._messages[ranks[0]]):
                people[token].append(ranks)
        people[ANYBODY] = list(by_sender.values())
        return dict(people)

    def _from(self, token: str) -> list[int]:
        """The messages whose sender has a token."""
        if token not in self._by_token:
            self._by_token[token] = sorted(rank for ranks in self._people.get(token, ()) for rank in ranks)
        return self._by_token[token]

    def _within(self, conversation: str) -> dict[str, list[int]]:
        """The messages of a conversation, by the tokens of their senders and of the lists that they went to."""
        if conversation not in self._conversations:
            return {}
        if conversation not in self._by_sender:
            by_token: dict[str, list[int]] = defaultdict(list)
            for rank in self._conversations[conversation]:
                message = self._messages[rank]
                for token in (*sender_tokens(message), ANYBODY):
                    by_token[token].append(rank)
                recipients = (*message.to, *message.cc)[:_MAX_RECIPIENTS]
                if self._reader.isdisjoint(recipients):
                    for address in {*recipients}:
                        by_token[list_token(address)].append(rank)
            self._by_sender[conversation] = dict(by_token)
        return self._by_sender[conversation]

    def __getitem__(self, rank: int) -> Email:
        return self._messages[rank]

    def position_of_id(self, message_id: str) -> int | None:
        """The position of the message of that id; of several the first.

        Parameters
        ----------
        message_id : str
            An id, with or without angle brackets.
        """
        return self._by_id.get(id_key(message_id))

    def latest(self, conversation: str, tokens: Iterable[str], first: int, end: int) -> int | None:
        """The latest message of a conversation from one of some senders, from `first` until before `end`.

        Parameters
        ----------
        conversation : str
            The subject without marks.
        tokens : iterable of str
            Addresses and words of names; `ANYBODY` stands for all.
        first, end : int
            Seconds UTC.
        """
        found = [next(self.latest_first(conversation, token, first, end), -1) for token in tokens]
        return max((rank for rank in found if rank >= 0), default=None)

    def latest_unanswering(
        self, conversation: str, tokens: Iterable[str], first: int, end: int, response: Email
    ) -> int | None:
        """The latest message as of `latest`, of those that do not quote a response: these answer it.

        Parameters
        ----------
        conversation, tokens, first, end
            As for `latest`.
        response : Email
            The response; the last few messages before it are tried.
        """
        tokens = list(tokens)
        for _ in range(_MAX_ANSWERS):
            rank = self.latest(conversation, tokens, first, end)
            if rank is None or not quotes(self._messages[rank], response):
                return rank
            end = self._times[rank]
        return None

    def latest_first(self, conversation: str, token: str, first: int, end: int) -> Iterator[int]:
        """The messages of a conversation from one sender, from `first` until before `end`, the latest first.

        Parameters
        ----------
        conversation : str
            The subject without marks.
        token : str
            An address or a word of the name; `ANYBODY` stands for all.
        first, end : int
            Seconds UTC.
        """
        ranks = self._within(conversation).get(token, [])
        for index in range(bisect_left(ranks, self.before(end)) - 1, -1, -1):
            if self._times[ranks[index]] < first:
                break
            yield ranks[index]

    def at(self, conversation: str, tokens: Iterable[str], clock: QuotedClock, first: int, end: int) -> set[int]:
        """The messages of a conversation that one of some senders sent when a quoted clock says.

        Parameters
        ----------
        conversation : str
            The subject without marks.
        tokens : iterable of str
            Addresses and words of names; `ANYBODY` stands for all.
        clock : QuotedClock
            The quoted time; of one moment the latest messages count, if there are many.
        first, end : int
            Seconds UTC: the message was sent from one on, and before the other.
        """
        by_token = self._within(conversation)
        return self._at((by_token[token] for token in tokens if token in by_token), clock, first, end)

    def at_any(self, tokens: Iterable[str], clock: QuotedClock, first: int, end: int) -> set[int]:
        """The messages of any conversation that one of some senders sent when a quoted clock says.

        Parameters
        ----------
        tokens, clock, first, end
            As for `at`.
        """
        return self._at(map(self._from, tokens), clock, first, end)

    def is_to_sender_of(self, position: int, tokens: set[str]) -> bool:
        """Whether some recipients are the sender of a message.

        Parameters
        ----------
        position : int
            The position of the message.
        tokens : set of str
            Addresses and words of the recipients' names.
        """
        return not sender_tokens(self._given[position]).isdisjoint(tokens)

    def is_quoted_in(self, rank: int, quotation: str) -> bool:
        """Whether a quotation holds the beginning of what a message says.

        Parameters
        ----------
        rank : int
            The message.
        quotation : str
            What a response quotes, as `normalise` returns it.
        """
        text = self._snippet(rank)
        return bool(text) and text in quotation

    def begins(self, rank: int, quotation: str) -> bool:
        """Whether a quotation begins with what a message says, or with words from within it.

        Parameters
        ----------
        rank : int
            The message.
        quotation : str
            What a response quotes, as `normalise` returns it, without its header.
        """
        text = self._snippet(rank)
        if text and quotation.startswith(text):
            return True
        start = quotation[:_MIN_QUOTED]
        return len(start) == _MIN_QUOTED and start in normalise(own_text(self._messages[rank].body[:MAX_OWN_TEXT]))

    def _snippet(self, rank: int) -> str:
        if rank not in self._snippets:
            self._snippets[rank] = snippet(self._messages[rank])
        return self._snippets[rank]

    def texts(self, conversation: str) -> QuotableTexts:
        """The texts of a conversation, to be looked for in a response.

        Parameters
        ----------
        conversation : str
            The subject without marks.
        """
        if conversation not in self._texts:
            ranks = self._conversations.get(conversation, [])
            self._texts[conversation] = QuotableTexts(ranks, [self._messages[rank] for rank in ranks])
        return self._texts[conversation]

    def before(self, end: int) -> int:
        """How many messages were sent before a moment: the first rank that was not.

        Parameters
        ----------
        end : int
            Seconds UTC.
        """
        return bisect_left(self._times, end)

    def _at(self, lists: Iterable[Sequence[int]], clock: QuotedClock, first: int, end: int) -> set[int]:
        spans = [(self.before(max(low, first)), self.before(min(high + 1, end))) for low, high in clock.spans()]
        found: set[int] = set()
        for ranks in lists:
            for low, high in spans:
                start = bisect_left(ranks, low)
                stop = bisect_left(ranks, high, start)
                if stop - start > _FEW:
                    found.update(self._at_moments(ranks, clock, first, end))
                    break
                found.update(rank for rank in ranks[start:stop] if clock.can_be(self._times[rank]))
        return found

    def _at_moments(self, ranks: Sequence[int], clock: QuotedClock, first: int, end: int) -> Iterator[int]:
        times = self._times
        for low, high in clock.moments():
            last = bisect_left(ranks, self.before(min(high + 1, end)))
            for index in range(last - 1, max(last - _MAX_AT_ONCE, 0) - 1, -1):
                if times[ranks[index]] < max(low, first):
                    break
                yield ranks[index]
