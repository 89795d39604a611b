"""Class imbalance: class weights in the loss, or sampling in which all classes are equally frequent."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Weighting = Literal["none", "inverse", "power", "effective"]
Sampler = Literal["none", "balanced"]


def class_weights(counts: Tensor, weighting: Weighting, *, power: float = 0.5, beta: float = 0.999) -> Tensor:
    """Weights of the classes, with mean 1 over the examples; 0 for a class without any.

    Parameters
    ----------
    counts : Tensor, shape (classes,)
        The number of training examples of each class.
    weighting : {"none", "inverse", "power", "effective"}
        ``inverse``: 1 / count; ``power``: 1 / count ** power; ``effective``: one over the effective number of
        examples, (1 - beta ** count) / (1 - beta) (Cui et al. 2019, eq. 2).
    power : float > 0
        The exponent of ``power``.
    beta : float, 0 <= beta < 1
        The overlap of examples that ``effective`` assumes.

    Returns
    -------
    Tensor of float32, shape (classes,)
        How much an example of each class counts.
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


def sample_indices(targets: Tensor, sampler: Sampler, generator: torch.Generator) -> Tensor:
    """The examples of an epoch, in the order in which it visits them.

    Parameters
    ----------
    targets : LongTensor, shape (examples,)
        The class index of each example.
    sampler : {"none", "balanced"}
        ``none``: each once, shuffled. ``balanced``: as many draws with replacement, every class that has examples
        equally likely.
    generator : torch.Generator
        What draws.

    Returns
    -------
    LongTensor, shape (examples,)
        Indices of examples.
    """
    if sampler == "none":
        return torch.randperm(len(targets), generator=generator)
    weights = 1 / torch.bincount(targets).double().clamp_min(1)
    return torch.multinomial(weights[targets], len(targets), replacement=True, generator=generator)


def logit_adjustment(counts: Tensor, weights: Tensor, sampler: Sampler) -> npt.NDArray[np.float64]:
    """What to add to a policy's logits to undo class weights and balanced sampling.

    A policy that is trained with class weights w learns probabilities in proportion to w x p; adding -log w to the
    logits gives p back (Menon et al. 2021, section 3).

    Parameters
    ----------
    counts : Tensor, shape (classes,)
        The number of training examples of each class.
    weights : Tensor, shape (classes,)
        The class weights of the loss.
    sampler : {"none", "balanced"}
        How the examples were drawn.

    Returns
    -------
    array, shape (classes,)
        0 for a class without examples.
    """
    effective = weights.double()
    if sampler == "balanced":
        effective = effective / counts.clamp_min(1)
    present = counts > 0
    return torch.where(present, -torch.log(torch.where(present, effective, 1.0)), 0.0).numpy()
