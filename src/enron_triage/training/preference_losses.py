"""The losses on preference pairs, and the table that names them for ``dpo.loss``.

To add one, write the function and add its line to `PREFERENCE_LOSSES`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from enron_triage.training.losses import weighted_mean

# Takes margins, beta and the label smoothing; gives the loss of each pair.
PairLoss = Callable[[Tensor, float, float], Tensor]


def sigmoid_pair_loss(margin: Tensor, beta: float, label_smoothing: float) -> Tensor:
    """DPO (Rafailov et al. 2023, eq. 7): -log sigmoid(beta x margin).

    With label smoothing e it is conservative DPO (Mitchell 2023):
    -(1 - e) log sigmoid(beta x margin) - e log sigmoid(-beta x margin).

    Parameters
    ----------
    margin : Tensor, shape (pairs,)
        log pi(chosen) - log pi(rejected), minus the same for the reference policy.
    beta : float > 0
        How strongly the policy is kept close to the reference policy.
    label_smoothing : float, 0 <= label_smoothing < 0.5
        The probability that a preference is the wrong way round.

    Returns
    -------
    Tensor, shape (pairs,)
        The loss of each pair.
    """
    return -(1 - label_smoothing) * logsigmoid(beta * margin) - label_smoothing * logsigmoid(-beta * margin)


def ipo_pair_loss(margin: Tensor, beta: float, label_smoothing: float) -> Tensor:
    """IPO (Azar et al. 2023, eq. 17): (margin - 1 / (2 beta))^2.

    Parameters
    ----------
    margin, beta, label_smoothing
        As in `sigmoid_pair_loss`; label smoothing has no effect here.

    Returns
    -------
    Tensor, shape (pairs,)
        The loss of each pair.
    """
    return (margin - 1 / (2 * beta)) ** 2


def hinge_pair_loss(margin: Tensor, beta: float, label_smoothing: float) -> Tensor:
    """SLiC (Zhao et al. 2023), normalised: max(0, 1 - beta x margin).

    Parameters
    ----------
    margin, beta, label_smoothing
        As in `sigmoid_pair_loss`; label smoothing has no effect here.

    Returns
    -------
    Tensor, shape (pairs,)
        The loss of each pair.
    """
    return torch.relu(1 - beta * margin)


PREFERENCE_LOSSES: dict[str, PairLoss] = {
    "sigmoid": sigmoid_pair_loss,
    "ipo": ipo_pair_loss,
    "hinge": hinge_pair_loss,
}


def preference_loss(margin: Tensor, weights: Tensor, kind: str, *, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """One of the `PREFERENCE_LOSSES`, as a weighted mean over the pairs.

    Parameters
    ----------
    margin : Tensor, shape (pairs,)
        log pi(chosen) - log pi(rejected), minus the same for the reference policy.
    weights : Tensor, shape (pairs,)
        How much each pair counts.
    kind : str
        The name of the loss.
    beta : float > 0
        How strongly the policy is kept close to the reference policy.
    label_smoothing : float, 0 <= label_smoothing < 0.5
        The probability that a preference is the wrong way round.

    Returns
    -------
    Tensor, scalar
        The loss of the batch.
    """
    return weighted_mean(PREFERENCE_LOSSES[kind](margin, beta, label_smoothing), weights)


def bradley_terry_loss(margin: Tensor, weights: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Negative log-likelihood of preferences given rewards (Bradley and Terry 1952), as a weighted mean over the pairs.

    Parameters
    ----------
    margin : Tensor, shape (pairs,)
        The reward of the chosen action minus that of the rejected one.
    weights : Tensor, shape (pairs,)
        How much each pair counts.
    label_smoothing : float, 0 <= label_smoothing < 0.5
        The probability that a preference is the wrong way round.

    Returns
    -------
    Tensor, scalar
        The loss of the batch.
    """
    return preference_loss(margin, weights, "sigmoid", beta=1.0, label_smoothing=label_smoothing)
