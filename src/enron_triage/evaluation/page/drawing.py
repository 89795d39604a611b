"""Charts for the report: marks on a plane of 360 units, which the template writes as SVG.

A drawing is about as wide as a phone, so that its letters are of a readable size there; a wide screen shows several
side by side. Colours are the classes of the style sheet, so that a drawing follows the page into dark mode and onto
paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

WIDTH = 360.0
_LONGEST = 40  # letters of a name that fit beside a figure


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """An element of SVG.

    Attributes
    ----------
    tag : str
        Its name.
    style : str
        Its classes in the style sheet.
    place : dict of str to str
        Its other attributes.
    text : str
        What it says, for a text.
    tip : str
        What a browser shows of it under the pointer.
    """

    tag: str
    style: str
    place: dict[str, str]
    text: str = ""
    tip: str = ""


class Drawing(msgspec.Struct, kw_only=True):
    """Marks from left to right and from top to bottom.

    Attributes
    ----------
    alt : str
        What it shows, in words, for whoever does not see it.
    height : float
        In the units in which it is 360 wide.
    marks : list of Mark
        What is drawn; the later over the earlier.
    """

    alt: str
    height: float = 0.0
    marks: list[Mark] = []

    def rect(self, style: str, x: float, y: float, width: float, height: float, tip: str = "") -> None:
        """Draw a rectangle.

        Parameters
        ----------
        style : str
            Classes of the style sheet.
        x, y : float
            Its upper left corner.
        width, height : float
            Its size; a negative one is drawn as none.
        tip : str
            What to show under the pointer.
        """
        place = {"x": x, "y": y, "width": max(width, 0.0), "height": max(height, 0.0)}
        self._add("rect", style, place, tip=tip)

    def line(self, style: str, points: Sequence[tuple[float, float]]) -> None:
        """Draw a line.

        Parameters
        ----------
        style : str
            Classes of the style sheet.
        points : sequence of (float, float)
            What it goes through.
        """
        path = " ".join(f"{_round(x)},{_round(y)}" for x, y in points)
        self.marks.append(Mark(tag="polyline", style=style, place={"points": path}))

    def dot(self, style: str, x: float, y: float, radius: float, tip: str = "") -> None:
        """Draw a dot.

        Parameters
        ----------
        style : str
            Classes of the style sheet.
        x, y : float
            Its middle.
        radius : float
            Half its width.
        tip : str
            What to show under the pointer.
        """
        self._add("circle", style, {"cx": x, "cy": y, "r": radius}, tip=tip)

    def write(self, style: str, x: float, y: float, text: str, tip: str = "") -> None:
        """Write a line of text.

        Parameters
        ----------
        style : str
            Classes of the style sheet; ``end`` and ``middle`` say what of the text is at `x`, else its beginning.
        x, y : float
            The place of its base line.
        text : str
            What to write.
        tip : str
            What to show under the pointer.
        """
        self._add("text", style, {"x": x, "y": y}, text, tip)

    def write_number(self, style: str, x: float, y: float, value: float) -> None:
        """Write the number at a tick of an axis.

        Parameters
        ----------
        style : str
            As for `write`.
        x, y : float
            As for `write`.
        value : float
            The number.
        """
        self.write(style, x, y, f"{value:g}".replace("-", "−"))

    def _add(self, tag: str, style: str, place: dict[str, float], text: str = "", tip: str = "") -> None:
        rounded = {name: _round(value) for name, value in place.items()}
        self.marks.append(Mark(tag=tag, style=style, place=rounded, text=text, tip=tip))


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value lies between two ends of a drawing.

    Attributes
    ----------
    low, high : float
        The values at the ends.
    first, last : float
        The places of the ends.
    """

    low: float
    high: float
    first: float
    last: float

    def at(self, value: float) -> float:
        """The place of a value; a value beyond an end is at that end.

        Parameters
        ----------
        value : float
            What to place.
        """
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.first + min(max(share, 0.0), 1.0) * (self.last - self.first)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers that cover a range, evenly spaced.

    Parameters
    ----------
    low, high : float
        The range.
    most : int
        About how many steps at most.

    Returns
    -------
    list of float
        Two at least; the first is not above `low`, the last not below `high`.

    Examples
    --------
    >>> ticks(0.13, 0.86), ticks(2.0, 2.0)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [2.0, 3.0])
    """
    span = high - low
    if not span > 0:
        return [low, low + 1.0]
    size = 10.0 ** math.floor(math.log10(span / most))
    step = next(size * factor for factor in (1, 2, 5, 10, 20) if span / (size * factor) <= most)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


def shortened(name: str, most: int = _LONGEST) -> str:
    """A name without its middle, if it is too long for a drawing.

    Parameters
    ----------
    name : str
        Of a run, such as ``sft_weighted/best_sft``.
    most : int
        How many letters there is room for.

    Examples
    --------
    >>> shortened("a/b"), shortened("abcdefghij", 7)
    ('a/b', 'abc…hij')
    """
    if len(name) <= most:
        return name
    end = (most - 1) // 2
    return f"{name[: most - 1 - end]}…{name[-end:]}"


def _round(value: float) -> str:
    return f"{round(value, 1) + 0.0:g}"
