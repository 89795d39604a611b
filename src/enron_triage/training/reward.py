"""The stage ``reward``: a reward model, learned from preference pairs.

    triage reward --set reward_model.preferences=pairs.jsonl

Reads ``train.json``, ``val.json`` and the checkpoint ``reward_model.init``; writes ``stage_2.pt``, ``best_reward.pt``,
``reward_epoch_N.pt`` and ``stage_2_metrics.jsonl``.

The model has the form of the policy that it begins with, whose logits become rewards: of two actions, the one with the
higher reward is the better, with probability sigmoid(difference), so the loss of a pair is
-log sigmoid(reward of the chosen action - reward of the rejected one) (Bradley and Terry 1952; Ouyang et al. 2022,
section 3.5). Pairs made from the labels teach it log p(action) again; the stage is meant for judgements that the labels
do not contain.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from torch import Tensor

from enron_triage.config.schema import Config
from enron_triage.policy.validation import ValidationMetrics
from enron_triage.stage_run import Result
from enron_triage.training.post_training import PairsObjective, run_post_training
from enron_triage.training.preference_losses import bradley_terry_loss
from enron_triage.training.preferences import Pairs, preference_metrics, preference_pairs
from enron_triage.training.setup import PostTrainingSetup


def run(config: Config) -> Result:
    """Train a reward model on preference pairs.

    Parameters
    ----------
    config : Config
        The whole configuration; the section is ``reward_model``.

    Raises
    ------
    UsageError
        If the checkpoint, a split or the preferences are missing or damaged, or there is no pair.
    TriageError
        If the loss became NaN or infinite.
    """

    def build(setup: PostTrainingSetup) -> RewardObjective:
        return RewardObjective(config, setup, *preference_pairs(config, config.reward_model, setup))

    return run_post_training("reward", config, config.reward_model, build)


class RewardObjective(PairsObjective):
    """The likelihood of preference pairs under the rewards.

    Parameters
    ----------
    config : Config
        The whole configuration.
    setup : PostTrainingSetup
        What the stage begins with.
    pairs, val_pairs : Pairs
        The pairs of actions on its train and validation messages.
    """

    def __init__(self, config: Config, setup: PostTrainingSetup, pairs: Pairs, val_pairs: Pairs) -> None:
        super().__init__("reward", config, config.reward_model, setup, pairs, val_pairs)
        self.settings = config.reward_model

    def losses(self, batch: Tensor) -> Iterator[Tensor]:
        """The negative log-likelihood of the pairs."""
        pairs = self.pairs.take(batch.to(self.device))
        margins = pairs.margins(self.setup.logits(pairs.message))
        yield bradley_terry_loss(margins, pairs.weight, self.settings.label_smoothing)

    def validate(self) -> ValidationMetrics:
        """Of the rewards as logits, with the loss of the validation pairs in place of that of the labels."""
        rewards = self.setup.val_logits()
        metrics = self.validation_of(rewards)
        extra = {**metrics.extra, **preference_metrics(rewards, self.val_pairs)}
        metrics = msgspec.structs.replace(metrics, extra=extra)
        if len(self.val_pairs):  # without them, the likelihood of the labels has to do
            margins = self.val_pairs.margins(rewards[self.val_pairs.message])
            loss = bradley_terry_loss(margins, self.val_pairs.weight, self.settings.label_smoothing)
            metrics = msgspec.structs.replace(metrics, val_loss=float(loss))
        return metrics
