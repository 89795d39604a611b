"""Confidence intervals by resampling mailboxes: the people are the sample, not their messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from enron_triage.labels.sample_size import FEW_MAILBOXES
from enron_triage.runtime.progress import progress

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def bootstrap_intervals(
    groups: IntArray,
    statistics: dict[str, Callable[[IntArray], FloatArray]],
    *,
    resamples: int,
    generator: np.random.Generator,
    level: float = 0.95,
) -> dict[str, list[float] | None]:
    """Percentile intervals from resampling whole groups (Efron and Tibshirani 1993, ch. 13).

    Parameters
    ----------
    groups : array of int, shape (messages,)
        The mailbox of each message.
    statistics : dict of str to callable
        Each takes how often every group was drawn, shape (resamples, groups), and gives the
        statistic of each resample, shape (resamples,); NaN where it is undefined.
    resamples : int >= 1
        The number of times that the groups are drawn again, with replacement.
    generator : numpy.random.Generator
        What they are drawn with.
    level : float
        The coverage of the intervals.

    Returns
    -------
    dict of str to [low, high] or None
        The interval of each statistic; None if there are fewer than 10 groups, or it is never defined.
    """
    count = int(groups.max()) + 1 if len(groups) else 0
    if count < FEW_MAILBOXES:
        return dict.fromkeys(statistics)
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    tail = (1 - level) / 2
    intervals: dict[str, list[float] | None] = {}
    for name, statistic in progress(statistics.items(), description="confidence intervals", unit=" metrics"):
        values = statistic(drawn)
        values = values[~np.isnan(values)]
        intervals[name] = [float(q) for q in np.quantile(values, [tail, 1 - tail])] if len(values) else None
    return intervals


def paired_interval(
    first: IntArray,
    second: IntArray,
    statistic: Callable[[npt.NDArray[Any]], FloatArray],
    *,
    resamples: int,
    seed: int,
) -> list[float] | None:
    """The 95% interval of the difference between two policies, both on the same drawn mailboxes.

    That one mailbox is harder than another changes both alike, and so hardly changes the difference.

    Parameters
    ----------
    first, second : arrays of int, shape (mailboxes, actions, actions)
        The confusion matrices of the two policies, mailbox by mailbox in the same order.
    statistic : callable
        Takes confusion matrices, shape (..., actions, actions); gives the metric of each, shape (...,).
    resamples : int >= 1
        How often mailboxes are drawn.
    seed : int
        The seed of these draws.

    Returns
    -------
    [low, high] or None
        The interval of the first policy's metric less the second's; None under 10 mailboxes.
    """

    def difference(drawn: IntArray) -> FloatArray:
        return statistic(np.tensordot(drawn, first, axes=1)) - statistic(np.tensordot(drawn, second, axes=1))

    generator = np.random.default_rng(seed)
    groups = np.arange(len(first))
    return bootstrap_intervals(groups, {"it": difference}, resamples=resamples, generator=generator)["it"]


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
