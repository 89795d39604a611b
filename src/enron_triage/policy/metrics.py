"""Metrics of a policy's decisions, as plain functions of arrays; `probability_metrics` has those of probabilities.

A metric that is undefined, as for a class without support, is None and never 0.
"""

from __future__ import annotations

import warnings
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.records import ACTION_NAMES

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

COLLAPSE_PREDICTED = 0.95  # a policy has collapsed if one class takes more of the predictions than this
COLLAPSE_TRUE = 0.90  # although less than this of the messages are of that class
_CLASSES = len(ACTION_NAMES)


class ClassMetrics(msgspec.Struct, kw_only=True):
    """The metrics of one action.

    Attributes
    ----------
    precision : float or None
        The share of the predictions of this action that are right; None for an action without support.
    recall : float or None
        The share of the messages with this action that are predicted correctly; None as for `precision`.
    f1 : float or None
        The harmonic mean of precision and recall; None as for `precision`.
    support : int
        The number of messages with this action.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    support: int


class Classification(msgspec.Struct, kw_only=True):
    """The metrics that need no probabilities.

    Attributes
    ----------
    accuracy : float
        The share of right predictions.
    balanced_accuracy : float
        The mean recall of the actions that have support.
    macro_f1 : float
        The mean F1 of the actions that have support.
    per_class : dict of str to ClassMetrics
        The metrics of each action.
    confusion_matrix : list of list of int
        Counts by true action (rows) and predicted action (columns), in class order.
    predicted_share : dict of str to float
        The share of each action among the predictions.
    collapsed : bool
        Whether nearly all predictions are the same action: see the function `collapsed`.
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    per_class: dict[str, ClassMetrics]
    confusion_matrix: list[list[int]]
    predicted_share: dict[str, float]
    collapsed: bool


def confusion_matrix(targets: IntArray, predictions: IntArray) -> IntArray:
    """Counts by true class and predicted class.

    Parameters
    ----------
    targets : array of int, shape (messages,)
        The index of each message's true class.
    predictions : array of int, shape (messages,)
        The index of each message's predicted class.

    Returns
    -------
    array of int, shape (classes, classes)
        The counts: rows are true classes, columns predicted ones.
    """
    return np.bincount(targets * _CLASSES + predictions, minlength=_CLASSES**2).reshape(_CLASSES, _CLASSES)


def precision_recall_f1(confusion: npt.NDArray[Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Precision, recall and F1 of each class.

    Parameters
    ----------
    confusion : array, shape (..., classes, classes)
        Counts by true class (rows) and predicted class (columns).

    Returns
    -------
    precision, recall, f1 : arrays of float, each shape (..., classes)
        Precision and F1 of a class that is never predicted are 0; all three are NaN for a class without support.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(float)
    predicted, support = confusion.sum(axis=-2), confusion.sum(axis=-1)
    absent = support == 0
    precision = np.where(absent, np.nan, hits / np.maximum(predicted, 1))
    recall = np.where(absent, np.nan, hits / np.maximum(support, 1))
    f1 = np.where(absent, np.nan, 2 * hits / np.maximum(predicted + support, 1))
    return precision, recall, f1


def accuracy(confusion: npt.NDArray[Any]) -> FloatArray:
    """The share of right predictions.

    Parameters
    ----------
    confusion : array, shape (..., classes, classes)
        Counts by true class (rows) and predicted class (columns).

    Returns
    -------
    array of float, shape (...)
        The share of each matrix; NaN for one without messages.
    """
    right, count = np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1))
    return np.where(count == 0, np.nan, right / np.maximum(count, 1))


def macro_f1(confusion: npt.NDArray[Any]) -> FloatArray:
    """The mean F1 of the classes that have support.

    Parameters
    ----------
    confusion : array, shape (..., classes, classes)
        Counts by true class (rows) and predicted class (columns).

    Returns
    -------
    array of float, shape (...)
        The mean of each matrix; NaN for one without messages.
    """
    return _mean_of_known(precision_recall_f1(confusion)[2])


def balanced_accuracy(confusion: npt.NDArray[Any]) -> FloatArray:
    """The mean recall of the classes that have support.

    Parameters
    ----------
    confusion : array, shape (..., classes, classes)
        Counts by true class (rows) and predicted class (columns).

    Returns
    -------
    array of float, shape (...)
        The mean of each matrix; NaN for one without messages.
    """
    return _mean_of_known(precision_recall_f1(confusion)[1])


def mean_reward(confusion: npt.NDArray[Any], costs: npt.ArrayLike) -> FloatArray:
    """Minus the mean cost of the decisions.

    Parameters
    ----------
    confusion : array, shape (..., classes, classes)
        Counts by true class (rows) and predicted class (columns).
    costs : array-like, shape (classes, classes)
        The cost of each decision: rows are true classes, columns predicted ones.

    Returns
    -------
    array of float, shape (...)
        The mean of each matrix; 0 for one without messages.
    """
    cost = (confusion * np.asarray(costs)).sum(axis=(-2, -1))
    return np.asarray(-cost / np.maximum(confusion.sum(axis=(-2, -1)), 1))


def predicted_share(confusion: IntArray) -> dict[str, float]:
    """The share of the predictions that each action takes.

    Parameters
    ----------
    confusion : array, shape (classes, classes)
        Counts by true class (rows) and predicted class (columns).

    Returns
    -------
    dict of str to float
        The share by action.
    """
    shares = confusion.sum(axis=0) / max(int(confusion.sum()), 1)
    return {action: float(share) for action, share in zip(ACTION_NAMES, shares, strict=True)}


def collapsed(confusion: IntArray) -> bool:
    """Whether over 95% of the predictions are one class, although less than 90% of the messages have it.

    Parameters
    ----------
    confusion : array, shape (classes, classes)
        Counts by true class (rows) and predicted class (columns).

    Returns
    -------
    bool
        Whether the predictions have collapsed.
    """
    total = max(int(confusion.sum()), 1)
    predicted, true = confusion.sum(axis=0) / total, confusion.sum(axis=1) / total
    return bool(((predicted > COLLAPSE_PREDICTED) & (true < COLLAPSE_TRUE)).any())


def classification(targets: IntArray, predictions: IntArray) -> Classification:
    """The metrics that need no probabilities.

    Parameters
    ----------
    targets : array of int, shape (messages,)
        The index of each message's true action.
    predictions : array of int, shape (messages,)
        The index of each message's predicted action.

    Returns
    -------
    Classification
        The metrics.
    """
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


def known(values: FloatArray) -> list[float | None]:
    """A list for JSON, which has no NaN.

    Parameters
    ----------
    values : array of float, shape (values,)
        Numbers, some of them NaN.

    Returns
    -------
    list of float or None
        The numbers, None for each NaN.
    """
    return [None if np.isnan(value) else float(value) for value in values]


def _mean_of_known(values: FloatArray) -> FloatArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # without any class, NaN is the answer
        return np.asarray(np.nanmean(values, axis=-1))
