"""What a stage is: a row of the table in `pipeline`, and what it tells its caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.schema import Config

# Files or folders: a pattern over the folders of the configuration, or a function that gives None where there is none.
Place = str | Callable[[Config], Path | list[Path] | None]
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
    lock : Place, optional
        The lock that a process holds while it writes the outputs; by default that of the folder of the run for a
        training stage, that of the data's folder for another one.
    number : int, optional
        The number in the names of a training stage's files, such as ``stage_1.pt``.
    policy : bool
        Whether the stage makes a policy, which ``triage run`` evaluates.
    origin : callable, optional
        Where the mail comes from that the stage reads, by the configuration; None where the inputs tell. Artifacts
        that were made from other mail are not replaced without ``overwrite``.
    code : callable, optional
        The module whose code, with that below it, decides the outputs; None if no code does. By default, that of `run`.
    distributed : bool
        Whether ``torchrun`` may start it as several processes.
    stored : str, optional
        The function that reads the result of an earlier run, for ``triage run`` to show where the stage is up to date.
    example : str
        A call, for the help of the command.
    """

    help: str
    run: str
    inputs: dict[str, Place]
    outputs: dict[str, Place]
    settings: tuple[Setting, ...]
    lock: Place | None = None
    number: int | None = None
    policy: bool = False
    origin: Callable[[Config], str | None] | None = None
    code: Callable[[Config], str | None] | None = None
    distributed: bool = False
    stored: str | None = None
    example: str = ""


class Result(msgspec.Struct, kw_only=True):
    """What a stage tells its caller.

    Attributes
    ----------
    stage : str
        The name of the stage.
    table : str
        For people: what ``triage <stage>`` prints.
    problem : str
        What went wrong although there is a result, in one line: it is printed after it, and the exit status is 1.
    wide : str
        `table` with a row for each thing, however wide that is: what is printed where the output is no terminal, or
        one that is wide enough; empty where `table` has such rows itself.
    verbatim : bool
        Whether `table` is the text of a file, such as YAML, which is printed as it is on a terminal, too.
    following : str
        A line on what to do next, with the command in backquotes: the command line adds the options that it was given.
    data : dict
        For programs: what ``--json`` prints.
    """

    stage: str
    table: str
    data: dict[str, Any]
    problem: str = ""
    wide: str = ""
    verbatim: bool = False
    following: str = ""


def places(named: Mapping[str, Place], config: Config) -> dict[str, Path]:
    """The paths of a row's inputs or outputs.

    Parameters
    ----------
    named : mapping of str to Place
        The inputs or the outputs, by name.
    config : Config
        The whole configuration.

    Returns
    -------
    dict of str to Path
        By name, without those that do not apply; several of one name are numbered.
    """
    folders = {"data": config.data, "checkpoints": config.checkpoints}
    found: dict[str, Path] = {}
    for name, place in named.items():
        paths = place(config) if callable(place) else Path(place.format_map(folders))
        several = [paths] if isinstance(paths, Path) else paths or []
        found |= {f"{name}_{number}" if number > 1 else name: path for number, path in enumerate(several, 1)}
    return found
