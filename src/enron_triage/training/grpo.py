"""The stage ``grpo``: group relative policy optimisation, from a trained policy.

    triage grpo --config configs/grpo.yaml

Reads ``train.json``, ``val.json``, the checkpoint ``grpo.init`` and, if ``grpo.reward`` names one, a reward model;
writes ``stage_3.pt``, ``best_grpo.pt``, ``grpo_epoch_N.pt`` and ``stage_3_metrics.jsonl``.

For each message a group of actions is drawn from the policy, each is rewarded, and what did better than its group
becomes more probable (Shao et al. 2024). With the advantage A = (reward - mean of the group) / deviation of the group
and the ratio r = pi(action) / pi_old(action), what is maximised is

    mean over the group of min(r A, clip(r, 1 - epsilon_low, 1 + epsilon_high) A) - beta KL(pi || reference)

There are only five actions, so the expectation over them can be computed without drawing any: ``estimator: exact``.
The difference between the two is the sampling error.
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
from enron_triage.records import ACTIONS
from enron_triage.runtime import distributed
from enron_triage.stage_run import Result
from enron_triage.training.policy_gradient import clipped_surrogate, entropy, group_advantages, kl_divergence
from enron_triage.training.post_training import PostTrainingObjective, run_post_training
from enron_triage.training.rewards import confidence_penalty, reward_model_rewards, reward_table
from enron_triage.training.setup import PostTrainingSetup

_ZERO_VARIANCE = 1e-6  # a group whose rewards differ by less than this teaches nothing


class Groups(msgspec.Struct):
    """The actions that are tried for some messages.

    Attributes
    ----------
    actions : LongTensor, shape (messages, actions of a group)
        Class indices.
    weights : Tensor, shape (messages, actions of a group)
        How much each action counts; they sum to 1 for each message.
    """

    actions: Tensor
    weights: Tensor


class Rollout(msgspec.Struct):
    """What was tried for a batch of messages, and what came of it.

    Attributes
    ----------
    groups : Groups
        The actions.
    old_log_probs : Tensor, shape (messages, actions)
        The log-probabilities of the policy that drew them.
    rewards : Tensor, shape (messages, actions of a group)
        What each action was worth.
    advantages : Tensor, shape (messages, actions of a group)
        How much better each was than its group.
    dropout_seed : int or None
        Seeds which units dropout leaves out, for the roll-out and the steps on it; None without dropout.
    """

    groups: Groups
    old_log_probs: Tensor
    rewards: Tensor
    advantages: Tensor
    dropout_seed: int | None = None


def run(config: Config) -> Result:
    """Refine a policy by rewards.

    Parameters
    ----------
    config : Config
        The whole configuration; the section is ``grpo``.

    Raises
    ------
    UsageError
        If the checkpoint, a split or the reward model is missing or damaged.
    TriageError
        If the loss became NaN or infinite.
    """

    def build(setup: PostTrainingSetup) -> GrpoObjective:
        return GrpoObjective(config, setup, configured_rewards(config, setup))

    return run_post_training("grpo", config, config.grpo, build)


class GrpoObjective(PostTrainingObjective):
    """The clipped policy gradient of rewards, held to the reference by the KL divergence.

    Parameters
    ----------
    config : Config
        The whole configuration.
    setup : PostTrainingSetup
        What the stage begins with.
    rewards : Tensor, shape (messages, actions)
        What each action is worth for each train message.
    """

    def __init__(self, config: Config, setup: PostTrainingSetup, rewards: Tensor) -> None:
        super().__init__("grpo", config, config.grpo, setup)
        self.settings = config.grpo
        self.sizes = {"messages": len(setup.train), "val": len(setup.val)}
        self.sample_weights = setup.sample_weights
        self.steps_per_batch = self.settings.num_iterations
        self.targets = setup.train.targets.to(self.device)
        self.rewards = rewards.to(self.device)
        self.penalty = config.rewards.confidence_penalty if self.settings.reward == "costs" else 0.0
        self._logged: list[Tensor] = []  # sums over messages, of each step: see `train_metrics`

    def indices(self, generator: torch.Generator) -> Tensor:
        """Every message once."""
        return torch.randperm(len(self.targets), generator=generator)

    def losses(self, batch: Tensor) -> Iterator[Tensor]:
        """The objective's negative, once for each of ``num_iterations`` steps on the same groups."""
        rows = batch.to(self.device)
        weights = self.setup.sample_weights[rows] / self.setup.sample_weights[rows].sum()
        rollout = self.roll_out(rows)
        for _ in range(self.settings.num_iterations):
            yield -(self.clipped_objective(rows, rollout) * weights).sum()

    def logits(self, rows: Tensor, dropout_seed: int | None) -> Tensor:
        """The policy's logits, with the units dropped that a seed says.

        The same units are dropped in a roll-out and in every step on it. With others, the ratio of the probabilities
        would differ from 1 before the policy has changed, and be clipped for what dropout alone does.

        Parameters
        ----------
        rows : LongTensor, shape (messages,)
            Indices of train messages, on the policy's device.
        dropout_seed : int or None
            None without dropout.

        Returns
        -------
        Tensor, shape (messages, actions)
            With gradients, unless they are turned off.
        """
        if dropout_seed is None:
            return self.setup.logits(rows)
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(dropout_seed)
            return self.setup.logits(rows)

    def roll_out(self, rows: Tensor) -> Rollout:
        """Try a group of actions for each message.

        Parameters
        ----------
        rows : LongTensor, shape (messages,)
            Indices of train messages, on the policy's device.
        """
        with torch.no_grad():
            seed = int(torch.randint(2**62, ())) if self.settings.dropout else None
            old_log_probs = torch.log_softmax(self.logits(rows, seed), dim=1)
            groups = sample_groups(old_log_probs, self.settings)
            rewards = self.rewards[rows]
            if self.penalty:
                rewards = rewards - confidence_penalty(old_log_probs, self.targets[rows], self.penalty)
            rewards = rewards.gather(1, groups.actions)
            drawn = self.settings.estimator != "exact"
            advantages = group_advantages(rewards, groups.weights, scale=self.settings.scale_rewards, drawn=drawn)
        return Rollout(groups, old_log_probs, rewards, advantages, seed)

    def clipped_objective(self, rows: Tensor, rollout: Rollout) -> Tensor:
        """What is maximised, for each message: the clipped surrogate, the KL divergence, the entropy bonus.

        Parameters
        ----------
        rows : LongTensor, shape (messages,)
            Indices of train messages, on the policy's device.
        rollout : Rollout
            What was tried for them.

        Returns
        -------
        Tensor, shape (messages,)
            With gradients.
        """
        settings, groups = self.settings, rollout.groups
        log_p = torch.log_softmax(self.logits(rows, rollout.dropout_seed), dim=1)
        log_ratio = (log_p - rollout.old_log_probs).gather(1, groups.actions)
        surrogate = clipped_surrogate(log_ratio, rollout.advantages, settings.epsilon_low, settings.epsilon_high)
        self._log(rollout, surrogate < log_ratio.exp() * rollout.advantages)
        objective = (surrogate * groups.weights).sum(dim=1)
        objective = objective - settings.beta * kl_divergence(log_p, self.setup.reference[rows])
        return objective + settings.entropy_bonus * entropy(log_p)

    def _log(self, rollout: Rollout, clipped: Tensor) -> None:
        """Add up, over the messages: reward, share of clipped actions, groups without a signal, messages."""
        rewards, weights = rollout.rewards, rollout.groups.weights
        zero_variance = rewards.amax(dim=1) - rewards.amin(dim=1) < _ZERO_VARIANCE
        values = ((rewards * weights).sum(dim=1), (clipped * weights).sum(dim=1), zero_variance.float())
        sums = [value.detach().sum() for value in (*values, torch.ones_like(values[0]))]
        self._logged.append(torch.stack(sums))

    def train_metrics(self) -> dict[str, float]:
        """The mean reward of the epoch, and its shares of clipped actions and of groups without a signal."""
        *sums, messages = distributed.all_reduce_sum(torch.stack(self._logged).sum(dim=0)).tolist()
        self._logged.clear()
        names = ("train_reward", "clip_fraction", "share_without_signal")
        return {name: value / messages for name, value in zip(names, sums, strict=True)}


def sample_groups(log_p: Tensor, settings: GrpoConfig) -> Groups:
    """The groups of some messages, drawn from the policy.

    Parameters
    ----------
    log_p : Tensor, shape (messages, actions)
        The policy's log-probabilities.
    settings : GrpoConfig
        ``estimator: sampled`` draws ``num_generations`` actions for each message, each of equal weight; ``exact`` takes
        every action once, weighted by its probability.
    """
    if settings.estimator == "exact":
        return Groups(torch.arange(len(ACTIONS), device=log_p.device).expand(len(log_p), -1), log_p.exp())
    actions = torch.multinomial(log_p.exp(), settings.num_generations, replacement=True)
    return Groups(actions, torch.full_like(actions, 1 / settings.num_generations, dtype=log_p.dtype))


def configured_rewards(config: Config, setup: PostTrainingSetup) -> Tensor:
    """What each action is worth for each train message, by the costs or by a reward model: ``grpo.reward``.

    Parameters
    ----------
    config : Config
        The whole configuration.
    setup : PostTrainingSetup
        The messages, and the policy that is rewarded.

    Returns
    -------
    Tensor of float32, shape (messages, actions)
        The rewards.
    """
    path = paths.reward_model(config)
    if path is not None:
        return reward_model_rewards(path, setup)
    within = seconds(config.label.reply_now_within)
    return reward_table(setup.train.targets, setup.train.response_seconds, config.rewards, within)
