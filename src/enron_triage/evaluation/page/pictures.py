"""The pictures of the report: what each shows, in a drawing, in words and as a table of its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from enron_triage.evaluation.formatting import number
from enron_triage.evaluation.page.bars import Bar, Strip, bar_drawing, strip_drawing
from enron_triage.evaluation.page.curves import curve_drawing, reliability_drawing, share_drawing
from enron_triage.evaluation.page.drawing import Drawing
from enron_triage.evaluation.page.lead import signed, span
from enron_triage.evaluation.page.tables import KINDS, Table
from enron_triage.evaluation.page.terms import terms
from enron_triage.evaluation.ranking import Ranking, Row
from enron_triage.evaluation.reading import EpochRecord, TrainingHistory
from enron_triage.evaluation.result import Evaluation, HistoryBin
from enron_triage.records import ACTION_NAMES

MOST_RUNS = 12  # in one drawing
_PANELS = {  # the panels of the learning curves: the name of each metric, and the terms to explain
    "Loss": ({"train_loss": "train", "val_loss": "validation"}, ()),
    "On validation": (
        {"accuracy": "accuracy", "macro_f1": "macro-F1", "preference_accuracy": "preferences"},
        ("accuracy", "macro-F1"),
    ),
    "Mean reward": ({"mean_reward": "validation", "train_reward": "train"}, ("mean reward",)),
    "KL and entropy": ({"kl": "KL", "entropy": "entropy"}, ("KL", "entropy")),
}


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
        alt = f"F1 of {action}: {_said({bar.name: bar.shown for bar in bars})}"
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
    alt = f"Mean cost of a decision, the cheapest first: {_said({bar.name: bar.shown for bar in shown})}"
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
    strips = [
        Strip(
            name=name,
            values={mailbox: metrics.accuracy for mailbox, metrics in each.per_mailbox.items()},
            style=_style(ranking, name),
        )
        for name, each in _first(evaluations).items()
    ]
    ranges = {
        strip.name: f"{min(strip.values.values()):.2f} to {max(strip.values.values()):.2f}"
        for strip in strips
        if strip.values
    }
    best = evaluations[ranking.policies[0].name].per_mailbox
    rows = [
        [mailbox, f"{metrics.count:,}", *(number(each.per_mailbox[mailbox].accuracy) for each in evaluations.values())]
        for mailbox, metrics in best.items()
        if all(mailbox in each.per_mailbox for each in evaluations.values())
    ]
    return Picture(
        title="How people differ",
        text="The accuracy on each mailbox: a dot for each person, a tick at the median.",
        drawings=[strip_drawing("accuracy by mailbox", f"Accuracy by mailbox: {_said(ranges)}", strips)],
        table=Table(caption="Accuracy by mailbox", head=["Mailbox", "Messages", *evaluations], rows=rows),
        terms=terms("accuracy"),
    )


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
        alt = f"Accuracy after {name} earlier actions: {_said({bar.name: bar.shown for bar in bars})}"
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
    alt = f"Accuracy by confidence of {name}: {_said(by_bin)}"
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


def training_picture(name: str, history: TrainingHistory) -> Picture:
    """How a training stage went.

    Parameters
    ----------
    name : str
        The stage's name.
    history : TrainingHistory
        Its epochs.
    """
    epochs = history.epochs
    best, collapsed = epochs[-1].best_epoch, [epoch.epoch for epoch in epochs if epoch.collapsed]
    ending = f"; the best epoch is {best} of {len(epochs)}"
    ending += f"; collapsed in epochs {', '.join(map(str, collapsed))}" if collapsed else ""
    drawings, used, head, columns = [], ["best epoch"], ["Epoch"], []
    for title, (metrics, needed) in _PANELS.items():
        curves = {metric: words for metric, words in metrics.items() if any(_values(epochs, metric))}
        if not curves:
            continue
        at_best = {words: number(getattr(epochs[best - 1], metric)) for metric, words in curves.items()}
        drawings.append(
            curve_drawing(title, f"{title} by epoch; at the best, {_said(at_best)}{ending}", epochs, curves)
        )
        used += needed
        head += [f"{title}: {words}" for words in curves.values()]
        columns += [_values(epochs, metric) for metric in curves]
    shares = {action: f"{share:.0%}" for action, share in epochs[best - 1].predicted_share.items()}
    alt = f"Share of each action in the predictions on validation; at the best epoch, {_said(shares)}{ending}"
    drawings.append(share_drawing("Predicted on validation", alt, epochs))
    rows = [
        [f"{epoch.epoch}{' (collapsed)' if epoch.collapsed else ''}", *(column[number] for column in columns)]
        for number, epoch in enumerate(epochs)
    ]
    text = "The upright line marks the best epoch."
    text += f" The policy had collapsed in {len(collapsed)} of {len(epochs)} epochs, shaded." if collapsed else ""
    return Picture(
        title=name,
        text=text,
        drawings=drawings,
        table=Table(caption=f"{name}, epoch by epoch", head=head, rows=rows),
        terms=terms(*used, *(["collapsed"] if collapsed else [])),
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


def _values(epochs: Sequence[EpochRecord], metric: str) -> list[str]:
    """A metric epoch by epoch; empty where an epoch does not have it."""
    values = (getattr(epoch, metric) for epoch in epochs)
    return ["" if value is None else signed(value, 4, plus=False) for value in values]


def _said(figures: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {figure}" for name, figure in figures.items())
