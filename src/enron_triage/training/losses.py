"""The losses, each a function of logits and targets with its formula's source."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

_MIN_DEVIATION = 1e-4  # added to a group's deviation, as TRL does


def cross_entropy(
    logits: Tensor, targets: Tensor, class_weights: Tensor | None = None, weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy, a weighted mean over the batch: the focal loss with gamma 0.

    Parameters
    ----------
    logits : Tensor, shape (batch, classes)
    targets : LongTensor, shape (batch,)
    class_weights : Tensor, shape (classes,), optional
    weights : Tensor, shape (batch,), optional

    Returns
    -------
    Tensor, scalar
    """
    return focal_loss(logits, targets, gamma=0.0, class_weights=class_weights, weights=weights)


def focal_loss(
    logits: Tensor,
    targets: Tensor,
    gamma: float = 2.0,
    class_weights: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Focal loss (Lin et al. 2017, eq. 4-5), a weighted mean over the batch.

    Parameters
    ----------
    logits : Tensor, shape (batch, classes)
    targets : LongTensor, shape (batch,)
    gamma : float >= 0
        0 gives cross-entropy; larger values discount examples already predicted well.
    class_weights : Tensor, shape (classes,), optional
    weights : Tensor, shape (batch,), optional
        Of the examples. The mean is over the sum of all weights, as in ``torch.nn.CrossEntropyLoss``.

    Returns
    -------
    Tensor, scalar
    """
    log_p = torch.log_softmax(logits, dim=-1).gather(1, targets[:, None]).squeeze(1)
    loss = -log_p
    if gamma > 0:
        # expm1 keeps 1 - p exact where p is nearly 1; the floor keeps the power's gradient finite there.
        loss = loss * (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny) ** gamma
    weighting = torch.ones_like(loss) if weights is None else weights
    if class_weights is not None:
        weighting = weighting * class_weights[targets]
    return (loss * weighting).sum() / weighting.sum().clamp_min(torch.finfo(loss.dtype).tiny)


def preference_loss(
    margin: Tensor,
    weights: Tensor,
    kind: str,
    *,
    beta: float,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Losses of preference optimisation, a weighted mean over the pairs.

    Parameters
    ----------
    margin : Tensor, shape (pairs,)
        log pi(chosen) - log pi(rejected), less the same of the reference policy.
    weights : Tensor, shape (pairs,)
    kind : {"sigmoid", "ipo", "hinge"}
        ``sigmoid``: DPO (Rafailov et al. 2023, eq. 7); with label smoothing, conservative DPO (Mitchell
        2023). ``ipo``: Azar et al. 2023, eq. 17. ``hinge``: SLiC (Zhao et al. 2023), normalised.
    beta : float > 0
    label_smoothing : float, 0 <= label_smoothing < 0.5
        The probability that a preference is the wrong way round; for ``sigmoid``.

    Returns
    -------
    Tensor, scalar
    """
    match kind:
        case "sigmoid":
            straight, reversed_ = logsigmoid(beta * margin), logsigmoid(-beta * margin)
            losses = -(1 - label_smoothing) * straight - label_smoothing * reversed_
        case "ipo":
            losses = (margin - 1 / (2 * beta)) ** 2
        case "hinge":
            losses = torch.relu(1 - beta * margin)
    return (losses * weights).sum() / weights.sum().clamp_min(torch.finfo(losses.dtype).tiny)


def bradley_terry_loss(margin: Tensor, weights: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Negative log-likelihood of preferences, of rewards (Bradley and Terry 1952), a weighted mean over the pairs.

    Parameters
    ----------
    margin : Tensor, shape (pairs,)
        The reward of the chosen action less that of the rejected one.
    weights : Tensor, shape (pairs,)
    label_smoothing : float, 0 <= label_smoothing < 0.5

    Returns
    -------
    Tensor, scalar
    """
    return preference_loss(margin, weights, "sigmoid", beta=1.0, label_smoothing=label_smoothing)


def group_advantages(rewards: Tensor, weights: Tensor, *, scale: bool) -> Tensor:
    """Rewards against the mean of their group (Shao et al. 2024, section 4.1.2).

    Parameters
    ----------
    rewards : Tensor, shape (messages, actions of a group)
    weights : Tensor, shape (messages, actions of a group)
        Summing to 1 in each group.
    scale : bool
        Whether to divide by the group's standard deviation. Without it, the advantages are those of
        a policy gradient with a baseline (Liu et al. 2025, section 3).

    Returns
    -------
    Tensor, shape (messages, actions of a group)
    """
    centred = rewards - (weights * rewards).sum(dim=1, keepdim=True)
    if not scale:
        return centred
    deviation = (weights * centred**2).sum(dim=1, keepdim=True).sqrt()
    return centred / (deviation + _MIN_DEVIATION)


def clipped_surrogate(log_ratio: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    """What the clipped policy gradient maximises (Schulman et al. 2017, eq. 7).

    Parameters
    ----------
    log_ratio : Tensor, any shape
        log pi(action) less that of the policy that drew the action.
    advantages : Tensor, the same shape
    low, high : float >= 0
        The ratio counts only as far as 1 - low and 1 + high (Yu et al. 2025, section 3.1, for two bounds).

    Returns
    -------
    Tensor, the same shape
    """
    ratio = log_ratio.exp()
    return torch.minimum(ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages)


def kl_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) over the actions, exactly; shape (messages,) from two of shape (messages, actions)."""
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)


def entropy(log_p: Tensor) -> Tensor:
    """Entropy over the actions in nats; shape (messages,) from shape (messages, actions)."""
    return -(log_p.exp() * log_p).sum(dim=1)


LOSSES = {"cross_entropy": cross_entropy, "focal": focal_loss}
PREFERENCE_LOSSES = {"sigmoid": preference_loss, "ipo": preference_loss, "hinge": preference_loss}
