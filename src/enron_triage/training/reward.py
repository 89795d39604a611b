"""The stage ``reward``: a reward model, learned from preference pairs.

    triage reward --set reward_model.preferences=pairs.jsonl

Reads ``train.json``, ``val.json`` and the checkpoint ``reward_model.init``; writes ``stage_2.pt``,
``best_reward.pt``, ``reward_epoch_N.pt`` and ``stage_2_metrics.jsonl``.

The model has the form of the policy that it begins with, whose logits become rewards: of two actions, the one
with the higher reward is the better, with probability sigmoid(difference) (Bradley and Terry 1952; Ouyang et al.
2022, section 3.5, for the beginning). From pairs of the labels the rewards come to log p(action) again; the
stage is for judgements that the labels do not hold.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from enron_triage.config.schema import Config
from enron_triage.pipeline import Result
from enron_triage.training import trainer
from enron_triage.training.losses import bradley_terry_loss
from enron_triage.training.post_training import refine
from enron_triage.training.preferences import Pairs, preference_metrics, preference_pairs
from enron_triage.training.setup import Start, refined_checkpoint, validate_refined


def run(config: Config) -> Result:
    """Train a reward model on preference pairs.

    Raises
    ------
    UsageError
        If the checkpoint, a split or the preferences are missing or damaged, or there is no pair.
    TriageError
        If the loss is no longer finite.
    """
    return refine("reward", 2, config, config.reward_model, prepare)


def prepare(config: Config, start: Start, identity: str) -> tuple[trainer.Task, dict[str, int]]:
    """The task, and the numbers of pairs on train and validation."""
    pairs, val_pairs = preference_pairs(config, config.reward_model, start)
    task = make_task(config, start, pairs, val_pairs, identity)
    return task, {"pairs": len(pairs), "val_pairs": len(val_pairs)}


def make_task(config: Config, start: Start, pairs: Pairs, val_pairs: Pairs, identity: str) -> trainer.Task:
    """What the loop optimises.

    Parameters
    ----------
    config : Config
    start : Start
    pairs, val_pairs : Pairs
    identity : str
        See `loop.Task`.
    """
    settings = config.reward_model
    device = start.features.device
    pairs = pairs.to(device)

    def losses(batch: Tensor) -> Iterator[Tensor]:
        taken = pairs.take(batch.to(device))
        margins = taken.margins(start.logits(taken.message))
        yield bradley_terry_loss(margins, taken.weight, settings.label_smoothing)

    def judge() -> trainer.Metrics:
        rewards = start.val_logits()
        measured = validate_refined(rewards, start, config) | preference_metrics(rewards, val_pairs)
        if len(val_pairs):  # without them, the likelihood of the labels has to do
            margins = val_pairs.margins(rewards[val_pairs.message])
            measured["val_loss"] = float(bradley_terry_loss(margins, val_pairs.weight, settings.label_smoothing))
        return measured

    return trainer.Task(
        policy=start.policy,
        order=lambda generator: torch.randperm(len(pairs), generator=generator),
        losses=losses,
        validate=judge,
        checkpoint=lambda epoch, validation: refined_checkpoint(
            start, "reward", settings.init, epoch, config.seed_of(settings), validation
        ),
        identity=identity,
        weights=pairs.weight,
    )
