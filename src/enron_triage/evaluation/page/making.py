"""How the figures of the report were made: when, from which mail, by which commands and versions."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

import msgspec

from enron_triage.evaluation.page.tables import Table
from enron_triage.evaluation.reading import EvaluatedCheckpoint

_UNKNOWN = "not known"


class Making(msgspec.Struct, kw_only=True):
    """How the figures were made.

    Attributes
    ----------
    dates : str
        The days of the evaluations, in UTC.
    mail : str
        Where the mail came from.
    versions : str
        The versions of the program and the libraries that trained and evaluated.
    command : str
        The command that made the report; empty where the package was used as a library.
    evaluations : Table
        When each evaluation was made, from which records, and the command that makes it again.
    trainings : Table
        The command that trained each policy.
    """

    dates: str
    mail: str
    versions: str
    command: str
    evaluations: Table
    trainings: Table


def making_of(checkpoints: Sequence[EvaluatedCheckpoint], command: str) -> Making:
    """How the figures were made.

    Parameters
    ----------
    checkpoints : sequence of EvaluatedCheckpoint
        The policies with their evaluations.
    command : str
        The command that makes the report.
    """
    made = [each for checkpoint in checkpoints for each in checkpoint.made.values()]
    days = sorted({each.day for each in made if each.day})
    return Making(
        dates=" to ".join(dict.fromkeys([days[0], days[-1]])) if days else _UNKNOWN,
        mail=_joined(each.origin for each in made),
        versions=_joined([*(f"enron_triage {each.version}" for each in made), *_libraries(checkpoints)]),
        command=command,
        evaluations=_evaluations(checkpoints),
        trainings=_trainings(checkpoints),
    )


def _evaluations(checkpoints: Iterable[EvaluatedCheckpoint]) -> Table:
    rows = []
    for checkpoint in checkpoints:
        for split, evaluation in checkpoint.evaluations.items():
            made = checkpoint.made.get(split)
            options = (f"evaluate.checkpoint={checkpoint.name}", f"evaluate.split={split}")
            command = " ".join(["triage evaluate", *(f"--set {shlex.quote(option)}" for option in options)])
            records = f"{evaluation.source.records}, SHA-256 {evaluation.source.records_sha256[:8]}"
            day = made.day if made and made.day else _UNKNOWN
            rows.append([checkpoint.name, split, day, records, command])
    head = ["Run", "Split", "Day (UTC)", "Records", "To evaluate it again (with your other options)"]
    return Table(caption="The evaluations", head=head, rows=rows, words={1, 3, 4})


def _trainings(checkpoints: Iterable[EvaluatedCheckpoint]) -> Table:
    rows = []
    for checkpoint in checkpoints:
        source = checkpoint.shown.source
        command = source.command or f"{_UNKNOWN}; ask triage inspect {shlex.quote(checkpoint.name)}"
        rows.append([checkpoint.name, checkpoint.shown.stage, source.checkpoint_sha256[:8], command])
    head = ["Run", "Stage", "SHA-256 of the checkpoint", "Trained by"]
    return Table(caption="The trainings", head=head, rows=rows, words={1, 2, 3})


def _libraries(checkpoints: Iterable[EvaluatedCheckpoint]) -> list[str]:
    """The versions that trained the policies, each once; the program's own are those of the evaluations."""
    return [
        f"{name} {version}"
        for checkpoint in checkpoints
        for name, version in checkpoint.shown.source.versions.items()
        if name != "enron_triage"
    ]


def _joined(words: Iterable[str]) -> str:
    return "; ".join(sorted({word for word in words if word})) or _UNKNOWN
