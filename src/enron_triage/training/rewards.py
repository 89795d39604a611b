"""What an action is worth for a message: from the cost matrix and its shaping, or from a reward model."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from enron_triage.config.training import RewardsConfig
from enron_triage.errors import UsageError
from enron_triage.policy.checkpoint import load_checkpoint
from enron_triage.policy.inference import predict_logits
from enron_triage.records import ACTION_INDEX, ACTIONS, Action
from enron_triage.training.setup import PostTrainingSetup

_NOW, _LATER = ACTION_INDEX[Action.REPLY_NOW], ACTION_INDEX[Action.REPLY_LATER]


def reward_table(targets: Tensor, response_seconds: Tensor, config: RewardsConfig, reply_now_within: float) -> Tensor:
    """The reward of every action for every message: minus its cost.

    Between ``reply_now`` and ``reply_later`` there is partial credit. T seconds separate the two; the closer the time t
    of an answer is to T, the less wrong the other one is. The cost of confusing them shrinks by
    ``partial_credit`` x min(t / T, T / t).

    Parameters
    ----------
    targets : LongTensor, shape (messages,)
        What the owner did with each message.
    response_seconds : Tensor, shape (messages,)
        How long the owner took to answer; NaN where the message was not answered.
    config : RewardsConfig
        The costs and the partial credit.
    reply_now_within : float
        T, in seconds.

    Returns
    -------
    Tensor of float32, shape (messages, actions)
        At most 0.
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
        The log-probabilities of the policy that draws the actions.
    targets : LongTensor, shape (messages,)
        What the owner did with each message.
    penalty : float >= 0
        What a wrong action of probability 1 costs.

    Returns
    -------
    Tensor, shape (messages, actions)
        To be subtracted from the rewards.
    """
    wrong = torch.arange(len(ACTIONS), device=targets.device) != targets[:, None]
    return penalty * log_p.detach().exp() * wrong


def reward_model_rewards(path: Path, setup: PostTrainingSetup) -> Tensor:
    """The rewards that a reward model gives to every action for the train messages.

    Parameters
    ----------
    path : Path
        The checkpoint of the reward model.
    setup : PostTrainingSetup
        The policy that is rewarded, and its messages.

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
    if not checkpoint.features.is_same_as(setup.checkpoint.features):
        raise UsageError(
            f"{path}: uses other features than the policy; run `triage reward` with reward_model.init set to grpo.init"
        )
    return predict_logits(checkpoint.policy(setup.features.device), setup.features).to(setup.features.device)
