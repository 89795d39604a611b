"""Which parts of a body are quoted: below a header, or marked as a quotation."""

from __future__ import annotations

import re

from enron_triage.mail.attributions import quote_depth, read_attribution
from enron_triage.mail.header_fields import BLOCK_LINES, MAX_LINE, field
from enron_triage.mail.quotes import QuotedHeader, is_forwarded, is_separator, quoted_header

_MARKED_LINE = re.compile("^[ \\t]*>", re.MULTILINE)
_MAX_BLANK = 3  # blank lines between what introduces a quotation and the quotation
_MAX_HEADERS = 8  # that are looked at in one body
_FULL_LINE = 65  # characters: what follows a quoted line this long may be the rest of it, wrapped without a mark

Span = tuple[int, int]
_MAX_TEXT = 20_000  # characters in which it is looked for what a message quotes first
_MAX_RULE = 300  # characters of a quotation in which its first line is


def quotations(text: str) -> list[Span]:
    r"""Find what is quoted.

    Below a header whose quotation bears no marks everything is quoted. Lines that begin with ``>`` are quoted, together
    with the attribution or header above them; what stands below these or between is the sender's.

    Parameters
    ----------
    text : str
        The body of a message, or its beginning.

    Returns
    -------
    list of tuple of int and int
        Start and end of each stretch, in order; they begin and end at line ends.

    Examples
    --------
    >>> quotations("On Monday Jane wrote:\n> Red?\n\nBlue.\n")
    [(0, 29)]
    """
    spans = _marked(text) if text.startswith(">") or "\n>" in text or "\n >" in text else []
    cut = _unmarked_start(text, spans)
    if cut is None:
        return spans
    return [span for span in spans if span[1] <= cut] + [(cut, len(text))]


def answered_header(text: str) -> QuotedHeader | None:
    """The topmost quoted header, if it is that of the message that is answered.

    Where words are quoted above it with fewer marks, it is the header of something that these answer in turn; their own
    is missing.

    Parameters
    ----------
    text : str
        The body of a message.
    """
    header = quoted_header(text)
    if header is None:
        return None
    end = text.find("\n", header.start)
    depth = quote_depth(text[header.start : header.start + MAX_LINE if end < 0 else end])
    if depth > 1:
        for line in text[: header.start].split("\n"):
            if 0 < quote_depth(line[:MAX_LINE]) < depth and line.strip(" \t>"):
                return None
    return header


def begins_with_a_forward(text: str) -> bool:
    r"""Whether what a message quotes first is a message that it passes on, as its program says above it.

    Parameters
    ----------
    text : str
        The body of the message.

    Examples
    --------
    >>> begins_with_a_forward("FYI\n---------- Forwarded message ----------\nFrom: Jane\n\nRed?\n")
    True
    >>> begins_with_a_forward("On Monday Jane wrote:\n> ---------- Forwarded message ----------\n> Red?\n")
    False
    """
    text = text[:_MAX_TEXT]
    spans = quotations(text)
    start, end = spans[0] if spans else (len(text), len(text))
    above = [line for line in text[start : min(end, start + _MAX_RULE)].split("\n") if line.strip()]
    return is_forwarded(text[:start] + "\n" + "\n".join(above[:1]))


def below_header(text: str, start: int) -> str:
    """What a quoted header stands above.

    Parameters
    ----------
    text : str
        The body of a message.
    start : int
        Where the header begins.
    """
    lines = text[start:].split("\n")
    if field(lines[0]) is None:
        for number, line in enumerate(lines[:4]):  # an attribution, perhaps wrapped
            if line.rstrip(" \t\r\u00a0").endswith((":", "\uff1a")):
                return "\n".join(lines[number + 1 :])
    fields = [number for number, line in enumerate(lines[:BLOCK_LINES]) if field(line) is not None]
    return "\n".join(lines[fields[-1] + 1 if fields else 0 :])


def own_text(text: str) -> str:
    """What the sender of a message wrote, without what is quoted.

    Parameters
    ----------
    text : str
        The body of a message, or its beginning.
    """
    position = 0
    pieces = []
    for start, end in quotations(text):
        pieces.append(text[position:start])
        position = end
    return "".join([*pieces, text[position:]])


def _unmarked_start(text: str, spans: list[Span]) -> int | None:
    """Where the first header stands that no marked quotation belongs to, or the line that announces one."""
    found = None
    offset = 0
    for _ in range(_MAX_HEADERS):
        header = quoted_header(text[offset:])
        if header is None:
            break
        start = offset + header.start
        span = next((span for span in spans if span[0] <= start < span[1]), None)
        if span is None:
            found = start
            break
        offset = span[1]
    separator = _first_separator(text, spans, len(text) if found is None else found)
    if separator is not None:
        return separator
    return None if found is None else _with_separators(text, found)


def _first_separator(text: str, spans: list[Span], end: int) -> int | None:
    """Where the first line between hyphens stands, before `end`, that says that a message follows."""
    index = 0  # of the first span that ends below the line
    hyphens = text.find("--", 0, end)
    while hyphens >= 0:
        start = text.rfind("\n", 0, hyphens) + 1
        stop = text.find("\n", hyphens)
        stop = len(text) if stop < 0 else stop
        while index < len(spans) and spans[index][1] <= start:
            index += 1
        is_marked = index < len(spans) and spans[index][0] <= start
        if not is_marked and is_separator(text[start : min(stop, start + MAX_LINE)]):
            return start
        hyphens = text.find("--", stop, end)
    return None


def _with_separators(text: str, start: int) -> int:
    """The start of a header, or of the lines above it that announce it or draw a line."""
    lines = _lines_above(text, start)
    blank = 0
    for number, (offset, line) in enumerate(lines):
        if not line.strip(" \t\r>*\u00a0"):
            blank += 1
            if blank > _MAX_BLANK:
                break
            continue
        above = lines[number + 1][1] if number + 1 < len(lines) else ""
        if is_separator(line) or _is_rule(line):
            start, blank = offset, 0
        elif line.rstrip().endswith("--") and is_separator(above):  # Notes' line, wrapped
            start, blank = lines[number + 1][0], 0
        else:
            break
    return start


def _is_rule(line: str) -> bool:
    rule = line.strip(" \t\r>*")
    return len(rule) >= 10 and not rule.strip("_-\u2014=")


def _lines_above(text: str, start: int, most: int = 8) -> list[tuple[int, str]]:
    """The lines above an offset with theirs, the nearest first."""
    lines: list[tuple[int, str]] = []
    while start > 0 and len(lines) < most:
        end = start - 1
        start = text.rfind("\n", 0, end) + 1
        lines.append((start, text[start : min(end, start + MAX_LINE)]))
    return lines


def _marked(text: str) -> list[Span]:
    """The runs of lines with marks of quotation, each with what introduces it."""
    spans: list[Span] = []
    last_length = 0  # of the quoted line before
    for mark in _MARKED_LINE.finditer(text):
        start = mark.start()
        end = text.find("\n", start) + 1 or len(text)
        line = text[start : min(end, start + MAX_LINE)]
        if not quote_depth(line):
            continue
        if spans and _goes_on(text, spans[-1][1], start, last_length):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((_introduction(text, start, line, spans[-1][1] if spans else 0), end))
        last_length = len(line)
    return spans


def _goes_on(text: str, end: int, start: int, last_length: int) -> bool:
    """Whether quotation goes on from `end` to `start`: nothing between, blank lines, or the wrapped rest of a line."""
    between = text[end:start]
    if not between.strip():
        return True
    is_one_line = between.find("\n") == len(between) - 1
    return is_one_line and last_length >= _FULL_LINE and len(between) < last_length // 2


def _may_introduce(line: str) -> bool:
    """Whether a line ends as attributions do: in a colon, or, as some programs write, in an address."""
    ending = line.rstrip()
    return ":" in line[-8:] or (ending.endswith(">") and "@" in ending and not quote_depth(line))


def _introduction(text: str, start: int, line: str, lowest: int) -> int:
    """Where the attribution or the header begins above a quoted line at `start`; `start` if there is none."""
    lines = [(offset, above) for offset, above in _lines_above(text, start, BLOCK_LINES) if offset >= lowest]
    while lines and not lines[0][1].strip(" \t\r\u00a0\ufeff") and len(lines) > 1:
        lines.pop(0)
    if not lines:
        return start
    above = lines[0][1]
    found = read_attribution(above, [before for _, before in lines[1:4]], line) if _may_introduce(above) else None
    if found is not None:
        return max(lowest, _with_separators(text, lines[found.lines][0]))
    kinds = set()
    top = start
    for offset, above in lines:
        read = field(above)
        if read is None:
            break
        kinds.add(read[0])
        top = offset
    return (
        max(lowest, _with_separators(text, top))
        if "from" in kinds and len(kinds) > 1
        else _announced_start(text, start, lowest)
    )


def _announced_start(text: str, start: int, lowest: int) -> int:
    """Where the line begins that says, above quoted lines, that a message follows; `start` if there is none."""
    for offset, line in _lines_above(text, start, _MAX_BLANK + 1):
        if line.strip(" \t\r\u00a0\ufeff"):
            return max(lowest, offset) if is_separator(line) else start
    return start
