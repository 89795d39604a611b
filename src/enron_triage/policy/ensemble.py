"""An ensemble of policies: the mean of their calibrated probabilities, with one calibration and decision rule.

So policies with other seeds, class weights, features or stages behind them vote with equal weight (Lakshminarayanan et
al. 2017, section 2.4). Free of torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from enron_triage.features.feature_group import Reason
from enron_triage.policy.calibration import Calibration, FloatArray
from enron_triage.policy.decisions import Decision


class FittedEnsemble(msgspec.Struct, kw_only=True, frozen=True):
    """What is fitted on validation for an ensemble.

    Attributes
    ----------
    calibration : Calibration
        Of the logarithm of the mean of the members' probabilities.
    decision : Decision
        The decision rules.
    """

    calibration: Calibration
    decision: Decision


def mean_log_probabilities(members: Sequence[FloatArray] | FloatArray) -> FloatArray:
    """The logarithm of the mean of the members' probabilities.

    Parameters
    ----------
    members : sequence of array, shape (messages, actions)
        At least one: the calibrated log-probabilities of each member.

    Returns
    -------
    array of float, shape (messages, actions)
        Log-probabilities.
    """
    stacked = np.asarray(members)
    highest = stacked.max(axis=0)
    return np.asarray(highest + np.log(np.exp(stacked - highest).mean(axis=0)))


def joined_reasons(members: Sequence[Sequence[Reason]], shares: Sequence[float], count: int) -> list[Reason]:
    """The reasons of an ensemble for one decision.

    A change of the logarithm of a mean of probabilities is, to first order, the mean of the members' own changes, each
    weighted by its member's share in that mean.

    Parameters
    ----------
    members : sequence of sequence of Reason
        The reasons of each member; what it does not name counts as nothing.
    shares : sequence of float
        The share of each member in the probability of the action; they sum to 1.
    count : int
        How many reasons to give, at most.
    """
    joined: dict[str, Reason] = {}
    for reasons, share in zip(members, shares, strict=True):
        for reason in reasons:
            before = joined[reason.feature].contribution if reason.feature in joined else 0.0
            joined[reason.feature] = msgspec.structs.replace(reason, contribution=before + share * reason.contribution)
    strongest = sorted(joined.values(), key=lambda reason: -abs(reason.contribution))[:count]
    return [msgspec.structs.replace(reason, contribution=round(reason.contribution, 4)) for reason in strongest]
