"""Offsets of the actions: added to the log-probabilities before the largest is taken."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from enron_triage.config.types import Costs
from enron_triage.policy import metrics

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_STEPS = np.arange(-1.5, 1.51, 0.15)  # tried offsets, relative to the starting point
_ROUNDS = 2  # of coordinate ascent; a third hardly ever changes anything
_PENALTY = 0.1  # per squared distance from the starting point, against macro-F1 (0 to 1) or relative cost
_MIN_SHARE = 1e-6  # an action with a smaller share counts as one that never occurs
_MIN_COST = 1e-9  # the best constant decision may cost nothing; the mean cost is divided by its cost


def decide(log_probabilities: FloatArray, offsets: npt.ArrayLike) -> IntArray:
    """The action with the largest sum of log-probability and offset.

    Parameters
    ----------
    log_probabilities : array, shape (messages, actions)
        Calibrated log-probabilities.
    offsets : array-like, shape (actions,)
        Added to the log-probabilities of every message.

    Returns
    -------
    array of int, shape (messages,)
        The index of each message's action.
    """
    return np.asarray((log_probabilities + np.asarray(offsets)).argmax(axis=1), dtype=np.int64)


def prior_offsets(prior: FloatArray, strength: float) -> FloatArray:
    """Offsets that take a class prior back out: -strength x log prior (Menon et al. 2021, section 4.1).

    Parameters
    ----------
    prior : array, shape (actions,)
        The share of each action; one that never occurs gets an offset of 0, so that it is not preferred.
    strength : float
        1 decides as if all actions were equally frequent, 0 takes the most probable action.

    Returns
    -------
    array of float, shape (actions,)
        The offsets.
    """
    known = prior > _MIN_SHARE
    return np.where(known, -strength * np.log(np.where(known, prior, 1.0)), 0.0)


def tuned_offsets(
    log_probabilities: FloatArray, targets: IntArray, start: FloatArray, costs: Costs | None = None
) -> FloatArray:
    """Offsets tuned on validation: thresholds of the actions, found by coordinate ascent.

    A few validation mailboxes cannot support five free numbers, so what is gained beyond the starting point must
    outweigh a penalty on the distance from it.

    Parameters
    ----------
    log_probabilities : array, shape (messages, actions)
        Calibrated log-probabilities of the validation messages.
    targets : array of int, shape (messages,)
        What the owners did; without any message the starting point is returned.
    start : array, shape (actions,)
        The offsets to start from.
    costs : 5 rows of 5 numbers, optional
        The cost of each decision: rows are what the owner did, columns what is predicted. The mean cost is
        minimised, relative to that of the best constant decision; without costs, macro-F1 is maximised.

    Returns
    -------
    array of float, shape (actions,)
        The offsets.
    """
    if not len(targets):
        return start
    matrix = None if costs is None else np.asarray(costs)
    unit = 1.0 if matrix is None else max(float((np.bincount(targets, minlength=len(start)) @ matrix).min()), _MIN_COST)

    def values(candidates: FloatArray) -> FloatArray:
        confusions = np.stack(
            [metrics.confusion_matrix(targets, decide(log_probabilities, offsets)) for offsets in candidates]
        )
        gains = metrics.macro_f1(confusions) if matrix is None else -(confusions * matrix).sum(axis=(1, 2)) / unit
        return np.asarray(gains - _PENALTY * ((candidates - start) ** 2).sum(axis=1))

    offsets, best = start, values(start[None])[0]
    for _ in range(_ROUNDS):
        for action in range(len(offsets)):
            candidates = np.repeat(offsets[None], len(_STEPS), axis=0)
            candidates[:, action] = start[action] + _STEPS
            found = values(candidates)
            if found.max() > best:
                offsets, best = candidates[found.argmax()], found.max()
    return offsets
