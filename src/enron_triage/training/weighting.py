"""Imbalance: weights of the classes and mailboxes in the loss, or sampling that shows the classes equally often."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Weighting = Literal["none", "inverse", "power", "effective"]


def class_weights(counts: Tensor, weighting: Weighting, *, power: float = 0.5, beta: float = 0.999) -> Tensor:
    """Weights of the classes, with mean 1 over the examples; 0 for a class without any.

    Parameters
    ----------
    counts : Tensor, shape (classes,)
        Training examples of each class.
    weighting : {"none", "inverse", "power", "effective"}
        ``inverse``: 1 / count; ``power``: 1 / count ** power; ``effective``: one over the effective
        number of examples, (1 - beta ** count) / (1 - beta) (Cui et al. 2019, eq. 2).
    power : float > 0
    beta : float, 0 <= beta < 1

    Returns
    -------
    Tensor of float32, shape (classes,)
    """
    present = counts > 0
    known = counts.double().clamp_min(1)
    match weighting:
        case "none":
            weights = torch.ones_like(known)
        case "inverse":
            weights = 1 / known
        case "power":
            weights = known**-power
        case "effective":
            weights = (1 - beta) / (1 - beta**known)
    weights = torch.where(present, weights, 0)
    return (weights * counts.sum() / (weights * counts).sum()).float()


def mailbox_weights(mailbox: Tensor, power: float) -> Tensor:
    """Weights of the messages, with mean 1: people who received much do not decide for all.

    Parameters
    ----------
    mailbox : LongTensor, shape (messages,)
    power : float >= 0
        A message weighs 1 / messages of its mailbox ** power: 0 counts messages, 1 counts mailboxes.

    Returns
    -------
    Tensor of float32, shape (messages,)
    """
    weights = torch.bincount(mailbox).double().clamp_min(1)[mailbox] ** -power
    return (weights / weights.mean()).float()


def epoch_order(targets: Tensor, sampler: Literal["none", "balanced"], generator: torch.Generator) -> Tensor:
    """The order in which an epoch visits the examples.

    Parameters
    ----------
    targets : LongTensor, shape (examples,)
    sampler : {"none", "balanced"}
        ``none``: each once, shuffled. ``balanced``: as many draws with replacement, every class
        that has examples equally likely.
    generator : torch.Generator

    Returns
    -------
    LongTensor, shape (examples,)
    """
    if sampler == "none":
        return torch.randperm(len(targets), generator=generator)
    weights = 1 / torch.bincount(targets).double().clamp_min(1)
    return torch.multinomial(weights[targets], len(targets), replacement=True, generator=generator)
