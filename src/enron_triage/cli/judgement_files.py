"""The other operations of ``triage annotate`` on a file of judgements: summary, export, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.stage_run import Result

SummaryOption = Annotated[
    bool, typer.Option("--summary", help="Print counts, pace, agreement and contradictions of the file; open no page.")
]
ExportOption = Annotated[
    tuple[str, Path] | None,
    typer.Option(
        "--export", metavar="FORMAT FILE", help="Export the judgements for label-studio or argilla.", show_default=False
    ),
]
ImportOption = Annotated[
    tuple[str, Path] | None,
    typer.Option(
        "--import", metavar="FORMAT FILE", help="Add judgements that were exported there.", show_default=False
    ),
]


def without_page(
    config: Config, path: Path, summary: bool, export: tuple[str, Path] | None, take: tuple[str, Path] | None
) -> Result | None:
    """What the options ask for that need no page.

    Parameters
    ----------
    config : Config
        The whole configuration.
    path : Path
        The file of judgements.
    summary : bool
        Whether to summarise it.
    export, take : tuple of str and Path, optional
        The format and the file to write, or to add.

    Returns
    -------
    Result or None
        None if they ask for none of it.

    Raises
    ------
    UsageError
        If they ask for several; as `summarize_file`, `export_file` and `import_file`.
    """
    if summary + (export is not None) + (take is not None) > 1:
        raise UsageError("annotate: give one of --summary, --export and --import")
    if summary:
        from enron_triage.annotation.summary import summarize_file
        from enron_triage.annotation.summary_table import summary_table

        found = summarize_file(config, path)
        return Result(stage="annotate", table=summary_table(found), data=msgspec.to_builtins(found))
    if export is None and take is None:
        return None
    from enron_triage.annotation import interchange

    if export is not None:
        return interchange.export_file(config, path, *export)
    assert take is not None
    return interchange.import_file(config, path, *take)
