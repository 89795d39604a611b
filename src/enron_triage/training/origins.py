"""How the checkpoints of a training run are made, collected before the first epoch: see `policy.origin`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import torch

from enron_triage.config import paths
from enron_triage.config.nested import merge
from enron_triage.config.schema import Config
from enron_triage.features.dataset import Dataset
from enron_triage.policy.checkpoint import load_checkpoint
from enron_triage.policy.origin import InputFile, Origin, decisive_values
from enron_triage.records import ACTION_NAMES
from enron_triage.runtime import invocation, ranks
from enron_triage.runtime.lineage import lineage
from enron_triage.runtime.provenance import FileState
from enron_triage.stage_run import StageRun


def origin_of(
    stage: StageRun, states: Mapping[str, FileState], datasets: Mapping[str, Dataset], device: torch.device
) -> Origin:
    """How the checkpoints of a run are made.

    Parameters
    ----------
    stage : StageRun
        The training stage under its configuration.
    states : mapping of str to FileState
        The state of each input, by path, from before it was read.
    datasets : mapping of str to Dataset
        What is trained and validated on, by the names of the inputs.
    device : torch.device
        Where it is trained.

    Returns
    -------
    Origin
        Without timings and places on this machine, so that equal runs write equal files.
    """
    config = stage.config
    made, made_val = (lineage(stage.inputs[name], states[str(stage.inputs[name])]) for name in ("train", "val"))
    checkpoints = {name: path for name, path in stage.inputs.items() if path.suffix == ".pt"}
    parents = {name: load_checkpoint(path).origin for name, path in checkpoints.items()}
    values = decisive_values(config)
    for parent in parents.values():
        merge(values, parent.settings() if parent.stage else {})
    merge(values, stage.settings)
    for meta in made.stages.values():
        merge(values, {name: value for name, value in meta.settings.items() if name in values})
    device_name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return Origin(
        stage=stage.name,
        run=config.run,
        command=invocation.command_line(),
        commit=invocation.code_commit(),
        versions=invocation.versions()
        | {"threads": str(torch.get_num_threads())}
        | ({"device": device_name} if device.type == "cuda" else {}),
        processes=ranks.world_size(),
        config={**values, "device": device.type},
        data_stages=list(made.stages),
        sources={
            _shown(Path(name), config): _input_file(Path(name), state, config)
            for name, state in (made.sources | made_val.sources).items()
        },
        data={
            name: _input_file(path, states[str(path)], config, datasets.get(name))
            for name, path in stage.inputs.items()
        },
        parents=parents,
    )


def _input_file(path: Path, state: FileState, config: Config, dataset: Dataset | None = None) -> InputFile:
    file = InputFile(path=_shown(path, config), sha256="" if path.is_dir() else state.sha256)
    if dataset is None:
        return file
    counts = torch.bincount(dataset.targets, minlength=len(ACTION_NAMES)).tolist()
    return msgspec.structs.replace(
        file,
        messages=len(dataset),
        mailboxes=len(dataset.mailboxes),
        actions=dict(zip(ACTION_NAMES, counts, strict=True)),
    )


def _shown(path: Path, config: Config) -> str:
    """A path that is the same wherever the data folder, the checkpoints or the working folder are."""
    for folder in (config.data, Path(config.checkpoint_dir), Path()):
        inside = paths.in_folder(path, folder)
        if inside is not None:
            return inside.as_posix()
    return path.as_posix()
