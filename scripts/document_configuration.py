#!/usr/bin/env python3
"""Write ``docs/configuration.md``: every configuration key with its default, allowed values and meaning.

    python scripts/document_configuration.py

The content comes from the schema (``src/enron_triage/config/``): the comment above each key, its type and its default.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from enron_triage.config.keys import DocumentedKey, documented_sections

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"


def page() -> str:
    """The page in Markdown."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield from (
        "# Configuration",
        "",
        "Generated from the comments in `src/enron_triage/config/` by `scripts/document_configuration.py`.",
        "To change it, edit those comments.",
        "",
        "Set a key in a YAML file (`--config FILE`), or with `--set KEY=VALUE`, where the value is YAML. The help of a",
        "command (such as `triage sft --help`) shows the keys of its section. Unknown keys and invalid values are",
        "refused.",
    )
    for section in documented_sections().values():
        if section.keys:
            yield from ("", f"## `{section.path}`" if section.path else "## The top level", "", section.meaning, "")
            yield from ("| key | default | allowed | meaning |", "|---|---|---|---|")
            yield from map(_row, section.keys)
    yield ""


def _row(key: DocumentedKey) -> str:
    cells = (f"`{key.path}`", f"`{key.default}`", _escaped(key.allowed), _escaped(key.meaning))
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Text escaped so that Markdown sees no markup except code."""
    parts = text.split("`")
    parts[::2] = [part.replace("<", "&lt;").replace("*", r"\*").replace("|", r"\|") for part in parts[::2]]
    return "`".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
