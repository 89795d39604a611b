"""Choosing the messages to judge: by a strategy, mailbox by mailbox in turn, never twice to the same person."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import islice

import msgspec
import numpy as np

from enron_triage.annotation.messages import Key, Messages
from enron_triage.annotation.strategies import STRATEGIES, WITHOUT_POLICY, Scored, ScoringPolicy, two_best
from enron_triage.config.types import Costs
from enron_triage.errors import UsageError
from enron_triage.records import ACTIONS, Action


class Candidate(msgspec.Struct, frozen=True):
    """A message that may be asked about.

    Attributes
    ----------
    number : int
        Its place among the messages.
    key : Key
        What a judgement names it by.
    worth : float
        What the strategy says; the highest comes first.
    preference : tuple of float
        The strategy's number for each action: the two highest make the pair.
    probabilities : tuple of float or None
        The policy's for each action; None without a policy.
    """

    number: int
    key: Key
    worth: float
    preference: tuple[float, ...]
    probabilities: tuple[float, ...] | None


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """How messages are chosen.

    Attributes
    ----------
    strategy : str
        A name of `STRATEGIES`.
    pool : int
        How many messages are compared with each other at a time: those of the highest worth of so many, drawn at
        random, come first.
    overlap : float
        The share of the messages that everybody gets; each of the others is judged by one person.
    seed : int
        Of the random draws.
    costs : 5 rows of 5 numbers
        See `Scored`.
    """

    strategy: str
    pool: int
    overlap: float
    seed: int
    costs: Costs


class Queue:
    """The messages in the order in which they are asked.

    Parameters
    ----------
    messages : Messages
        The messages.
    policies : sequence of ScoringPolicy
        The committee; the first one's probabilities are noted with each judgement.
    selection : Selection
        How to choose.
    judged : set of Key
        What has been judged before, by anybody.

    Raises
    ------
    UsageError
        If the strategy needs a policy and there is none.
    """

    def __init__(
        self,
        messages: Messages,
        policies: Sequence[ScoringPolicy],
        selection: Selection,
        judged: Set[Key] = frozenset(),
    ) -> None:
        if not policies and selection.strategy not in WITHOUT_POLICY:
            raise UsageError(
                f"--strategy {selection.strategy}: needs a policy; train one (`triage sft`) or give --strategy random"
            )
        self.selection = selection
        self._messages = messages
        self._policies = policies
        self._numbers = {key: number for number, key in enumerate(messages.keys)}
        self._judged = [number for key, number in self._numbers.items() if key in judged]
        order = _drawn_by_mailbox(messages.keys, selection.seed)
        # Of what has been judged before, only what everybody gets is still to be asked.
        self._order = (
            number for number in order if messages.keys[number] not in judged or self.is_shared(messages.keys[number])
        )
        self._blocks: list[list[Candidate]] = []

    def prepare(self) -> None:
        """Score the first messages, so that a fault is seen before the page is, and the first message shows at once."""
        next(self._scored(), None)

    def candidates(self) -> list[Candidate]:
        """What has been scored so far, block by block, those of the highest worth first."""
        return [candidate for block in self._blocks for candidate in block]

    def choose(self, skip: Callable[[Key], bool], judged: Counter[str]) -> Candidate | None:
        """The next message for one person.

        Parameters
        ----------
        skip : callable
            Says whether a message is not to be asked of that person.
        judged : Counter of str
            How many messages of each mailbox the person has judged: the mailbox with the fewest comes next.

        Returns
        -------
        Candidate or None
            The message; None if there is no further one.
        """
        for block in self._scored():
            left = [candidate for candidate in block if not skip(candidate.key)]
            if left:
                return min(left, key=lambda each: judged[each.key.user])  # of equals the first
        return None

    def find(self, key: Key) -> Candidate | None:
        """A message by its key.

        Parameters
        ----------
        key : Key
            Its key.

        Returns
        -------
        Candidate or None
            None if it is not among the messages.
        """
        found = next((each for each in self.candidates() if each.key == key), None)
        if found is None and key in self._numbers:
            self._blocks.append(self._score([self._numbers[key]]))
            return self._blocks[-1][0]
        return found

    def is_shared(self, key: Key) -> bool:
        """Whether everybody is asked about a message.

        Parameters
        ----------
        key : Key
            The message.
        """
        return self._draw("overlap", key) < self.selection.overlap

    def pair(self, candidate: Candidate, annotator: str) -> tuple[Action, Action]:
        """The two actions in question, in the order in which one person sees them.

        Parameters
        ----------
        candidate : Candidate
            The message.
        annotator : str
            The person; everybody is asked about the same two.
        """
        generator = np.random.default_rng(int(self._draw("pair", candidate.key) * 2**53))
        drawn = two_best(np.array(candidate.preference), generator)
        return drawn if self._draw(f"order {annotator}", candidate.key) < 0.5 else drawn[::-1]

    def _draw(self, purpose: str, key: Key) -> float:
        """A number in [0, 1), random, but the same for the same message in every run."""
        text = "\0".join([str(self.selection.seed), purpose, *key])
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return (int.from_bytes(digest[:8]) >> 11) / 2**53

    def _scored(self) -> Iterator[list[Candidate]]:
        """The messages block by block, those of the highest worth first; a block is scored when it is needed."""
        yield from self._blocks
        while numbers := list(islice(self._order, self.selection.pool)):
            self._blocks.append(self._score(numbers))
            yield self._blocks[-1]

    def _score(self, numbers: Sequence[int]) -> list[Candidate]:
        records = [self._messages.read(number) for number in numbers]
        committee = np.array([np.exp(policy.log_probabilities(records)) for policy in self._policies])
        is_coverage = self.selection.strategy == "coverage"
        scored = Scored(
            records=records,
            committee=committee.reshape(-1, len(records), len(ACTIONS)),
            costs=self.selection.costs,
            policy=self._policies[0] if self._policies else None,
            judged=[self._messages.read(number) for number in self._judged] if is_coverage else (),
        )
        worth, preference = STRATEGIES[self.selection.strategy](scored)
        block = [
            Candidate(
                number=number,
                key=self._messages.keys[number],
                worth=float(worth[row]),
                preference=tuple(preference[row].tolist()),
                probabilities=tuple(committee[0, row].tolist()) if self._policies else None,
            )
            for row, number in enumerate(numbers)
        ]
        return sorted(block, key=lambda candidate: -candidate.worth)


def _drawn_by_mailbox(keys: Sequence[Key], seed: int) -> list[int]:
    """All messages, one of each mailbox in turn, each mailbox's in random order."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(keys)).tolist()
    turns: Counter[str] = Counter()
    turn_of = {}
    for number in order:
        user = keys[number].user
        turn_of[number] = turns[user]
        turns[user] += 1
    return sorted(order, key=turn_of.__getitem__)
