"""Which features moved a prediction: integrated gradients (Sundararajan et al. 2017, eq. 1)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from enron_triage.features import text
from enron_triage.features.dataset import Dataset
from enron_triage.features.text_model import TextModel
from enron_triage.features.transform import Transform
from enron_triage.mail.body import split_body
from enron_triage.policy.network import Policy
from enron_triage.records import ACTION_NAMES, Email

_STEPS = 16  # midpoints of the path; the attributions then add up to within some percent of the difference


_PLACES = {
    "subject": "the subject",
    "new": "the text",
    "signature": "the signature",
    "quoted": "the quoted original",
    "domain": "the sender's address",
}


class Reason(msgspec.Struct, kw_only=True):
    """What moved a decision.

    Attributes
    ----------
    feature : str
        The name of a feature, or a word with its place in the message.
    meaning : str
    contribution : float
        What it added to the log-probability of the action, by integrated gradients: see `integrated_gradients`.
    """

    feature: str
    meaning: str
    contribution: float


def explain(
    policy: Policy,
    transform: Transform,
    emails: Sequence[Email],
    dataset: Dataset,
    features: Tensor,
    actions: npt.NDArray[np.int64],
    count: int,
) -> list[list[Reason]]:
    """The strongest reasons for each action; the text's scores are taken apart into their words.

    Parameters
    ----------
    policy : Policy
    transform : Transform
    emails : sequence of Email
    dataset : Dataset
        Of the emails.
    features : Tensor, shape (messages, features)
        Of the dataset.
    actions : array of int, shape (messages,)
    count : int
        How many reasons for each.
    """
    chosen = torch.from_numpy(actions).to(features.device)
    attributions, gradients = (values.cpu() for values in integrated_gradients(policy, features, chosen))
    columns = list(transform.columns.items())
    dense = len(columns) - (len(ACTION_NAMES) if transform.text else 0)
    result = []
    for row, email in enumerate(emails):
        values = attributions[row, :dense].tolist()
        found = [
            Reason(feature=name, meaning=meaning, contribution=value)
            for (name, meaning), value in zip(columns[:dense], values, strict=True)
        ]
        if transform.text is not None and dataset.words is not None:
            buckets = dataset.words.take(torch.tensor([row])).buckets
            found += _words(transform.text, email, buckets, gradients[row, dense:])
        found.sort(key=lambda reason: -abs(reason.contribution))
        result.append([_rounded(reason) for reason in found[:count]])
    return result


def _words(model: TextModel, email: Email, buckets: Tensor, gradients: Tensor) -> list[Reason]:
    """What each word and pair of words adds, through the text's scores."""
    added = dict(zip(buckets.tolist(), (model.contributions(buckets) @ gradients).tolist(), strict=True))
    found: dict[int, Reason] = {}
    for segment, segment_words in enumerate(text.words(email, split_body(email))):
        place = text.SEGMENTS[segment]
        for word, bucket in text.buckets_of(segment, segment_words):
            spelled = word.decode("utf-8", "replace")
            meaning = f'"{spelled}" in {_PLACES[place]}'
            found.setdefault(bucket, Reason(feature=f"{place}: {spelled}", meaning=meaning, contribution=added[bucket]))
    return list(found.values())


def _rounded(reason: Reason) -> Reason:
    return msgspec.structs.replace(reason, contribution=round(reason.contribution, 4))


def integrated_gradients(policy: Policy, features: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """What each feature adds to the log-probability of an action, compared with the median message.

    It is the networks that are asked, with what refines them: trees are piecewise constant, and have no gradients.
    The baseline is 0 everywhere, which `transform.quantile_transform` gives to train's median and `TextModel` to its
    mean. The attributions of a message add up to the difference of its log-probability to the baseline's.

    Parameters
    ----------
    policy : Policy
        In evaluation mode.
    features : Tensor, shape (messages, features)
    actions : LongTensor, shape (messages,)

    Returns
    -------
    attributions : Tensor, shape (messages, features)
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
