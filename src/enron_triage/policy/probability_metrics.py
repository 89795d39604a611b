"""Metrics of a policy's probabilities: how well they rank messages, and how well confidence matches accuracy.

A metric that is undefined, as with messages of one class only, is None and never 0.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.records import REPLIES

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

ECE_BINS = 15  # as in Guo et al. 2017


class ReliabilityBin(msgspec.Struct, kw_only=True):
    """The messages whose confidence (the probability of the most probable class) falls into one bin.

    Attributes
    ----------
    count : int
        The number of messages, at least 1.
    confidence : float
        Their mean confidence.
    accuracy : float
        The share of them whose most probable class is right.
    """

    count: int
    confidence: float
    accuracy: float


def reply_probability(probabilities: FloatArray) -> FloatArray:
    """P(reply_now) + P(reply_later).

    Parameters
    ----------
    probabilities : array, shape (messages, actions)
        Calibrated probabilities.

    Returns
    -------
    array of float, shape (messages,)
        The probability that the owner answers.
    """
    return np.asarray(probabilities[:, list(REPLIES)].sum(axis=1))


def needs_reply(targets: IntArray) -> npt.NDArray[np.bool_]:
    """Whether the owner answered.

    Parameters
    ----------
    targets : array of int, shape (messages,)
        The index of each message's action.

    Returns
    -------
    array of bool, shape (messages,)
        True for the messages that were answered, at once or later.
    """
    return np.isin(targets, REPLIES)


def roc_auc(is_positive: npt.NDArray[np.bool_], score: FloatArray) -> float | None:
    """The area under the ROC curve.

    The share of the pairs of a positive and a negative in which the positive has the higher score; pairs of equal
    scores count half (Hanley and McNeil 1982). The values are those of scikit-learn's ``roc_auc_score``, which takes a
    second to import.

    Parameters
    ----------
    is_positive : array of bool, shape (messages,)
        Which messages are positive.
    score : array, shape (messages,)
        The score of each message: the higher, the more likely it is positive.

    Returns
    -------
    float or None
        The area; None if there are only positives or only negatives.
    """
    positives, negatives = _by_threshold(is_positive, score)
    pairs = int(positives.sum()) * int(negatives.sum())
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum()) / pairs if pairs else None


def average_precision(is_positive: npt.NDArray[np.bool_], score: FloatArray) -> float | None:
    """The average precision: the area under the precision-recall curve, as a sum of steps.

    The values are those of scikit-learn's ``average_precision_score``, which takes a second to import.

    Parameters
    ----------
    is_positive : array of bool, shape (messages,)
        Which messages are positive.
    score : array, shape (messages,)
        The score of each message: the higher, the more likely it is positive.

    Returns
    -------
    float or None
        The average; None without positives.
    """
    positives, negatives = (counts[::-1] for counts in _by_threshold(is_positive, score))  # from the highest score on
    found = np.cumsum(positives)
    precision = found / (found + np.cumsum(negatives))
    return float((positives * precision).sum()) / int(found[-1]) if is_positive.any() else None


def _by_threshold(is_positive: npt.NDArray[np.bool_], score: FloatArray) -> tuple[IntArray, IntArray]:
    """How many positives and negatives have each of the different scores, which ascend."""
    values, place = np.unique(score, return_inverse=True)
    positives = np.bincount(place[is_positive], minlength=len(values))
    return positives, np.bincount(place, minlength=len(values)) - positives


def expected_calibration_error(probabilities: FloatArray, targets: IntArray) -> float:
    """The mean gap between confidence and accuracy, in 15 equal bins (Guo et al. 2017, eq. 3).

    Parameters
    ----------
    probabilities : array, shape (messages, classes)
        The probabilities of the classes.
    targets : array of int, shape (messages,)
        The index of each message's true class.

    Returns
    -------
    float
        From 0 (calibrated) to 1.
    """
    bins = reliability(probabilities, targets)
    return sum(bin_.count * abs(bin_.confidence - bin_.accuracy) for bin_ in bins) / len(targets)


def reliability(probabilities: FloatArray, targets: IntArray) -> list[ReliabilityBin]:
    """Confidence and accuracy in equal bins of confidence.

    Parameters
    ----------
    probabilities : array, shape (messages, classes)
        The probabilities of the classes.
    targets : array of int, shape (messages,)
        The index of each message's true class.

    Returns
    -------
    list of ReliabilityBin
        Those of 15 bins that hold messages, from low to high confidence.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    counts = np.bincount(bins, minlength=ECE_BINS)
    of_bins = zip(counts.tolist(), *(np.bincount(bins, v, ECE_BINS).tolist() for v in (confidence, right)), strict=True)
    return [
        ReliabilityBin(count=count, confidence=total / count, accuracy=hits / count)
        for count, total, hits in of_bins
        if count
    ]
