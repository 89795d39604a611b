"""The comparison with judgements by people in the report: a table of all policies, and a sentence on each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import UnsetType

from enron_triage.evaluation.formatting import number
from enron_triage.evaluation.judged_result import JudgedMetrics, JudgedShare
from enron_triage.evaluation.reading import EvaluatedCheckpoint
from enron_triage.evaluation.result import Evaluation

JUDGED_HEAD = ["Run", "Split", "Question", "Judgements", "As the policy", "95% interval", "Interval by", "File"]
JUDGED_READING = (
    "How often a policy agrees with what people judged; of two actions, by which one it considers likelier. Rows can "
    "be compared where file and split are the same."
)


def judged_rows(checkpoints: Sequence[EvaluatedCheckpoint]) -> list[list[str]]:
    """A row for each kind of judgement that a policy was measured by, under `JUDGED_HEAD`.

    Parameters
    ----------
    checkpoints : sequence of EvaluatedCheckpoint
        The policies with their evaluations.

    Returns
    -------
    list of list of str
        Empty if no evaluation has judgements.
    """
    rows = []
    for checkpoint, split, _, judged in _with_judgements(checkpoints):
        for question, share in _shares(judged):
            figures = [f"{share.count:,}", number(share.accuracy), _span(share), _method(share)]
            rows.append([checkpoint.name, split, question, *figures, _file(judged)])
    return rows


def judged_notes(checkpoints: Sequence[EvaluatedCheckpoint]) -> list[str]:
    """What to keep in mind of the evaluations with judgements, such as that a policy was trained on them.

    Parameters
    ----------
    checkpoints : sequence of EvaluatedCheckpoint
        The policies with their evaluations.

    Returns
    -------
    list of str
        Sentences, each with the name of its policy.
    """
    notes = []
    for checkpoint, split, evaluation, _ in _with_judgements(checkpoints):
        found = list(evaluation.notes)
        shown = checkpoint.shown
        if evaluation.source.checkpoint_sha256 != shown.source.checkpoint_sha256:
            found.append(f"the policy was trained again between this evaluation and the one on {shown.split}")
        notes += [f"{checkpoint.name} on {split}: {note}." for note in found]
    return notes


def judged_sentence(evaluation: Evaluation | None) -> str:
    """What judgements by people say of one policy; empty without any.

    Parameters
    ----------
    evaluation : Evaluation or None
        Of the policy.
    """
    if evaluation is None or isinstance(evaluation.judgements, UnsetType):
        return ""
    judged = evaluation.judgements
    shares = "; ".join(
        f"{question}: {number(share.accuracy)} of {share.count:,} as the policy "
        f"(95% interval {_span(share)}, {_method(share)})"
        for question, share in _shares(judged)
    )
    people = f"{judged.annotators:,} {'person' if judged.annotators == 1 else 'people'}"
    messages = f"{judged.messages:,} message{'' if judged.messages == 1 else 's'}"
    mailboxes = f"{judged.mailboxes:,} mailbox{'' if judged.mailboxes == 1 else 'es'}"
    return (
        f"Judgements by people on {evaluation.split}: {shares}. They are by {people}, on {messages} in {mailboxes} "
        f"({_file(judged)}); not counted are {judged.ties:,} ties and {judged.elsewhere:,} judgements of other "
        "messages."
    )


def _with_judgements(
    checkpoints: Sequence[EvaluatedCheckpoint],
) -> Iterator[tuple[EvaluatedCheckpoint, str, Evaluation, JudgedMetrics]]:
    for checkpoint in checkpoints:
        for split, evaluation in checkpoint.evaluations.items():
            if not isinstance(evaluation.judgements, UnsetType):
                yield checkpoint, split, evaluation, evaluation.judgements


def _shares(judged: JudgedMetrics) -> list[tuple[str, JudgedShare]]:
    both = (("the better of two actions", judged.pairs), ("what should be done", judged.actions))
    return [(question, share) for question, share in both if share.count]


def _span(share: JudgedShare) -> str:
    return "-" if share.interval is None else f"{share.interval[0]:.4f} to {share.interval[1]:.4f}"


def _method(share: JudgedShare) -> str:
    return share.interval_method or "-"


def _file(judged: JudgedMetrics) -> str:
    return f"{Path(judged.path).name}, SHA-256 {judged.sha256[:8]}"
