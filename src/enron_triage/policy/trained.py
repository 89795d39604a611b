"""A trained policy for prediction, read from a checkpoint without torch, and checks that its parts fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_origin

import msgspec

from enron_triage.config.data import LabelConfig
from enron_triage.config.training import FeaturesConfig
from enron_triage.errors import ArtifactError, UsageError
from enron_triage.features.fitted import Array, FittedFeatures
from enron_triage.features.groups import GROUPS
from enron_triage.labels.schemes import SCHEMES
from enron_triage.policy.calibration import Calibration
from enron_triage.policy.decisions import RULES, Decision
from enron_triage.policy.saved_tensors import read_saved
from enron_triage.policy.spec import PolicySpec
from enron_triage.records import ACTIONS, Scheme
from enron_triage.runtime import artifacts

FORMAT = "enron_triage checkpoint 6"


class TrainedPolicy(msgspec.Struct, kw_only=True):
    """The part of a checkpoint that prediction needs, with arrays in place of tensors.

    Attributes
    ----------
    scheme, label, model, weights, features, calibration, decision
        As in `checkpoint.Checkpoint`.
    """

    scheme: Scheme
    label: LabelConfig
    model: PolicySpec
    weights: dict[str, Array]
    features: FittedFeatures
    calibration: Calibration
    decision: Decision


def read_trained(path: Path) -> TrainedPolicy:
    """Read what prediction needs of a checkpoint.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    UsageError
        If the file is missing or damaged, or not a checkpoint of this program or of this version.
    """
    with artifacts.open_input(path) as file:
        try:
            content = read_saved(file)
        except Exception as error:  # whatever pickle and zipfile raise
            raise not_a_checkpoint(path, error) from None
    check_format(path, content)
    try:
        trained = msgspec.convert(content, TrainedPolicy, dec_hook=_as_array)
        check_parts(trained)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(path, error) from None
    return trained


def not_a_checkpoint(path: Path, error: Exception) -> UsageError:
    """The error for a file that cannot be read as a checkpoint.

    Parameters
    ----------
    path : Path
        The file.
    error : Exception
        What reading it raised.
    """
    return UsageError(f"{path}: not a checkpoint, or a damaged one ({type(error).__name__})")


def damaged(path: Path, error: Exception) -> UsageError:
    """The error for a checkpoint whose parts do not fit.

    Parameters
    ----------
    path : Path
        Its file.
    error : Exception
        What checking it raised.
    """
    first_line = str(error).strip().partition("\n")[0][:200]
    return UsageError(f"{path}: a damaged checkpoint ({first_line})")


def check_format(path: Path, content: Any) -> None:
    """Refuse what is no checkpoint of this version of the program.

    Parameters
    ----------
    path : Path
        The file.
    content : object
        What the file holds.

    Raises
    ------
    UsageError
        If it is something else.
    """
    made_by = str(content.get("format")) if isinstance(content, dict) else ""
    if made_by != FORMAT and made_by.startswith(FORMAT.rstrip("0123456789")):
        again = "train again with `triage sft`"
        raise ArtifactError(path, "written by another version of this program", "{command} again", again)
    if made_by != FORMAT:
        raise UsageError(f"{path}: not a checkpoint of this program; train one with `triage sft`")


def check_parts(trained: TrainedPolicy) -> None:
    """Refuse parts of a checkpoint that do not fit each other, or this version of the program.

    Parameters
    ----------
    trained : TrainedPolicy
        The parts. A decision rule may be missing, and the weights are not looked at.

    Raises
    ------
    KeyError, ValueError, AttributeError
        If they do not fit.
    """
    features, calibration, decision = trained.features, trained.calibration, trained.decision
    unknown_groups = set(features.settings.groups) - set(GROUPS)
    if unknown_groups:
        raise ValueError(f"the feature group {min(unknown_groups)}, which this version does not have")
    if len(features.class_prior) != len(ACTIONS) or features.num_features != trained.model.inputs:
        raise ValueError("features that do not fit its weights")
    if not (calibration.temperature > 0 and len(calibration.shift) == len(ACTIONS) and calibration.has_possible_prior):
        raise ValueError("an invalid calibration")
    unknown = sorted({*decision.offsets, decision.rule} - RULES.keys())
    if unknown:
        raise ValueError(f"the decision rule {unknown[0]}, which this version does not have")
    if decision.rule not in decision.available:
        raise ValueError(f"the decision rule {decision.rule} without its parameters")
    if any(len(values) != len(ACTIONS) for values in decision.offsets.values()):
        raise ValueError("decision rules that do not fit the actions")
    if trained.scheme not in SCHEMES:
        raise ValueError("an invalid scheme")


def check_features(path: Path, model: PolicySpec, settings: FeaturesConfig, columns: int) -> None:
    """Refuse a checkpoint that was trained on other features than this version extracts.

    Parameters
    ----------
    path : Path
        The checkpoint's file, for the message.
    model : PolicySpec
        The form of its policy.
    settings : FeaturesConfig
        Its feature groups.
    columns : int
        The number of features that this version extracts for these groups.

    Raises
    ------
    UsageError
        If the number of features differs.
    """
    if columns != model.inputs:
        raise UsageError(
            f"{path}: expects {model.inputs} features, this version extracts {columns} for "
            f"{', '.join(settings.groups)}; train again with `triage sft`"
        )


def _as_array(kind: type, value: object) -> object:
    """The hook of `msgspec.convert` for fields of a type that it does not know: arrays come as they are."""
    expected = get_origin(kind) or kind
    if not isinstance(value, expected):
        raise ValueError(f"a {type(value).__name__} where a tensor is expected")
    return value
