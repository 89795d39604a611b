"""What an action is worth for a message: from the cost matrix and its shaping, or from a reward model."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from enron_triage.config.training import RewardsConfig
from enron_triage.errors import UsageError
from enron_triage.policy.checkpoint import load_checkpoint
from enron_triage.policy.network import predict_logits
from enron_triage.records import ACTION_INDEX, ACTIONS, Action
from enron_triage.training.setup import Start

_NOW, _LATER = ACTION_INDEX[Action.REPLY_NOW], ACTION_INDEX[Action.REPLY_LATER]


def reward_table(targets: Tensor, response_seconds: Tensor, config: RewardsConfig, reply_now_within: float) -> Tensor:
    """The reward of every action for every message: minus its cost.

    Between ``reply_now`` and ``reply_later`` there is partial credit: an answer after t seconds, where T divide
    the two, is the nearer to being the other the nearer t is to T. The cost of taking one for the other shrinks
    by ``partial_credit`` x min(t / T, T / t).

    Parameters
    ----------
    targets : LongTensor, shape (messages,)
        What the owner did.
    response_seconds : Tensor, shape (messages,)
        NaN where the message was not answered.
    config : RewardsConfig
    reply_now_within : float
        T, in seconds.

    Returns
    -------
    Tensor of float32, shape (messages, actions)
    """
    rewards = -torch.tensor(config.costs, dtype=torch.float32)[targets]
    relative = response_seconds / reply_now_within
    nearness = torch.nan_to_num(torch.minimum(relative, 1 / relative))
    for label, other in ((_NOW, _LATER), (_LATER, _NOW)):
        rewards[:, other] *= torch.where(targets == label, 1 - config.partial_credit * nearness, 1.0)
    return rewards


def confidence_penalty(log_p: Tensor, targets: Tensor, penalty: float) -> Tensor:
    """What confident errors cost on top: `penalty` x the probability of every wrong action.

    Parameters
    ----------
    log_p : Tensor, shape (messages, actions)
        Of the policy that acts.
    targets : LongTensor, shape (messages,)
    penalty : float >= 0

    Returns
    -------
    Tensor, shape (messages, actions)
        To be subtracted from the rewards.
    """
    wrong = torch.arange(len(ACTIONS), device=targets.device) != targets[:, None]
    return penalty * log_p.detach().exp() * wrong


def reward_model_rewards(path: Path, start: Start) -> Tensor:
    """The rewards that a reward model gives to every action for the train messages.

    Returns
    -------
    Tensor of float32, shape (messages, actions)
        On the device of the features; defined up to a constant for each message.

    Raises
    ------
    UsageError
        If the checkpoint is missing, damaged, no reward model, or sees other features than the policy.
    """
    checkpoint = load_checkpoint(path)
    if checkpoint.stage != "reward":
        raise UsageError(f"{path}: a policy of the stage {checkpoint.stage}, not a reward model; run `triage reward`")
    same = checkpoint.features["groups"] == start.transform.groups
    if not same or not torch.equal(checkpoint.features["quantiles"], start.transform.quantiles):
        raise UsageError(
            f"{path}: sees other features than the policy; run `triage reward` with reward_model.init set to grpo.init"
        )
    return predict_logits(checkpoint.policy(start.features.device), start.features).to(start.features.device)
