"""Plots of evaluations and of training, drawn with matplotlib; the same content gives the same bytes.

Importing matplotlib takes a second, so a function imports it when it draws.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING

import numpy as np

from enron_triage.evaluation.reading import EpochRecord
from enron_triage.policy.metrics import IntArray
from enron_triage.policy.probability_metrics import ReliabilityBin
from enron_triage.records import ACTION_NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_PANELS = {  # the panels of the learning curves, and the metrics in each
    "loss": ("train_loss", "val_loss"),
    "validation": ("accuracy", "macro_f1", "preference_accuracy"),
    "mean reward": ("mean_reward", "train_reward"),
    "KL and entropy": ("kl", "entropy"),
}


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def draw_confusion(confusion: IntArray, title: str, file: IO[bytes]) -> None:
    """Draw a confusion matrix as PNG.

    Parameters
    ----------
    confusion, title
        As in `confusion_figure`.
    file : binary file
        What to write the picture to.
    """
    # Without the version in it, the same matrix gives the same bytes.
    confusion_figure(confusion, title).savefig(file, format="png", dpi=120, metadata={"Software": None})


def as_svg(figure: Figure) -> bytes:
    """A figure as SVG, with nothing in it that depends on the day or the machine.

    Parameters
    ----------
    figure : Figure
        Any figure.
    """
    import matplotlib

    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "enron_triage", "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def confusion_figure(confusion: IntArray, title: str) -> Figure:
    """A confusion matrix, each cell shaded by its share of the row.

    Parameters
    ----------
    confusion : array of int, shape (actions, actions)
        Counts by true action (rows) and predicted action (columns).
    title : str
        What to write above it.
    """
    figure = _figure(6, 5)
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
    return figure


def reliability_figure(bins: Sequence[ReliabilityBin], title: str) -> Figure:
    """A reliability diagram: accuracy by confidence, with larger points for larger bins.

    Parameters
    ----------
    bins : sequence of ReliabilityBin
        The bins, in order of confidence.
    title : str
        What to write above it.
    """
    figure = _figure(5, 5)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="dashed", label="perfect")
    total = sum(each.count for each in bins) or 1
    confidence, accuracy = [each.confidence for each in bins], [each.accuracy for each in bins]
    axes.plot(confidence, accuracy, color="tab:blue")
    axes.scatter(confidence, accuracy, s=[20 + 600 * each.count / total for each in bins], alpha=0.6)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), title=title)
    return figure


def learning_curves_figure(epochs: Sequence[EpochRecord], title: str) -> Figure:
    """How a stage's training went, epoch by epoch; a metric that the stage does not have is left out.

    Parameters
    ----------
    epochs : sequence of EpochRecord
        The epochs, in order.
    title : str
        What to write above it.
    """
    numbers = [epoch.epoch for epoch in epochs]
    panels: dict[str, dict[str, list[float]]] = {}
    for name, metrics in _PANELS.items():
        curves = {metric: _curve(epochs, metric) for metric in metrics}
        panels[name] = {metric: curve for metric, curve in curves.items() if not np.isnan(curve).all()}
    panels = {name: curves for name, curves in panels.items() if curves}
    figure = _figure(4 * (len(panels) + 1), 3.5)
    axes = figure.subplots(1, len(panels) + 1, squeeze=False)[0]
    for panel, (name, curves) in zip(axes, panels.items(), strict=False):
        for metric, curve in curves.items():
            panel.plot(numbers, curve, marker="o", label=metric)
        panel.set(xlabel="epoch", title=name)
        panel.legend()
    shares = [[epoch.predicted_share[action] for epoch in epochs] for action in ACTION_NAMES]
    axes[-1].stackplot(numbers, shares, labels=ACTION_NAMES)
    axes[-1].set(xlabel="epoch", title="predicted on validation", ylim=(0, 1))
    axes[-1].legend(loc="lower right")
    figure.suptitle(title)
    return figure


def _curve(epochs: Sequence[EpochRecord], metric: str) -> list[float]:
    """A metric epoch by epoch; NaN where an epoch does not have it."""
    values = [getattr(epoch, metric) for epoch in epochs]
    return [np.nan if value is None else value for value in values]


def f1_figure(f1: Mapping[str, Mapping[str, float | None]], title: str) -> Figure:
    """F1 of each action, with a group of bars for each policy.

    Parameters
    ----------
    f1 : mapping of str to mapping of str to float or None
        The F1 of every action, for each policy; undefined is drawn as 0.
    title : str
        What to write above it.
    """
    figure = _figure(max(6, 2 + 1.2 * len(f1)), 4)
    axes = figure.subplots()
    width = 0.8 / len(ACTION_NAMES)
    for index, action in enumerate(ACTION_NAMES):
        heights = [of_action[action] or 0.0 for of_action in f1.values()]
        axes.bar(np.arange(len(heights)) + (index - 2) * width, heights, width, label=action)
    axes.set_xticks(range(len(f1)), list(f1), rotation=20, ha="right")
    axes.set(ylabel="F1", ylim=(0, 1), title=title)
    figure.legend(loc="outside right center")
    return figure


def mailbox_figure(accuracies: Mapping[str, Sequence[float]], title: str) -> Figure:
    """The accuracy on every mailbox, with a box for each policy: how much people differ.

    Parameters
    ----------
    accuracies : mapping of str to sequence of float
        The accuracies on the mailboxes, for each policy.
    title : str
        What to write above it.
    """
    figure = _figure(max(6, 2 + 1.2 * len(accuracies)), 4)
    axes = figure.subplots()
    axes.boxplot(list(accuracies.values()), tick_labels=list(accuracies), whis=(0, 100))
    for position, values in enumerate(accuracies.values(), 1):
        axes.scatter([position] * len(values), values, alpha=0.5)
    axes.tick_params(axis="x", rotation=20)
    axes.set(ylabel="accuracy of a mailbox", ylim=(0, 1), title=title)
    return figure
