"""The definition of a stage (a row of the table in `pipeline`), and the result that it returns."""

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
        The description of the stage in ``triage --help``.
    run : str
        The function that runs it, as ``module:function``.
    inputs, outputs : dict of str to Place
        The files that it reads and writes, by the names that its code uses for them.
    settings : tuple of Setting
        The configuration keys that affect the outputs; the name of a section stands for all of its keys.
    lock : Place, optional
        The lock that a process holds while it writes the outputs; by default the lock of the run's folder for a
        training stage, and the lock of the data folder for any other stage.
    number : int, optional
        For a training stage, the number in its file names, such as ``stage_1.pt``.
    policy : bool
        Whether the stage makes a policy, which ``triage run`` then evaluates.
    origin : callable, optional
        Where the mail that the stage reads comes from, according to the configuration; None if the inputs show it.
        Artifacts that were made from other mail are not replaced without ``overwrite``.
    code : callable, optional
        The module whose code, with that of the modules it imports, affects the outputs; None if no code does. By
        default, the module of `run`.
    distributed : bool
        Whether ``torchrun`` may run it as several processes.
    stored : str, optional
        The function that reads the result of an earlier run; ``triage run`` shows it if the stage is up to date.
    example : str
        An example call, for the help of the command.
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
    """What a stage returns to its caller.

    Attributes
    ----------
    stage : str
        The name of the stage.
    table : str
        The text that ``triage <stage>`` prints, for people.
    problem : str
        What went wrong although there is a result, in one line: it is printed after the table, and the status is 1.
    wide : str
        A version of `table` with one row per item, of any width. It is printed if the output is not a terminal, or if
        the terminal is wide enough; empty if `table` already has such rows.
    verbatim : bool
        Whether `table` is the text of a file, such as YAML, which is printed unchanged, also on a terminal.
    following : str
        A line on what to do next, with the command in backquotes; the command line adds the options that it was given.
    data : dict
        The object that ``--json`` prints, for programs.
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
