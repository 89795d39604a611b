"""An evaluation for people: the text on stdout, at most 80 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from msgspec import UnsetType

from enron_triage.evaluation.cost_words import cost_paragraphs
from enron_triage.evaluation.judged_result import JudgedMetrics
from enron_triage.evaluation.result import DecisionMetrics, Evaluation
from enron_triage.labels.schemes import SCHEMES

_COLUMNS = ("accuracy", "balanced_accuracy", "macro_f1", "mean_reward")
WIDTH = 80


def evaluation_table(evaluation: Evaluation) -> str:
    """An evaluation as a short text, for a terminal.

    What it is of comes first, then the policy beside the baselines, then its actions, then the rest.

    Parameters
    ----------
    evaluation : Evaluation
        What ``triage evaluate`` found.

    Returns
    -------
    str
        Lines of at most 80 columns, without a newline at the end.
    """
    blocks = [
        _what_it_is(evaluation),
        _decisions(evaluation),
        _actions(evaluation),
        wrapped("\n".join(cost_paragraphs(evaluation))),
        _judged(evaluation.judgements),
        _probabilities(evaluation),
        _history_bins(evaluation),
        wrapped(SCHEMES[evaluation.scheme].leak_note or ""),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def number(value: float | UnsetType | None) -> str:
    """A metric with four decimals; a dash where it is undefined.

    Parameters
    ----------
    value : float, None or UNSET
        The metric.
    """
    return f"{value:.4f}" if isinstance(value, float) else "-"


def wrapped(text: str, indent: str = "", width: int = WIDTH) -> list[str]:
    """The lines of a text, each paragraph (a line of it) wrapped; no line for an empty text.

    Parameters
    ----------
    text : str
        Paragraphs, one a line. One that begins with two spaces is a command, and stays whole so that it can be copied.
    indent : str
        What each line begins with.
    width : int
        The largest length of a line; a longer word, such as a path, stays whole.
    """
    lines: list[str] = []
    for paragraph in text.splitlines():
        lines += (
            [indent + paragraph]
            if paragraph.startswith("  ")
            else textwrap.wrap(
                paragraph,
                width,
                initial_indent=indent,
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    return lines


def _what_it_is(evaluation: Evaluation) -> list[str]:
    """Which policy, on which messages, and what to keep in mind of them."""
    run = evaluation.source.run
    name = f"{run}/{evaluation.checkpoint}" if run else evaluation.checkpoint
    mailboxes = f"{evaluation.mailboxes:,} mailbox{'' if evaluation.mailboxes == 1 else 'es'}"
    lines = [
        f"{name} on {evaluation.split}: {evaluation.count:,} messages in {mailboxes}",
        f"labels by the scheme {evaluation.scheme}, decisions by the rule {evaluation.decision_rule}",
    ]
    return [*lines, *wrapped("\n".join(f"Note: {note}" for note in evaluation.notes))]


def _decisions(evaluation: Evaluation) -> list[str]:
    """A row for the policy with its intervals, for each baseline, and for each other decision rule."""
    others = {f"  {rule}": row for rule, row in evaluation.decisions.items() if rule != evaluation.decision_rule}
    mark = "  collapsed" if evaluation.collapsed else ""
    lines = [
        f"{'':<22}{'accuracy':>10}{'balanced':>10}{'macro-F1':>10}{'reward':>10}",
        f"{_decision_row('policy', evaluation)}{mark}",
        *_interval_rows(evaluation),
        "baselines",
        *(_decision_row(f"  {name}", row) for name, row in evaluation.baselines.items()),
    ]
    if others:
        lines += ["policy by other rules", *(_decision_row(name, row) for name, row in others.items())]
    if evaluation.collapsed:
        lines += ["collapsed: nearly all of the policy's decisions are one action"]
    return lines


def _decision_row(name: str, row: Evaluation | DecisionMetrics) -> str:
    return f"{name:<22}{''.join(_cell(getattr(row, column)) for column in _COLUMNS)}"


def _interval_rows(evaluation: Evaluation) -> list[str]:
    """The bounds of the policy's intervals, below its figures; none if there are too few mailboxes."""
    known = {column: evaluation.intervals.get(column) for column in _COLUMNS}
    if not any(known.values()):
        return []
    return [
        f"{f'  95% interval, {name}':<22}"
        + "".join(_cell(interval[index] if interval else None) for interval in known.values())
        for index, name in enumerate(("low", "high"))
    ]


def _actions(evaluation: Evaluation) -> list[str]:
    """A row for each action."""
    heads = f"{'precision':>10}{'recall':>10}{'F1':>10}{'AUC':>10}{'support':>10}{'predicted':>11}"
    lines = [f"{'action':<14}{heads}"]
    for name, row in evaluation.per_class.items():
        cells = "".join(map(_cell, (row.precision, row.recall, row.f1, row.auc)))
        lines.append(f"{name:<14}{cells}{row.support:>10,}{evaluation.predicted_share[name]:>11.1%}")
    return lines


def _judged(judged: JudgedMetrics | UnsetType) -> list[str]:
    """How often the policy agrees with judgements by people; nothing where none were given."""
    if isinstance(judged, UnsetType):
        return []
    lines = [f"judgements by people{'judgements':>22}{'as policy':>12}{'95% interval':>18}"]
    methods = []
    for name, share in (("the better of two actions", judged.pairs), ("what should be done", judged.actions)):
        if share.interval is not None:
            low, high = share.interval
            lines.append(f"  {name:<30}{share.count:>10,}{number(share.accuracy):>12}{low:>11.4f} {high:.4f}")
            methods.append(share.interval_method or "")
    people = "person" if judged.annotators == 1 else "people"
    about = (
        f"by {judged.annotators:,} {people}, on {judged.messages:,} of these messages in {judged.mailboxes:,} "
        f"mailbox{'' if judged.mailboxes == 1 else 'es'}; not counted: ties {judged.ties:,}, about other messages "
        f"{judged.elsewhere:,}; interval: {' and '.join(dict.fromkeys(methods))}"
    )
    return [*lines, *wrapped(about, "  ")]


def _probabilities(evaluation: Evaluation) -> list[str]:
    """How well replies are told from the rest, and how honest the probabilities are."""
    interval = evaluation.intervals.get("reply_auc")
    bounds = f" (95% interval {interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
    return [
        f"needs a reply: AUC {number(evaluation.reply_auc)}{bounds}",
        f"  average precision {number(evaluation.reply_average_precision)}; "
        f"AUC among all received messages {number(evaluation.reply_auc_received)}",
        f"calibration error {number(evaluation.ece_calibrated)} "
        f"(of the plain logits {number(evaluation.ece)}; temperature {evaluation.temperature:.2f})",
    ]


def _history_bins(evaluation: Evaluation) -> list[str]:
    """The result by how many actions of the owner were known."""
    rows: Mapping[str, tuple[object, ...]] = {
        name: (f"{row.count:,}", number(row.accuracy), number(row.macro_f1), number(row.reply_auc))
        for name, row in evaluation.by_earlier_actions.items()
        if row.count
    }
    if not rows:
        return []
    head = f"{'earlier actions':<22}{'messages':>10}{'accuracy':>10}{'macro-F1':>10}{'reply AUC':>11}"
    lines = [
        f"{name:<22}{count:>10}{accuracy:>10}{f1:>10}{auc:>11}" for name, (count, accuracy, f1, auc) in rows.items()
    ]
    return [head, *lines]


def _cell(value: float | None) -> str:
    return f"{number(value):>10}"
