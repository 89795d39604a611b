"""The result of an evaluation, and reading one that is stored: without torch, so that ``triage run`` ends at once."""

from __future__ import annotations

from pathlib import Path

import msgspec

from enron_triage.config.evaluations import evaluation_file
from enron_triage.config.schema import Config
from enron_triage.evaluation.cost_words import cheaper_command
from enron_triage.evaluation.formatting import evaluation_table
from enron_triage.evaluation.result import Evaluation
from enron_triage.runtime import artifacts
from enron_triage.stage_run import Result


def stored(config: Config) -> Result:
    """The evaluation that an earlier run has written.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Raises
    ------
    UsageError
        If it is missing, damaged, or of an older form.
    """
    path = evaluation_file(config)
    return result(artifacts.read_json(path, Evaluation), path)


def result(evaluation: Evaluation, path: Path) -> Result:
    """What ``triage evaluate`` tells of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        What was found.
    path : Path
        The file that holds it.
    """
    table = f"{evaluation_table(evaluation)}\n\n-> {path}"
    following = cheaper_command(evaluation)
    return Result(stage="evaluate", table=table, data=msgspec.to_builtins(evaluation), following=following)
