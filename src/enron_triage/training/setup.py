"""The starting point of post-training: a policy, a frozen reference, and the data in the form the policy expects."""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch
from torch import Tensor

from enron_triage.config.schema import Config
from enron_triage.config.training import PostTrainingConfig
from enron_triage.features.dataset import Dataset
from enron_triage.policy.adapters import ResidualAdapter
from enron_triage.policy.calibration import Calibration
from enron_triage.policy.checkpoint import Checkpoint, check_fit, load_checkpoint
from enron_triage.policy.inference import predict_logits
from enron_triage.policy.network import Policy
from enron_triage.runtime import distributed, provenance
from enron_triage.training.fitted_parts import train_features
from enron_triage.training.training_run import load_split


class InitialPolicy(msgspec.Struct, kw_only=True):
    """A trained policy to go on from, and the data as it was trained to see them.

    Attributes
    ----------
    checkpoint : Checkpoint
        The trained policy as it was saved.
    digest : str
        The SHA-256 of its file.
    train, val : Dataset
        The messages to train and validate on.
    features, val_features : Tensor, shape (messages, features)
        The policy's inputs for them, on the device.
    """

    checkpoint: Checkpoint
    digest: str
    train: Dataset
    val: Dataset
    features: Tensor
    val_features: Tensor

    @property
    def calibration(self) -> Calibration:
        """The calibration of what the policy's members say: its own, after those that earlier stages made part of it.

        Stages after sft make the calibration a layer of the policy (`CalibrationLayer`).
        """
        own, weights = self.checkpoint.calibration, self.checkpoint.weights
        scale, shift = float(weights["calibration.scale"]), weights["calibration.shift"].tolist()
        return msgspec.structs.replace(
            own,
            temperature=own.temperature / scale,
            shift=[before + after / scale for before, after in zip(shift, own.shift, strict=True)],
        )


def load_initial_policy(config: Config, init: Path, device: torch.device) -> InitialPolicy:
    """Load a policy, and the data as it was trained to see them: settings of features come from its checkpoint.

    Parameters
    ----------
    config : Config
        Where the data are and who extracts features.
    init : Path
        The checkpoint to begin with.
    device : torch.device
        Where the features go.

    Raises
    ------
    UsageError
        If the checkpoint or a split is missing, damaged, or does not fit the other.
    """
    checkpoint = load_checkpoint(init)
    transform = checkpoint.features
    paths = {name: config.data / f"{name}.json" for name in ("train", "val")}
    with distributed.rank0_first():
        train, val = (load_split(config, path, transform.settings) for path in paths.values())
    check_fit(init, checkpoint, train.scheme, len(transform.columns), paths["train"])
    return InitialPolicy(
        checkpoint=checkpoint,
        digest=provenance.file_state(init).sha256,
        train=train,
        val=val,
        features=distributed.broadcast_from_rank0(
            lambda: train_features(transform, train, cache=config.data / "features")
        ).to(device),
        val_features=transform.transform(val).to(device),
    )


class PostTrainingSetup(msgspec.Struct, kw_only=True):
    """What a post-training stage begins with.

    Attributes
    ----------
    checkpoint : Checkpoint
        The trained policy as it was saved.
    init_digest : str
        The SHA-256 of its file.
    policy : Policy
        The policy to be trained; its calibration is a layer of it now.
    residual : ResidualAdapter or None
        What alone is trained, if it is not the networks.
    train, val : Dataset
        The messages to train and validate on.
    features, val_features : Tensor, shape (messages, features)
        The policy's inputs for them, on its device.
    tree_log_probs, val_tree_log_probs : Tensor, shape (messages, actions), or None
        The log-probabilities by the policy's trees, which never change.
    sample_weights : Tensor, shape (messages,)
        How much each train message counts, on the policy's device: as when the policy was trained.
    reference, val_reference : Tensor, shape (messages, actions)
        The log-probabilities of the policy as it was: the reference policy never changes.
    """

    checkpoint: Checkpoint
    init_digest: str
    policy: Policy
    residual: ResidualAdapter | None
    train: Dataset
    val: Dataset
    features: Tensor
    val_features: Tensor
    tree_log_probs: Tensor | None
    val_tree_log_probs: Tensor | None
    sample_weights: Tensor
    reference: Tensor
    val_reference: Tensor

    def logits(self, rows: Tensor) -> Tensor:
        """The policy's logits for some train messages.

        Parameters
        ----------
        rows : LongTensor, shape (rows,)
            Indices of messages, on the policy's device.

        Returns
        -------
        Tensor, shape (rows, actions)
            With gradients.
        """
        if self.residual is not None:
            refined: Tensor = self.residual(self.features[rows], self.reference[rows])
            return refined
        trees = None if self.tree_log_probs is None else self.tree_log_probs[rows]
        logits: Tensor = self.policy(self.features[rows], trees)
        return logits

    def val_logits(self) -> Tensor:
        """The policy's logits for validation, without dropout; shape (messages, actions), on the CPU."""
        return predict_logits(self.policy, self.val_features, self.val_tree_log_probs)

    def message_weights(self, dataset: Dataset) -> Tensor:
        """How much each message counts, as when the policy was trained.

        Parameters
        ----------
        dataset : Dataset
            The messages.

        Returns
        -------
        Tensor, shape (messages,)
            With mean 1, on the CPU.
        """
        return dataset.sample_weight(self.checkpoint.features.mailbox_weights_power)


def load_setup(
    config: Config, init: Path, device: torch.device, settings: PostTrainingConfig | None = None
) -> PostTrainingSetup:
    """Load a policy, the frozen reference that it is, and the data: see `load_initial_policy`.

    Parameters
    ----------
    config : Config
        Where the data are and who extracts features.
    init : Path
        The checkpoint to begin with.
    device : torch.device
        Where to compute.
    settings : PostTrainingConfig, optional
        What is to be trained, and how.

    Raises
    ------
    UsageError
        If the checkpoint or a split is missing, damaged, or does not fit the other.
    """
    settings = settings or PostTrainingConfig()
    start = load_initial_policy(config, init, device)
    checkpoint, features, val_features = start.checkpoint, start.features, start.val_features
    spec = msgspec.structs.replace(checkpoint.model, dropout=settings.dropout)
    policy = msgspec.structs.replace(checkpoint, model=spec).policy(device)
    policy.fold_calibration(checkpoint.calibration.shift, checkpoint.calibration.temperature)
    trees, val_trees = (policy.tree_log_probs(inputs) for inputs in (features, val_features))
    reference, val_reference = (
        torch.log_softmax(predict_logits(policy, inputs, by_trees), dim=1).to(device)
        for inputs, by_trees in ((features, trees), (val_features, val_trees))
    )
    residual = None
    if settings.train == "residual":
        residual = _add_residual(policy, settings, config.seed_of(settings))
    return PostTrainingSetup(
        checkpoint=checkpoint,
        init_digest=start.digest,
        policy=policy,
        residual=residual,
        train=start.train,
        val=start.val,
        features=features,
        val_features=val_features,
        tree_log_probs=trees,
        val_tree_log_probs=val_trees,
        sample_weights=start.train.sample_weight(checkpoint.features.mailbox_weights_power).to(device),
        reference=reference,
        val_reference=val_reference,
    )


def _add_residual(policy: Policy, settings: PostTrainingConfig, seed: int) -> ResidualAdapter:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return policy.add_residual(settings.residual_width, settings.dropout)
