"""The confusion matrix as a separate image, drawn with matplotlib; the same content gives the same bytes.

Importing matplotlib takes a second, so a function imports it when it draws. The report has drawings of its own: `page`.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import numpy as np

from enron_triage.policy.metrics import IntArray
from enron_triage.records import ACTION_NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


def confusion_figure(confusion: IntArray, title: str) -> Figure:
    """A confusion matrix, each cell shaded by its share of the row.

    Parameters
    ----------
    confusion : array of int, shape (actions, actions)
        Counts by true action (rows) and predicted action (columns).
    title : str
        What to write above it.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5))
    # The labels are always the same, and finding a layout for them would draw everything twice.
    axes = figure.subplots(gridspec_kw={"left": 0.16, "right": 0.97, "bottom": 0.19, "top": 0.89})
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*confusion.shape):
        color = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, f"{confusion[row, column]:,}", ha="center", va="center", color=color)
    axes.set_xticks(range(len(ACTION_NAMES)), ACTION_NAMES, rotation=30, ha="right")
    axes.set_yticks(range(len(ACTION_NAMES)), ACTION_NAMES)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title(title, wrap=True)
    figure.colorbar(image, label="share of the true action")
    return figure
