"""One stage under one configuration: its files, its settings, and whether it has been run.

The table of the stages is in `pipeline`, which also gives a stage its `StageRun`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.schema import Config
from enron_triage.errors import ArtifactError
from enron_triage.runtime import provenance, ranks

logger = logging.getLogger(__name__)

# A file or folder: a pattern over the folders of the configuration, or a function that gives None where there is none.
Place = str | Callable[[Config], Path | None]
# A setting: a key of the configuration, or a function that gives None where it does not decide anything.
Setting = str | Callable[[Config], str | None]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    Attributes
    ----------
    help : str
        What ``triage --help`` says of the stage.
    run : str
        Where its function is: ``module:function``.
    inputs, outputs : dict of str to Place
        What it reads and writes, by the names under which its code asks for them.
    settings : tuple of Setting
        The keys of the configuration that decide the outputs; those of a section are all of its keys.
    number : int, optional
        The number in the names of a training stage's files, such as ``stage_1.pt``.
    distributed : bool
        Whether ``torchrun`` may start it as several processes.
    stored : str, optional
        The function that reads the result of an earlier run, for ``triage run`` to show where the stage is up to date.
    """

    help: str
    run: str
    inputs: dict[str, Place]
    outputs: dict[str, Place]
    settings: tuple[Setting, ...]
    number: int | None = None
    distributed: bool = False
    stored: str | None = None


class Result(msgspec.Struct, kw_only=True):
    """What a stage tells its caller.

    Attributes
    ----------
    stage : str
        The name of the stage.
    table : str
        For people: what ``triage <stage>`` prints.
    data : dict
        For programs: what ``--json`` prints.
    problem : str
        Where a part of the work failed and the rest is worth printing: the line that the program ends with, with
        status 1, after the result.
    """

    stage: str
    table: str
    data: dict[str, Any]
    problem: str = ""


class StageRun:
    """One stage under one configuration: its files, its settings, and whether it has been run.

    Parameters
    ----------
    name : str
        The name of the stage.
    config : Config
        The whole configuration.
    stages : mapping of str to Stage
        The table of the stages, which also tells what other stages make.
    """

    def __init__(self, name: str, config: Config, stages: Mapping[str, Stage]) -> None:
        self.name = name
        self.config = config
        self.stages = stages
        self.stage = stages[name]
        self.inputs = _places(self.stage.inputs, config)
        self.outputs = _places(self.stage.outputs, config)
        keys = (key(config) if callable(key) else key for key in self.stage.settings)
        self.settings = config.settings(key for key in keys if key is not None)

    def reasons_to_run(self) -> list[str]:
        """Why the outputs are not what this stage makes of these inputs and settings; empty if they are."""
        return provenance.differences(self.name, self.settings, self.inputs.values(), self.outputs.values())

    def is_up_to_date(self) -> bool:
        """Whether the outputs are what this stage makes of these inputs and settings."""
        return not self.reasons_to_run()

    @contextmanager
    def track(self) -> Iterator[dict[str, Any]]:
        """Run the block as the stage's work, then write the metadata beside each output.

        Yields a dictionary that the block fills with its counts. The inputs' states are taken before the work begins,
        so that a change in the meantime makes the outputs out of date. Warns, in the log, of an input that was made
        with other settings than the configuration's.

        Raises
        ------
        UsageError
            If an input is missing, or damaged.
        """
        for path in self.inputs.values():
            if not path.exists():
                missing = ArtifactError(path, "no such file or folder", remedy="{command} first")
                raise advised(missing, self.stages)
        started = time.perf_counter()
        states = provenance.input_states(self.inputs.values())
        for path in self.inputs.values():
            self._warn_of_other_settings(path, states[str(path)])
        counts: dict[str, Any] = {}
        try:
            yield counts
        except ArtifactError as error:
            raise advised(error, self.stages) from error
        if ranks.rank() > 0:
            return
        provenance.write_meta(
            self.outputs.values(),
            stage=self.name,
            settings=self.settings,
            inputs=states,
            counts=counts,
            seconds=time.perf_counter() - started,
        )

    def _warn_of_other_settings(self, path: Path, state: provenance.FileState) -> None:
        meta = provenance.read_meta(path)
        maker = self.stages.get(meta.stage) if meta else None
        if meta is None or maker is None or maker.number is not None:  # a checkpoint brings its own settings along
            return
        if state.sha256 != meta.artifact.sha256:
            logger.warning("%s: edited since `triage %s` made it; run that again to undo it", path, meta.stage)
        changed = provenance.changed_settings(meta.settings, StageRun(meta.stage, self.config, self.stages).settings)
        if changed:
            logger.warning(
                "%s: made with other settings than the configuration's (%s); run `triage %s` to make it again",
                path,
                "; ".join(changed[:3]),
                meta.stage,
            )


def advised(error: ArtifactError, stages: Mapping[str, Stage]) -> ArtifactError:
    """The error with the command that makes its artifact, where a stage does.

    Parameters
    ----------
    error : ArtifactError
        What is wrong with which artifact.
    stages : mapping of str to Stage
        The table of the stages.
    """
    for name, stage in stages.items():
        if any(isinstance(place, str) and Path(place).name == error.path.name for place in stage.outputs.values()):
            return error.with_command(f"run `triage {name}`")
    return error


def _places(places: dict[str, Place], config: Config) -> dict[str, Path]:
    """The paths of a row's inputs or outputs, by name, without those that do not apply."""
    folders = {"data": config.data, "checkpoints": config.checkpoints}
    found = {
        name: place(config) if callable(place) else Path(place.format_map(folders)) for name, place in places.items()
    }
    return {name: path for name, path in found.items() if path is not None}
