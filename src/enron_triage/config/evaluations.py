"""Which evaluations there are, and the files that they are written to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from enron_triage.config.paths import (
    SPLITS,
    evaluated_checkpoint,
    evaluated_records,
    evaluated_split,
    in_folder,
    relative,
)
from enron_triage.config.schema import Config
from enron_triage.config.training import EvaluateConfig


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
    wanted = [(checkpoint, split) for checkpoint in policies for split in ("val", "test")]
    if not policies or named[0] in policies or named[0] != EvaluateConfig().checkpoint:
        wanted = [*(each for each in wanted if each != named), named]
    replace = msgspec.structs.replace
    return [
        replace(config, evaluate=replace(config.evaluate, checkpoint=checkpoint, split=split))
        for checkpoint, split in wanted
    ]


def evaluation_file(config: Config) -> Path:
    """The file that an evaluation is written to: it follows from which checkpoint and which records it is of.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Returns
    -------
    Path
        ``<data_dir>/eval/[<run>/]<checkpoint>.<split>.json``, where the run is the checkpoint's folder below
        ``checkpoint_dir``. A checkpoint from elsewhere, other records of the name of a split, and a place that another
        checkpoint or other records have taken get a name with a digest of their paths.
    """
    checkpoint, records = evaluated_checkpoint(config), evaluated_records(config)
    split = evaluated_split(config)
    inside = in_folder(checkpoint, Path(config.checkpoint_dir))
    name = (inside or Path(checkpoint.name)).with_suffix("").as_posix()
    identity = _EvaluatedPaths(relative(checkpoint, config.data), relative(records, config.data))
    folder = config.data / "eval"
    usual = folder / f"{name}.{split or records.stem}.json"
    is_usual = inside is not None and (split is not None or records.stem not in SPLITS)
    if is_usual and _evaluated_paths(usual) in (None, identity):
        return usual
    digest = hashlib.sha256(f"{identity.checkpoint}\0{identity.records}".encode()).hexdigest()[:8]
    return folder / f"{name}-{digest}.{split or records.stem}.json"


class _EvaluatedPaths(msgspec.Struct, frozen=True):
    """What the file of an evaluation says of its checkpoint and records, relative to the data folder."""

    checkpoint: str
    records: str


class _EvaluationFile(msgspec.Struct, frozen=True):
    source: _EvaluatedPaths


def _evaluated_paths(path: Path) -> _EvaluatedPaths | None:
    """Of what an evaluation is; None if there is none, or one of an older form."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_EvaluationFile).source
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
