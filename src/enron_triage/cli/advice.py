"""Advice that can be copied: the commands in an error carry the options that the failed command was given."""

from __future__ import annotations

import re
import shlex

from enron_triage.config.sources import ConfigSources
from enron_triage.errors import TriageError
from enron_triage.pipeline import STAGES

_COMMAND = re.compile(rf"`triage ({'|'.join(STAGES)}|run)((?: [^`]*)?)`")


def given_options(sources: ConfigSources) -> str:
    """The options that choose the configuration, as they were given, quoted for a shell.

    Parameters
    ----------
    sources : ConfigSources
        The options of the command line.
    """
    options = [word for file in sources.files for word in ("--config", str(file))]
    for key in ("data_dir", "checkpoint_dir"):
        value = sources.top_level.get(key)
        options += [f"--{key.replace('_', '-')}", value] if value else []
    return shlex.join([*options, *(word for override in sources.overrides for word in ("--set", override))])


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
    options = next((note for note in getattr(error, "__notes__", []) if note), "")
    return add_options(str(message), options)


def add_options(advice: str, options: str) -> str:
    """The advice, in which the commands of stages have these options.

    Parameters
    ----------
    advice : str
        Commands in backquotes among other words.
    options : str
        The result of `given_options`.

    Examples
    --------
    >>> add_options("then `triage dpo --config dpo_judgements`", "--config demo")
    'then `triage dpo --config demo --config dpo_judgements`'
    """
    if not options:
        return advice
    return _COMMAND.sub(lambda found: f"`triage {found[1]} {options}{found[2]}`", advice)
