"""Rewards: what a predicted action is worth, given what the owner did."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from enron_triage.actions import ACTION_INDEX, Action
from enron_triage.config import RewardsConfig, seconds

_NOW, _LATER = ACTION_INDEX[Action.REPLY_NOW], ACTION_INDEX[Action.REPLY_LATER]


def reward_table(config: RewardsConfig, targets: Tensor, response: Tensor, reply_now_within: str) -> Tensor:
    """The reward of every action for every message: minus its cost, with partial credit for replies.

    A reply of 65 minutes is hardly a mistake to be called `reply_now`: the cost of taking one reply for
    the other falls with the nearness of the response time to the threshold, on a logarithmic scale, by at
    most ``partial_credit``.

    Parameters
    ----------
    config : RewardsConfig
    targets : LongTensor, shape (messages,)
        What the owner did.
    response : Tensor, shape (messages,)
        Response times in seconds; NaN where the owner did not reply.
    reply_now_within : str
        ``label.reply_now_within``: the threshold between the two replies.

    Returns
    -------
    Tensor of float32, shape (messages, actions)
    """
    rewards = -torch.tensor(config.costs, dtype=torch.float32)[targets]
    distance = (torch.log1p(response) - math.log1p(seconds(reply_now_within))).abs()
    nearness = torch.exp(-distance).nan_to_num(0.0)
    credit = 1 - config.partial_credit * nearness
    for action, other in ((_NOW, _LATER), (_LATER, _NOW)):
        rows = targets == action
        rewards[rows, other] *= credit[rows]
    return rewards


def penalise_confidence(rewards: Tensor, probabilities: Tensor, targets: Tensor, penalty: float) -> Tensor:
    """Rewards less a penalty on errors in proportion to how sure the policy was of them.

    Parameters
    ----------
    rewards, probabilities : Tensor, shape (messages, actions)
    targets : LongTensor, shape (messages,)
    penalty : float >= 0
    """
    wrong = torch.ones_like(rewards).scatter(1, targets[:, None], 0.0)
    return rewards - penalty * probabilities * wrong
