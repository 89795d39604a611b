"""Evaluations for people: the table on stdout, the picture of a confusion matrix."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
import numpy.typing as npt

from enron_triage.actions import ACTION_NAMES

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
        f"{'':<14}{'accuracy':>10}{'balanced':>10}{'macro-F1':>10}",
    ]
    others = {f"  by {name}": values for name, values in evaluation["decisions"].items() if name != rule}
    rows = {"policy": evaluation, **others, **evaluation["baselines"]}
    for name, values in rows.items():
        lines.append(
            f"{name:<14}{values['accuracy']:>10.4f}{values['balanced_accuracy']:>10.4f}{values['macro_f1']:>10.4f}"
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


def draw_confusion(confusion: npt.NDArray[np.int64], title: str, file: IO[bytes]) -> None:
    """Draw a confusion matrix as PNG: rows are true actions, shaded by their share of the row.

    Parameters
    ----------
    confusion : array of int, shape (actions, actions)
    title : str
    file : binary file
    """
    from matplotlib.figure import Figure  # takes a second to import, which the table should not cost

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*confusion.shape):
        color = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, f"{confusion[row, column]:,}", ha="center", va="center", color=color)
    axes.set_xticks(range(len(ACTION_NAMES)), ACTION_NAMES, rotation=30, ha="right")
    axes.set_yticks(range(len(ACTION_NAMES)), ACTION_NAMES)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    figure.colorbar(image, label="share of the true action")
    # Without the version in it, the same matrix gives the same bytes.
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})


def _cell(value: float | None) -> str:
    return f"{_number(value):>10}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
