"""The help of the commands: below the options, what a command reads and writes, its settings and an example."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import typer
from typer.core import TyperCommand, TyperGroup

from enron_triage.cli.commands import COMMANDS
from enron_triage.config.keys import DocumentedKey, documented_sections, keys_below
from enron_triage.config.schema import Config
from enron_triage.pipeline import STAGES, stage_run

_HEADING = re.compile(r"^(Usage:|[A-Z].*:$)", re.MULTILINE)
_DEFAULT_PATHS = "with the default configuration"


class CommandHelp(TyperCommand):
    """A command whose help ends with its files, its settings and an example."""

    def get_help(self, ctx: Any) -> str:
        """The text, with bold headings, which `typer.echo` makes plain where the output is not a terminal.

        Parameters
        ----------
        ctx : Context
            Of the call.
        """
        return _with_bold_headings(super().get_help(ctx))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write what the table of the stages, or of the commands, says of this one.

        Parameters
        ----------
        ctx : Context
            Of the call.
        formatter : HelpFormatter
            Takes the text.
        """
        details = _details(self.name or "")
        for heading, files in (("Inputs", details.inputs), ("Outputs", details.outputs)):
            if files:
                with formatter.section(f"{heading}, {_DEFAULT_PATHS}"):
                    formatter.write_dl(list(files.items()))
        if details.own:
            with formatter.section("Settings (--set KEY=VALUE, or in a file for --config)"):
                formatter.write("\n".join(_key_lines(details.own, formatter.width)) + "\n")
        if details.others:
            with formatter.section("Other settings that decide the result (docs/configuration.md describes all)"):
                formatter.write_dl([(name, _meaning(name)) for name in details.others])
        if details.example:
            with formatter.section("Example"):
                formatter.write(f"  {details.example}\n")


class ProgramHelp(TyperGroup):
    """The program, whose help says the whole sentence of each command."""

    def get_help(self, ctx: Any) -> str:
        """The text, with bold headings, which `typer.echo` makes plain where the output is not a terminal.

        Parameters
        ----------
        ctx : Context
            Of the call.
        """
        return _with_bold_headings(super().get_help(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands; a sentence that is too long for a line goes on in the next.

        Parameters
        ----------
        ctx : Context
            Of the call.
        formatter : HelpFormatter
            Takes the text.
        """
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_paragraph(command.help)) for name, command in self.commands.items()])


class _Details(msgspec.Struct, frozen=True, kw_only=True):
    """What the help of a command shows below its options."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    own: list[DocumentedKey]
    others: list[str]
    example: str


def _details(name: str) -> _Details:
    if name not in STAGES:
        row = COMMANDS[name]
        own = [key for path in row.settings for key in keys_below(path)]
        return _Details(inputs=row.inputs, outputs=row.outputs, own=own, others=[], example=row.example)
    stage = STAGES[name]
    settings = [key(Config()) if callable(key) else key for key in stage.settings]
    deciding = [key for key in settings if key is not None]
    section = name if name in documented_sections() else deciding[0].partition(".")[0]
    run = stage_run(name, Config())
    return _Details(
        inputs=_files(run.inputs),
        outputs=_files(run.outputs),
        own=keys_below(section),
        others=[key for key in deciding if key.partition(".")[0] != section],
        example=stage.example,
    )


def _files(places: Mapping[str, Path]) -> dict[str, str]:
    """The paths, each with its part where its name does not say that."""
    return {str(path): "" if part == path.stem else part for part, path in places.items()}


def _meaning(path: str) -> str:
    """The first sentence on a section or a key."""
    section = documented_sections().get(path)
    meaning = section.meaning if section else keys_below(path)[0].meaning
    return meaning.partition(". ")[0].rstrip(".") + "."


def _key_lines(keys: Iterable[DocumentedKey], width: int) -> Iterator[str]:
    for key in keys:
        for text, first in ((f"{key.path}={key.default}  ({key.allowed})", "  "), (key.meaning, " " * 6)):
            yield textwrap.fill(
                text,
                width,
                initial_indent=first,
                subsequent_indent=" " * 6,
                break_long_words=False,
                break_on_hyphens=False,
            )


def _first_paragraph(text: str | None) -> str:
    return (text or "").partition("\n\n")[0]


def _with_bold_headings(text: str) -> str:
    return _HEADING.sub(lambda heading: typer.style(heading[0], bold=True), text)
