"""The commands ``triage config`` and ``triage configs``: the current configuration, and the shipped ones."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from enron_triage.config import json_schema, render, shipped
from enron_triage.config.keys import yaml_text
from enron_triage.config.merging import Sources
from enron_triage.config.strict_yaml import parse_yaml
from enron_triage.errors import UsageError, cause_of
from enron_triage.runtime import artifacts
from enron_triage.stage_run import Result

_WIDTH = 80  # columns; a comparison that is wider shows the two values of a key one below the other


def show(sources: Sources, section: str) -> Result:
    """The configuration in force, and where each value comes from.

    Parameters
    ----------
    sources : Sources
        What it is made of.
    section : str
        The dotted path of a section or a key to show; empty for all.

    Raises
    ------
    UsageError
        If there is no such section or key.
    """
    config = sources.load()
    origins = render.origins_of_all(config, sources.origins())
    chosen = render.chosen_values(config, section)
    shown = {key: origin for key, origin in origins.items() if key in chosen}
    data = {"config": render.nested(chosen), "origins": shown}
    return Result(stage="config", table=render.as_yaml(config, origins, section), data=data, verbatim=True)


def show_schema() -> Result:
    """The JSON Schema of a configuration file."""
    schema = json_schema.configuration_schema()
    return Result(stage="config", table=json.dumps(schema, indent=2, ensure_ascii=False), data=schema, verbatim=True)


def compare(sources: Sources, first: Path, second: Path) -> Result:
    """The keys in which two configurations differ.

    Parameters
    ----------
    sources : Sources
        What both begin with.
    first, second : Path
        A file, or the name of a shipped configuration.
    """
    one, other = (sources.with_file(name).load() for name in (first, second))
    differences = render.differing_keys(one, other)
    rows = [(key, yaml_text(of_one), yaml_text(of_other)) for key, (of_one, of_other) in differences.items()]
    table = _side_by_side(str(first), str(second), rows) if rows else "no key differs"
    return Result(stage="config", table=table, data={"a": str(first), "b": str(second), "differences": differences})


def list_shipped() -> Result:
    """The shipped configurations, each with what it says of itself."""
    summaries = {name: shipped.summary(file) for name, file in shipped.shipped_files().items()}
    width = max((len(name) for name in summaries), default=0) + 2
    lines = (
        textwrap.fill(name.ljust(width) + text, _WIDTH, subsequent_indent=" " * width)
        for name, text in summaries.items()
    )
    return Result(stage="configs", table="\n".join(lines) or "none, in this installation", data={"configs": summaries})


def show_shipped(name: str) -> Result:
    """The text of a shipped configuration.

    Parameters
    ----------
    name : str
        Its name.

    Raises
    ------
    UsageError
        If there is none of this name.
    """
    text = shipped.shipped_file(name).read_text(encoding="utf-8")
    return Result(stage="configs", table=text.rstrip("\n"), data={"name": name, "text": text}, verbatim=True)


def copy_shipped(name: str, target: Path | None) -> Result:
    """Copy a shipped configuration, but not over a file; say so if runs of both would share a folder.

    Parameters
    ----------
    name : str
        Its name.
    target : Path, optional
        The new file, or a folder for it; by default ``NAME.yaml`` in the current folder.

    Raises
    ------
    UsageError
        If there is none of this name, or the new file exists or cannot be written.
    """
    text = shipped.shipped_file(name).read_text(encoding="utf-8")
    file = target or Path(f"{name}.yaml")
    if file.is_dir():
        file = file / f"{name}.yaml"
    artifacts.refuse_missing_folder(file)
    try:
        with file.open("x", encoding="utf-8") as copy:
            copy.write(text)
    except FileExistsError:
        raise UsageError(f"{file}: exists already; name another file: `triage configs copy {name} TARGET`") from None
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {cause_of(error)}") from None
    run = (parse_yaml(text) or {}).get("run")
    advice = f"; its `run: {run}` names the folder of the results: give your variant its own name" if run else ""
    return Result(stage="configs", table=f"{file}: copied from {name}{advice}", data={"name": name, "file": str(file)})


def _side_by_side(first: str, second: str, rows: list[tuple[str, str, str]]) -> str:
    """The values of two configurations in columns, or one below the other where columns would be too wide."""
    table = [("", first, second), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    if sum(widths) + 4 > _WIDTH:
        lines = (f"{key}\n  - {of_first}\n  + {of_second}" for key, of_first, of_second in rows)
        return "\n".join([f"--- {first}", f"+++ {second}", *lines])
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in table)
