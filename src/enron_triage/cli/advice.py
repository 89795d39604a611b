"""Advice that can be copied: the commands in an error carry the options that the failed command was given."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from enron_triage.config.merging import Sources
from enron_triage.config.sources import ConfigSources
from enron_triage.errors import ArtifactError, TriageError
from enron_triage.pipeline import STAGES, with_advice

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


def explained(error: TriageError, sources: ConfigSources) -> TriageError:
    """The error with advice that can be copied: its commands have the options that were given.

    Parameters
    ----------
    error : TriageError
        What went wrong.
    sources : ConfigSources
        The options of the command line.
    """
    try:
        given = sources.read()
        config = given.load()
    except TriageError:  # it may be the error itself
        return error
    message = str(with_advice(error, config) if isinstance(error, ArtifactError) else error)
    if "`triage " not in message:
        return error
    would_fetch = "download" in config.pipeline.stages and not config.mail.exists() and not asks_for_mail(given)
    unknown_mail = would_fetch and "`triage run" in message  # which would refuse to run
    if unknown_mail:
        message += "; NAME is demo, enron or own_mail: give the same --config here"
    told = TriageError(add_options(message, given_options(sources), of_run="--config NAME" if unknown_mail else ""))
    told.exit_status = error.exit_status
    return told


def asks_for_mail(given: Sources) -> bool:
    """Whether somebody has said where the mail comes from: the default would fetch 423 MB.

    Parameters
    ----------
    given : Sources
        The configuration files and overrides that were given.
    """
    return "download.source" in given.origins()


def add_options(advice: str, options: str, of_run: str = "") -> str:
    """The advice, in which the commands of stages have these options.

    Parameters
    ----------
    advice : str
        Commands in backquotes among other words.
    options : str
        The result of `given_options`; what a command has already is not repeated.
    of_run : str
        Options that ``triage run`` needs before these.

    Examples
    --------
    >>> add_options("then `triage dpo --config dpo_judgements`", "--config demo")
    'then `triage dpo --config demo --config dpo_judgements`'
    """
    given = _pairs(shlex.split(options))

    def with_options(found: re.Match[str]) -> str:
        own = [pair for pair in _pairs(shlex.split(found[2])) if pair[0] != "--set" or pair not in given]
        joined = shlex.join(word for pair in own for word in pair)
        words = [found[1], of_run if found[1] == "run" else "", options, joined]
        return f"`triage {' '.join(filter(None, words))}`"

    return _COMMAND.sub(with_options, advice)


def _pairs(words: Sequence[str]) -> list[tuple[str, ...]]:
    """The words of a command line, each ``--set`` with its value; any other word is by itself."""
    found: list[tuple[str, ...]] = []
    for word in words:
        if found and found[-1] == ("--set",):
            found[-1] = ("--set", word)
        else:
            found.append((word,))
    return found
