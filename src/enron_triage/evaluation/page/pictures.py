"""The charts of the report: each as a drawing, in words, and as a table of its figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from enron_triage.evaluation.formatting import number
from enron_triage.evaluation.page.bars import Bar, Strip, bar_drawing, strip_drawing
from enron_triage.evaluation.page.curves import reliability_drawing
from enron_triage.evaluation.page.drawing import Drawing
from enron_triage.evaluation.page.lead import signed, span
from enron_triage.evaluation.page.tables import KINDS, Table
from enron_triage.evaluation.page.terms import terms
from enron_triage.evaluation.ranking import Ranking, Row
from enron_triage.evaluation.result import Evaluation, HistoryBin
from enron_triage.records import ACTION_NAMES

MOST_RUNS = 12  # in one drawing


class Picture(msgspec.Struct, kw_only=True):
    """A picture with what belongs to it.

    Attributes
    ----------
    title : str
        What it shows.
    text : str
        How to read it.
    drawings : list of Drawing
        One or several side by side.
    table : Table or None
        The figures that are drawn.
    terms : dict of str to str
        The terms to explain.
    """

    title: str
    text: str
    drawings: list[Drawing]
    table: Table | None = None
    terms: dict[str, str] = {}


def pictures_of(ranking: Ranking) -> list[Picture]:
    """The pictures that show the policies on one set of records beside each other.

    Parameters
    ----------
    ranking : Ranking
        The rows, the best first.
    """
    drawn = [_f1(ranking), _costs(ranking), _mailboxes(ranking), _earlier_actions(ranking)]
    return [picture for picture in drawn if picture is not None]


def left_out(ranking: Ranking) -> str:
    """What to say if there are more policies than a drawing has room for; else nothing.

    Parameters
    ----------
    ranking : Ranking
        The rows.
    """
    count = len(ranking.policies)
    return "" if count <= MOST_RUNS else f"The drawings show the best {MOST_RUNS} of {count} policies, the tables all."


def _f1(ranking: Ranking) -> Picture:
    evaluations = _evaluations(ranking)
    drawings = []
    for action in ACTION_NAMES:
        bars = [
            Bar(name=name, value=(f1 := each.per_class[action].f1), shown=_short(f1), style=_style(ranking, name))
            for name, each in _first(evaluations).items()
        ]
        alt = f"F1 of {action}: {said({bar.name: bar.shown for bar in bars})}"
        drawings.append(bar_drawing(f"{action} ({ranking.records.shown.per_class[action].support:,})", alt, bars))
    rows = [[name, *(number(each.per_class[a].f1) for a in ACTION_NAMES)] for name, each in evaluations.items()]
    return Picture(
        title="F1 by action",
        text="A panel for each action, with the number of messages that have it; a bar for each policy, the best one "
        "in colour. A dash: no message has the action.",
        drawings=drawings,
        table=Table(caption="F1 by action", head=["Run", *ACTION_NAMES], rows=rows),
        terms=terms("F1"),
    )


def _costs(ranking: Ranking) -> Picture | None:
    rows = sorted(
        (row for row in ranking.rows if row.metrics["mean_reward"] is not None),
        key=lambda row: -(row.metrics["mean_reward"] or 0.0),
    )
    if not rows:
        return None
    # The dearest baselines would leave no room for what tells the policies apart.
    kept = [row.name for row in ranking.policies[:MOST_RUNS]]
    kept += [next((row.name for row in rows if row.kind == kind), "") for kind in ("alternative", "baseline")]
    bars = {(row.kind, row.name): _cost_bar(row, ranking) for row in rows}
    shown = [bar for (_, name), bar in bars.items() if name in kept]
    cells = [[bar.name, bar.shown, span(bar.interval, 4) if bar.interval else "-"] for bar in bars.values()]
    alt = f"Mean cost of a decision, the cheapest first: {said({bar.name: bar.shown for bar in shown})}"
    return Picture(
        title="Cost of a decision",
        text="What the decisions cost on average, the cheapest first, beside the cheapest baseline and the cheapest "
        "simple alternative; the thin line is the 95% interval.",
        drawings=[bar_drawing("mean cost of a message", alt, shown, high=None)],
        table=Table(caption="Cost of a decision", head=["Run", "Mean cost", "95% interval"], rows=cells),
        terms=terms("cost", "alternative", "baseline"),
    )


def _cost_bar(row: Row, ranking: Ranking) -> Bar:
    cost = -(row.metrics["mean_reward"] or 0.0) + 0.0
    interval = row.intervals.get("mean_reward")
    kind = f" ({KINDS[row.kind]})" if row.kind == "baseline" else ""
    return Bar(
        name=f"{row.name}{kind}",
        value=cost,
        shown=f"{cost:.4f}",
        interval=[0.0 - interval[1], 0.0 - interval[0]] if interval else None,
        style=_style(ranking, row.name) if row.kind == "policy" else "other",
    )


def _mailboxes(ranking: Ranking) -> Picture:
    evaluations = _evaluations(ranking)
    numbers = _numbered_mailboxes(evaluations.values())
    strips = [
        Strip(
            name=name,
            values={numbers[mailbox]: metrics.accuracy for mailbox, metrics in each.per_mailbox.items()},
            style=_style(ranking, name),
        )
        for name, each in _first(evaluations).items()
    ]
    ranges = {
        strip.name: f"{min(strip.values.values()):.2f} to {max(strip.values.values()):.2f}"
        for strip in strips
        if strip.values
    }
    rows = []
    for mailbox, number_of in numbers.items():
        found = [each.per_mailbox.get(mailbox) for each in evaluations.values()]
        count = next(f"{metrics.count:,}" for metrics in found if metrics)
        rows.append([number_of, count, *("-" if metrics is None else number(metrics.accuracy) for metrics in found)])
    return Picture(
        title="How people differ",
        text="The accuracy on each mailbox: a dot for each person, a tick at the median. The names are left out, so "
        "that the page can be shown; they are in the JSON files of the evaluations.",
        drawings=[strip_drawing("accuracy by mailbox", f"Accuracy by mailbox: {said(ranges)}", strips)],
        table=Table(caption="Accuracy by mailbox", head=["Mailbox", "Messages", *evaluations], rows=rows),
        terms=terms("accuracy"),
    )


def _numbered_mailboxes(evaluations: Iterable[Evaluation]) -> dict[str, str]:
    """What to call each mailbox: the largest first, without its owner's name."""
    counts = {name: metrics.count for each in evaluations for name, metrics in each.per_mailbox.items()}
    largest_first = sorted(counts, key=lambda name: (-counts[name], name))
    return {name: f"mailbox {place}" for place, name in enumerate(largest_first, 1)}


def _earlier_actions(ranking: Ranking) -> Picture | None:
    evaluations = _evaluations(ranking)
    best = evaluations[ranking.policies[0].name].by_earlier_actions
    names = [name for name, each in best.items() if each.count]
    if not names:
        return None
    drawings = []
    for name in names:
        bars = [
            Bar(name=run, value=(accuracy := _accuracy(each, name)), shown=_short(accuracy), style=_style(ranking, run))
            for run, each in _first(evaluations).items()
        ]
        alt = f"Accuracy after {name} earlier actions: {said({bar.name: bar.shown for bar in bars})}"
        drawings.append(bar_drawing(f"{name} earlier actions ({best[name].count:,} messages)", alt, bars))
    rows = [[run, *(number(_accuracy(each, name)) for name in names)] for run, each in evaluations.items()]
    return Picture(
        title="Accuracy by the owner's earlier actions",
        text="A panel for each number of actions of the owner that were known when the message arrived: what a policy "
        "gains as it gets to know somebody.",
        drawings=drawings,
        table=Table(caption="Accuracy by earlier actions", head=["Run", *names], rows=rows),
        terms=terms("accuracy"),
    )


def reliability_picture(name: str, evaluation: Evaluation) -> Picture:
    """How honest a policy's probabilities are.

    Parameters
    ----------
    name : str
        The policy's name.
    evaluation : Evaluation
        Of the policy.
    """
    bins = evaluation.reliability
    by_bin = {f"confidence {each.confidence:.2f}": f"{each.accuracy:.2f} of {each.count:,}" for each in bins}
    alt = f"Accuracy by confidence of {name}: {said(by_bin)}"
    rows = [[f"{each.confidence:.4f}", f"{each.accuracy:.4f}", f"{each.count:,}"] for each in bins]
    return Picture(
        title=f"Are the probabilities of {name} honest?",
        text="Each dot is a bin of messages about whose action the policy was about equally sure. On the dashed line, "
        "as many decisions are right as the policy says; below it, it is too sure. The bars count the messages. "
        f"The calibration error is {signed(evaluation.ece_calibrated, 4, plus=False)}.",
        drawings=[reliability_drawing("reliability", alt, bins)],
        table=Table(caption=f"Reliability of {name}", head=["Mean confidence", "Accuracy", "Messages"], rows=rows),
        terms=terms("confidence", "calibration error"),
    )


def _evaluations(ranking: Ranking) -> dict[str, Evaluation]:
    """The evaluations of the policies, the best first."""
    return {row.name: ranking.records.policies[row.name] for row in ranking.policies}


def _first(evaluations: Mapping[str, Evaluation]) -> dict[str, Evaluation]:
    return dict(list(evaluations.items())[:MOST_RUNS])


def _style(ranking: Ranking, name: str) -> str:
    return "best" if name == ranking.policies[0].name else "run"


def _accuracy(evaluation: Evaluation, name: str) -> float | None:
    accuracy = evaluation.by_earlier_actions.get(name, HistoryBin(count=0)).accuracy
    return accuracy if isinstance(accuracy, float) else None


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def said(figures: Mapping[str, str]) -> str:
    """Figures in a sentence, for whoever does not see the drawing.

    Parameters
    ----------
    figures : mapping of str to str
        Each figure by what it is of.
    """
    return ", ".join(f"{name} {figure}" for name, figure in figures.items())
