"""What to do about an artifact that is missing or damaged: the commands that make it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from enron_triage.config.schema import Config
from enron_triage.errors import ArtifactError, UsageError
from enron_triage.stage_run.stage import Stage, places


def advised(
    error: ArtifactError, stages: Mapping[str, Stage], but: str = "", config: Config | None = None
) -> ArtifactError:
    """The error with the command that makes its artifact, where a stage does.

    Parameters
    ----------
    error : ArtifactError
        What is wrong with which artifact.
    stages : mapping of str to Stage
        The table of the stages.
    but : str
        A stage that cannot make it: the one that needs it.
    config : Config, optional
        The whole configuration: where inputs of the stage are missing as well, the command is the ``triage run`` that
        makes them, too; there is none for a file of another folder than the stage's. Without a configuration, the
        command of the stage that makes a file of this name.
    """
    for name, stage in stages.items():
        made = _made(stage)
        if name == but or all(Path(place).name != error.path.name for place in made.values()):
            continue
        if config is not None and all(
            path.absolute() != error.path.absolute() for path in places(made, config).values()
        ):
            return error.with_command(None)
        return error.with_command(f"run `{_command(name, config, stages)}`")
    return error


def _made(stage: Stage) -> dict[str, str]:
    """What a stage writes under names of its own."""
    return {key: place for key, place in stage.outputs.items() if isinstance(place, str)}


def _command(maker: str, config: Config | None, stages: Mapping[str, Stage]) -> str:
    """The command that makes what a stage makes."""
    needed = [maker] if config is None else _needed(maker, config, stages)
    command = f"triage {maker}" if len(needed) == 1 else "triage run"
    if config is not None and command == "triage run" and not {*needed} <= {*config.pipeline.stages}:
        command += f" --set 'pipeline.stages=[{','.join(needed)}]'"
    if config is not None and needed[0] == "parse" and config.parse.source is None and not config.mail.exists():
        command += " --set parse.source=PATH"  # the pipeline fetches none
    return command


def _needed(name: str, config: Config, stages: Mapping[str, Stage], asked: tuple[str, ...] = ()) -> list[str]:
    """The stages that have to run, in order: one, after those that make what is missing of its inputs."""
    needed: dict[str, None] = {}
    try:
        missing = [path for path in places(stages[name].inputs, config).values() if not path.exists()]
    except UsageError:  # a checkpoint's name that is not clear; the stage itself says so
        missing = []
    asked = (*asked, name)
    for other, stage in stages.items():
        fetches_unasked = other == "download" and other not in config.pipeline.stages
        made = places(_made(stage), config)
        if other not in asked and not fetches_unasked and not {*made.values()}.isdisjoint(missing):
            needed |= dict.fromkeys(_needed(other, config, stages, asked))
    return [*needed, name]
