"""The stage ``grpo``: group relative policy optimisation, from a trained policy.

    triage grpo --config configs/grpo.yaml

Reads ``train.json``, ``val.json``, the checkpoint ``grpo.init`` and, if ``grpo.reward`` names one, a reward model;
writes ``stage_3.pt``, ``best_grpo.pt``, ``grpo_epoch_N.pt`` and ``stage_3_metrics.jsonl``.

For each message a group of actions is drawn from the policy, each is rewarded, and what did better than its group
becomes more probable (Shao et al. 2024). There are five actions only, so the expectation over them can be had without
drawing any: ``estimator: exact``. What it reaches and the drawing does not is the sampling error.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import torch
from torch import Tensor

from enron_triage.config import paths
from enron_triage.config.schema import Config
from enron_triage.config.training import GrpoConfig
from enron_triage.config.types import seconds
from enron_triage.pipeline import Result
from enron_triage.records import ACTIONS
from enron_triage.runtime import distributed
from enron_triage.training import trainer
from enron_triage.training.losses import clipped_surrogate, entropy, group_advantages, kl_divergence
from enron_triage.training.post_training import refine
from enron_triage.training.rewards import confidence_penalty, reward_model_rewards, reward_table
from enron_triage.training.setup import Start, refined_checkpoint, validate_refined

_NO_SIGNAL = 1e-6  # a group whose rewards lie this close together says nothing


class Groups(msgspec.Struct):
    """The actions that are tried for some messages.

    Attributes
    ----------
    actions : LongTensor, shape (messages, actions of a group)
    weights : Tensor, shape (messages, actions of a group)
        Summing to 1 for each message.
    """

    actions: Tensor
    weights: Tensor


def run(config: Config) -> Result:
    """Refine a policy by rewards.

    Raises
    ------
    UsageError
        If the checkpoint, a split or the reward model is missing or damaged.
    TriageError
        If the loss is no longer finite.
    """
    return refine("grpo", 3, config, config.grpo, prepare)


def prepare(config: Config, start: Start, identity: str) -> tuple[trainer.Task, dict[str, int]]:
    """The task, and the number of messages that are trained on."""
    if config.grpo.reward == "costs":
        within = seconds(config.label.reply_now_within)
        rewards = reward_table(start.train.targets, start.train.response_seconds, config.rewards, within)
    else:
        rewards = reward_model_rewards(paths.named_checkpoint(config, config.grpo.reward), start)
    return make_task(config, start, rewards.to(start.features.device), identity), {"messages": len(start.train)}


def make_task(config: Config, start: Start, rewards: Tensor, identity: str) -> trainer.Task:
    """What the loop optimises.

    Parameters
    ----------
    config : Config
    start : Start
    rewards : Tensor, shape (messages, actions)
        On the policy's device.
    identity : str
        See `loop.Task`.
    """
    settings = config.grpo
    device = start.features.device
    targets = start.train.targets.to(device)
    penalty = config.rewards.confidence_penalty if settings.reward == "costs" else 0.0
    logged: list[Tensor] = []  # sums of reward, clip fraction, messages without signal, messages: of each step

    def losses(batch: Tensor) -> Iterator[Tensor]:
        rows = batch.to(device)
        reference, weights = start.reference[rows], start.weights[rows] / start.weights[rows].sum()
        with torch.no_grad():
            acting = torch.log_softmax(start.logits(rows), dim=1)
            groups = draw_groups(acting, settings)
            earned = rewards[rows]
            if penalty:
                earned = earned - confidence_penalty(acting, targets[rows], penalty)
            earned = earned.gather(1, groups.actions)
            advantages = group_advantages(earned, groups.weights, scale=settings.scale_rewards)
            silent = earned.amax(dim=1) - earned.amin(dim=1) < _NO_SIGNAL
        for _ in range(settings.num_iterations):
            log_p = torch.log_softmax(start.logits(rows), dim=1)
            log_ratio = (log_p - acting).gather(1, groups.actions)
            gain = clipped_surrogate(log_ratio, advantages, settings.epsilon_low, settings.epsilon_high)
            objective = (gain * groups.weights).sum(dim=1)
            objective = objective - settings.beta * kl_divergence(log_p, reference)
            objective = objective + settings.entropy_bonus * entropy(log_p)
            clipped = gain < log_ratio.exp() * advantages
            values = ((earned * groups.weights).sum(dim=1), (clipped * groups.weights).sum(dim=1), silent.float())
            logged.append(torch.stack([value.detach().sum() for value in (*values, torch.ones_like(values[0]))]))
            yield -(objective * weights).sum()

    def train_metrics() -> trainer.Metrics:
        *sums, messages = distributed.all_reduce_sum(torch.stack(logged).sum(dim=0)).tolist()
        logged.clear()
        names = ("train_reward", "clip_fraction", "share_without_signal")
        return {name: value / messages for name, value in zip(names, sums, strict=True)}

    return trainer.Task(
        policy=start.policy,
        order=lambda generator: torch.randperm(len(targets), generator=generator),
        losses=losses,
        validate=lambda: validate_refined(start.val_logits(), start, config),
        checkpoint=lambda epoch, validation: refined_checkpoint(
            start, "grpo", settings.init, epoch, config.seed_of(settings), validation
        ),
        identity=identity,
        weights=start.weights,
        steps_per_batch=settings.num_iterations,
        train_metrics=train_metrics,
    )


def draw_groups(log_p: Tensor, settings: GrpoConfig) -> Groups:
    """The groups of some messages, by the policy that acts.

    Parameters
    ----------
    log_p : Tensor, shape (messages, actions)
    settings : GrpoConfig
        ``estimator: sampled`` draws ``num_generations`` actions for each message, each of equal weight;
        ``exact`` takes every action once, weighed by its probability.
    """
    if settings.estimator == "exact":
        return Groups(torch.arange(len(ACTIONS), device=log_p.device).expand(len(log_p), -1), log_p.exp())
    actions = torch.multinomial(log_p.exp(), settings.num_generations, replacement=True)
    return Groups(actions, torch.full_like(actions, 1 / settings.num_generations, dtype=log_p.dtype))
