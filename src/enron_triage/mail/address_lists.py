"""Splitting an address header into its elements in one pass, whatever its quotation marks and brackets."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from typing import NamedTuple

_SPECIAL = re.compile(r'\\.|["()<>,;:\[]', re.DOTALL)
_ANGLE = re.compile(r"<([^<>]*)>?")
_MAX_ELEMENTS = 60_000  # separators and opening brackets: 30,000 recipients with names, and some microseconds each
_MAX_SIGNS = 500_000  # of all kinds: each may open what does not close
_LITERAL = re.compile(r"\[[^\[\]]{0,255}\]")


class Element(NamedTuple):
    """One element of a list of addresses: what stands between two separators.

    Attributes
    ----------
    start, stop : int
        Where it begins, behind the name of a group, and where it ends.
    text : str
        What is neither a comment nor in angle brackets.
    angles : list of str
        What stands in angle brackets.
    angle_start : int
        Where the first of these brackets opens; `stop` if there is none.
    comments : list of str
        What stands in round brackets.
    opens_group : bool
        Whether the name of a group stands before it (RFC 5322, section 3.4: ``name: member, member;``).
    """

    start: int
    stop: int
    text: str
    angles: list[str]
    angle_start: int
    comments: list[str]
    opens_group: bool


def split_list(value: str) -> Iterator[Element]:
    """Split a list of addresses at its commas and semicolons.

    Parameters
    ----------
    value : str
        The unfolded value of an address header. Quotation marks and brackets that do not close are letters.

    Yields
    ------
    Element
        The elements in their order, empty ones included.

    Raises
    ------
    ValueError
        If there are more than in any mail.

    Examples
    --------
    >>> [(element.text, element.angles) for element in split_list('"Doe, Jane" <jane@x.example>; bob')]
    [('"Doe, Jane" ', ['jane@x.example']), (' bob', [])]
    """
    if sum(map(value.count, ",;:<")) > _MAX_ELEMENTS:
        raise ValueError(f"a list of more than {_MAX_ELEMENTS:,} addresses")
    if sum(map(value.count, '\\"()[')) > _MAX_SIGNS:
        raise ValueError(f"a list of addresses with more than {_MAX_SIGNS:,} quotation marks and brackets")
    specials = [match.start() for match in _SPECIAL.finditer(value) if value[match.start()] != "\\"]
    quotes = [position for position in specials if value[position] == '"']
    closings = _closings(value)
    element = _Builder(value, 0)
    behind = 0  # of what has been read as a whole
    for position in specials:
        if position < behind:
            continue
        sign = value[position]
        if sign in ",;":
            yield element.end(position)
            element = _Builder(value, position + 1)
        elif sign == ":":
            element = _Builder(value, position + 1, opens_group=True) if not element.angles else element
        elif sign == "<":
            behind = element.angle(position)
        elif sign == "(" and position in closings:
            behind = element.comment(position, closings[position])
        elif sign == '"':
            following = bisect.bisect_right(quotes, position)
            behind = quotes[following] + 1 if following < len(quotes) else position
        elif sign == "[":
            literal = _LITERAL.match(value, position)
            behind = literal.end() if literal and value[position - 1 : position] == "@" else position
    yield element.end(len(value))


def _closings(value: str) -> dict[int, int]:
    """Where each round bracket that closes does so."""
    closings: dict[int, int] = {}
    opened: list[int] = []
    for match in re.finditer(r"\\.|[()]", value, re.DOTALL):
        if match[0] == "(":
            opened.append(match.start())
        elif match[0] == ")" and opened:
            closings[opened.pop()] = match.start()
    return closings


class _Builder:
    """Collects the pieces of one element."""

    def __init__(self, value: str, start: int, *, opens_group: bool = False) -> None:
        self._value = value
        self._start = start
        self._opens_group = opens_group
        self._texts: list[str] = []
        self._text_start = start
        self._angle_start = -1
        self._comments: list[str] = []
        self.angles: list[str] = []

    def angle(self, position: int) -> int:
        """Read what an angle bracket opens; returns where to go on."""
        found = _ANGLE.match(self._value, position)
        assert found is not None, "an angle bracket opens here"
        content, end = found[1], found.end()
        if not content.lstrip().startswith("@") and (comma := re.search("[,;]", content)):  # it does not close
            content = content[: comma.start()]
            end = position + 1 + comma.start()
        self.angles.append(content)
        self._angle_start = position if self._angle_start < 0 else self._angle_start
        self._take(position, end)
        return end

    def comment(self, position: int, closing: int) -> int:
        """Read a comment; returns where to go on."""
        self._comments.append(self._value[position + 1 : closing])
        self._take(position, closing + 1)
        return closing + 1

    def end(self, stop: int) -> Element:
        """The element, which ends here."""
        self._take(stop, stop)
        angle_start = stop if self._angle_start < 0 else self._angle_start
        text = "".join(self._texts)
        return Element(self._start, stop, text, self.angles, angle_start, self._comments, self._opens_group)

    def _take(self, position: int, end: int) -> None:
        self._texts.append(self._value[self._text_start : position])
        self._text_start = end
