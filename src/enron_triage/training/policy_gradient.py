"""The terms of the policy gradient: advantages, the clipped surrogate, KL divergence, entropy."""

from __future__ import annotations

import torch
from torch import Tensor

_MIN_DEVIATION = 1e-4  # added to a group's standard deviation, as TRL does


def group_advantages(rewards: Tensor, weights: Tensor, *, scale: bool, drawn: bool = False) -> Tensor:
    """Rewards relative to the mean of their group (Shao et al. 2024, section 4.1.2).

    Parameters
    ----------
    rewards : Tensor, shape (messages, actions of a group)
        The reward of each action that was tried.
    weights : Tensor, shape (messages, actions of a group)
        How much each action counts; they sum to 1 in each group.
    scale : bool
        Whether to divide by the group's standard deviation. Without it, the advantages are those of a policy gradient
        with a baseline (Liu et al. 2025, section 3).
    drawn : bool
        Whether the actions were drawn, all with the same weight: then the deviation is the unbiased estimate from the
        draws, as TRL divides by. Otherwise they are all that there are, and it is their own.

    Returns
    -------
    Tensor, shape (messages, actions of a group)
        The advantage of each action.
    """
    centred = rewards - (weights * rewards).sum(dim=1, keepdim=True)
    if not scale:
        return centred
    size = rewards.shape[1]
    correction = size / (size - 1) if drawn and size > 1 else 1.0  # Bessel's; a single action has no deviation
    deviation = ((weights * centred**2).sum(dim=1, keepdim=True) * correction).sqrt()
    return centred / (deviation + _MIN_DEVIATION)


def clipped_surrogate(log_ratio: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    """What the clipped policy gradient maximises (Schulman et al. 2017, eq. 7).

    Parameters
    ----------
    log_ratio : Tensor, any shape
        log pi(action) less the same of the policy that drew the action.
    advantages : Tensor, the same shape
        How much better the action is than its group.
    low, high : float >= 0
        The ratio counts only between 1 - low and 1 + high (two bounds: Yu et al. 2025, section 3.1).

    Returns
    -------
    Tensor, the same shape
        min(ratio x advantage, clip(ratio) x advantage).
    """
    ratio = log_ratio.exp()
    return torch.minimum(ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages)


def kl_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q), exact over the actions.

    Parameters
    ----------
    log_p, log_q : Tensor, shape (messages, actions)
        The log-probabilities of two policies.

    Returns
    -------
    Tensor, shape (messages,)
        In nats.
    """
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)


def entropy(log_p: Tensor) -> Tensor:
    """The entropy over the actions.

    Parameters
    ----------
    log_p : Tensor, shape (messages, actions)
        The log-probabilities of a policy.

    Returns
    -------
    Tensor, shape (messages,)
        In nats.
    """
    return -(log_p.exp() * log_p).sum(dim=1)
