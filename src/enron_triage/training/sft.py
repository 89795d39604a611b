"""The stage ``sft``: supervised fine-tuning on what the owners did.

    triage sft --config configs/sft_weighted.yaml

Reads ``train.json`` and ``val.json``; writes ``stage_1.pt`` (after the last epoch), ``best_sft.pt``
(the best on validation), ``sft_epoch_N.pt`` and ``stage_1_metrics.jsonl``.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from enron_triage import __version__
from enron_triage.config.schema import Config
from enron_triage.config.training import SftConfig
from enron_triage.errors import UsageError
from enron_triage.features.dataset import Dataset, load_dataset
from enron_triage.features.transform import Transform
from enron_triage.pipeline import Result, StageRun
from enron_triage.policy.checkpoint import Checkpoint
from enron_triage.policy.network import Policy, choose_device, new_policy, predict_logits
from enron_triage.policy.trees import fit_trees
from enron_triage.policy.validation import validate
from enron_triage.records import ACTIONS
from enron_triage.runtime import distributed, provenance
from enron_triage.training import trainer
from enron_triage.training.files import StageFiles
from enron_triage.training.losses import focal_loss
from enron_triage.training.weighting import class_weights, epoch_order, mailbox_weights

logger = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.float64]


def run(config: Config) -> Result:
    """Train a policy on ``train.json``, selected on ``val.json``.

    Raises
    ------
    UsageError
        If a split is missing, damaged, empty, or of another scheme than the configuration's.
    TriageError
        If the loss is no longer finite.
    """
    stage = StageRun("sft", config)
    device = choose_device(config.device)
    files = StageFiles(config.checkpoints, 1, "sft")
    with distributed.process_group(device), stage.track() as counts:
        with distributed.rank0_first():
            train, val = (_load(config, path) for path in stage.inputs.values())
        _warn_of_absent_actions(train)
        states = provenance.input_states(stage.inputs.values()).values()
        content = msgspec.json.encode([stage.settings, [s.sha256 for s in states], __version__, str(device)])
        task = make_task(config, train, val, device, hashlib.sha256(content).hexdigest())
        may_resume = distributed.broadcast_from_rank0(lambda: config.sft.resume and not stage.is_up_to_date())
        history = trainer.train(task, config.sft, files, config.seed_of(config.sft), may_resume=may_resume)
        best = history[history[-1]["best_epoch"] - 1]
        counts.update(train=len(train), val=len(val), epochs=len(history), best_epoch=best["epoch"])
    data = {**counts, "validation": best, "checkpoint": str(files.best)}
    return Result(stage="sft", table=_table(data), data=data)


def make_task(config: Config, train: Dataset, val: Dataset, device: torch.device, identity: str) -> trainer.Task:
    """What the loop optimises: the configured loss, class weights and sampling.

    Parameters
    ----------
    config : Config
    train, val : Dataset
    device : torch.device
    identity : str
        See `loop.Task`.
    """
    settings = config.sft
    of_message = mailbox_weights(train.mailbox, settings.mailbox_weights_power)
    transform, features = distributed.broadcast_from_rank0(
        lambda: Transform.fit(train, config.features, of_message, config.seed_of(config.sft))
    )
    features, val_features = features.to(device), transform.apply(val).to(device)
    targets, of_message = train.targets.to(device), of_message.to(device)
    counts = torch.bincount(train.targets, minlength=len(ACTIONS))
    of_class = class_weights(
        counts, settings.class_weights, power=settings.class_weights_power, beta=settings.class_weights_beta
    ).to(device)
    weights = (of_class[targets] * of_message).cpu()
    model, policy = _new_policy(config, features, train.targets, weights, device)
    val_fitted = policy.tree_log_probabilities(val_features)
    shift = None if config.decision.keep_class_weights else _shift(settings, counts, of_class.cpu())
    gamma = settings.focal_gamma if settings.loss == "focal" else 0.0

    def losses(batch: Tensor) -> Iterator[Tensor]:
        batch = batch.to(device)
        logits = policy.member_logits(features[batch])
        members = len(logits)
        yield focal_loss(
            logits.flatten(0, 1), targets[batch].repeat(members), gamma, of_class, of_message[batch].repeat(members)
        )

    def judge() -> trainer.Metrics:
        logits = predict_logits(policy, val_features, val_fitted)
        return validate(logits, val.targets, shift, config, transform.class_prior.numpy())

    def checkpoint(epoch: int, validation: trainer.Metrics) -> Checkpoint:
        return Checkpoint(
            stage="sft",
            init="",
            init_digest="",
            epoch=epoch,
            scheme=train.scheme,
            label=provenance.to_builtins(config.label),
            seed=config.seed_of(config.sft),
            model=model,
            weights={name: weight.detach().cpu().clone() for name, weight in policy.state_dict().items()},
            features=transform.to_plain(),
            calibration=validation["calibration"],
            decision=validation["decision"],
            metrics=validation,
            resume={},
        )

    return trainer.Task(
        policy=policy,
        order=lambda generator: epoch_order(train.targets, config.sft.sampler, generator),
        losses=losses,
        validate=judge,
        checkpoint=checkpoint,
        identity=identity,
        weights=weights,
    )


def _new_policy(
    config: Config, features: Tensor, targets: Tensor, weights: Tensor, device: torch.device
) -> tuple[dict[str, Any], Policy]:
    """An untrained policy, its trees fitted already, and the arguments that make one of its form."""
    model = {"inputs": features.shape[1], **provenance.to_builtins(config.model)}
    rounds = model.pop("boosting")
    policy = new_policy(**model, seed=config.seed_of(config.sft))
    if rounds:
        arrays = features.cpu().numpy(), targets.numpy(), weights.numpy()
        trees = distributed.broadcast_from_rank0(
            lambda: fit_trees(*arrays, iterations=rounds, seed=config.seed_of(config.sft))
        )
        policy.set_trees(trees)
        model |= {"trees": len(trees.root), "nodes": len(trees.feature)}
    return model, policy.to(device)


def _shift(settings: SftConfig, counts: Tensor, of_class: Tensor) -> FloatArray:
    """What gives back the shares of the actions that class weights and balanced sampling changed."""
    weights = of_class.double()
    if settings.sampler == "balanced":
        weights = weights / counts.clamp_min(1)
    present = counts > 0
    return torch.where(present, -torch.log(torch.where(present, weights, 1.0)), 0.0).numpy()


def _load(config: Config, path: Path) -> Dataset:
    dataset = load_dataset(
        path,
        config.features.groups,
        cache=config.data / "features",
        workers=config.pool,
        embedding_model=config.features.embedding_model,
    )
    if not len(dataset):
        raise UsageError(f"{path}: the split is empty; run `triage split` with other ratios or more mail")
    if (dataset.targets < 0).any():
        raise UsageError(f"{path}: holds messages without an action; run `triage split`")
    if dataset.scheme != config.label.scheme:
        raise UsageError(
            f"{path}: labelled with scheme {dataset.scheme}, the configuration says {config.label.scheme}; "
            f"run `triage label` and `triage split` again, or use --set label.scheme={dataset.scheme}"
        )
    return dataset


def _warn_of_absent_actions(train: Dataset) -> None:
    counts = torch.bincount(train.targets, minlength=len(ACTIONS)).tolist()
    absent = [action for action, count in zip(ACTIONS, counts, strict=True) if not count]
    if absent:
        logger.warning("no training message has the action %s: it cannot be learned", ", ".join(absent))


def _table(data: dict[str, object]) -> str:
    best = data["validation"]
    assert isinstance(best, dict)
    return (
        f"best of {data['epochs']} epochs: {data['best_epoch']} | validation accuracy {best['accuracy']:.4f}, "
        f"macro-F1 {best['macro_f1']:.4f}, loss {best['val_loss']:.4f} -> {data['checkpoint']}"
    )
