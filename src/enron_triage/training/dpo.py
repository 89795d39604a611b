"""The stage ``dpo``: direct preference optimisation, from a trained policy.

    triage dpo --config configs/dpo.yaml

Reads ``train.json``, ``val.json`` and the checkpoint ``dpo.init``; writes ``stage_4.pt``, ``best_dpo.pt``,
``dpo_epoch_N.pt`` and ``stage_4_metrics.jsonl``.

Preference accuracy is relative to the reference: it counts the pairs whose chosen action has gained on the
rejected one, however little. 100% of it says nothing about how well the policy classifies; selection and the
check for collapse go by the classification of validation.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from enron_triage.config.schema import Config
from enron_triage.pipeline import Result
from enron_triage.training import trainer
from enron_triage.training.losses import preference_loss
from enron_triage.training.post_training import refine
from enron_triage.training.preferences import Pairs, preference_metrics, preference_pairs
from enron_triage.training.setup import Start, refined_checkpoint, validate_refined


def run(config: Config) -> Result:
    """Refine a policy by preference pairs.

    Raises
    ------
    UsageError
        If the checkpoint, a split or the preferences are missing or damaged, or there is no pair.
    TriageError
        If the loss is no longer finite.
    """
    return refine("dpo", 4, config, config.dpo, prepare)


def prepare(config: Config, start: Start, identity: str) -> tuple[trainer.Task, dict[str, int]]:
    """The task, and the numbers of pairs on train and validation."""
    pairs, val_pairs = preference_pairs(config, config.dpo, start)
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
    settings = config.dpo
    device = start.features.device
    pairs = pairs.to(device)

    def losses(batch: Tensor) -> Iterator[Tensor]:
        taken = pairs.take(batch.to(device))
        log_p = torch.log_softmax(start.logits(taken.message), dim=1)
        margin = taken.margins(log_p) - taken.margins(start.reference[taken.message])
        loss = preference_loss(
            margin, taken.weight, settings.loss, beta=settings.beta, label_smoothing=settings.label_smoothing
        )
        if settings.sft_weight:
            supervised = -(log_p.gather(1, taken.chosen[:, None]).squeeze(1) * taken.weight).sum() / taken.weight.sum()
            loss = loss + settings.sft_weight * supervised
        yield loss

    def judge() -> trainer.Metrics:
        logits = start.val_logits()
        rewards = settings.beta * (torch.log_softmax(logits, dim=1) - start.val_reference.cpu())
        return validate_refined(logits, start, config) | preference_metrics(rewards, val_pairs)

    return trainer.Task(
        policy=start.policy,
        order=lambda generator: torch.randperm(len(pairs), generator=generator),
        losses=losses,
        validate=judge,
        checkpoint=lambda epoch, validation: refined_checkpoint(
            start, "dpo", settings.init, epoch, config.seed_of(settings), validation
        ),
        identity=identity,
        weights=pairs.weight,
    )
