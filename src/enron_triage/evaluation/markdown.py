"""The report in Markdown: the policies ranked, each policy's actions, and how training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from enron_triage.evaluation.differing import differing_settings, in_words
from enron_triage.evaluation.formatting import number
from enron_triage.evaluation.judged_words import (
    JUDGED_HEAD,
    JUDGED_READING,
    judged_notes,
    judged_rows,
    judged_sentence,
)
from enron_triage.evaluation.ranking import METRICS, Ranking, Row
from enron_triage.evaluation.ranking_table import figure
from enron_triage.evaluation.ranking_words import answer, policy_notes, remarks, rule_notes, several_sets
from enron_triage.evaluation.reading import EvaluatedCheckpoint, TrainingHistory
from enron_triage.evaluation.result import Evaluation
from enron_triage.labels.sample_size import sample_note

_SHOWN = ("macro_f1", "accuracy", "balanced_accuracy", "mean_reward", "reply_auc", "ece_calibrated")
_KINDS = {  # what a row is that is no policy
    "policy": "",
    "alternative": "the simple alternative: SFT's probabilities, the action of least expected cost",
    "baseline": "a baseline",
}
_READING = (
    "In brackets: 95% intervals for other mailboxes like these (jackknife over mailboxes). A difference is on the same "
    "mailboxes for both; it is not told apart if its interval includes 0. Rows that are not policies have no "
    "interval, unless they always take the same action. "
    "The best of many runs is in part the luckiest."
)


def results_markdown(rankings: Sequence[Ranking]) -> str:
    """For each set of records: the ranking, the settings that differ, and a table of the actions for each policy.

    Parameters
    ----------
    rankings : sequence of Ranking
        One for each set of records, in the order to show them in.
    """
    lines = ["### Results"]
    first = several_sets([ranking.records for ranking in rankings])
    lines += ["", first] if first else []
    for ranking in rankings:
        lines += ["", f"#### {ranking.records.title}", "", f"**{answer(ranking)}**"]
        for remark in remarks(ranking):
            lines += ["", remark]
        lines += ["", *_ranking_table(ranking), "", _READING]
        lines += _settings(ranking)
        for row in ranking.policies:
            evaluation = ranking.records.policies[row.name]
            lines += ["", f"##### {row.name}, on {evaluation.split}", "", *_action_table(evaluation)]
            judged = map(judged_sentence, (evaluation, ranking.records.validation.get(row.name)))
            lines += [line for sentence in judged if sentence for line in ("", sentence)]
    return "\n".join(lines)


def judged_markdown(checkpoints: Sequence[EvaluatedCheckpoint]) -> str:
    """How far the policies agree with judgements by people; empty without any.

    Parameters
    ----------
    checkpoints : sequence of EvaluatedCheckpoint
        The policies with their evaluations.
    """
    rows = [[cell.replace("|", "\\|") for cell in row] for row in judged_rows(checkpoints)]
    if not rows:
        return ""
    lines = ["### Judgements by people", "", JUDGED_READING, "", *_table(JUDGED_HEAD, rows)]
    return "\n".join([*lines, *(line for note in judged_notes(checkpoints) for line in ("", f"Note: {note}"))])


def training_markdown(histories: Mapping[str, TrainingHistory]) -> str:
    """How each training went, by its best epoch on validation; empty without any.

    Parameters
    ----------
    histories : mapping of str to TrainingHistory
        Each training stage.
    """
    if not histories:
        return ""
    head = ["Stage", "Epochs", "Best", "Val messages", "Val accuracy", "Val macro-F1", "Val mean reward", "KL"]
    head += ["Preference accuracy", "Collapsed"]
    rows = []
    few: dict[str, None] = {}  # the notes on small validation sets, each once
    for name, history in histories.items():
        epochs, val = history.epochs, history.val_messages
        note = sample_note(val) if val is not None else None
        few |= {note: None} if note else {}
        best = epochs[epochs[-1].best_epoch - 1]
        values = (best.accuracy, best.macro_f1, best.mean_reward, best.kl, best.preference_accuracy)
        collapsed = sum(epoch.collapsed for epoch in epochs)
        told = f"**in {collapsed} of {len(epochs)} epochs**" if collapsed else "no"
        messages = "-" if val is None else f"{val:,}"
        rows.append([name, str(len(epochs)), str(best.epoch), messages, *map(number, values), told])
    lines = ["### Training", "", *_table(head, rows)]
    for note in few:
        lines += ["", f"Validation has {note}."]
    return "\n".join(lines)


def _ranking_table(ranking: Ranking) -> list[str]:
    """A row for each policy, alternative and baseline, with every metric."""
    columns = [ranking.sort, *(name for name in _SHOWN if name != ranking.sort)]
    labels = [METRICS[name].label for name in columns]
    head = ["Rank", "Run", labels[0], "Difference to the best", "Verdict", *labels[1:]]
    head += ["Val accuracy", "Val macro-F1", "Notes"]
    return _table(head, [_ranking_row(ranking, row, columns) for row in ranking.rows])


def _ranking_row(ranking: Ranking, row: Row, columns: Sequence[str]) -> list[str]:
    figures = [figure(row.metrics[name], row.intervals.get(name), digits=4) for name in columns]
    difference, verdict = "", "the best"
    if row.difference is not None:
        difference = figure(row.difference.value, row.difference.interval, digits=4, sign=True)
        verdict = row.difference.verdict or "no interval"
    validation = ranking.records.validation.get(row.name)
    val = [validation.accuracy if validation else None, validation.macro_f1 if validation else None]
    notes = [_KINDS[row.kind]]
    if row.kind == "policy":
        evaluation = ranking.records.policies[row.name]
        notes = policy_notes(evaluation, validation) + rule_notes(evaluation)
    rank = "-" if row.rank is None else str(row.rank)
    return [rank, row.name, figures[0], difference, verdict, *figures[1:], *map(number, val), "; ".join(notes)]


def _settings(ranking: Ranking) -> list[str]:
    """The settings that differ, a row for each policy; empty if none do."""
    settings = differing_settings(ranking.records)
    unknown = [name for name, each in ranking.records.policies.items() if not each.source.training]
    lines = ["", f"How these were trained is not known: {', '.join(unknown)}."] if unknown else []
    if settings:
        rows = [[row.name, *(_setting(values, row.name) for values in settings.values())] for row in ranking.policies]
        lines += ["", "Settings that differ:", "", *_table(["Run", *settings], rows)]
    return lines


def _setting(values: Mapping[str, Any], policy: str) -> str:
    return f"`{in_words(values[policy])}`" if policy in values else "-"


def _action_table(evaluation: Evaluation) -> list[str]:
    rows = []
    for action, row in evaluation.per_class.items():
        values = map(number, (row.precision, row.recall, row.f1, row.auc))
        rows.append([action, *values, f"{row.support:,}", f"{evaluation.predicted_share[action]:.1%}"])
    return _table(["Action", "Precision", "Recall", "F1", "AUC", "Support", "Predicted"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
