"""Metrics of a policy's predictions, as plain functions of arrays.

What is undefined (a class without support, one class only) is None, never 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.records import ACTION_NAMES, REPLIES

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

COLLAPSE_PREDICTED = 0.95  # a policy has collapsed when one class takes more of the predictions,
COLLAPSE_TRUE = 0.90  # while it is less of the truth
ECE_BINS = 15
_CLASSES = len(ACTION_NAMES)


class ClassMetrics(msgspec.Struct, kw_only=True):
    """The metrics of one action.

    Attributes
    ----------
    precision, recall, f1 : float or None
        None for an action without support.
    support : int
        How many messages have the action.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    support: int


class Classification(msgspec.Struct, kw_only=True):
    """The metrics that need no probabilities.

    Attributes
    ----------
    accuracy, balanced_accuracy, macro_f1 : float
        Averages are over the actions that have support.
    per_class : dict of str to ClassMetrics
        By action.
    confusion_matrix : list of list of int
        Counts by true action (rows) and predicted action (columns), in class order.
    predicted_share : dict of str to float
        The share of the predictions that each action takes.
    collapsed : bool
        Whether one action takes nearly all predictions: see `collapsed`.
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    per_class: dict[str, ClassMetrics]
    confusion_matrix: list[list[int]]
    predicted_share: dict[str, float]
    collapsed: bool


def confusion_matrix(targets: IntArray, predictions: IntArray) -> IntArray:
    """Counts by true class (rows) and predicted class (columns), shape (classes, classes)."""
    return np.bincount(targets * _CLASSES + predictions, minlength=_CLASSES**2).reshape(_CLASSES, _CLASSES)


def precision_recall_f1(confusion: npt.NDArray[Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Per class, from a confusion matrix of shape (..., classes, classes).

    Precision of a class never predicted is 0, as is its F1; everything of a class without support
    is NaN.

    Returns
    -------
    precision, recall, f1 : arrays of float, each shape (..., classes)
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(float)
    predicted, support = confusion.sum(axis=-2), confusion.sum(axis=-1)
    absent = support == 0
    precision = np.where(absent, np.nan, hits / np.maximum(predicted, 1))
    recall = np.where(absent, np.nan, hits / np.maximum(support, 1))
    f1 = np.where(absent, np.nan, 2 * hits / np.maximum(predicted + support, 1))
    return precision, recall, f1


def accuracy(confusion: npt.NDArray[Any]) -> FloatArray:
    """Share of right predictions, shape (...)."""
    return np.asarray(np.trace(confusion, axis1=-2, axis2=-1) / np.maximum(confusion.sum(axis=(-2, -1)), 1))


def macro_f1(confusion: npt.NDArray[Any]) -> FloatArray:
    """Mean F1 of the classes that have support, shape (...)."""
    return _mean_of_known(precision_recall_f1(confusion)[2])


def balanced_accuracy(confusion: npt.NDArray[Any]) -> FloatArray:
    """Mean recall of the classes that have support, shape (...)."""
    return _mean_of_known(precision_recall_f1(confusion)[1])


def mean_reward(confusion: npt.NDArray[Any], costs: npt.ArrayLike) -> FloatArray:
    """Minus the mean cost of the decisions, shape (...).

    Parameters
    ----------
    confusion : array, shape (..., classes, classes)
    costs : array-like, shape (classes, classes)
        Rows true classes, columns predicted.
    """
    cost = (confusion * np.asarray(costs)).sum(axis=(-2, -1))
    return np.asarray(-cost / np.maximum(confusion.sum(axis=(-2, -1)), 1))


def predicted_share(confusion: IntArray) -> dict[str, float]:
    """Share of the predictions that each action takes."""
    shares = confusion.sum(axis=0) / max(int(confusion.sum()), 1)
    return {action: float(share) for action, share in zip(ACTION_NAMES, shares, strict=True)}


def collapsed(confusion: IntArray) -> bool:
    """Whether one class takes over 95% of the predictions while it is under 90% of the truth."""
    total = max(int(confusion.sum()), 1)
    predicted, true = confusion.sum(axis=0) / total, confusion.sum(axis=1) / total
    return bool(((predicted > COLLAPSE_PREDICTED) & (true < COLLAPSE_TRUE)).any())


def expected_calibration_error(probabilities: FloatArray, targets: IntArray) -> float:
    """Gap between confidence and accuracy of the top class, in 15 equal bins (Guo et al. 2017, eq. 3).

    Parameters
    ----------
    probabilities : array, shape (messages, classes)
    targets : array of int, shape (messages,)
    """
    bins = reliability(probabilities, targets)
    return sum(bin_["count"] * abs(bin_["confidence"] - bin_["accuracy"]) for bin_ in bins) / len(targets)


def reliability(probabilities: FloatArray, targets: IntArray) -> list[dict[str, float]]:
    """Confidence and accuracy of the top class in each of 15 equal bins that holds messages.

    Parameters
    ----------
    probabilities : array, shape (messages, classes)
    targets : array of int, shape (messages,)
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    counts = np.bincount(bins, minlength=ECE_BINS)
    of_bins = zip(counts.tolist(), *(np.bincount(bins, v, ECE_BINS).tolist() for v in (confidence, right)), strict=True)
    return [
        {"count": count, "confidence": total / count, "accuracy": hits / count}
        for count, total, hits in of_bins
        if count
    ]


def reply_probability(probabilities: FloatArray) -> FloatArray:
    """P(reply_now) + P(reply_later), shape (messages,)."""
    return np.asarray(probabilities[:, list(REPLIES)].sum(axis=1))


def needs_reply(targets: IntArray) -> npt.NDArray[np.bool_]:
    """Whether the owner answered, shape (messages,)."""
    return np.isin(targets, REPLIES)


def roc_auc(is_positive: npt.NDArray[np.bool_], score: FloatArray) -> float | None:
    """Area under the ROC curve; None with positives or negatives only."""
    from sklearn.metrics import roc_auc_score  # a second to import, which `triage predict` does without

    return float(roc_auc_score(is_positive, score)) if 0 < is_positive.sum() < len(is_positive) else None


def weighted_roc_auc(is_positive: npt.NDArray[np.bool_], score: FloatArray, weights: IntArray) -> FloatArray:
    """Areas under the ROC curve for many weightings of the same messages, ties counted half.

    Parameters
    ----------
    is_positive, score : arrays, shape (messages,)
    weights : array of int, shape (weightings, messages)
        How often each message counts.

    Returns
    -------
    array of float, shape (weightings,)
        NaN where a weighting leaves positives or negatives only.
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


def average_precision(is_positive: npt.NDArray[np.bool_], score: FloatArray) -> float | None:
    """Average precision; None without positives."""
    from sklearn.metrics import average_precision_score  # see above

    return float(average_precision_score(is_positive, score)) if is_positive.any() else None


def classification(targets: IntArray, predictions: IntArray) -> Classification:
    """The metrics that need no probabilities, as the evaluation's JSON names them."""
    confusion = confusion_matrix(targets, predictions)
    precision, recall, f1 = (known(values) for values in precision_recall_f1(confusion))
    support = confusion.sum(axis=1)
    return Classification(
        accuracy=float(accuracy(confusion)),
        balanced_accuracy=float(balanced_accuracy(confusion)),
        macro_f1=float(macro_f1(confusion)),
        per_class={
            action: ClassMetrics(precision=precision[i], recall=recall[i], f1=f1[i], support=int(support[i]))
            for i, action in enumerate(ACTION_NAMES)
        },
        confusion_matrix=confusion.tolist(),
        predicted_share=predicted_share(confusion),
        collapsed=collapsed(confusion),
    )


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
    generator : numpy.random.Generator
    level : float
        Coverage.

    Returns
    -------
    dict of str to [low, high] or None
        None under 10 groups: too few to say.
    """
    count = int(groups.max()) + 1 if len(groups) else 0
    if count < 10:
        return dict.fromkeys(statistics)
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    tail = (1 - level) / 2
    intervals: dict[str, list[float] | None] = {}
    for name, statistic in statistics.items():
        values = statistic(drawn)
        values = values[~np.isnan(values)]
        intervals[name] = [float(q) for q in np.quantile(values, [tail, 1 - tail])] if len(values) else None
    return intervals


def known(values: FloatArray) -> list[float | None]:
    """A list with None for NaN, as JSON wants it."""
    return [None if np.isnan(value) else float(value) for value in values]


def _mean_of_known(values: FloatArray) -> FloatArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no class at all: NaN is the answer
        return np.asarray(np.nanmean(values, axis=-1))
