"""The losses of supervised training, and the table that names them for ``sft.loss``.

To add one, write the function and add its line to `LOSSES`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from enron_triage.config.training import SftConfig

# Takes logits, targets, class weights and sample weights; returns the weighted mean over the batch.
SupervisedLoss = Callable[[Tensor, Tensor, Tensor | None, Tensor | None], Tensor]


def cross_entropy(
    logits: Tensor, targets: Tensor, class_weights: Tensor | None = None, sample_weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy, a weighted mean over the batch: the focal loss with gamma 0.

    Parameters
    ----------
    logits : Tensor, shape (batch, classes)
        The unnormalised log-probabilities.
    targets : LongTensor, shape (batch,)
        The class index of each example.
    class_weights : Tensor, shape (classes,), optional
        How much an example of each class counts; by default all the same.
    sample_weights : Tensor, shape (batch,), optional
        How much each example counts; by default all the same.

    Returns
    -------
    Tensor, scalar
        The loss of the batch.
    """
    return focal_loss(logits, targets, class_weights, sample_weights, gamma=0.0)


def focal_loss(
    logits: Tensor,
    targets: Tensor,
    class_weights: Tensor | None = None,
    sample_weights: Tensor | None = None,
    *,
    gamma: float = 2.0,
) -> Tensor:
    """Focal loss (Lin et al. 2017, eq. 4-5): -(1 - p)^gamma log p, a weighted mean over the batch.

    Parameters
    ----------
    logits : Tensor, shape (batch, classes)
        The unnormalised log-probabilities.
    targets : LongTensor, shape (batch,)
        The class index of each example.
    class_weights : Tensor, shape (classes,), optional
        How much an example of each class counts; by default all the same.
    sample_weights : Tensor, shape (batch,), optional
        How much each example counts. The mean is over the sum of all weights, as in ``torch.nn.CrossEntropyLoss``.
    gamma : float >= 0
        0 gives cross-entropy; larger values give less weight to examples that are already predicted well.

    Returns
    -------
    Tensor, scalar
        The loss of the batch.
    """
    log_p = torch.log_softmax(logits, dim=-1).gather(1, targets[:, None]).squeeze(1)
    loss = -log_p
    if gamma > 0:
        # expm1 keeps 1 - p exact where p is nearly 1; the floor keeps the power's gradient finite there.
        loss = loss * (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny) ** gamma
    weights = torch.ones_like(loss) if sample_weights is None else sample_weights
    if class_weights is not None:
        weights = weights * class_weights[targets]
    return weighted_mean(loss, weights)


LOSSES: dict[str, Callable[[SftConfig], SupervisedLoss]] = {
    "cross_entropy": lambda settings: cross_entropy,
    "focal": lambda settings: functools.partial(focal_loss, gamma=settings.focal_gamma),
}


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """The mean of values by their weights; 0 if all weights are 0.

    Parameters
    ----------
    values : Tensor, shape (batch,)
        The values to average.
    weights : Tensor, shape (batch,)
        How much each value counts; at least 0.

    Returns
    -------
    Tensor, scalar
        sum(weights x values) / sum(weights).
    """
    return (values * weights).sum() / weights.sum().clamp_min(torch.finfo(values.dtype).tiny)
