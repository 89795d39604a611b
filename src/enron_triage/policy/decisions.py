"""Decision rules: which action to take, given its probabilities.

A rule adds an offset per action to the log-probabilities and takes the largest, so that a checkpoint keeps
five numbers for it; the rule ``expected_reward`` takes the action of least expected cost.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.config.training import DecisionConfig, RuleName
from enron_triage.config.types import Costs
from enron_triage.policy import metrics

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_STEPS = np.arange(-1.5, 1.51, 0.15)  # offsets tried, beside the starting point's
_ROUNDS = 2  # of coordinate ascent; a third hardly ever changes anything
_PENALTY = 0.1  # of squared distance from the starting point, against macro-F1 (0 to 1) or relative cost
_MIN_SHARE = 1e-6


class Decision(msgspec.Struct, kw_only=True, frozen=True):
    """The decision rules as they were fitted for a policy.

    Attributes
    ----------
    rule : str
        The rule that the policy is meant to be used with.
    offsets : dict of str to list of float, length 5
        Of every rule that has them, in class order.
    costs : 5 rows of 5 numbers
        Rows what the owner did, columns what is predicted.
    """

    rule: RuleName
    offsets: dict[RuleName, list[float]]
    costs: Costs

    @classmethod
    def fit(
        cls,
        config: DecisionConfig,
        costs: Costs,
        train_shares: FloatArray,
        log_probabilities: FloatArray,
        targets: IntArray,
    ) -> Decision:
        """Fit every rule.

        Parameters
        ----------
        config : DecisionConfig
        costs : 5 rows of 5 numbers
            Rows what the owner did, columns what is predicted; for the objective ``cost``.
        train_shares : array, shape (actions,)
            Of the actions in train.
        log_probabilities : array, shape (messages, actions)
            On validation, calibrated.
        targets : array of int, shape (messages,)
        """
        prior = prior_offsets(train_shares, config.prior_strength)
        offsets: dict[RuleName, FloatArray] = {
            "argmax": np.zeros(len(prior)),
            "prior": prior,
            "thresholds": tuned_offsets(log_probabilities, targets, prior)
            if config.objective == "macro_f1"
            else tuned_offsets(log_probabilities, targets, np.zeros(len(prior)), costs),
        }
        plain = {name: value.tolist() for name, value in offsets.items()}
        return cls(rule=config.rule or "argmax", offsets=plain, costs=costs)

    def decide(self, log_probabilities: FloatArray, rule: RuleName | None = None) -> IntArray:
        """The action of each message, shape (messages,), by a rule (by default, the policy's own)."""
        chosen = rule or self.rule
        if chosen == "expected_reward":
            return least_expected_cost(np.exp(log_probabilities), self.costs)
        return decide(log_probabilities, self.offsets[chosen])


def decide(log_probabilities: FloatArray, offsets: npt.ArrayLike) -> IntArray:
    """The action of each message, shape (messages,).

    Parameters
    ----------
    log_probabilities : array, shape (messages, actions)
    offsets : array-like, shape (actions,)
    """
    return np.asarray((log_probabilities + np.asarray(offsets)).argmax(axis=1), dtype=np.int64)


def least_expected_cost(probabilities: FloatArray, costs: Costs) -> IntArray:
    """The Bayes decision: the action whose cost is least in expectation (Elkan 2001, eq. 1).

    Parameters
    ----------
    probabilities : array, shape (messages, actions)
        Calibrated.
    costs : 5 rows of 5 numbers
        Rows what the owner did, columns what is predicted.

    Returns
    -------
    array of int, shape (messages,)
    """
    return np.asarray((probabilities @ np.asarray(costs)).argmin(axis=1), dtype=np.int64)


def prior_offsets(prior: FloatArray, strength: float) -> FloatArray:
    """Offsets that take a prior back out: -strength x log prior (Menon et al. 2021, section 4.1).

    Parameters
    ----------
    prior : array, shape (actions,)
        Shares of the actions; one that never occurs gets no offset at all.
    strength : float
        1 predicts as if all actions were equally frequent, 0 is the arg max.

    Returns
    -------
    array of float, shape (actions,)
    """
    known = prior > _MIN_SHARE
    return np.where(known, -strength * np.log(np.where(known, prior, 1.0)), 0.0)


def tuned_offsets(
    log_probabilities: FloatArray, targets: IntArray, start: FloatArray, costs: Costs | None = None
) -> FloatArray:
    """Offsets tuned on validation: thresholds of the actions, found by coordinate ascent.

    A few validation mailboxes cannot carry five free numbers: what they gain beyond the starting point
    must outweigh a penalty on the distance from it.

    Parameters
    ----------
    log_probabilities : array, shape (messages, actions)
    targets : array of int, shape (messages,)
    start : array, shape (actions,)
    costs : 5 rows of 5 numbers, optional
        Rows what the owner did, columns what is predicted: the mean cost is made least, as a share of
        the cost of the best constant decision. Without them, macro-F1 is made largest.

    Returns
    -------
    array of float, shape (actions,)
    """
    if not len(targets):
        return start
    matrix = None if costs is None else np.asarray(costs)
    unit = 1.0 if matrix is None else max(float((np.bincount(targets, minlength=len(start)) @ matrix).min()), 1e-9)

    def value(offsets: FloatArray) -> float:
        confusion = metrics.confusion_matrix(targets, decide(log_probabilities, offsets))
        gain = float(metrics.macro_f1(confusion)) if matrix is None else -float((confusion * matrix).sum()) / unit
        return gain - _PENALTY * float(((offsets - start) ** 2).sum())

    offsets, best = start, value(start)
    for _ in range(_ROUNDS):
        for action in range(len(offsets)):
            for step in _STEPS:
                tried = offsets.copy()
                tried[action] = start[action] + step
                if (score := value(tried)) > best:
                    best, offsets = score, tried
    return offsets


RULES = dict.fromkeys(("argmax", "prior", "thresholds", "expected_reward"))
