"""The result of an evaluation, and reading one that is stored: without torch, so that ``triage run`` ends at once."""

from __future__ import annotations

import msgspec

from enron_triage.config.evaluations import evaluation_file
from enron_triage.config.schema import Config
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
    return result(artifacts.read_json(evaluation_file(config), Evaluation))


def result(evaluation: Evaluation) -> Result:
    """What ``triage evaluate`` tells of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        What was found.
    """
    return Result(stage="evaluate", table=evaluation_table(evaluation), data=msgspec.to_builtins(evaluation))
