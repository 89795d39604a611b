"""Confidence intervals over mailboxes: the people are the sample, not their messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, stdtrit

from enron_triage.labels.sample_size import FEW_MAILBOXES

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Statistic = Callable[[IntArray], FloatArray]


def jackknife_interval(
    sizes: IntArray, statistic: Statistic, *, share: bool = False, level: float = 0.95
) -> list[float] | None:
    """The interval of a statistic of all messages, for other mailboxes drawn as these were.

    It is the statistic plus and minus a quantile of Student's t times the jackknife's standard error, which leaves out
    one mailbox after the other (Efron and Tibshirani 1993, ch. 11). A few large mailboxes decide a statistic of all
    messages, so the degrees of freedom are the effective number of mailboxes, ``sum(sizes)^2 / sum(sizes^2)`` (Kish
    1965, section 8.2), less one. ``scripts/check_intervals.py`` measures how often it covers the truth.

    Parameters
    ----------
    sizes : array of int >= 1, shape (mailboxes,)
        How many messages each mailbox has.
    statistic : callable
        Takes how often each mailbox counts, shape (weightings, mailboxes); gives the statistic of each weighting, shape
        (weightings,), NaN where it is undefined.
    share : bool
        Whether the statistic lies between 0 and 1: its interval then is symmetric on the scale of log odds, and stays
        between them.
    level : float
        The coverage that the interval is meant to have.

    Returns
    -------
    [low, high] or None
        None if there are fewer than 10 mailboxes, or if the statistic is undefined for all of them or without one.
    """
    count = len(sizes)
    if count < FEW_MAILBOXES:
        return None
    values = statistic(np.concatenate([np.ones((1, count)), 1 - np.eye(count)]).astype(np.int64))
    if np.isnan(values).any():
        return None
    on_odds = share and values.min() > 0 and values.max() < 1
    scaled = logit(values) if on_odds else values
    error = np.sqrt((count - 1) / count * ((scaled[1:] - scaled[1:].mean()) ** 2).sum())
    effective = sizes.sum() ** 2 / (sizes.astype(float) ** 2).sum()
    reach = stdtrit(max(effective - 1, 1), (1 + level) / 2) * error
    ends = np.array([scaled[0] - reach, scaled[0] + reach])
    if on_odds:
        ends = expit(ends)
    elif share:
        ends = ends.clip(0, 1)
    return [float(end) for end in ends]


def paired_interval(
    first: IntArray, second: IntArray, statistic: Callable[[npt.NDArray[Any]], FloatArray]
) -> list[float] | None:
    """The 95% interval of the difference between two policies, both on the same mailboxes.

    That one mailbox is harder than another changes both alike, and so hardly changes the difference.

    Parameters
    ----------
    first, second : arrays of int, shape (mailboxes, actions, actions)
        The confusion matrices of the two policies, mailbox by mailbox in the same order.
    statistic : callable
        Takes confusion matrices, shape (..., actions, actions); gives the metric of each, shape (...,).

    Returns
    -------
    [low, high] or None
        The interval of the first policy's metric less the second's; None under 10 mailboxes.
    """

    def difference(counts: IntArray) -> FloatArray:
        return statistic(np.tensordot(counts, first, axes=1)) - statistic(np.tensordot(counts, second, axes=1))

    return jackknife_interval(first.sum(axis=(1, 2)), difference)


def wilson_interval(successes: int, trials: int) -> list[float]:
    """The 95% interval of a share of independent trials (Wilson 1927).

    Parameters
    ----------
    successes : int
        How many trials succeeded.
    trials : int >= 1
        How many there were.

    Returns
    -------
    [low, high]

    Examples
    --------
    >>> [round(end, 3) for end in wilson_interval(3, 4)]
    [0.301, 0.954]
    """
    from scipy.stats import binomtest  # takes most of a second to import, and most evaluations do without

    found = binomtest(successes, trials).proportion_ci(method="wilson")
    return [float(found.low), float(found.high)]


def weighted_roc_auc(is_positive: npt.NDArray[np.bool_], score: FloatArray, weights: IntArray) -> FloatArray:
    """Areas under the ROC curve for many weightings of the same messages, ties counted half.

    Parameters
    ----------
    is_positive : array of bool, shape (messages,)
        Which messages are positive.
    score : array, shape (messages,)
        The score of each message: the higher, the more likely it is positive.
    weights : array of int, shape (weightings, messages)
        How often each message counts.

    Returns
    -------
    array of float, shape (weightings,)
        The areas; NaN where a weighting leaves only positives or only negatives.
    """
    order = np.argsort(score, kind="stable")
    _, starts = np.unique(score[order], return_index=True)
    areas = np.full(len(weights), np.nan)
    for row, weight in enumerate(weights):  # one at a time: all at once would need weightings x messages of floats
        positives = np.add.reduceat(np.where(is_positive, weight, 0)[order], starts).astype(float)
        negatives = np.add.reduceat(np.where(is_positive, 0, weight)[order], starts).astype(float)
        below = np.cumsum(negatives) - negatives
        pairs = positives.sum() * negatives.sum()
        if pairs:
            areas[row] = (positives * (below + negatives / 2)).sum() / pairs
    return areas
