"""The losses, each a function of logits and targets with its formula's source."""

from __future__ import annotations

import torch
from torch import Tensor


def cross_entropy(logits: Tensor, targets: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Cross-entropy, a weighted mean over the batch: the focal loss with gamma 0.

    Parameters
    ----------
    logits : Tensor, shape (batch, classes)
    targets : LongTensor, shape (batch,)
    class_weights : Tensor, shape (classes,), optional

    Returns
    -------
    Tensor, scalar
    """
    return focal_loss(logits, targets, gamma=0.0, class_weights=class_weights)


def focal_loss(logits: Tensor, targets: Tensor, gamma: float = 2.0, class_weights: Tensor | None = None) -> Tensor:
    """Focal loss (Lin et al. 2017, eq. 4-5), a weighted mean over the batch.

    Parameters
    ----------
    logits : Tensor, shape (batch, classes)
    targets : LongTensor, shape (batch,)
    gamma : float >= 0
        0 gives cross-entropy; larger values discount examples already predicted well.
    class_weights : Tensor, shape (classes,), optional
        The mean is over the sum of the targets' weights, as in ``torch.nn.CrossEntropyLoss``.

    Returns
    -------
    Tensor, scalar
    """
    log_p = torch.log_softmax(logits, dim=-1).gather(1, targets[:, None]).squeeze(1)
    loss = -log_p
    if gamma > 0:
        # expm1 keeps 1 - p exact where p is nearly 1; the floor keeps the power's gradient finite there.
        loss = loss * (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny) ** gamma
    if class_weights is None:
        return loss.mean()
    weights = class_weights[targets]
    return (loss * weights).sum() / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
