"""The report's tables in Markdown: the policies side by side, each policy's actions, and how training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from enron_triage.evaluation.formatting import number
from enron_triage.evaluation.reading import EpochRecord, EvaluatedCheckpoint
from enron_triage.evaluation.result import Evaluation
from enron_triage.labels.schemes import SCHEMES


def results_markdown(checkpoints: Sequence[EvaluatedCheckpoint]) -> str:
    """The comparison of the policies, then a table of the actions for each.

    Parameters
    ----------
    checkpoints : sequence of EvaluatedCheckpoint
        The policies, in the order to show them in. The table of the actions is on test; where a policy was not
        evaluated on test, on the split of its first evaluation.
    """
    head = ["Stage", "Val accuracy", "Test accuracy", "Val macro-F1", "Test macro-F1", "Test reply AUC"]
    head += ["Test calibration error", "Test mean reward", "Simple alternative's", "Notes"]
    lines = ["### Results", "", *_table(head, [_comparison_row(checkpoint) for checkpoint in checkpoints])]
    notes = [SCHEMES[checkpoint.shown.scheme].leak_note for checkpoint in checkpoints]
    for note in dict.fromkeys(note for note in notes if note is not None):
        lines += ["", note]
    for checkpoint in checkpoints:
        lines += ["", f"#### {checkpoint.name}, on {checkpoint.shown.split}", "", *_action_table(checkpoint.shown)]
    return "\n".join(lines)


def training_markdown(histories: Mapping[str, Sequence[EpochRecord]]) -> str:
    """How each training went, by its best epoch on validation; empty without any.

    Parameters
    ----------
    histories : mapping of str to sequence of EpochRecord
        The epochs of each training stage.
    """
    if not histories:
        return ""
    head = ["Stage", "Epochs", "Best", "Val accuracy", "Val macro-F1", "Val mean reward", "KL"]
    head += ["Preference accuracy", "Collapsed"]
    rows = []
    for name, epochs in histories.items():
        best = epochs[epochs[-1].best_epoch - 1]
        values = (best.accuracy, best.macro_f1, best.mean_reward, best.kl, best.preference_accuracy)
        collapsed = sum(epoch.collapsed for epoch in epochs)
        note = f"**in {collapsed} of {len(epochs)} epochs**" if collapsed else "no"
        rows.append([name, str(len(epochs)), str(best.epoch), *map(number, values), note])
    return "\n".join(["### Training", "", *_table(head, rows)])


def _comparison_row(checkpoint: EvaluatedCheckpoint) -> list[str]:
    val, test = (checkpoint.evaluations.get(split) for split in ("val", "test"))
    baseline = test.bayes_baseline if test else None
    values = [
        val.accuracy if val else None,
        test.accuracy if test else None,
        val.macro_f1 if val else None,
        test.macro_f1 if test else None,
        test.reply_auc if test else None,
        test.ece_calibrated if test else None,
        test.mean_reward if test else None,
        baseline.mean_reward if baseline else None,
    ]
    return [checkpoint.name, *map(number, values), "; ".join(_notes(checkpoint))]


def _action_table(evaluation: Evaluation) -> list[str]:
    rows = []
    for action, row in evaluation.per_class.items():
        values = map(number, (row.precision, row.recall, row.f1, row.auc))
        rows.append([action, *values, f"{row.support:,}", f"{evaluation.predicted_share[action]:.1%}"])
    return _table(["Action", "Precision", "Recall", "F1", "AUC", "Support", "Predicted"], rows)


def _notes(checkpoint: EvaluatedCheckpoint) -> list[str]:
    """What must not be overlooked: collapse, leaking labels, no gain over the simple alternative."""
    notes = []
    for split, evaluation in checkpoint.evaluations.items():
        if evaluation.collapsed:
            shares = evaluation.predicted_share
            notes.append(f"**collapsed** to `{max(shares, key=shares.__getitem__)}` on {split}")
    if SCHEMES[checkpoint.shown.scheme].leak_note is not None:
        notes.append("leaking labels")
    baseline = checkpoint.shown.bayes_baseline
    if baseline is not None and not baseline.beats_baseline:
        notes.append(f"reward not above the simple alternative's ({baseline.gain:+.4f})")
    return notes


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
