"""The contribution of each feature to a prediction: integrated gradients (Sundararajan et al. 2017, eq. 1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from enron_triage.features.feature_group import FloatArray, Reason, TokenArrays
from enron_triage.features.fitted import FittedFeatures
from enron_triage.features.groups import configured_groups
from enron_triage.policy.gauss_legendre import path_points
from enron_triage.records import Email

if TYPE_CHECKING:
    from torch import Tensor

    from enron_triage.policy.network import Policy


def explain(
    fitted: FittedFeatures,
    emails: Sequence[Email],
    raw: Mapping[str, FloatArray | TokenArrays],
    attributions: FloatArray,
    gradients: FloatArray,
    count: int,
) -> list[list[Reason]]:
    """The strongest reasons for an action on each message.

    Parameters
    ----------
    fitted : FittedFeatures
        What the features come from.
    emails : sequence of Email
        The messages.
    raw : mapping of str to array or TokenArrays
        Their raw features.
    attributions : array of float32, shape (messages, features)
        What each feature added: see `integrated_gradients`.
    gradients : array of float32, shape (messages, features)
        The mean gradients along the path.
    count : int
        How many reasons to give for each message, at most.

    Returns
    -------
    list of list of Reason
        For each message its reasons, those with the greatest contribution, of either sign, first. The scores of the
        text are taken apart into their words.
    """
    result: list[list[Reason]] = [[] for _ in emails]
    start = 0
    for name, group in configured_groups(fitted.settings).items():
        columns = slice(start, start := start + group.num_features(fitted.states[name]))
        of_messages = zip(emails, _each(raw[name]), attributions[:, columns], gradients[:, columns], strict=True)
        for reasons, (email, raw_of_one, added, slopes) in zip(result, of_messages, strict=True):
            reasons += group.reasons(email, raw_of_one, fitted.states[name], added, slopes, count)
    return [_strongest(reasons, count) for reasons in result]


def _each(raw: FloatArray | TokenArrays) -> Iterator[FloatArray | TokenArrays]:
    """The raw features of each message alone."""
    if isinstance(raw, TokenArrays):
        buckets = np.split(raw.buckets, raw.lengths.cumsum()[:-1])
        for row in range(len(raw.lengths)):
            yield TokenArrays(buckets[row], raw.lengths[row : row + 1], raw.num_buckets)
    else:
        for row in range(len(raw)):
            yield raw[row : row + 1]


def _strongest(reasons: list[Reason], count: int) -> list[Reason]:
    strongest = sorted(reasons, key=lambda reason: -abs(reason.contribution))[:count]
    return [msgspec.structs.replace(reason, contribution=round(reason.contribution, 4)) for reason in strongest]


def integrated_gradients(policy: Policy, features: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """What each feature adds to the log-probability of an action, compared with the median message.

    Only the networks are explained, with their calibration and adapters: trees are piecewise constant and have no
    gradients. The baseline is 0 everywhere: train's median for a dense feature, train's mean for a score of the text
    (see `features.normalization`).

    Parameters
    ----------
    policy : Policy
        The policy that decided, in evaluation mode.
    features : Tensor, shape (messages, features)
        Its inputs, on its device.
    actions : LongTensor, shape (messages,)
        For each message the class index of the action to explain.

    Returns
    -------
    attributions : Tensor, shape (messages, features)
        Those of a message add up to the log-probability of its action less the baseline's, but for the error of the
        numerical integral.
    gradients : Tensor, shape (messages, features)
        The mean gradients along the path: attributions are these times the features.
    """
    import torch

    gradients = torch.zeros_like(features)
    for place, share in zip(*path_points(), strict=True):
        point = (features * float(place)).requires_grad_()
        log_p = torch.log_softmax(policy.differentiable_logits(point), dim=1).gather(1, actions[:, None]).sum()
        gradients += torch.autograd.grad(log_p, point)[0] * float(share)
    return gradients * features, gradients
