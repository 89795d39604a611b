"""Small counters that a mailbox's history is made of; each is told what happens in time order."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from enron_triage.records import ACTION_INDEX, Action, ActionCounts

_HALF_LIFE = 30 * 86400  # seconds in which an action loses half its weight among the recent ones


class KnownAction(NamedTuple):
    """An action on a message, with the moment (seconds UTC) from which it counts."""

    moment: int
    action: Action
    response_seconds: int | None = None


class ActionCounter:
    """How often each action was taken, in all and lately."""

    __slots__ = ("_moment", "counts", "recent")

    def __init__(self) -> None:
        self.counts = [0] * len(ACTION_INDEX)
        self.recent = [0.0] * len(ACTION_INDEX)
        self._moment = 0

    def add(self, known: KnownAction, instead_of: KnownAction | None) -> None:
        """Count an action, and no longer the one that it takes the place of."""
        self._fade(known.moment)
        index = ACTION_INDEX[known.action]
        self.counts[index] += 1
        self.recent[index] += 1
        if instead_of is not None:
            index = ACTION_INDEX[instead_of.action]
            self.counts[index] -= 1
            left = self.recent[index] - _faded(known.moment - instead_of.moment)
            self.recent[index] = max(left, 0.0)

    def at(self, moment: int) -> ActionCounts:
        """The counts, as recent as they are at a moment; it does not precede what was added."""
        weight = _faded(moment - self._moment)
        return ActionCounts(counts=list(self.counts), recent=[round(value * weight, 4) for value in self.recent])

    def _fade(self, moment: int) -> None:
        weight = _faded(moment - self._moment)
        self.recent = [value * weight for value in self.recent]
        self._moment = moment


class Mail:
    """Messages of one kind: how many, to how many recipients, and the last one's time."""

    __slots__ = ("count", "last", "recipients")

    def __init__(self) -> None:
        self.count = 0
        self.last: int | None = None
        self.recipients = 0

    def add(self, moment: int, recipients: int = 0) -> None:
        """Count a message."""
        self.count += 1
        self.last = moment
        self.recipients += recipients

    def since(self, moment: int) -> int | None:
        """Seconds since the last message; None if there was none."""
        return None if self.last is None else moment - self.last


class Window:
    """How many messages the latest stretch of time holds."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._moments: deque[int] = deque()

    def add(self, moment: int) -> None:
        """Count a message."""
        self._moments.append(moment)

    def at(self, moment: int) -> int:
        """How many came in the stretch that ends at a moment, which never decreases from call to call."""
        while self._moments and self._moments[0] < moment - self._seconds:
            self._moments.popleft()
        return len(self._moments)


class Responses:
    """Geometric mean of response times: one answer after a month must not outweigh twenty within the hour."""

    __slots__ = ("_count", "_sum")

    def __init__(self) -> None:
        self._count = 0
        self._sum = 0.0

    def add(self, seconds: int) -> None:
        """Count an answer."""
        self._count += 1
        self._sum += math.log1p(seconds)

    def typical(self) -> int | None:
        """The mean in whole seconds; None without an answer."""
        return round(math.expm1(self._sum / self._count)) if self._count else None


def _faded(seconds: int) -> float:
    return float(0.5 ** (seconds / _HALF_LIFE))
