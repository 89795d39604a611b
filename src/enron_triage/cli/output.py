"""Printing a result: plain text for a pipe or a file; headings and a few words in colour for a terminal."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator

import typer

_TABLE_ROW = re.compile(r"\||.*\S {2,}\S")  # of Markdown, or with columns
_INDENTED = re.compile(r" {1,4}\S")  # a row that belongs to the line above
_YAML = re.compile(r"\s*(- )?[\w.]+:( |$)")  # to be copied
# What a terminal obeys rather than shows: control characters but for the line's end and the tab, and those that turn
# the direction of the text (https://trojansource.codes); and what cannot be encoded.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_STYLES = {
    r"(?<![\w/.])collapsed(?![\w/.])": "bold red",
    r"(?<=: )would run\b": "yellow",
    r"(?<=: )up to date\b": "green",
}


def printable(text: str) -> str:
    r"""A text that a terminal shows as it is, whatever stands in the names that it quotes.

    Parameters
    ----------
    text : str
        Anything, such as a message with the name of a file of somebody else's.

    Returns
    -------
    str
        The text with escapes such as ``\x1b`` in place of control characters.
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def print_table(table: str, wide: str = "") -> None:
    """Print the result of a command on stdout.

    On a terminal, sentences are wrapped between words; rows of tables and lines of YAML are left as they are.
    A pipe or a file gets whole lines.

    Parameters
    ----------
    table : str
        Lines without a newline at the end.
    wide : str
        The same with wider rows, for a pipe, a file and a terminal that is wide enough; empty if there are none.
    """
    table, wide = printable(table), printable(wide)
    if not sys.stdout.isatty():
        typer.echo(wide or table)
        return
    from rich.console import Console  # takes a moment to import
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    if wide and all(len(line) <= console.width for line in wide.splitlines() if _TABLE_ROW.match(line)):
        table = wide
    for line, is_heading in _lines(table, console.width):
        text = Text(line, style="bold" if is_heading else "")
        for words, style in _STYLES.items():
            text.highlight_regex(words, style)
        console.print(text, soft_wrap=True)


def _lines(table: str, width: int) -> Iterator[tuple[str, bool]]:
    """The lines of a text, sentences wrapped, and whether each is a heading: of Markdown, or of a table's columns."""
    in_table = False
    for line in table.splitlines():
        is_row = _TABLE_ROW.match(line) is not None
        if is_row or line.startswith("#") or _YAML.match(line) or not line:
            yield line, line.startswith("#") or (is_row and not in_table and not _INDENTED.match(line))
        else:
            indent = line[: len(line) - len(line.lstrip())] + "  "
            wrapped = textwrap.wrap(
                line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
            yield from ((part, False) for part in wrapped)
        in_table = is_row
