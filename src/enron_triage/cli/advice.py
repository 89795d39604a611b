"""Advice that can be copied: the commands in an error carry the options that the failed command was given."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from enron_triage.errors import TriageError
from enron_triage.pipeline import STAGES

_COMMAND = re.compile(rf"`triage ({'|'.join(STAGES)}|run)((?: [^`]*)?)`")


def given_options(
    files: Sequence[Path], overrides: Sequence[str], data_dir: str | None, checkpoint_dir: str | None
) -> str:
    """The options that choose the configuration, as they were given, quoted for a shell.

    Parameters
    ----------
    files : sequence of Path
        The values of ``--config``.
    overrides : sequence of str
        The values of ``--set``.
    data_dir : str or None
        The value of ``--data-dir``.
    checkpoint_dir : str or None
        The value of ``--checkpoint-dir``.
    """
    options = [word for file in files for word in ("--config", str(file))]
    for name, value in (("--data-dir", data_dir), ("--checkpoint-dir", checkpoint_dir)):
        options += [name, value] if value else []
    return shlex.join([*options, *(word for override in overrides for word in ("--set", override))])


def with_options(message: TriageError, error: TriageError) -> str:
    """The message of an error, in which the commands of stages have the options that were given.

    Parameters
    ----------
    message : TriageError
        The error with its advice.
    error : TriageError
        The error as it was raised; its notes hold the result of `given_options`.

    Examples
    --------
    >>> error = TriageError("x: no such file; run `triage split` first")
    >>> error.add_note("--config demo")
    >>> with_options(error, error)
    'x: no such file; run `triage split --config demo` first'
    """
    options = next((note for note in getattr(error, "__notes__", []) if note), None)
    if options is None:
        return str(message)
    return _COMMAND.sub(lambda found: f"`triage {found[1]} {options}{found[2]}`", str(message))
