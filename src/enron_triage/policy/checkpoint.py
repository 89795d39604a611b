"""Checkpoints: tensors and plain values only, enough to predict with and nothing else.

They are loaded with ``weights_only=True``, so that a foreign file cannot run code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import torch
from torch import Tensor

from enron_triage import __version__
from enron_triage.config.data import LabelConfig
from enron_triage.errors import UsageError
from enron_triage.features.groups import GROUPS
from enron_triage.features.text import BUCKETS
from enron_triage.policy.decisions import RULES
from enron_triage.policy.network import Policy, new_policy
from enron_triage.records import ACTIONS, Scheme
from enron_triage.runtime import artifacts

_FORMAT = "enron_triage checkpoint 3"


class Checkpoint(msgspec.Struct, kw_only=True):
    """A trained policy with all that prediction needs.

    Attributes
    ----------
    stage : str
        Which stage trained it.
    init : str
        The checkpoint that training began with; empty where it began anew.
    init_digest : str
        SHA-256 of that file.
    epoch : int
        After how many epochs.
    scheme : str
        The label scheme that it was trained on.
    label : dict
        The settings of the labels: the fields of `LabelConfig`.
    seed : int
        Of the initial weights: gives the untrained policy to compare with.
    model : dict
        The arguments of `Policy`.
    weights : dict of str to Tensor
    features : dict
        Feature groups and what is fitted on train for them: see `Transform.to_plain`.
    calibration : dict
        Fitted on validation: the fields of `Calibration`.
    decision : dict
        Likewise: the fields of `Decision`.
    metrics : dict
        Of this epoch, on validation.
    resume : dict
        What training needs to go on exactly; empty in a finished checkpoint.
    """

    stage: str
    init: str
    init_digest: str
    epoch: int
    scheme: Scheme
    label: dict[str, Any]
    seed: int
    model: dict[str, Any]
    weights: dict[str, Tensor]
    features: dict[str, Any]
    calibration: dict[str, Any]
    decision: dict[str, Any]
    metrics: dict[str, Any]
    resume: dict[str, Any]

    def policy(self, device: torch.device) -> Policy:
        """The policy with its weights, on `device`, ready to predict."""
        policy = new_policy(**self.model, seed=self.seed)
        policy.load_state_dict(self.weights)
        return policy.to(device).eval()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the same content gives the same bytes."""
    content = msgspec.structs.asdict(checkpoint)
    with artifacts.atomic_open(path) as file:
        torch.save({"format": _FORMAT, "version": __version__, **content}, file)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises
    ------
    UsageError
        If the file is missing, damaged, or no checkpoint of this program.
    """
    with artifacts.open_input(path) as file:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises what pickle, zipfile or it itself think of
            raise UsageError(f"{path}: not a checkpoint, or a damaged one ({type(error).__name__})") from None
    made_by = str(content.get("format")) if isinstance(content, dict) else ""
    if made_by != _FORMAT and made_by.startswith(_FORMAT.rstrip("0123456789")):
        raise UsageError(f"{path}: written by another version of this program; train again with `triage sft`")
    if made_by != _FORMAT:
        raise UsageError(f"{path}: not a checkpoint of this program; train one with `triage sft`")
    try:
        checkpoint = Checkpoint(**{name: content[name] for name in Checkpoint.__struct_fields__})
        checkpoint.policy(torch.device("cpu"))
        _check_features(checkpoint.features, checkpoint.model["inputs"])
        _check_decision(checkpoint.calibration, checkpoint.decision)
        msgspec.convert(checkpoint.label, LabelConfig)
        if checkpoint.scheme not in get_args(Scheme):
            raise ValueError("an impossible scheme")
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise UsageError(f"{path}: a damaged checkpoint ({_first_line(error)})") from None
    return checkpoint


def check_fit(path: Path, checkpoint: Checkpoint, scheme: Scheme, columns: int, source: Path) -> None:
    """Refuse a checkpoint that was trained on other labels or features than the data's.

    Parameters
    ----------
    path : Path
        Of the checkpoint.
    checkpoint : Checkpoint
    scheme : str
        The scheme of the data's labels.
    columns : int
        The number of features that this version extracts for the checkpoint's groups.
    source : Path
        Of the data.

    Raises
    ------
    UsageError
    """
    if checkpoint.scheme != scheme:
        raise UsageError(
            f"{path}: trained on scheme {checkpoint.scheme}, but {source} is labelled with {scheme}; "
            f"use --set label.scheme={checkpoint.scheme} through label, split and evaluate"
        )
    if columns != checkpoint.model["inputs"]:
        raise UsageError(
            f"{path}: expects {checkpoint.model['inputs']} features, this version extracts {columns} for "
            f"{', '.join(checkpoint.features['groups'])}; train again with `triage sft`"
        )


def _check_features(features: dict[str, Any], inputs: int) -> None:
    """Refuse normalisation that does not fit the weights."""
    text = features["text"]
    dense = inputs - (len(ACTIONS) if text else 0)
    fits = len(features["class_prior"]) == len(ACTIONS) and features["quantiles"].shape[1] == dense
    if text:
        fits &= text["table"].shape == (BUCKETS, len(ACTIONS)) and len(text["idf"]) == BUCKETS
        fits &= all(len(text[name]) == len(ACTIONS) for name in ("bias", "mean", "std"))
    if not fits or not features["groups"]:
        raise ValueError("features that do not fit its weights")
    unknown = set(features["groups"]) - set(GROUPS)
    if unknown:
        raise ValueError(f"the feature group {min(unknown)}, which this version does not have")


def _check_decision(calibration: dict[str, Any], decision: dict[str, Any]) -> None:
    """Refuse a calibration or decision rules that cannot be applied."""
    if not (calibration["temperature"] > 0 and len(calibration["shift"]) == len(ACTIONS)):
        raise ValueError("an impossible calibration")
    offsets = decision["offsets"]
    if {*offsets, "expected_reward"} != set(RULES) or decision["rule"] not in RULES:
        raise ValueError("decision rules that this version does not have")
    if any(len(values) != len(ACTIONS) for values in (*offsets.values(), decision["costs"], *decision["costs"])):
        raise ValueError("decision rules that do not fit the actions")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
