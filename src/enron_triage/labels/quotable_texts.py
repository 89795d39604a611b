"""The beginnings of a conversation's messages, which are searched for in the text that a response quotes."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence

from enron_triage.labels.matching import snippet
from enron_triage.records import Email

_FEW = 16  # texts that are each looked for on their own


class QuotableTexts:
    """How some messages begin, to be found in what a response quotes.

    Parameters
    ----------
    ranks : sequence of int
        Their ranks, ascending.
    messages : sequence of Email
        The messages.
    """

    def __init__(self, ranks: Sequence[int], messages: Sequence[Email]) -> None:
        self._ranks: dict[str, list[int]] = defaultdict(list)  # by the beginning of the text
        for rank, message in zip(ranks, messages, strict=True):
            text = snippet(message)
            if text:
                self._ranks[text].append(rank)
        self._lengths = sorted({len(text) for text in self._ranks})

    def quoted_in(self, response: str, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Where a response quotes each of the texts.

        Parameters
        ----------
        response : str
            The body of the response, as `normalise` returns it.
        first, end : int
            Ranks: from which on, and before which.

        Yields
        ------
        offset : int
            Where the text first occurs in the response.
        rank : int
            The latest of the messages that begin so.
        """
        for text, offset in self._occurrences(response):
            ranks = self._ranks[text]
            index = bisect_left(ranks, end) - 1
            if index >= 0 and ranks[index] >= first:
                yield offset, ranks[index]

    def _occurrences(self, response: str) -> Iterator[tuple[str, int]]:
        if len(self._ranks) <= _FEW:
            for text in self._ranks:
                offset = response.find(text)
                if offset >= 0:
                    yield text, offset
            return
        for length in self._lengths:
            seen: set[str] = set()
            for offset in range(len(response) - length + 1):
                text = response[offset : offset + length]
                if text in self._ranks and text not in seen:
                    seen.add(text)
                    yield text, offset
