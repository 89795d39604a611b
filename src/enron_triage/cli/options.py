"""The options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from enron_triage import __version__
from enron_triage.cli.completion import complete_configuration, complete_device, complete_setting

ConfigOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="YAML file, or a shipped one's name; repeatable, later ones win.",
        autocompletion=complete_configuration,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override one key, e.g. sft.epochs=5; repeatable.",
        autocompletion=complete_setting,
    ),
]
DataOption = Annotated[str | None, typer.Option("--data-dir", metavar="DIR", help="Folder of the data artifacts.")]
CheckpointOption = Annotated[
    str | None, typer.Option("--checkpoint-dir", metavar="DIR", help="Folder of the checkpoints.")
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps.", autocompletion=complete_device),
]
OverwriteOption = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace records made from other mail, and a policy trained with other settings."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Show debugging output and tracebacks.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show warnings and errors only.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"triage {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
]
