"""An evaluation for people: the table on stdout."""

from __future__ import annotations

from msgspec import UnsetType

from enron_triage.evaluation.result import DecisionMetrics, Evaluation
from enron_triage.labels.schemes import SCHEMES


def evaluation_table(evaluation: Evaluation) -> str:
    """An evaluation as a short text, for a terminal.

    Parameters
    ----------
    evaluation : Evaluation
        What ``triage evaluate`` found.

    Returns
    -------
    str
        Lines without a newline at the end.
    """
    lines = [
        f"{evaluation.checkpoint} on {evaluation.split} (scheme {evaluation.scheme}): {evaluation.count:,} messages, "
        f"{evaluation.mailboxes} mailboxes, decided by {evaluation.decision_rule}",
        "",
        *_decisions(evaluation),
        "",
        *_actions(evaluation),
        "",
        *_probabilities(evaluation),
        *_bayes_baseline(evaluation),
        *_history_bins(evaluation),
        *_intervals(evaluation),
    ]
    leak_note = SCHEMES[evaluation.scheme].leak_note
    if leak_note is not None:
        lines += ["", leak_note]
    return "\n".join(lines)


def number(value: float | UnsetType | None) -> str:
    """A metric with four decimals; a dash where it is undefined.

    Parameters
    ----------
    value : float, None or UNSET
        The metric.
    """
    return f"{value:.4f}" if isinstance(value, float) else "-"


def _decisions(evaluation: Evaluation) -> list[str]:
    """A row for the policy, for each other decision rule and for each baseline."""
    others = {f"  by {rule}": row for rule, row in evaluation.decisions.items() if rule != evaluation.decision_rule}
    rows: dict[str, Evaluation | DecisionMetrics] = {"policy": evaluation, **others, **evaluation.baselines}
    lines = [f"{'':<20}{'accuracy':>10}{'balanced':>10}{'macro-F1':>10}{'reward':>10}"]
    for name, row in rows.items():
        cells = (row.accuracy, row.balanced_accuracy, row.macro_f1, row.mean_reward)
        mark = "  collapsed" if row.collapsed and name == "policy" else ""
        lines.append(f"{name:<20}{''.join(map(_cell, cells))}{mark}")
    return lines


def _actions(evaluation: Evaluation) -> list[str]:
    """A row for each action."""
    heads = f"{'precision':>10}{'recall':>10}{'F1':>10}{'AUC':>10}{'support':>10}{'predicted':>11}"
    lines = [f"{'action':<14}{heads}"]
    for name, row in evaluation.per_class.items():
        cells = "".join(map(_cell, (row.precision, row.recall, row.f1, row.auc)))
        lines.append(f"{name:<14}{cells}{row.support:>10,}{evaluation.predicted_share[name]:>11.1%}")
    return lines


def _probabilities(evaluation: Evaluation) -> list[str]:
    """How well replies are told from the rest, and how honest the probabilities are."""
    return [
        f"needs a reply: AUC {number(evaluation.reply_auc)}, "
        f"average precision {number(evaluation.reply_average_precision)}, "
        f"AUC among all received {number(evaluation.reply_auc_received)}",
        f"calibration error {number(evaluation.ece_calibrated)} "
        f"(of the plain logits {number(evaluation.ece)}; temperature {evaluation.temperature:.2f})",
    ]


def _bayes_baseline(evaluation: Evaluation) -> list[str]:
    """Whether the policy's decisions earn more than the simple alternative's."""
    baseline = evaluation.bayes_baseline
    if baseline is None:
        return []
    interval = ""
    if baseline.interval is not None:
        low, high = baseline.interval
        interval = f", 95% interval over mailboxes {low:+.4f} to {high:+.4f}"
    return [
        f"mean reward {evaluation.mean_reward:.4f}; the calibrated probabilities of {baseline.checkpoint} "
        f"with the action of highest expected reward: {baseline.mean_reward:.4f}",
        f"  so the policy is {'better' if baseline.beats_baseline else 'NOT better'} than the simple alternative "
        f"(by {baseline.gain:+.4f}{interval})",
    ]


def _history_bins(evaluation: Evaluation) -> list[str]:
    """The result by how many actions of the owner were known."""
    return [
        f"after {name} earlier actions: {row.count:,} messages, accuracy {number(row.accuracy)}, "
        f"macro-F1 {number(row.macro_f1)}, reply AUC {number(row.reply_auc)}"
        for name, row in evaluation.by_earlier_actions.items()
        if row.count
    ]


def _intervals(evaluation: Evaluation) -> list[str]:
    """The intervals that enough mailboxes gave."""
    return [
        f"{name}: 95% interval over mailboxes {interval[0]:.4f} to {interval[1]:.4f}"
        for name, interval in evaluation.intervals.items()
        if interval is not None
    ]


def _cell(value: float | None) -> str:
    return f"{number(value):>10}"
