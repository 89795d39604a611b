"""Charts with one row for each run: a bar or dots, with the name above on the left and the figure on the right."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

from enron_triage.evaluation.page.drawing import WIDTH, Axis, Drawing, shortened, ticks
from enron_triage.evaluation.result import Interval

_ROW, _BAR = 30.0, 9.0
_LEFT, _RIGHT = 2.0, WIDTH - 8


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A row.

    Attributes
    ----------
    name : str
        Of what the value is.
    value : float or None
        The length of the bar; None where it is undefined.
    shown : str
        The value for people.
    interval : [low, high] or None
        The interval of the value.
    style : str
        A class of the style sheet: ``best``, ``run`` or ``other``.
    """

    name: str
    value: float | None
    shown: str
    interval: Interval | None = None
    style: str = "run"


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """A row of dots.

    Attributes
    ----------
    name : str
        Of what the values are.
    values : dict of str to float
        The place of each dot, by what it stands for.
    style : str
        A class of the style sheet: ``best`` or ``run``.
    """

    name: str
    values: dict[str, float]
    style: str = "run"


def bar_drawing(title: str, alt: str, bars: Sequence[Bar], high: float | None = 1.0) -> Drawing:
    """Bars below each other, from 0.

    Parameters
    ----------
    title : str
        What to write above them.
    alt : str
        What they show, in words.
    bars : sequence of Bar
        From the top.
    high : float or None
        The value at the right end; None for the largest there is.
    """
    drawing = Drawing(alt=alt)
    values = [bound for bar in bars for bound in (bar.value, *(bar.interval or [])) if bound is not None]
    marked = ticks(min([0.0, *values]), max(values, default=1.0)) if high is None else [0.0, high / 2, high]
    axis = Axis(low=marked[0], high=marked[-1], first=_LEFT, last=_RIGHT)
    top = _heading(drawing, title, axis, marked, len(bars))
    for number, bar in enumerate(bars):
        y = top + number * _ROW
        _name(drawing, bar.name, bar.shown, y, bar.style)
        if bar.value is not None:
            start, end = sorted((axis.at(0.0), axis.at(bar.value)))
            drawing.rect(f"bar {bar.style}", start, y + 15, max(end - start, 1.0), _BAR, f"{bar.name}: {bar.shown}")
        if bar.interval is not None:
            low, high_end = (axis.at(bound) for bound in bar.interval)
            drawing.line("whisker", [(low, y + 19.5), (high_end, y + 19.5)])
            for bound in (low, high_end):
                drawing.line("whisker", [(bound, y + 16), (bound, y + 23)])
    return drawing


def strip_drawing(title: str, alt: str, strips: Sequence[Strip]) -> Drawing:
    """Dots between 0 and 1, with a tick at the median of each row.

    Parameters
    ----------
    title : str
        What to write above them.
    alt : str
        What they show, in words.
    strips : sequence of Strip
        From the top.
    """
    drawing = Drawing(alt=alt)
    axis = Axis(low=0.0, high=1.0, first=_LEFT + 4, last=_RIGHT)
    top = _heading(drawing, title, axis, [0.0, 0.5, 1.0], len(strips))
    for number, strip in enumerate(strips):
        y = top + number * _ROW
        median = statistics.median(strip.values.values()) if strip.values else None
        _name(drawing, strip.name, "" if median is None else f"median {median:.3f}", y, strip.style)
        drawing.line("rule", [(axis.first, y + 20), (axis.last, y + 20)])
        for name, value in strip.values.items():
            drawing.dot(f"point {strip.style}", axis.at(value), y + 20, 4.0, f"{name}: {value:.3f}")
        if median is not None:
            drawing.line("median", [(axis.at(median), y + 14), (axis.at(median), y + 26)])
    return drawing


def _heading(drawing: Drawing, title: str, axis: Axis, marked: Sequence[float], rows: int) -> float:
    """Write the title and the axis below the rows; returns where the first row begins, and sets the height."""
    drawing.write("title", _LEFT, 13, title)
    top = 21.0
    bottom = top + rows * _ROW
    for number, tick in enumerate(marked):
        drawing.line("grid", [(axis.at(tick), top), (axis.at(tick), bottom)])
        side = "" if number == 0 else "end" if number == len(marked) - 1 else "middle"
        drawing.write_number(f"tick {side}", axis.at(tick), bottom + 12, tick)
    drawing.height = bottom + 17
    return top


def _name(drawing: Drawing, name: str, shown: str, y: float, style: str) -> None:
    drawing.write(f"name {style}", _LEFT, y + 11, shortened(name), name)
    drawing.write("value end", _RIGHT, y + 11, shown)
