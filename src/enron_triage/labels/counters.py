"""The counters that make up a mailbox's history; events are added in chronological order."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from enron_triage.records import ACTION_INDEX, Action, ActionCounts

_HALF_LIFE = 30 * 86400  # seconds in which an action loses half its weight among the recent ones


class KnownAction(NamedTuple):
    """An action on a message, with the moment from which it was known.

    Attributes
    ----------
    moment : int
        Seconds UTC.
    action : Action
        What the owner did.
    response_seconds : int or None
        Seconds from the arrival to the reply or forward; None for any other action.
    """

    moment: int
    action: Action
    response_seconds: int | None = None


class ActionCounter:
    """How often each action was taken, in all and recently.

    The recent counts decay exponentially with a half-life of 30 days.
    """

    __slots__ = ("_counts", "_moment", "_recent")

    def __init__(self) -> None:
        self._counts = [0] * len(ACTION_INDEX)
        self._recent = [0.0] * len(ACTION_INDEX)  # as of `_moment`
        self._moment = 0

    def add(self, known: KnownAction, replaces: KnownAction | None) -> None:
        """Count an action.

        Parameters
        ----------
        known : KnownAction
            The action; its moment must not be earlier than that of any action added before.
        replaces : KnownAction or None
            An action added before for the same message, which no longer counts from now on.
        """
        decay = _decay(known.moment - self._moment)
        self._recent = [value * decay for value in self._recent]
        self._moment = known.moment
        index = ACTION_INDEX[known.action]
        self._counts[index] += 1
        self._recent[index] += 1
        if replaces is not None:
            index = ACTION_INDEX[replaces.action]
            self._counts[index] -= 1
            remaining = self._recent[index] - _decay(known.moment - replaces.moment)
            self._recent[index] = max(remaining, 0.0)  # rounding

    def at(self, moment: int) -> ActionCounts:
        """The counts as of a moment.

        Parameters
        ----------
        moment : int
            Seconds UTC, not earlier than any action added.
        """
        decay = _decay(moment - self._moment)
        return ActionCounts(counts=list(self._counts), recent=[round(value * decay, 4) for value in self._recent])


class MessageCounter:
    """Messages of one kind: how many, to how many recipients, and when the last one was.

    Attributes
    ----------
    count : int
        How many messages were added.
    recipients : int
        How many recipients they had, added up.
    """

    __slots__ = ("_last", "count", "recipients")

    def __init__(self) -> None:
        self.count = 0
        self.recipients = 0
        self._last: int | None = None

    def add(self, moment: int, recipients: int = 0) -> None:
        """Count a message.

        Parameters
        ----------
        moment : int
            Its time in seconds UTC, not earlier than that of any message added before.
        recipients : int
            How many recipients it has.
        """
        self.count += 1
        self.recipients += recipients
        self._last = moment

    def since(self, moment: int) -> int | None:
        """Seconds from the last message to a moment; None if there was no message.

        Parameters
        ----------
        moment : int
            Seconds UTC.
        """
        return None if self._last is None else moment - self._last


class SlidingWindow:
    """How many messages came in the last hour, day or other period.

    Parameters
    ----------
    seconds : int
        The length of the period.
    """

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._moments: deque[int] = deque()

    def add(self, moment: int) -> None:
        """Count a message.

        Parameters
        ----------
        moment : int
            Its time in seconds UTC, not earlier than that of any message added before.
        """
        self._moments.append(moment)

    def at(self, moment: int) -> int:
        """How many messages came in the period that ends at a moment.

        Parameters
        ----------
        moment : int
            Seconds UTC; must not decrease from call to call, because older messages are forgotten.
        """
        while self._moments and self._moments[0] < moment - self._seconds:
            self._moments.popleft()
        return len(self._moments)


class ResponseTimes:
    """The geometric mean of response times: one reply after a month must not outweigh twenty within the hour."""

    __slots__ = ("_count", "_log_sum")

    def __init__(self) -> None:
        self._count = 0
        self._log_sum = 0.0

    def add(self, seconds: int) -> None:
        """Add the response time of one reply.

        Parameters
        ----------
        seconds : int
            Seconds from the arrival to the reply, from 0.
        """
        self._count += 1
        self._log_sum += math.log1p(seconds)

    def mean(self) -> int | None:
        """The geometric mean of (1 + seconds), less 1, in whole seconds; None if there was no reply."""
        return round(math.expm1(self._log_sum / self._count)) if self._count else None


def _decay(seconds: int) -> float:
    return float(0.5 ** (seconds / _HALF_LIFE))
