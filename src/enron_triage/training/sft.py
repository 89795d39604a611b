"""The stage ``sft``: supervised fine-tuning on what the owners did.

    triage sft --config configs/sft_weighted.yaml

Reads ``train.json`` and ``val.json``; writes ``stage_1.pt`` (after the last epoch), ``best_sft.pt`` (the best on
validation), ``sft_epoch_N.pt`` and ``stage_1_metrics.jsonl``.

Every network of the policy minimises the configured loss by itself, by default the cross-entropy -log p(action), each
message weighted by its class and its mailbox; the boosted trees are fitted once, before the first epoch. With
``sft.init`` it goes on from a trained policy, on whatever ``train.json`` holds now: features, trees and the form of the
policy come from its checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from enron_triage.config import paths
from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.features.dataset import Dataset
from enron_triage.policy.adapters import CalibrationLayer
from enron_triage.policy.calibration import Evidence
from enron_triage.policy.checkpoint import Checkpoint
from enron_triage.policy.inference import predict_logits
from enron_triage.policy.metrics import FloatArray
from enron_triage.policy.network import Policy, new_policy
from enron_triage.policy.origin import Origin
from enron_triage.policy.spec import PolicySpec
from enron_triage.policy.validation import EpochMetrics, ValidationMetrics, validate
from enron_triage.records import ACTIONS
from enron_triage.runtime import distributed
from enron_triage.stage_run import Result, StageRun
from enron_triage.training.enough_to_learn import check_enough
from enron_triage.training.files import TrainingFiles
from enron_triage.training.fitted_parts import fitted_transform, fitted_trees
from enron_triage.training.losses import LOSSES
from enron_triage.training.post_training import compared_result
from enron_triage.training.setup import InitialPolicy, load_initial_policy
from enron_triage.training.trainer import Objective
from enron_triage.training.training_run import TrainingOutcome, load_split, run_training, warn_of_few_messages
from enron_triage.training.weighting import class_weights, logit_adjustment, sample_indices

logger = logging.getLogger(__name__)


def run(config: Config) -> Result:
    """Train a policy on ``train.json``, selected on ``val.json``.

    Parameters
    ----------
    config : Config
        The whole configuration; the section is ``sft``.

    Raises
    ------
    UsageError
        If a split is missing, damaged, empty, or of another scheme than the configuration's; or the checkpoint
        ``sft.init`` is, or does not fit the data.
    TriageError
        If the loss became NaN or infinite.
    """
    init = paths.sft_init(config)
    if init is not None:
        _refuse_own_output(init, TrainingFiles.of_stage("sft", config))

    def build(stage: StageRun, device: torch.device) -> Objective:
        initial = None if init is None else _initial_policy(config, init, device)
        if initial is None:
            with distributed.rank0_first():
                train, val = (load_split(config, stage.inputs[name], config.features) for name in ("train", "val"))
        else:
            train, val = initial.train, initial.val
        for name, dataset in (("train", train), ("val", val)):
            _check_scheme(config, stage, name, dataset)
        check_enough(stage.inputs["train"], train, val, starts_trained=initial is not None)
        warn_of_few_messages("sft", len(val))
        return SftObjective(config, train, val, device, initial)

    outcome = run_training("sft", config, config.sft, build, starts_trained=init is not None)
    return _result(outcome) if init is None else compared_result("sft", config.sft, outcome)


class SftObjective(Objective):
    """Supervised fine-tuning: the loss of every member of the policy on every message.

    Parameters
    ----------
    config : Config
        The whole configuration.
    train, val : Dataset
        What the policy is trained and selected on.
    device : torch.device
        Where it is trained.
    initial : InitialPolicy, optional
        The policy to go on from.
    """

    def __init__(
        self,
        config: Config,
        train: Dataset,
        val: Dataset,
        device: torch.device,
        initial: InitialPolicy | None = None,
    ) -> None:
        settings = config.sft
        self.config = config
        self.initial = initial
        self.train, self.val = train, val
        self.sizes = {"train": len(train), "val": len(val)}
        if initial is None:
            self._fit_features(device)
        else:
            self.transform, self.features = initial.checkpoint.features, initial.features
            self.val_features = initial.val_features
        self.targets = train.targets.to(device)
        self.message_weights = train.sample_weight(settings.mailbox_weights_power).to(device)
        counts = torch.bincount(train.targets, minlength=len(ACTIONS))
        self.class_prior = counts / len(train)
        weights = class_weights(
            counts, settings.class_weights, power=settings.class_weights_power, beta=settings.class_weights_beta
        )
        self.class_weights = weights.to(device)
        self.logit_adjustment = logit_adjustment(counts, weights, settings.sampler)
        self.sample_weights = (self.class_weights[self.targets] * self.message_weights).cpu()
        self.loss = LOSSES[settings.loss](settings)
        policy = self._new_policy(self.sample_weights) if initial is None else initial.checkpoint.policy(device)
        self.policy = policy.to(device)
        self.evidence = Evidence(class_counts=counts.tolist())
        self.start_shift: FloatArray | None = None
        if initial is not None:
            start = initial.calibration
            self.evidence, self.start_shift = Evidence.of_start(start, counts.tolist()), np.asarray(start.shift)
        self.policy.calibration = CalibrationLayer().to(device)  # fitted again after each epoch
        self.val_tree_log_probs = self.policy.tree_log_probs(self.val_features)

    def _fit_features(self, device: torch.device) -> None:
        """Fit the features on train."""
        settings = self.config.sft
        self.transform, features = distributed.broadcast_from_rank0(
            lambda: fitted_transform(
                self.train,
                self.config.features,
                mailbox_weights_power=settings.mailbox_weights_power,
                seed=self.config.seed_of(settings),
                cache=self.config.data / "features",
            )
        )
        self.features, self.val_features = features.to(device), self.transform.transform(self.val).to(device)

    def _new_policy(self, weights: Tensor) -> Policy:
        """An untrained policy, with its trees fitted, on the CPU."""
        model, seed = self.config.model, self.config.seed_of(self.config.sft)
        spec = PolicySpec(
            inputs=self.features.shape[1],
            hidden=model.hidden,
            dropout=model.dropout,
            stages=model.stages,
            ensemble=model.ensemble,
        )
        policy = new_policy(spec, seed=seed)
        if model.boosting:
            arrays = self.features.cpu().numpy(), self.train.targets.numpy(), weights.numpy()
            cache = self.config.data / "features"
            trees = distributed.broadcast_from_rank0(
                lambda: fitted_trees(*arrays, iterations=model.boosting, seed=seed, cache=cache)
            )
            policy.set_trees(trees)
        return policy

    def indices(self, generator: torch.Generator) -> Tensor:
        """Every message once, or as many draws that show the classes equally often."""
        return sample_indices(self.train.targets, self.config.sft.sampler, generator)

    def losses(self, batch: Tensor) -> Iterator[Tensor]:
        """The mean over messages and members; members share no weights, so that each minimises its own loss."""
        batch = batch.to(self.features.device)
        is_short = self.config.sft.precision == "bfloat16"
        with torch.autocast(self.features.device.type, torch.bfloat16, enabled=is_short):
            logits = self.policy.member_logits(self.features[batch])
        logits = logits.float()
        if self.start_shift is not None:  # these messages weigh otherwise than those that the policy was trained on
            offset = torch.from_numpy(self.start_shift - self.logit_adjustment)
            logits = logits + offset.to(logits)
        members = len(logits)
        yield self.loss(
            logits.flatten(0, 1),
            self.targets[batch].repeat(members),
            self.class_weights,
            self.message_weights[batch].repeat(members),
        )

    def validate(self) -> ValidationMetrics:
        """Of the whole policy, its probabilities corrected for class weights and sampling unless they should stay.

        A policy that training went on from brings its own correction, which stays right: see `losses`.
        """
        kept = self.logit_adjustment if self.config.decision.keep_class_weights else 0.0
        return self._validate((self.logit_adjustment if self.start_shift is None else self.start_shift) - kept)

    def validate_start(self) -> ValidationMetrics:
        """Of the policy to go on from, corrected as it was trained."""
        return self._validate(self.start_shift)

    def _validate(self, shift: FloatArray | None) -> ValidationMetrics:
        return validate(
            predict_logits(self.policy, self.val_features, self.val_tree_log_probs),
            self.val.targets,
            shift,
            self.config.decision,
            self.config.rewards.costs,
            self.class_prior,
            self.evidence,
        )

    def checkpoint(self, metrics: EpochMetrics) -> Checkpoint:
        """A policy that began with random weights, or with ``sft.init``."""
        return Checkpoint(
            stage="sft",
            init=self.config.sft.init or "",
            init_digest=self.initial.digest if self.initial else "",
            epoch=metrics.epoch,
            scheme=self.train.scheme,
            label=self.config.label,
            seed=self.config.seed_of(self.config.sft),
            model=self.policy.spec,
            weights=self.policy.detached_weights(),
            features=self.transform,
            calibration=metrics.validation.calibration,
            decision=metrics.validation.decision,
            metrics=metrics,
            class_prior=self.class_prior.tolist(),
            origin=Origin(),
            resume={},
        )


def _refuse_own_output(init: Path, files: TrainingFiles) -> None:
    """Refuse to go on from a file that this run would replace."""
    if init.resolve() in {path.resolve() for path in (files.best, files.last, *files.epochs().values())}:
        raise UsageError(
            f"sft.init: {init} would be replaced by this run; write elsewhere with --set run=NAME or --checkpoint-dir"
        )


def _initial_policy(config: Config, init: Path, device: torch.device) -> InitialPolicy:
    """Load the policy to go on from, and say that it brings its own settings."""
    initial = load_initial_policy(config, init, device)
    checkpoint = initial.checkpoint
    if checkpoint.stage == "reward" or checkpoint.model.residuals:
        what = "a reward model" if checkpoint.stage == "reward" else "a policy with a residual, which sft cannot train"
        raise UsageError(f"{init}: {what}; give a policy that sft, dpo or grpo made by training its networks")
    logger.info(
        "continuing from %s: features (%s), networks (%d, dropout %g) and trees (%d) are its own; features.* and "
        "model.* of the configuration are not used",
        init,
        ", ".join(checkpoint.features.settings.groups),
        checkpoint.model.ensemble,
        checkpoint.model.dropout,
        checkpoint.model.trees,
    )
    return initial


def _check_scheme(config: Config, stage: StageRun, name: str, dataset: Dataset) -> None:
    if dataset.scheme != config.label.scheme:
        raise UsageError(
            f"{stage.inputs[name]}: labelled with scheme {dataset.scheme}, the configuration says "
            f"{config.label.scheme}; run `triage label` and `triage split` again, or use "
            f"--set label.scheme={dataset.scheme}"
        )


def _result(outcome: TrainingOutcome) -> Result:
    best, notes = outcome.best, outcome.notes
    table = (
        f"best of {len(outcome.history)} epochs: {best.epoch} | validation ({outcome.counts['val']:,} messages) "
        f"accuracy {best.validation.accuracy:.4f}, macro-F1 {best.validation.macro_f1:.4f}, "
        f"loss {best.validation.val_loss:.4f} -> {outcome.checkpoint}"
    )
    data = {**outcome.counts, "validation": best.flat(), "checkpoint": str(outcome.checkpoint), "notes": notes}
    return Result(stage="sft", table="\n".join([table, *notes]), data=data)
