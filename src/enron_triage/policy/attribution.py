"""Which features moved a prediction: integrated gradients (Sundararajan et al. 2017, eq. 1)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from enron_triage.features.dataset import Dataset
from enron_triage.features.feature_group import Reason
from enron_triage.features.groups import configured_groups
from enron_triage.features.transform import FeatureTransform
from enron_triage.policy.network import Policy
from enron_triage.records import Email

_STEPS = 16  # midpoints of the path; the attributions then add up to within some percent of the difference


def explain(
    policy: Policy,
    transform: FeatureTransform,
    emails: Sequence[Email],
    dataset: Dataset,
    features: Tensor,
    actions: npt.NDArray[np.int64],
    count: int,
) -> list[list[Reason]]:
    """The strongest reasons for an action on each message.

    Parameters
    ----------
    policy : Policy
        The policy that decided, in evaluation mode.
    transform : FeatureTransform
        The transform that the features come from.
    emails : sequence of Email
        The messages.
    dataset : Dataset
        Their raw features.
    features : Tensor, shape (messages, features)
        Their features, on the policy's device.
    actions : array of int, shape (messages,)
        For each message the class index of the action to explain.
    count : int
        How many reasons to give for each message, at most.

    Returns
    -------
    list of list of Reason
        For each message its reasons, those with the greatest contribution, of either sign, first. The scores of the
        text are taken apart into their words.
    """
    chosen = torch.from_numpy(actions).to(features.device)
    attributions, gradients = (values.cpu() for values in integrated_gradients(policy, features, chosen))
    groups = configured_groups(transform.settings)
    sizes = [group.num_features(transform.states[name]) for name, group in groups.items()]
    result = []
    for row, email in enumerate(emails):
        of_groups = zip(
            groups.items(), torch.split(attributions[row], sizes), torch.split(gradients[row], sizes), strict=True
        )
        found = [
            reason
            for (name, group), added, slopes in of_groups
            for reason in group.reasons(
                email, dataset.raw[name][torch.tensor([row])], transform.states[name], added, slopes
            )
        ]
        found.sort(key=lambda reason: -abs(reason.contribution))
        result.append([_rounded(reason) for reason in found[:count]])
    return result


def _rounded(reason: Reason) -> Reason:
    return msgspec.structs.replace(reason, contribution=round(reason.contribution, 4))


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
    total = torch.zeros_like(features)
    for step in range(_STEPS):
        point = (features * ((step + 0.5) / _STEPS)).requires_grad_()
        log_p = torch.log_softmax(policy.differentiable_logits(point), dim=1).gather(1, actions[:, None]).sum()
        total += torch.autograd.grad(log_p, point)[0]
    gradients = total / _STEPS
    return gradients * features, gradients
