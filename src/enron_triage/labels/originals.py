"""The messages that responses may answer, indexed by what a response says about its original.

Every question is answered in about the logarithm of the number of messages, however many bear one subject or stand in
one minute: an answered newsletter or a ticket system must not take the square of its length.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from enron_triage.labels.mailbox import timestamp_of
from enron_triage.labels.matching import normalise, sender_tokens, snippet
from enron_triage.labels.quotable_texts import QuotableTexts
from enron_triage.mail.message_ids import id_key
from enron_triage.mail.quotations import own_text, quotations
from enron_triage.mail.subjects import conversation_subject
from enron_triage.records import Email

_SLOT = 300  # seconds: messages are found by sender and stretch of time
_MAX_RECIPIENTS = 20  # of a message that went to a list
_MAX_AT_ONCE = 8  # messages of one sender in one minute that are told apart
_MAX_ANSWERS = 5  # messages that quote the response, before its original is given up
_FEW = 16  # candidates among which each is looked for on its own
_MAX_OWN_TEXT = 20_000  # characters in which a message's own text is told from what it quotes
_MIN_QUOTED = 24  # letters of a quotation that a message must hold
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
        self._messages = [messages[position] for position in self.positions]
        self._times = [timestamp_of(message) for message in self._messages]
        self._by_id: dict[str, int] = {}
        self._by_sender: dict[tuple[str, str], list[int]] = defaultdict(list)  # (conversation, token)
        self._by_slot: dict[tuple[str, int], list[int]] = defaultdict(list)  # (token, slot of time)
        self._snippets: dict[int, str] = {}
        self._texts: dict[str, QuotableTexts] = {}
        for rank, message in enumerate(self._messages):
            conversation = conversation_subject(message.subject)
            for token in (*sender_tokens(message), ANYBODY):
                self._by_sender[conversation, token].append(rank)
                self._by_slot[token, self._times[rank] // _SLOT].append(rank)
            recipients = (*message.to, *message.cc)[:_MAX_RECIPIENTS]
            if reader.isdisjoint(recipients):
                for address in {*recipients}:
                    self._by_sender[conversation, list_token(address)].append(rank)
        for position, message in enumerate(messages):
            if message.message_id:
                self._by_id.setdefault(id_key(message.message_id), position)

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
        conversation : str
            The subject without marks.
        tokens : iterable of str
            Addresses and words of names; `ANYBODY` stands for all.
        first, end : int
            Seconds UTC.
        response : Email
            The response; the last few messages before it are tried.
        """
        tokens = list(tokens)
        for _ in range(_MAX_ANSWERS):
            rank = self.latest(conversation, tokens, first, end)
            if rank is None or not self.quotes(rank, response):
                return rank
            end = self._times[rank]
        return None

    def quotes(self, rank: int, response: Email) -> bool:
        """Whether a message quotes the beginning of what a response says.

        Parameters
        ----------
        rank : int
            The message.
        response : Email
            The response.
        """
        text, body = snippet(response), self._messages[rank].body[:_MAX_OWN_TEXT]
        return bool(text) and any(text in normalise(body[start:stop]) for start, stop in quotations(body))

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
        ranks = self._by_sender.get((conversation, token), ())
        for index in range(self._before(ranks, end) - 1, -1, -1):
            if self._times[ranks[index]] < first:
                break
            yield ranks[index]

    def at(self, conversation: str, tokens: Iterable[str], moments: Sequence[tuple[int, int]], end: int) -> set[int]:
        """The messages of a conversation that were sent by one of some senders at one of some moments.

        Parameters
        ----------
        conversation : str
            The subject without marks.
        tokens : iterable of str
            Addresses and words of names; `ANYBODY` stands for all.
        moments : sequence of tuple of int and int
            First and last second of each; of one moment the latest messages count, if there are many.
        end : int
            Seconds UTC; the message was sent before.
        """
        found: set[int] = set()
        for token in tokens:
            ranks = self._by_sender.get((conversation, token))
            if ranks:
                found.update(self._at(ranks, moments, end))
        return found

    def at_any(self, tokens: Iterable[str], moments: Sequence[tuple[int, int]], end: int) -> set[int]:
        """The messages of any conversation that were sent by one of some senders at one of some moments.

        Parameters
        ----------
        tokens : iterable of str
            Addresses and words of names; `ANYBODY` stands for all.
        moments : sequence of tuple of int and int
            First and last second of each; of one moment the latest messages count, if there are many.
        end : int
            Seconds UTC; the message was sent before.
        """
        found: set[int] = set()
        slots = {(slot, moment) for moment in moments for slot in range(moment[0] // _SLOT, moment[1] // _SLOT + 1)}
        for token in tokens:
            for slot, moment in slots:
                ranks = self._by_slot.get((token, slot))
                if ranks:
                    found.update(self._at(ranks, [moment], end))
        return found

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
        return len(start) == _MIN_QUOTED and start in normalise(own_text(self._messages[rank].body[:_MAX_OWN_TEXT]))

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
            ranks = self._by_sender.get((conversation, ANYBODY), [])
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

    def _before(self, ranks: Sequence[int], end: int) -> int:
        return bisect_left(ranks, self.before(end))

    def _at(self, ranks: Sequence[int], moments: Sequence[tuple[int, int]], end: int) -> Iterator[int]:
        times = self._times
        if len(ranks) < _FEW:
            for rank in ranks:
                if times[rank] < end and any(low <= times[rank] <= high for low, high in moments):
                    yield rank
            return
        for low, high in moments:
            last = self._before(ranks, min(high + 1, end))
            for index in range(last - 1, max(last - _MAX_AT_ONCE, 0) - 1, -1):
                if times[ranks[index]] < low:
                    break
                yield ranks[index]


def list_token(address: str) -> str:
    """The token of the messages that went to a mailing list.

    Parameters
    ----------
    address : str
        The list's address.
    """
    return f"list {address}"
