"""The tables of the report, as cells of text for its template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from enron_triage.evaluation.differing import differing_settings, in_words
from enron_triage.evaluation.formatting import number
from enron_triage.evaluation.judged_words import JUDGED_HEAD, judged_rows
from enron_triage.evaluation.page.drawing import Axis
from enron_triage.evaluation.page.lead import signed, span
from enron_triage.evaluation.ranking import METRICS, Ranking, Row
from enron_triage.evaluation.ranking_table import shown_rows
from enron_triage.evaluation.ranking_words import policy_notes
from enron_triage.evaluation.reading import EvaluatedCheckpoint, TrainingHistory
from enron_triage.evaluation.result import Evaluation, Interval
from enron_triage.records import ACTION_NAMES

KINDS = {"policy": "", "alternative": "simple alternative", "baseline": "baseline"}
_DARKEST = 9


class Table(msgspec.Struct, kw_only=True):
    """A table whose first column names the rows.

    Attributes
    ----------
    caption : str
        What it holds.
    head : list of str
        The names of the columns.
    rows : list of list of str
        The cells.
    words : set of int
        The columns that hold words, not figures.
    """

    caption: str
    head: list[str]
    rows: list[list[str]]
    words: set[int] = set()


class RankedRow(msgspec.Struct, kw_only=True):
    """A row of the first table.

    Attributes
    ----------
    rank, name, kind : str
        As in the ranking; of a policy, the kind is empty.
    value, interval : str
        The metric and its interval; empty without one.
    left, width : float
        Where its bar begins on an axis of 100 units, and its length; both are 0 without a value.
    whisker : str
        The ends of its interval on that axis, as SVG has them; empty without one.
    difference, between : str
        The difference to the best and its interval.
    verdict : str
        What that says.
    others : list of str
        The other metrics of the table.
    collapsed : bool
        Whether nearly all decisions are one action.
    notes : list of str
        What must not be overlooked.
    """

    rank: str
    name: str
    kind: str
    value: str
    interval: str
    left: float
    width: float
    whisker: str
    difference: str
    between: str
    verdict: str
    others: list[str]
    collapsed: bool
    notes: list[str]


def ranked_rows(ranking: Ranking, beside: Sequence[str]) -> list[RankedRow]:
    """The rows of the first table.

    Parameters
    ----------
    ranking : Ranking
        The rows, the best first.
    beside : sequence of str
        The other metrics to show.
    """
    rows = shown_rows(ranking)
    values = [row.metrics[ranking.sort] for row in rows]
    bounds = [bound for row in rows for bound in row.intervals.get(ranking.sort) or []]
    known = [0.0, *(value for value in [*values, *bounds] if value is not None)]
    axis = Axis(low=min(known), high=max(known), first=2, last=98)
    return [_ranked_row(ranking, row, beside, axis) for row in rows]


def _ranked_row(ranking: Ranking, row: Row, beside: Sequence[str], axis: Axis) -> RankedRow:
    value, interval, difference = row.metrics[ranking.sort], row.intervals.get(ranking.sort), row.difference
    evaluation = ranking.records.policies.get(row.name) if row.kind == "policy" else None
    notes = []
    if evaluation is not None:
        notes = policy_notes(evaluation, ranking.records.validation.get(row.name))
    ends = sorted((axis.at(0.0), axis.at(value or 0.0)))
    return RankedRow(
        rank="" if row.rank is None else str(row.rank),
        name=row.name,
        kind=KINDS[row.kind],
        value=_figure(value, 3),
        interval=span(interval) if interval else "",
        left=round(ends[0], 1),
        width=0.0 if value is None else round(max(ends[1] - ends[0], 0.5), 1),
        whisker=" ".join(f"{axis.at(bound):.1f},5" for bound in interval) if interval else "",
        difference="" if difference is None or difference.value is None else signed(difference.value),
        between=span(difference.interval) if difference and difference.interval else "",
        verdict="the best" if difference is None else difference.verdict or "no interval",
        others=[_figure(row.metrics[name], 3) for name in beside],
        collapsed=evaluation is not None and evaluation.collapsed,
        notes=[note.replace("**", "").replace("`", "") for note in notes],
    )


def metric_table(ranking: Ranking) -> Table:
    """Every metric with its interval, a row for each policy, alternative and baseline.

    Parameters
    ----------
    ranking : Ranking
        The rows, the best first.
    """
    head = ["Run", *(metric.label for metric in METRICS.values()), "accuracy on validation", "macro-F1 on validation"]
    rows = []
    for row in ranking.rows:
        validation = ranking.records.validation.get(row.name) if row.kind == "policy" else None
        cells = [_with_interval(row.metrics[name], row.intervals.get(name)) for name in METRICS]
        cells += ["-", "-"] if validation is None else [number(validation.accuracy), number(validation.macro_f1)]
        kind = f" ({KINDS[row.kind]})" if row.kind == "baseline" else ""
        rows.append([f"{row.name}{kind}", *cells])
    return Table(caption="Every metric, with its 95% interval where there is one", head=head, rows=rows)


def settings_table(ranking: Ranking) -> Table | None:
    """The settings that differ, with the runs as rows, or as columns if there are more settings; None if none do.

    Parameters
    ----------
    ranking : Ranking
        The rows, the best first.
    """
    settings = differing_settings(ranking.records)
    if not settings:
        return None
    names = [row.name for row in ranking.policies]
    caption = "Settings in which the runs differ"
    if len(names) < len(settings):
        rows = [[key, *(_setting(values, name) for name in names)] for key, values in settings.items()]
        return Table(caption=caption, head=["Setting", *names], rows=rows, words=set(range(1, len(names) + 1)))
    rows = [[name, *(_setting(values, name) for values in settings.values())] for name in names]
    return Table(caption=caption, head=["Run", *settings], rows=rows, words=set(range(1, len(settings) + 1)))


def unknown_training(ranking: Ranking) -> list[str]:
    """The policies of which it is not known how they were trained.

    Parameters
    ----------
    ranking : Ranking
        The rows.
    """
    return [name for name, each in ranking.records.policies.items() if not each.source.training]


def action_table(name: str, evaluation: Evaluation) -> Table:
    """The result for each action.

    Parameters
    ----------
    name : str
        The policy's name.
    evaluation : Evaluation
        Of a policy.
    """
    rows = []
    for action, row in evaluation.per_class.items():
        figures = map(number, (row.precision, row.recall, row.f1, row.auc))
        rows.append([action, *figures, f"{row.support:,}", f"{evaluation.predicted_share[action]:.1%}"])
    head = ["Action", "Precision", "Recall", "F1", "AUC", "Support", "Predicted"]
    return Table(caption=f"The result of {name} for each action", head=head, rows=rows)


class ConfusionCell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell of a confusion matrix.

    Attributes
    ----------
    count : str
        How many messages.
    share : str
        Their share of the messages with the same true action; empty without such messages.
    shade : int
        How dark, from 0 to 9.
    right : bool
        Whether these decisions are right.
    """

    count: str
    share: str
    shade: int
    right: bool


def confusion_rows(evaluation: Evaluation) -> dict[str, list[ConfusionCell]]:
    """The confusion matrix: for each true action, a cell for each predicted one.

    Parameters
    ----------
    evaluation : Evaluation
        Of a policy.
    """
    rows = {}
    for action, counts in zip(ACTION_NAMES, evaluation.confusion_matrix, strict=True):
        total = sum(counts)
        rows[action] = [
            ConfusionCell(
                count=f"{count:,}",
                share=f"{count / total:.0%}" if total else "",
                shade=round(_DARKEST * count / total) if total else 0,
                right=ACTION_NAMES[column] == action,
            )
            for column, count in enumerate(counts)
        ]
    return rows


def training_table(histories: Mapping[str, TrainingHistory]) -> Table:
    """How each training went, by its best epoch on validation.

    Parameters
    ----------
    histories : mapping of str to TrainingHistory
        Each training stage.
    """
    head = ["Stage", "Epochs", "Best epoch", "Validation messages", "Accuracy", "macro-F1", "Mean reward", "KL"]
    head += ["Preference accuracy", "Collapsed"]
    rows = []
    for name, history in histories.items():
        epochs = history.epochs
        best = epochs[epochs[-1].best_epoch - 1]
        values = (best.accuracy, best.macro_f1, best.mean_reward, best.kl, best.preference_accuracy)
        figures = [_figure(value, 4) for value in values]
        collapsed = sum(epoch.collapsed for epoch in epochs)
        told = f"in {collapsed} of {len(epochs)} epochs" if collapsed else "no"
        messages = "-" if history.val_messages is None else f"{history.val_messages:,}"
        rows.append([name, str(len(epochs)), str(best.epoch), messages, *figures, told])
    return Table(caption="Each training stage, at its best epoch on validation", head=head, rows=rows, words={9})


def judged_table(checkpoints: Sequence[EvaluatedCheckpoint]) -> Table | None:
    """How far the policies agree with judgements by people; None without any.

    Parameters
    ----------
    checkpoints : sequence of EvaluatedCheckpoint
        The policies with their evaluations.
    """
    rows = judged_rows(checkpoints)
    caption = "How far the policies agree with judgements by people"
    return Table(caption=caption, head=JUDGED_HEAD, rows=rows, words={1, 2, 6, 7}) if rows else None


def _setting(values: Mapping[str, Any], policy: str) -> str:
    return in_words(values[policy]) if policy in values else "-"


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else signed(value, digits, plus=False)


def _with_interval(value: float | None, interval: Interval | None) -> str:
    return f"{_figure(value, 4)}{f' [{span(interval, 4)}]' if interval else ''}"
