"""What the stages that refine a policy begin with: the policy, a frozen reference, and the data as it sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from enron_triage.config.schema import Config
from enron_triage.config.training import PostTrainingConfig
from enron_triage.errors import UsageError
from enron_triage.features.dataset import Dataset, load_dataset
from enron_triage.features.transform import Transform
from enron_triage.policy.calibration import Calibration
from enron_triage.policy.checkpoint import Checkpoint, check_fit, load_checkpoint
from enron_triage.policy.network import Policy, ResidualAdapter, predict_logits
from enron_triage.policy.validation import validate
from enron_triage.runtime import distributed, provenance
from enron_triage.training.losses import entropy, kl_divergence
from enron_triage.training.weighting import mailbox_weights


class Start(msgspec.Struct, kw_only=True):
    """Where a refining stage begins.

    Attributes
    ----------
    checkpoint : Checkpoint
        What the policy was.
    init_digest : str
        SHA-256 of its file.
    policy : Policy
        To be trained; its calibration is part of it now.
    transform : Transform
    train, val : Dataset
    features, val_features : Tensor, shape (messages, features)
        On the policy's device.
    residual : ResidualAdapter or None
        What alone is trained, if it is not the networks.
    fitted, val_fitted : Tensor, shape (messages, actions), or None
        Log-probabilities by the policy's trees.
    weights : Tensor, shape (messages,)
        How much each train message counts, on the policy's device; see `mailbox_weights`.
    reference, val_reference : Tensor, shape (messages, actions)
        Log-probabilities of the policy as it was, on its device: the reference never changes.
    """

    checkpoint: Checkpoint
    init_digest: str
    policy: Policy
    transform: Transform
    train: Dataset
    val: Dataset
    features: Tensor
    val_features: Tensor
    residual: ResidualAdapter | None
    fitted: Tensor | None
    val_fitted: Tensor | None
    weights: Tensor
    reference: Tensor
    val_reference: Tensor

    def logits(self, rows: Tensor) -> Tensor:
        """The policy's logits for some train messages, shape (rows, actions)."""
        if self.residual is not None:
            refined: Tensor = self.residual(self.features[rows], self.reference[rows])
            return refined
        logits: Tensor = self.policy(self.features[rows], None if self.fitted is None else self.fitted[rows])
        return logits

    def val_logits(self) -> Tensor:
        """The policy's logits for validation, shape (messages, actions), on the CPU, without dropout."""
        return predict_logits(self.policy, self.val_features, self.val_fitted)


def begin(config: Config, init: Path, device: torch.device, settings: PostTrainingConfig | None = None) -> Start:
    """Load a policy and the data for it.

    Parameters
    ----------
    config : Config
    init : Path
        The checkpoint to begin with.
    device : torch.device
    settings : PostTrainingConfig, optional
        What is to be trained, and how.

    Raises
    ------
    UsageError
        If the checkpoint or a split is missing, damaged, or does not fit the other.
    """
    checkpoint = load_checkpoint(init)
    transform = Transform.from_plain(checkpoint.features)
    with distributed.rank0_first():
        train, val = (_load(config, transform, config.data / f"{name}.json") for name in ("train", "val"))
    check_fit(init, checkpoint, train.scheme, len(transform.columns), config.data / "train.json")
    weights = mailbox_weights(train.mailbox, config.sft.mailbox_weights_power)
    features = distributed.broadcast_from_rank0(
        lambda: transform.apply_to_train(train, config.features.text, weights, config.seed_of(config.sft))
    ).to(device)
    val_features = transform.apply(val).to(device)
    settings = settings or PostTrainingConfig()
    checkpoint = msgspec.structs.replace(checkpoint, model={**checkpoint.model, "dropout": settings.dropout})
    policy = checkpoint.policy(device)
    calibration = Calibration(**checkpoint.calibration)
    policy.fold_calibration(calibration.shift, calibration.temperature)
    fitted, val_fitted = (policy.tree_log_probabilities(inputs) for inputs in (features, val_features))
    reference, val_reference = (
        torch.log_softmax(predict_logits(policy, inputs, by_trees), dim=1).to(device)
        for inputs, by_trees in ((features, fitted), (val_features, val_fitted))
    )
    residual = None
    if settings.train == "residual":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed_of(settings))
            residual = policy.add_residual(settings.residual_width, settings.dropout)
        residuals = [*checkpoint.model.get("residuals", ()), settings.residual_width]
        checkpoint = msgspec.structs.replace(checkpoint, model={**checkpoint.model, "residuals": residuals})
    return Start(
        checkpoint=checkpoint,
        init_digest=provenance.file_state(init, None).sha256,
        policy=policy,
        transform=transform,
        train=train,
        val=val,
        features=features,
        val_features=val_features,
        residual=residual,
        fitted=fitted,
        val_fitted=val_fitted,
        weights=weights.to(device),
        reference=reference,
        val_reference=val_reference,
    )


def refined_checkpoint(
    start: Start, stage: str, init: str, epoch: int, seed: int, validation: dict[str, Any]
) -> Checkpoint:
    """The policy as it is now, with what it needs to predict."""
    return Checkpoint(
        stage=stage,
        init=init,
        init_digest=start.init_digest,
        epoch=epoch,
        scheme=start.train.scheme,
        label=start.checkpoint.label,
        seed=seed,
        model=start.checkpoint.model,
        weights={name: weight.detach().cpu().clone() for name, weight in start.policy.state_dict().items()},
        features=start.checkpoint.features,
        calibration=validation["calibration"],
        decision=validation["decision"],
        metrics=validation,
        resume={},
    )


def _load(config: Config, transform: Transform, path: Path) -> Dataset:
    dataset = load_dataset(
        path,
        transform.groups,
        cache=config.data / "features",
        workers=config.pool,
        embedding_model=transform.embedding_model,
    )
    if not len(dataset) or (dataset.targets < 0).any():
        raise UsageError(f"{path}: is empty or holds messages without an action; run `triage split`")
    return dataset


def validate_refined(logits: Tensor, start: Start, config: Config) -> dict[str, Any]:
    """`validate`, and how far the policy has moved: KL to the reference and entropy, exact over the actions.

    Both are of the policy's own probabilities, before any calibration, and means over validation.
    """
    log_p, reference = torch.log_softmax(logits, dim=1), start.val_reference.cpu()
    return validate(logits, start.val.targets, None, config, start.transform.class_prior.numpy()) | {
        "kl": float(kl_divergence(log_p, reference).mean()),
        "entropy": float(entropy(log_p).mean()),
    }
