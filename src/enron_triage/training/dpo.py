"""The stage ``dpo``: direct preference optimisation, from a trained policy.

    triage dpo --config configs/dpo.yaml

Reads ``train.json``, ``val.json`` and the checkpoint ``dpo.init``; writes ``stage_4.pt``, ``best_dpo.pt``,
``dpo_epoch_N.pt`` and ``stage_4_metrics.jsonl``.

Preference accuracy is relative to the reference: it counts the pairs whose chosen action has gained on the
rejected one, however little. 100% of it says nothing about how well the policy classifies; selection and the
check for collapse go by the classification of validation.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from enron_triage import __version__, artifacts, provenance
from enron_triage.config import Config, DpoConfig
from enron_triage.errors import UsageError
from enron_triage.models.checkpoint import Checkpoint
from enron_triage.models.policy import choose_device, predict_logits
from enron_triage.records import Fingerprinted
from enron_triage.stages import Result, plan
from enron_triage.training import loop
from enron_triage.training.losses import entropy, kl_divergence, preference_loss
from enron_triage.training.preferences import Pairs, from_labels, from_people, read_judgements, synthetic
from enron_triage.training.stage_files import StageFiles
from enron_triage.training.start import Start, begin, refined_checkpoint
from enron_triage.training.validation import validate

logger = logging.getLogger(__name__)


def run(config: Config) -> Result:
    """Refine a policy by preference pairs.

    Raises
    ------
    UsageError
        If the checkpoint, a split or the preferences are missing or damaged, or there is no pair.
    TriageError
        If the loss is no longer finite.
    """
    stage = plan("dpo", config)
    device = choose_device(config.device)
    files = StageFiles(config.checkpoints, 4, "dpo")
    may_resume = config.dpo.resume and not stage.is_up_to_date()
    with stage.recorded() as counts:
        start = begin(config, stage.inputs[2], config.dpo.dropout, device)
        states = provenance.input_states(stage.inputs).values()
        content = msgspec.json.encode([stage.settings, [s.sha256 for s in states], __version__, str(device)])
        pairs, val_pairs = preference_pairs(config, start)
        task = make_task(config, start, pairs, val_pairs, hashlib.sha256(content).hexdigest())
        history = loop.train(task, config.dpo, files, config.dpo_seed, may_resume=may_resume)
        best = history[history[-1]["best_epoch"] - 1]
        counts.update(pairs=len(pairs), val_pairs=len(val_pairs), epochs=len(history), best_epoch=best["epoch"])
    data = {**counts, "validation": best, "checkpoint": str(files.best)}
    return Result(stage="dpo", table=_table(data, best), data=data)


def preference_pairs(config: Config, start: Start) -> tuple[Pairs, Pairs]:
    """The pairs of ``dpo.preferences``, on train and on validation.

    Raises
    ------
    UsageError
        If a file of preferences is missing or damaged, or gives no pair on train.
    """
    settings = config.dpo
    datasets = ((start.train, start.reference), (start.val, start.val_reference))
    if settings.preferences == "synthetic":
        pairs = [synthetic(dataset.targets, settings.synthetic_actions) for dataset, _ in datasets]
    elif settings.preferences == "labels":
        costs = config.rewards.costs if settings.scale_by_costs else None
        pairs = [
            from_labels(dataset.targets, reference.cpu(), hard_negatives=settings.hard_negatives, costs=costs)
            for dataset, reference in datasets
        ]
    else:
        path = Path(settings.preferences)
        judgements = read_judgements(path)
        pairs = []
        for name in ("train", "val"):
            found, counts = from_people(judgements, _rows_by_fingerprint(config.data / f"{name}.json"))
            pairs.append(found)
            logger.info("%s: on %s %s", path, name, ", ".join(f"{key} {value}" for key, value in counts.items()))
    if not len(pairs[0]):
        raise UsageError(f"dpo.preferences: {settings.preferences}: no pair of actions on a train message")
    return pairs[0], pairs[1]


def make_task(config: Config, start: Start, pairs: Pairs, val_pairs: Pairs, identity: str) -> loop.Task:
    """What the loop optimises.

    Parameters
    ----------
    config : Config
    start : Start
    pairs, val_pairs : Pairs
    identity : str
        See `loop.Task`.
    """
    settings, policy = config.dpo, start.policy
    device = start.features.device
    message, chosen, rejected, weight = (
        values.to(device) for values in (pairs.message, pairs.chosen, pairs.rejected, pairs.weight)
    )

    def loss(batch: Tensor) -> Tensor:
        batch = batch.to(device)
        rows, better, worse = message[batch], chosen[batch], rejected[batch]
        log_p = torch.log_softmax(policy(start.features[rows]), dim=1)
        margin = _difference(log_p, better, worse) - _difference(start.reference[rows], better, worse)
        value = preference_loss(
            margin, weight[batch], settings.loss, beta=settings.beta, label_smoothing=settings.label_smoothing
        )
        if settings.sft_weight:
            supervised = -(log_p.gather(1, better[:, None]).squeeze(1) * weight[batch]).sum() / weight[batch].sum()
            value = value + settings.sft_weight * supervised
        return value

    def judge() -> loop.Metrics:
        metrics = validate(
            policy, start.val_features, start.val.targets, None, config, start.transform.population.numpy()
        )
        return metrics | preference_metrics(start, val_pairs, settings)

    def checkpoint(epoch: int, validation: loop.Metrics) -> Checkpoint:
        return refined_checkpoint(start, "dpo", settings.init, epoch, config.dpo_seed, validation)

    return loop.Task(
        policy=policy,
        order=lambda generator: torch.randperm(len(pairs), generator=generator),
        loss=loss,
        validate=judge,
        checkpoint=checkpoint,
        identity=identity,
    )


def preference_metrics(start: Start, pairs: Pairs, settings: DpoConfig) -> loop.Metrics:
    """How far the policy has moved from the reference, and what the pairs say of it.

    Rewards are the implicit ones, beta x (log pi - log reference), as in TRL. ``kl`` and ``entropy`` are means
    over validation, exact over the five actions; without pairs, what is said of pairs is None.
    """
    log_p = torch.log_softmax(predict_logits(start.policy, start.val_features), dim=1)
    reference = start.val_reference.cpu()
    moved: loop.Metrics = {
        "kl": float(kl_divergence(log_p, reference).mean()),
        "entropy": float(entropy(log_p).mean()),
    }
    names = ("chosen_reward", "rejected_reward", "reward_margin", "preference_accuracy")
    if not len(pairs):
        return moved | dict.fromkeys(names)
    rewards = settings.beta * (log_p - reference)[pairs.message]
    chosen, rejected = (rewards.gather(1, actions[:, None]).squeeze(1) for actions in (pairs.chosen, pairs.rejected))
    values = (chosen.mean(), rejected.mean(), (chosen - rejected).mean(), (chosen > rejected).float().mean())
    return moved | {name: float(value) for name, value in zip(names, values, strict=True)}


def _difference(log_p: Tensor, better: Tensor, worse: Tensor) -> Tensor:
    return (log_p.gather(1, better[:, None]) - log_p.gather(1, worse[:, None])).squeeze(1)


def _rows_by_fingerprint(path: Path) -> dict[str, list[int]]:
    """Where the messages of a split stand, by fingerprint, and by user and fingerprint."""
    rows: dict[str, list[int]] = {}
    for row, record in enumerate(artifacts.read_records(path, Fingerprinted)):
        for key in (record.fingerprint, f"{record.user} {record.fingerprint}"):
            rows.setdefault(key, []).append(row)
    return rows


def _table(data: dict[str, object], best: loop.Metrics) -> str:
    accuracy = best["preference_accuracy"]
    return (
        f"best of {data['epochs']} epochs: {data['best_epoch']} | validation accuracy {best['accuracy']:.4f}, "
        f"macro-F1 {best['macro_f1']:.4f}, loss {best['val_loss']:.4f}, KL {best['kl']:.4f}, preference accuracy "
        f"{'-' if accuracy is None else f'{accuracy:.1%}'}{', collapsed' if best['collapsed'] else ''} "
        f"-> {data['checkpoint']}"
    )
