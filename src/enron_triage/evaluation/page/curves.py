"""Charts with two axes: learning curves, the predicted actions in each epoch, reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from enron_triage.evaluation.page.drawing import WIDTH, Axis, Drawing, ticks
from enron_triage.evaluation.reading import EpochRecord
from enron_triage.policy.probability_metrics import ECE_BINS, ReliabilityBin
from enron_triage.records import ACTION_NAMES

_LEFT, _RIGHT, _TOP, _BOTTOM = 42.0, WIDTH - 12, 44.0, 190.0
_MOST_LABELS = 8  # below the horizontal axis


def curve_drawing(title: str, alt: str, epochs: Sequence[EpochRecord], curves: Mapping[str, str]) -> Drawing:
    """Metrics epoch by epoch, with the best epoch and those in which the policy had collapsed marked.

    Parameters
    ----------
    title : str
        What to write above it.
    alt : str
        What it shows, in words.
    epochs : sequence of EpochRecord
        The epochs, in order, one at least.
    curves : mapping of str to str
        The name for people of each metric; one of them at least has a value.
    """
    values = {metric: [getattr(epoch, metric) for epoch in epochs] for metric in curves}
    known = [value for each in values.values() for value in each if value is not None]
    marked = ticks(min(known), max(known), 4)
    drawing, across = _frame(title, alt, epochs)
    up = Axis(low=marked[0], high=marked[-1], first=_BOTTOM, last=_TOP)
    _scale(drawing, up, marked)
    for number, (metric, name) in enumerate(curves.items()):
        known_at = {
            epoch.epoch: value for epoch, value in zip(epochs, values[metric], strict=True) if value is not None
        }
        points = {epoch: (across.at(epoch), up.at(value)) for epoch, value in known_at.items()}
        drawing.line(f"curve c{number}", list(points.values()))
        for epoch, (x, y) in points.items():
            drawing.dot(f"point c{number}", x, y, 2.6, f"{name}, epoch {epoch}: {known_at[epoch]:.4f}")
    _legend(drawing, list(curves.values()), "line")
    return drawing


def share_drawing(title: str, alt: str, epochs: Sequence[EpochRecord]) -> Drawing:
    """Which share of the predictions on validation each action takes, a column for each epoch.

    Parameters
    ----------
    title : str
        What to write above it.
    alt : str
        What it shows, in words.
    epochs : sequence of EpochRecord
        The epochs, in order, one at least.
    """
    drawing, across = _frame(title, alt, epochs, room=14.0)
    up = Axis(low=0.0, high=1.0, first=_BOTTOM, last=_TOP + 14)
    _scale(drawing, up, [0.0, 0.5, 1.0])
    width = min(24.0, 0.8 * (_RIGHT - _LEFT) / len(epochs))
    for epoch in epochs:
        below = 0.0
        for number, action in enumerate(ACTION_NAMES):
            share = epoch.predicted_share.get(action, 0.0)
            top, bottom = up.at(below + share), up.at(below)
            tip = f"epoch {epoch.epoch}, {action}: {share:.1%}"
            drawing.rect(f"fill c{number}", across.at(epoch.epoch) - width / 2, top, width, bottom - top, tip)
            below += share
    _legend(drawing, ACTION_NAMES, "fill")
    return drawing


def reliability_drawing(title: str, alt: str, bins: Sequence[ReliabilityBin]) -> Drawing:
    """How often decisions are right by how sure the policy is, and how many messages each bin has.

    Parameters
    ----------
    title : str
        What to write above it.
    alt : str
        What it shows, in words.
    bins : sequence of ReliabilityBin
        The bins, in order of confidence.
    """
    drawing = Drawing(alt=alt, height=342.0)
    drawing.write("title", 2, 13, title)
    across = Axis(low=0.0, high=1.0, first=_LEFT, last=_RIGHT)
    up = Axis(low=0.0, high=1.0, first=224.0, last=36.0)
    _scale(drawing, up, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    drawing.write("tick", 2, 29, "accuracy")
    drawing.line("ideal", [(across.at(0), up.at(0)), (across.at(1), up.at(1))])
    drawing.line("curve c0", [(across.at(each.confidence), up.at(each.accuracy)) for each in bins])
    most = max((each.count for each in bins), default=1)
    width = (_RIGHT - _LEFT) / ECE_BINS
    for each in bins:
        tip = f"confidence {each.confidence:.3f}: accuracy {each.accuracy:.3f} of {each.count:,} messages"
        drawing.dot("point c0", across.at(each.confidence), up.at(each.accuracy), 4.0, tip)
        left = _LEFT + min(int(each.confidence * ECE_BINS), ECE_BINS - 1) * width
        height = 44 * each.count / most
        drawing.rect("bar run", left + 1, 300 - height, width - 2, height, tip)
        drawing.write("count middle", left + width / 2, 296 - height, _short(each.count))
    drawing.line("rule", [(_LEFT, 300), (_RIGHT, 300)])
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        drawing.write_number("tick middle", across.at(tick), 314, tick)
    drawing.write("tick middle", (_LEFT + _RIGHT) / 2, 330, "confidence; below the line, messages in each bin")
    return drawing


def _frame(title: str, alt: str, epochs: Sequence[EpochRecord], room: float = 0.0) -> tuple[Drawing, Axis]:
    """The title, the epochs below, a line at the best one and a band behind the collapsed ones."""
    drawing = Drawing(alt=alt, height=_BOTTOM + 34)
    drawing.write("title", 2, 13, title)
    first, last, best = epochs[0].epoch, epochs[-1].epoch, epochs[-1].best_epoch
    margin = min(14.0, 0.5 * (_RIGHT - _LEFT) / len(epochs))
    across = Axis(low=first, high=last, first=_LEFT + margin, last=_RIGHT - margin)
    half = 0.5 * (across.last - across.first) / max(len(epochs) - 1, 1)
    for epoch in epochs:
        if epoch.collapsed:
            left = max(across.at(epoch.epoch) - half, _LEFT)
            right = min(across.at(epoch.epoch) + half, _RIGHT)
            tip = f"epoch {epoch.epoch}: collapsed"
            drawing.rect("collapse", left, _TOP + room, right - left, _BOTTOM - _TOP - room, tip)
    every = -(-len(epochs) // _MOST_LABELS)
    for epoch in epochs:
        if (epoch.epoch - first) % every == 0 and epoch.epoch != best:
            drawing.write("tick middle", across.at(epoch.epoch), _BOTTOM + 14, str(epoch.epoch))
    drawing.line("chosen", [(across.at(best), _TOP + room - 4), (across.at(best), _BOTTOM + 4)])
    place = across.at(best)
    side = "" if place < _LEFT + 30 else "end" if place > _RIGHT - 30 else "middle"
    drawing.write(f"strong {side}", place, _BOTTOM + 28, f"best: epoch {best}")
    drawing.write("tick strong middle", place, _BOTTOM + 14, str(best))
    return drawing, across


def _scale(drawing: Drawing, up: Axis, marked: Sequence[float]) -> None:
    for tick in marked:
        drawing.line("grid", [(_LEFT, up.at(tick)), (_RIGHT, up.at(tick))])
        drawing.write_number("tick end", _LEFT - 4, up.at(tick) + 4, tick)


def _legend(drawing: Drawing, names: Sequence[str], kind: str) -> None:
    """The names of the colours, three in a row."""
    for number, name in enumerate(names):
        x, y = 2 + number % 3 * 118, 29.0 + number // 3 * 14
        if kind == "line":
            drawing.line(f"curve c{number}", [(x, y - 4), (x + 18, y - 4)])
        else:
            drawing.rect(f"fill c{number}", x + 4, y - 9, 10, 10)
        drawing.write("tick", x + 22, y, name)


def _short(count: int) -> str:
    """A count in four letters at most, such as ``1.2k``."""
    for size, letter in ((10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.1f}{letter}" if count < 9.95 * size else f"{count // size}{letter}"
    return str(count)
