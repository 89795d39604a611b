"""How a checkpoint was made: its configuration, command, code, data, and initial policy."""

from __future__ import annotations

from typing import Any

import msgspec

from enron_triage.config.checking import check_config
from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.pipeline import STAGES

# Keys that decide where files lie, what is shown and who computes, but no result. The name of the run has a field of
# its own; which checkpoint is evaluated on what is the evaluation's matter.
_NOT_DECISIVE = ("data_dir", "checkpoint_dir", "run", "workers", "scheduler", "pipeline", "overwrite", "tracking")
_MACHINE = ("platform", "processor", "device")  # among the versions
_NOT_DECISIVE_IN = {"evaluate": ("checkpoint", "split")}


class InputFile(msgspec.Struct, kw_only=True, frozen=True):
    """A file that a training stage read.

    Attributes
    ----------
    path : str
        Relative to the data folder, the folder of checkpoints or the working folder, if it is in one of them.
    sha256 : str
        The SHA-256 of its content, in hexadecimal; empty for a folder.
    messages, mailboxes : int or None
        How many there are in it; None for what holds no labelled messages.
    actions : dict of str to int
        How many messages have each action.
    """

    path: str
    sha256: str
    messages: int | None = None
    mailboxes: int | None = None
    actions: dict[str, int] = {}


class Origin(msgspec.Struct, kw_only=True, frozen=True):
    """How a checkpoint was made; all fields are empty where that is not known.

    Attributes
    ----------
    stage : str
        The training stage.
    run : str or None
        The name of the run.
    command : str
        The command line; empty if the package was used as a library.
    commit : str or None
        The git commit of the program: see `invocation.code_commit`.
    versions : dict of str to str
        Of the program, its libraries and the machine: see `invocation.versions`.
    processes : int
        How many processes trained together.
    extended_from : list of int
        The numbers of epochs that the training was for before it was extended, in order; empty if it was not.
    config : dict
        The full configuration as nested plain values, its seeds and its device resolved, without what decides no
        result. The settings of the data, and of what training began with, are those that they were made with.
    data_stages : list of str
        The stages that made the data, in order.
    sources : dict of str to InputFile
        What the first of these stages read, or whatever else no stage is known to have made, by path.
    data : dict of str to InputFile
        What the training stage read: ``train``, ``val``, and, where it has them, ``init`` and other inputs.
    parents : dict of str to Origin
        How the checkpoints among these inputs were made.
    """

    stage: str = ""
    run: str | None = None
    command: str = ""
    commit: str | None = None
    versions: dict[str, str] = {}
    processes: int = 1
    extended_from: list[int] = []
    config: dict[str, Any] = {}
    data_stages: list[str] = []
    sources: dict[str, InputFile] = {}
    data: dict[str, InputFile] = {}
    parents: dict[str, Origin] = {}

    @property
    def init(self) -> Origin | None:
        """How the checkpoint was made that training began with; None where it began with random weights."""
        return self.parents.get("init")

    @property
    def software(self) -> dict[str, str]:
        """The versions of the program and its libraries, without the machine."""
        return {name: version for name, version in self.versions.items() if name not in _MACHINE}

    def settings(self) -> dict[str, Any]:
        """The settings that decided the training stage, as nested plain values.

        Raises
        ------
        UsageError
            If this version of the program does not know the stage, or a setting.
        """
        return stage_settings(self.stage, self.config)


def decisive_values(config: Config) -> dict[str, Any]:
    """The configuration as nested plain values, without what decides no result.

    Parameters
    ----------
    config : Config
        The whole configuration.
    """
    values = config.settings(config.__struct_fields__)
    for name in _NOT_DECISIVE:
        values.pop(name, None)
    for section, names in _NOT_DECISIVE_IN.items():
        for name in names:
            values[section].pop(name, None)
    return values


def stage_settings(stage: str, values: dict[str, Any]) -> dict[str, Any]:
    """The settings that decide what a stage makes, as nested plain values.

    Parameters
    ----------
    stage : str
        The stage's name.
    values : dict
        A configuration as nested plain values; what it lacks has its default.

    Raises
    ------
    UsageError
        If this version of the program does not know the stage, or a setting.
    """
    if stage not in STAGES:
        raise UsageError(f"the checkpoint was made by the stage {stage!r}, which this version does not have")
    # How a policy was evaluated decides nothing of it, and must not hinder a version that evaluates otherwise.
    config = check_config({name: section for name, section in values.items() if name != "evaluate"})
    # Not by `pipeline.stage_run`, which would look for the files.
    keys = (key(config) if callable(key) else key for key in STAGES[stage].settings)
    return config.settings(key for key in keys if key is not None)


def section_of(stage: str) -> str:
    """The section of the configuration that is a stage's own.

    Parameters
    ----------
    stage : str
        A training stage of the table.
    """
    first = STAGES[stage].settings[0]
    assert isinstance(first, str), stage
    return first
