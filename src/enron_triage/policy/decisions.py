"""Decision rules: which action to take, given the probabilities of all.

Most rules add an offset per action to the log-probabilities and take the largest sum, so that a checkpoint keeps five
numbers for each; ``expected_reward`` takes the action of least expected cost and needs none. To add a rule, write the
function that fits its offsets, or the one that decides without them, and name it in `RULES` at the end of this file.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.config.training import DecisionConfig, RuleName
from enron_triage.config.types import Costs
from enron_triage.errors import UsageError
from enron_triage.policy.offsets import decide, prior_offsets, tuned_offsets

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class FitData(msgspec.Struct, kw_only=True, frozen=True):
    """What the parameters of a rule may be fitted on.

    Attributes
    ----------
    config : DecisionConfig
        The settings of the rules.
    costs : 5 rows of 5 numbers
        The cost of each decision: rows are what the owner did, columns what is predicted.
    class_prior : array of float, shape (actions,)
        The share of each action in train.
    log_probabilities : array of float, shape (messages, actions)
        Calibrated log-probabilities of the validation messages.
    targets : array of int, shape (messages,)
        What the owners did with the validation messages.
    """

    config: DecisionConfig
    costs: Costs
    class_prior: FloatArray
    log_probabilities: FloatArray
    targets: IntArray


def _decide_by_offsets(log_probabilities: FloatArray, offsets: npt.ArrayLike, costs: Costs) -> IntArray:
    """The action with the largest sum of log-probability and offset, whatever the costs."""
    return decide(log_probabilities, offsets)


class DecisionRule(msgspec.Struct, frozen=True):
    """One way to choose an action from probabilities.

    Attributes
    ----------
    fit : callable or None
        Takes a `FitData` and returns the rule's offsets, shape (actions,), which the checkpoint stores. None for a rule
        without fitted parameters.
    decide : callable
        Takes log-probabilities, shape (messages, actions), the fitted offsets (zeros if there are none) and the
        costs; returns the action of each message, shape (messages,).
    """

    fit: Callable[[FitData], FloatArray] | None = None
    decide: Callable[[FloatArray, npt.ArrayLike, Costs], IntArray] = _decide_by_offsets


class Decision(msgspec.Struct, kw_only=True, frozen=True):
    """The decision rules as they were fitted for a policy.

    Attributes
    ----------
    rule : str
        The rule that the policy decides by unless another one is asked for.
    offsets : dict of str to list of float, length 5
        The offsets of every rule that has fitted ones, in class order. A rule that was added to `RULES` after the
        policy was trained is missing, and not available.
    costs : 5 rows of 5 numbers
        The cost of each decision: rows are what the owner did, columns what is predicted.
    """

    rule: RuleName
    offsets: dict[RuleName, list[float]]
    costs: Costs

    @classmethod
    def fit(
        cls,
        config: DecisionConfig,
        costs: Costs,
        class_prior: FloatArray,
        log_probabilities: FloatArray,
        targets: IntArray,
    ) -> Decision:
        """Fit every rule of the table.

        Parameters
        ----------
        config : DecisionConfig
            The policy's own rule (``argmax`` if none is named) and the settings of the rules.
        costs : 5 rows of 5 numbers
            The cost of each decision: rows are what the owner did, columns what is predicted.
        class_prior : array, shape (actions,)
            The share of each action in train.
        log_probabilities : array, shape (messages, actions)
            Calibrated log-probabilities of the validation messages.
        targets : array of int, shape (messages,)
            What the owners did with the validation messages.

        Returns
        -------
        Decision
            The fitted rules.
        """
        data = FitData(
            config=config,
            costs=costs,
            class_prior=class_prior,
            log_probabilities=log_probabilities,
            targets=targets,
        )
        offsets = {name: rule.fit(data).tolist() for name, rule in RULES.items() if rule.fit is not None}
        return cls(rule=config.rule or "argmax", offsets=offsets, costs=costs)

    @property
    def available(self) -> list[RuleName]:
        """The rules that can decide for this policy, in the order of the table."""
        return [name for name, rule in RULES.items() if rule.fit is None or name in self.offsets]

    def with_rule(self, rule: RuleName | None) -> Decision:
        """The same rules, with another one as the policy's own.

        Parameters
        ----------
        rule : str or None
            The rule to decide by; None keeps the policy's own.

        Returns
        -------
        Decision
            A copy.

        Raises
        ------
        UsageError
            If the policy was trained before this version had the rule.
        """
        if rule is not None and rule not in self.available:
            raise UsageError(
                f"decision.rule: the checkpoint has no fitted rule {rule}; train again with `triage sft`, "
                f"or choose one of {', '.join(self.available)}"
            )
        return msgspec.structs.replace(self, rule=rule or self.rule)

    def decide(self, log_probabilities: FloatArray, rule: RuleName | None = None) -> IntArray:
        """The action of each message.

        Parameters
        ----------
        log_probabilities : array, shape (messages, actions)
            Calibrated log-probabilities.
        rule : str, optional
            The rule to decide by; by default the policy's own.

        Returns
        -------
        array of int, shape (messages,)
            The index of each message's action.

        Raises
        ------
        UsageError
            If the policy was trained before this version had the rule.
        """
        chosen = self.with_rule(rule).rule
        offsets = self.offsets.get(chosen, [0.0] * log_probabilities.shape[1])
        return RULES[chosen].decide(log_probabilities, offsets, self.costs)


def least_expected_cost(probabilities: FloatArray, costs: Costs) -> IntArray:
    """The Bayes decision: the action whose expected cost is least (Elkan 2001, eq. 1).

    Parameters
    ----------
    probabilities : array, shape (messages, actions)
        Calibrated probabilities.
    costs : 5 rows of 5 numbers
        The cost of each decision: rows are what the owner did, columns what is predicted.

    Returns
    -------
    array of int, shape (messages,)
        The index of each message's action.
    """
    return np.asarray((probabilities @ np.asarray(costs)).argmin(axis=1), dtype=np.int64)


def _fit_argmax(data: FitData) -> FloatArray:
    """No offsets: the most probable action."""
    return np.zeros(len(data.class_prior))


def _fit_prior(data: FitData) -> FloatArray:
    """Offsets that take train's class prior back out, as far as ``decision.prior_strength`` says."""
    return prior_offsets(data.class_prior, data.config.prior_strength)


def _fit_thresholds(data: FitData) -> FloatArray:
    """Offsets tuned on validation for ``decision.objective``: macro-F1, or the mean cost."""
    if data.config.objective == "macro_f1":
        return tuned_offsets(data.log_probabilities, data.targets, _fit_prior(data))
    return tuned_offsets(data.log_probabilities, data.targets, np.zeros(len(data.class_prior)), data.costs)


def _decide_by_cost(log_probabilities: FloatArray, offsets: npt.ArrayLike, costs: Costs) -> IntArray:
    """The action of least expected cost, without offsets."""
    return least_expected_cost(np.exp(log_probabilities), costs)


RULES: dict[str, DecisionRule] = {
    "argmax": DecisionRule(fit=_fit_argmax),
    "prior": DecisionRule(fit=_fit_prior),
    "thresholds": DecisionRule(fit=_fit_thresholds),
    "expected_reward": DecisionRule(decide=_decide_by_cost),
}
