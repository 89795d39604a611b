"""Which message is shown next: the priority of each message, and the two actions to ask about.

A strategy gets the calibrated probabilities of a committee of policies, of one as a rule, and gives a worth; messages
of the highest worth come first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.config.types import Costs
from enron_triage.errors import UsageError
from enron_triage.records import ACTION_INDEX, ACTIONS, Action, LabeledEmail

Array = npt.NDArray[np.floating]


class ScoringPolicy(Protocol):
    """What choosing messages asks of a policy; `predict.Triage` has it."""

    def log_probabilities(self, records: Sequence[LabeledEmail]) -> Array:
        """Calibrated log-probabilities, shape (records, actions).

        Parameters
        ----------
        records : sequence of LabeledEmail
            The messages.
        """

    def inputs(self, records: Sequence[LabeledEmail]) -> Array:
        """What the policy sees of messages, shape (records, inputs).

        Parameters
        ----------
        records : sequence of LabeledEmail
            The messages.
        """


class Scored(msgspec.Struct, frozen=True):
    """Some messages as a committee of policies sees them.

    Attributes
    ----------
    records : sequence of LabeledEmail
        The messages.
    committee : array, shape (policies, messages, actions)
        The probabilities by each policy; no policies for a committee of none.
    costs : 5 rows of 5 numbers
        What deciding for the column's action costs where the row's would be right.
    policy : ScoringPolicy or None
        The first of the policies.
    judged : sequence of LabeledEmail
        Messages that have been judged before.
    """

    records: Sequence[LabeledEmail]
    committee: Array
    costs: Costs
    policy: ScoringPolicy | None
    judged: Sequence[LabeledEmail] = ()


def _uncertain(scored: Scored) -> tuple[Array, Array]:
    """How close the two most probable actions are (margin sampling: Scheffer et al. 2001)."""
    mean = scored.committee.mean(axis=0)
    highest = np.sort(mean, axis=1)
    return highest[:, -2] - highest[:, -1], mean


def _cost(scored: Scored) -> tuple[Array, Array]:
    """What the best decision is expected to cost (the Bayes risk); in question are the two that cost least."""
    risk = scored.committee.mean(axis=0) @ np.array(scored.costs, dtype=float)
    return risk.min(axis=1), -risk


def _disagreement(scored: Scored) -> tuple[Array, Array]:
    """How far a committee is apart: the Jensen-Shannon divergence (query by committee: McCallum and Nigam 1998).

    A policy alone is compared with what the owner did.
    """
    committee = scored.committee
    if len(committee) == 1:
        labels = [record.action for record in scored.records]
        if None in labels:
            raise UsageError(
                "--strategy disagreement: these messages have no labels to compare the policy with; "
                "name two policies (--checkpoint, twice) or choose another strategy"
            )
        owner = np.eye(len(ACTIONS))[[ACTION_INDEX[label] for label in labels if label is not None]]
        committee = np.concatenate([committee, owner.reshape(1, -1, len(ACTIONS))])
    mean = committee.mean(axis=0)
    return _entropy(mean) - _entropy(committee).mean(axis=0), mean


def _coverage(scored: Scored) -> tuple[Array, Array]:
    """How early a message comes if each next one is that farthest from all before it, as the policy sees them.

    This is the greedy k-center algorithm (Gonzalez 1985; Sener and Savarese 2018 for choosing what to label). The
    messages that were judged before come first.
    """
    assert scored.policy is not None
    inputs = scored.policy.inputs([*scored.judged, *scored.records]).astype(np.float32)
    judged, inputs = inputs[: len(scored.judged)], inputs[len(scored.judged) :]
    distance = np.full(len(inputs), np.inf, dtype=np.float32)
    for center in judged:
        distance = np.minimum(distance, np.square(inputs - center).sum(axis=1))
    worth = np.zeros(len(inputs))
    for place in range(len(inputs)):
        chosen = int(distance.argmax())
        worth[chosen] = -place
        distance = np.minimum(distance, np.square(inputs - inputs[chosen]).sum(axis=1))
        distance[chosen] = -np.inf
    return worth, scored.committee.mean(axis=0)


def _random(scored: Scored) -> tuple[Array, Array]:
    """The order that the messages come in, which is random; in question are the most probable actions, if known."""
    size = (len(scored.records), len(ACTIONS))
    return -np.arange(size[0], dtype=float), scored.committee.mean(axis=0) if len(scored.committee) else np.zeros(size)


STRATEGIES: dict[str, Callable[[Scored], tuple[Array, Array]]] = {
    "uncertain": _uncertain,
    "random": _random,
    "disagreement": _disagreement,
    "cost": _cost,
    "coverage": _coverage,
}
WITHOUT_POLICY = ("random",)  # the strategies that need none


def two_best(preference: Array, generator: np.random.Generator) -> tuple[Action, Action]:
    """The two actions that are in question, in random order, so that their places tell nothing.

    Parameters
    ----------
    preference : array, shape (actions,)
        A number for each action; the two with the highest are in question, by chance where it is equal.
    generator : numpy.random.Generator
        Draws the order.
    """
    mixed = generator.permutation(len(ACTIONS))
    best = mixed[np.argsort(-preference[mixed], kind="stable")[:2]]
    first, second = generator.permutation(best)
    return ACTIONS[first], ACTIONS[second]


def _entropy(probabilities: Array) -> Array:
    entropy: Array = -(probabilities * np.log(np.clip(probabilities, 1e-30, None))).sum(axis=-1)
    return entropy
