"""The definition of a command that is not a stage: a row of the table in `commands`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from enron_triage.stage_run import Result


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command beside the stages.

    Attributes
    ----------
    run : callable
        Takes the configuration and the command's own options; gives what is printed, if it has not printed it itself.
    takes_sources : bool
        Whether it takes, in the place of the configuration, the `ConfigSources` that it is loaded from.
    example : str
        A call, for the help.
    inputs, outputs : dict of str to str
        For the help: what the command reads and writes, with the default configuration, and what that is.
    settings : tuple of str
        The sections, or keys, that the help describes.
    option_help : dict of str to str
        What the help says of a shared option here, such as ``--json``; one with an empty text changes nothing, and is
        accepted but not shown.
    """

    run: Callable[..., Result | None]
    takes_sources: bool = False
    example: str = ""
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    settings: tuple[str, ...] = ()
    option_help: dict[str, str] = {}
