"""Pictures of evaluations and of training, drawn with matplotlib; the same content gives the same bytes.

matplotlib takes a second to import, which what draws nothing should not cost: so it is imported where it draws.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from enron_triage.records import ACTION_NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def draw_confusion(confusion: npt.NDArray[np.int64], title: str, file: IO[bytes]) -> None:
    """Draw a confusion matrix as PNG: see `confusion_figure`."""
    # Without the version in it, the same matrix gives the same bytes.
    confusion_figure(confusion, title).savefig(file, format="png", dpi=120, metadata={"Software": None})


def as_svg(figure: Figure) -> bytes:
    """A figure as SVG, with nothing of the day or the machine in it."""
    import matplotlib

    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "enron_triage", "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def confusion_figure(confusion: npt.NDArray[np.int64], title: str) -> Figure:
    """A confusion matrix: rows are true actions, shaded by their share of the row.

    Parameters
    ----------
    confusion : array of int, shape (actions, actions)
    title : str
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


def reliability_figure(bins: Sequence[Mapping[str, float]], title: str) -> Figure:
    """A reliability diagram: accuracy by confidence, the area of a point its share of the messages.

    Parameters
    ----------
    bins : sequence of mappings
        As `metrics.reliability` gives them.
    title : str
    """
    figure = _figure(5, 5)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="dashed", label="perfect")
    total = sum(bin_["count"] for bin_ in bins) or 1
    confidence, accuracy = ([bin_[name] for bin_ in bins] for name in ("confidence", "accuracy"))
    axes.plot(confidence, accuracy, color="tab:blue")
    axes.scatter(confidence, accuracy, s=[20 + 600 * bin_["count"] / total for bin_ in bins], alpha=0.6)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), title=title)
    return figure


def learning_curves_figure(history: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """How a stage went, epoch by epoch: losses; validation metrics; KL, entropy; shares of the predictions.

    Parameters
    ----------
    history : sequence of mappings
        The lines of ``stage_N_metrics.jsonl``.
    title : str
    """
    epochs = [line["epoch"] for line in history]
    panels = {
        "loss": ("train_loss", "val_loss"),
        "validation": ("accuracy", "macro_f1", "preference_accuracy"),
        "mean reward": ("mean_reward", "train_reward"),
        "KL and entropy": ("kl", "entropy"),
    }
    known = {
        name: [key for key in keys if any(line.get(key) is not None for line in history)]
        for name, keys in panels.items()
    }
    known = {name: keys for name, keys in known.items() if keys}
    figure = _figure(4 * (len(known) + 1), 3.5)
    axes = figure.subplots(1, len(known) + 1)
    for panel, (name, keys) in zip(axes, known.items(), strict=False):
        for key in keys:
            values = [np.nan if line.get(key) is None else line[key] for line in history]
            panel.plot(epochs, values, marker="o", label=key)
        panel.set(xlabel="epoch", title=name)
        panel.legend()
    shares = [[line["predicted_share"][action] for line in history] for action in ACTION_NAMES]
    axes[-1].stackplot(epochs, shares, labels=ACTION_NAMES)
    axes[-1].set(xlabel="epoch", title="predicted on validation", ylim=(0, 1))
    axes[-1].legend(loc="lower right")
    figure.suptitle(title)
    return figure


def f1_figure(per_class: Mapping[str, Mapping[str, Mapping[str, float | None]]], title: str) -> Figure:
    """F1 of each action, a group of bars for each policy.

    Parameters
    ----------
    per_class : mapping of str to mapping
        By policy: an evaluation's ``per_class``.
    title : str
    """
    figure = _figure(max(6, 2 + 1.2 * len(per_class)), 4)
    axes = figure.subplots()
    width = 0.8 / len(ACTION_NAMES)
    for index, action in enumerate(ACTION_NAMES):
        heights = [classes[action]["f1"] or 0.0 for classes in per_class.values()]
        axes.bar(np.arange(len(heights)) + (index - 2) * width, heights, width, label=action)
    axes.set_xticks(range(len(per_class)), list(per_class), rotation=20, ha="right")
    axes.set(ylabel="F1", ylim=(0, 1), title=title)
    figure.legend(loc="outside right center")
    return figure


def mailbox_figure(accuracies: Mapping[str, Sequence[float]], title: str) -> Figure:
    """The accuracy on every mailbox, a box for each policy: how differently people fare.

    Parameters
    ----------
    accuracies : mapping of str to sequence of float
        By policy.
    title : str
    """
    figure = _figure(max(6, 2 + 1.2 * len(accuracies)), 4)
    axes = figure.subplots()
    axes.boxplot(list(accuracies.values()), tick_labels=list(accuracies), whis=(0, 100))
    for position, values in enumerate(accuracies.values(), 1):
        axes.scatter([position] * len(values), values, alpha=0.5)
    axes.tick_params(axis="x", rotation=20)
    axes.set(ylabel="accuracy of a mailbox", ylim=(0, 1), title=title)
    return figure
