"""The learning curves of the report."""

from __future__ import annotations

from collections.abc import Sequence

from enron_triage.evaluation.formatting import number
from enron_triage.evaluation.page.curves import curve_drawing, share_drawing
from enron_triage.evaluation.page.lead import signed
from enron_triage.evaluation.page.pictures import Picture, said
from enron_triage.evaluation.page.tables import Table
from enron_triage.evaluation.page.terms import terms
from enron_triage.evaluation.reading import EpochRecord, TrainingHistory

_PANELS = {  # the panels of the learning curves: the name of each metric, and the terms to explain
    "Loss": ({"train_loss": "train", "val_loss": "validation"}, ()),
    "On validation": (
        {"accuracy": "accuracy", "macro_f1": "macro-F1", "preference_accuracy": "preferences"},
        ("accuracy", "macro-F1"),
    ),
    "Mean reward": ({"mean_reward": "validation", "train_reward": "train"}, ("mean reward",)),
    "KL and entropy": ({"kl": "KL", "entropy": "entropy"}, ("KL", "entropy")),
}


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
        drawings.append(curve_drawing(title, f"{title} by epoch; at the best, {said(at_best)}{ending}", epochs, curves))
        used += needed
        head += [f"{title}: {words}" for words in curves.values()]
        columns += [_values(epochs, metric) for metric in curves]
    shares = {action: f"{share:.0%}" for action, share in epochs[best - 1].predicted_share.items()}
    alt = f"Share of each action in the predictions on validation; at the best epoch, {said(shares)}{ending}"
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


def _values(epochs: Sequence[EpochRecord], metric: str) -> list[str]:
    """A metric epoch by epoch; empty where an epoch does not have it."""
    values = (getattr(epoch, metric) for epoch in epochs)
    return ["" if value is None else signed(value, 4, plus=False) for value in values]
