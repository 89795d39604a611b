"""An evaluation for people: the table on stdout."""

from __future__ import annotations

from typing import Any

_LEAK_NOTE = "The labels of scheme folder leak: subject_rule, a rule on sender and subject, reads them off sent mail."


def evaluation_table(evaluation: dict[str, Any]) -> str:
    """An evaluation as a short table.

    Parameters
    ----------
    evaluation : dict
        As ``triage evaluate --json`` prints it.
    """
    rule = evaluation["decision_rule"]
    lines = [
        f"{evaluation['checkpoint']} on {evaluation['split']} (scheme {evaluation['scheme']}): "
        f"{evaluation['count']:,} messages, {evaluation['mailboxes']} mailboxes, decided by {rule}",
        "",
        f"{'':<20}{'accuracy':>10}{'balanced':>10}{'macro-F1':>10}{'reward':>10}",
    ]
    others = {f"  by {name}": values for name, values in evaluation["decisions"].items() if name != rule}
    rows = {"policy": evaluation, **others, **evaluation["baselines"]}
    for name, values in rows.items():
        lines.append(
            f"{name:<20}{values['accuracy']:>10.4f}{values['balanced_accuracy']:>10.4f}{values['macro_f1']:>10.4f}"
            f"{_number(values['mean_reward']):>10}"
            + ("  collapsed" if values["collapsed"] and name == "policy" else "")
        )
    lines += [
        "",
        f"{'action':<14}{'precision':>10}{'recall':>10}{'F1':>10}{'AUC':>10}{'support':>10}{'predicted':>11}",
    ]
    for name, values in evaluation["per_class"].items():
        cells = "".join(_cell(values[key]) for key in ("precision", "recall", "f1", "auc"))
        lines.append(f"{name:<14}{cells}{values['support']:>10,}{evaluation['predicted_share'][name]:>11.1%}")
    lines += [
        "",
        f"needs a reply: AUC {_number(evaluation['reply_auc'])}, "
        f"average precision {_number(evaluation['reply_average_precision'])}, "
        f"AUC among all received {_number(evaluation['reply_auc_received'])}",
        f"calibration error {_number(evaluation['ece_calibrated'])} "
        f"(of the plain logits {_number(evaluation['ece'])}; temperature {evaluation['temperature']:.2f})",
    ]
    lines += _alternative(evaluation)
    lines += [
        f"after {name} earlier actions: {values['count']:,} messages, accuracy {_number(values['accuracy'])}, "
        f"macro-F1 {_number(values['macro_f1'])}, reply AUC {_number(values['reply_auc'])}"
        for name, values in evaluation["by_earlier_actions"].items()
        if values["count"]
    ]
    lines += [
        f"{name}: 95% interval over mailboxes {interval[0]:.4f} to {interval[1]:.4f}"
        for name, interval in evaluation["intervals"].items()
        if interval is not None
    ]
    if evaluation["scheme"] == "folder":
        lines += ["", _LEAK_NOTE]
    return "\n".join(lines)


def _alternative(evaluation: dict[str, Any]) -> list[str]:
    """How the policy's decisions stand against the simple alternative."""
    alternative = evaluation["alternative"]
    if alternative is None:
        return []
    interval = alternative["interval"]
    return [
        f"mean reward {evaluation['mean_reward']:.4f}; the calibrated probabilities of {alternative['checkpoint']} "
        f"with the action of highest expected reward: {alternative['mean_reward']:.4f}",
        f"  so the policy is {'better' if alternative['beaten'] else 'NOT better'} than the simple alternative "
        f"(by {alternative['gain']:+.4f}"
        + ("" if interval is None else f", 95% interval over mailboxes {interval[0]:+.4f} to {interval[1]:+.4f}")
        + ")",
    ]


def _cell(value: float | None) -> str:
    return f"{_number(value):>10}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
