"""Checkpoints: only tensors and plain values, and enough to predict without any other file.

They are loaded with ``weights_only=True``, so that a foreign file cannot run code. Apart from the tensors, a file holds
what `msgspec.to_builtins` makes of a `Checkpoint`, and is checked against its types when it is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from enron_triage import __version__
from enron_triage.config.data import LabelConfig
from enron_triage.errors import UsageError
from enron_triage.features.transform import FeatureTransform
from enron_triage.policy.calibration import Calibration
from enron_triage.policy.decisions import Decision
from enron_triage.policy.network import Policy, new_policy
from enron_triage.policy.origin import Origin
from enron_triage.policy.spec import PolicySpec
from enron_triage.policy.trained import (
    FORMAT,
    TrainedPolicy,
    check_features,
    check_format,
    check_parts,
    damaged,
    not_a_checkpoint,
)
from enron_triage.policy.validation import EpochMetrics
from enron_triage.records import Scheme
from enron_triage.runtime import artifacts
from enron_triage.runtime.tensor_files import write_tensors


class Checkpoint(msgspec.Struct, kw_only=True):
    """A trained policy with everything that prediction needs.

    Attributes
    ----------
    stage : str
        The stage that trained it.
    init : str
        The checkpoint that training began with; empty where it began with random weights.
    init_digest : str
        The SHA-256 of that checkpoint's file; empty likewise.
    epoch : int
        The number of epochs after which it was saved.
    scheme : str
        The label scheme that it was trained on.
    label : LabelConfig
        The settings of the labels.
    seed : int
        The seed of the initial weights: gives the untrained policy to compare with.
    model : PolicySpec
        The form of the policy.
    weights : dict of str to Tensor
        The policy's parameters and buffers by name: its ``state_dict``.
    features : FeatureTransform
        The feature groups, and what is fitted on train for them.
    calibration : Calibration
        Fitted on validation.
    decision : Decision
        The decision rules, fitted on validation.
    metrics : EpochMetrics or None
        The metrics of the epoch, without its seconds.
    class_prior : list of float, length 5
        The share of each action in the train split.
    origin : Origin
        How it was made.
    resume : dict
        What the trainer needs to continue exactly; empty in a finished checkpoint.
    """

    stage: str
    init: str
    init_digest: str
    epoch: int
    scheme: Scheme
    label: LabelConfig
    seed: int
    model: PolicySpec
    weights: dict[str, Tensor]
    features: FeatureTransform
    calibration: Calibration
    decision: Decision
    metrics: EpochMetrics | None
    class_prior: list[float]
    origin: Origin
    resume: dict[str, Any]

    @property
    def trained(self) -> TrainedPolicy:
        """What prediction needs of it, as arrays in the same memory."""
        return TrainedPolicy(
            scheme=self.scheme,
            label=self.label,
            model=self.model,
            weights={name: weight.numpy() for name, weight in self.weights.items()},
            features=self.features.fitted,
            calibration=self.calibration,
            decision=self.decision,
        )

    def policy(self, device: torch.device) -> Policy:
        """The policy with its weights, ready to predict.

        Parameters
        ----------
        device : torch.device
            The device to put it on.

        Returns
        -------
        Policy
            The policy, in evaluation mode.
        """
        policy = new_policy(self.model, seed=self.seed)
        policy.load_state_dict(self.weights)
        return policy.to(device).eval()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the same content gives the same bytes.

    Parameters
    ----------
    path : Path
        The file, which is replaced in one step; its folder is made if it is missing.
    checkpoint : Checkpoint
        The checkpoint, its tensors on any device.

    Raises
    ------
    TriageError
        If the file cannot be written.
    """
    content = _with_shared_strings(msgspec.to_builtins(checkpoint, builtin_types=(Tensor,)), {})
    write_tensors(path, {"format": FORMAT, "version": __version__, **content})


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Checkpoint
        The checkpoint, whose parts fit each other.

    Raises
    ------
    UsageError
        If the file is missing or damaged, or not a checkpoint of this program or of this version.
    """
    with artifacts.open_input(path) as file:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises whatever pickle, zipfile and its own code raise
            raise not_a_checkpoint(path, error) from None
    check_format(path, content)
    try:
        checkpoint = msgspec.convert(content, Checkpoint, dec_hook=_as_tensor)
        checkpoint.policy(torch.device("cpu"))
        check_parts(checkpoint.trained)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise damaged(path, error) from None
    return checkpoint


def check_fit(path: Path, checkpoint: Checkpoint, scheme: Scheme, columns: int, source: Path) -> None:
    """Refuse a checkpoint that was trained on other labels or features than the data's.

    Parameters
    ----------
    path : Path
        The checkpoint's file, for the message.
    checkpoint : Checkpoint
        The checkpoint.
    scheme : str
        The scheme of the data's labels.
    columns : int
        The number of features that this version extracts for the checkpoint's groups.
    source : Path
        The data's file, for the message.

    Raises
    ------
    UsageError
        If the scheme or the number of features differs.
    """
    if checkpoint.scheme != scheme:
        raise UsageError(
            f"{path}: trained on scheme {checkpoint.scheme}, but {source} is labelled with {scheme}; "
            f"use --set label.scheme={checkpoint.scheme} for label, split and evaluate"
        )
    check_features(path, checkpoint.model, checkpoint.features.settings, columns)


def _with_shared_strings(value: Any, known: dict[str, str]) -> Any:
    """The value, in which equal strings are one object: pickle writes a repeated object otherwise than an equal one."""
    if isinstance(value, str):
        return known.setdefault(value, value)
    if isinstance(value, dict):
        return {_with_shared_strings(key, known): _with_shared_strings(item, known) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_with_shared_strings(item, known) for item in value)
    return value


def _as_tensor(kind: type, value: object) -> object:
    """The hook of `msgspec.convert` for fields of a type that it does not know: tensors come as they are."""
    if not isinstance(value, kind):
        raise ValueError(f"a {type(value).__name__} where a {kind.__name__} is expected")
    return value
