"""Which evaluations there are, and the files that they are written to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from enron_triage.config.paths import (
    SPLITS,
    evaluated_records,
    evaluated_split,
    in_folder,
    named_checkpoint,
    relative,
)
from enron_triage.config.schema import Config
from enron_triage.config.training import EvaluateConfig
from enron_triage.config.types import CheckpointNames
from enron_triage.errors import UsageError

_OF_A_RUN = re.compile(r"best_\w+|stage_\d+|\w+_epoch_\d+")  # the names that stages give to checkpoints


def of_run(config: Config, policies: Sequence[str]) -> list[Config]:
    """What ``triage run`` evaluates: every policy that the run makes, on val and on test.

    Parameters
    ----------
    config : Config
        The whole configuration.
    policies : sequence of str
        The names of the checkpoints that the run makes.

    Returns
    -------
    list of Config
        A configuration for each evaluation. The last one is what the section ``evaluate`` says, unless it says nothing
        and the run makes no such checkpoint. If the run makes no policy, it is the only one.
    """
    named = (config.evaluate.checkpoint, config.evaluate.split)
    wanted: list[tuple[CheckpointNames, str]] = [
        (checkpoint, split) for checkpoint in policies for split in ("val", "test")
    ]
    if not policies or named[0] in policies or named[0] != EvaluateConfig().checkpoint:
        wanted = [*(each for each in wanted if each != named), named]
    replace = msgspec.structs.replace
    return [
        replace(config, evaluate=replace(config.evaluate, checkpoint=checkpoint, split=split))
        for checkpoint, split in wanted
    ]


def evaluated_checkpoints(config: Config) -> list[Path]:
    """The checkpoints that ``evaluate.checkpoint`` names: one, or those of an ensemble.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Returns
    -------
    list of Path
        In the order in which they are named, whether or not they exist.

    Raises
    ------
    UsageError
        If none is named, or one twice.
    """
    names = config.evaluate.checkpoint
    found = [named_checkpoint(config, name) for name in ([names] if isinstance(names, str) else names)]
    if not found:
        raise UsageError("evaluate.checkpoint: an empty list; name a checkpoint")
    places = [path.resolve() for path in found]
    for index, path in enumerate(found):
        if places.index(path.resolve()) < index:
            raise UsageError(f"evaluate.checkpoint: names {path} twice; an ensemble needs different checkpoints")
    return found


def is_ensemble(config: Config) -> bool:
    """Whether ``evaluate.checkpoint`` names several checkpoints.

    Parameters
    ----------
    config : Config
        The whole configuration.
    """
    return not isinstance(config.evaluate.checkpoint, str) and len(config.evaluate.checkpoint) > 1


def evaluation_file(config: Config) -> Path:
    """The file that an evaluation is written to: it follows from which checkpoint and which records it is of.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Returns
    -------
    Path
        ``<data_dir>/eval/[<run>/]<checkpoint>.<split>.json``, where the run is that which trained the checkpoint; if
        nothing tells it, the checkpoint's folder below ``checkpoint_dir``. A checkpoint from elsewhere that is named as
        those of a run, other records of the name of a split, and a place that another checkpoint or other records have
        taken get a name with a digest of their paths. That of an ensemble is ``ensemble-<digest>.<split>.json``.
    """
    (checkpoint, *others_of_ensemble), records = evaluated_checkpoints(config), evaluated_records(config)
    split = evaluated_split(config)
    if others_of_ensemble:
        return _ensemble_file(config, [checkpoint, *others_of_ensemble])
    inside = in_folder(checkpoint, Path(config.checkpoint_dir))
    run = _run_of(checkpoint)
    place = Path(run, checkpoint.name) if run else inside or Path(checkpoint.name)
    name = place.with_suffix("").as_posix()
    identity = _EvaluatedPaths(relative(checkpoint, config.data), relative(records, config.data))
    folder = config.data / "eval"
    usual = folder / f"{name}.{split or records.stem}.json"
    is_usual = run != "" or inside is not None or _OF_A_RUN.fullmatch(checkpoint.stem) is None
    is_usual = is_usual and (split is not None or records.stem not in SPLITS)
    others = {_evaluated_paths(path) for path in usual.parent.glob(f"{place.stem}.*.json")} - {None}
    is_taken = any(other is not None and other.checkpoint != identity.checkpoint for other in others)
    if is_usual and not is_taken and _evaluated_paths(usual) in (None, identity):
        return usual
    digest = hashlib.sha256(f"{identity.checkpoint}\0{identity.records}".encode()).hexdigest()[:8]
    return folder / f"{name}-{digest}.{split or records.stem}.json"


def _ensemble_file(config: Config, checkpoints: Sequence[Path]) -> Path:
    """Where the evaluation of an ensemble is written to."""
    split, records = evaluated_split(config), evaluated_records(config)
    names = sorted(relative(path, config.data) for path in checkpoints)
    digest = hashlib.sha256("\0".join([*names, "" if split else relative(records, config.data)]).encode()).hexdigest()
    return config.data / "eval" / f"ensemble-{digest[:8]}.{split or records.stem}.json"


class _EvaluatedPaths(msgspec.Struct, frozen=True):
    """What the file of an evaluation says of its checkpoint and records, relative to the data folder."""

    checkpoint: str
    records: str


class _TrainedRun(msgspec.Struct, frozen=True):
    """What the metadata beside a checkpoint say of its run."""

    run: str = ""


def _run_of(checkpoint: Path) -> str:
    """The name of the run that trained a checkpoint; empty if it had none, or nothing tells it."""
    try:
        meta = checkpoint.with_name(f"{checkpoint.name}.meta.json").read_bytes()
        return msgspec.json.decode(meta, type=_TrainedRun).run
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return ""


class _EvaluationFile(msgspec.Struct, frozen=True):
    source: _EvaluatedPaths


def _evaluated_paths(path: Path) -> _EvaluatedPaths | None:
    """Of what an evaluation is; None if there is none, or one of an older form."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_EvaluationFile).source
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
