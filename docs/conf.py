"""The Sphinx configuration of the documentation site, which ``scripts/docs.sh`` builds.

The pages are Markdown files with relative links, so that GitHub can show them as well. Three kinds of pages are
generated before each build and are not kept in git: the documents in the root folder (the log, the contributing guide,
...), the help of the commands, and the table of the stages. So they always agree with the program.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT / "src"))

from enron_triage import __version__  # noqa: E402
from enron_triage.cli.app import build_app  # noqa: E402
from enron_triage.cli.commands import COMMANDS  # noqa: E402
from enron_triage.config.schema import Config  # noqa: E402
from enron_triage.pipeline import STAGES, stage_run  # noqa: E402

project = "enron_triage"
author = "enron_triage developers"
copyright = f"2026, the {author}"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["conf.py"]
default_role = "code"  # single backticks in docstrings are code
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say the types, with shapes and units
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"enron_triage {version}"
html_show_sphinx = False
html_copy_source = False

REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"]
# The root's documents, and where each is on the site.
PAGES = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "TRAINING_LOG.md": "results/log.md",
}
_LINK = re.compile(r"(\]\()([^)\s:#]+)((?:#[^)\s]*)?\))")  # of Markdown, to a file


def on_the_site(text: str, folder: Path) -> str:
    """Markdown in which links to files outside of ``docs/`` lead to their page on the site, or to the repository.

    Parameters
    ----------
    text : str
        Markdown whose links are relative to `folder`.
    folder : Path
        A folder of the repository.
    """

    def link(found: re.Match[str]) -> str:
        path = Path(os.path.normpath(folder / found[2]))
        place = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else None
        if place is None or not path.exists():
            return found[0]  # the build reports it
        if place == "README.md":
            place = "docs/index.md"
        target = f"/{PAGES[place]}" if place in PAGES else place.removeprefix("docs")
        if path.is_dir() and (path / "README.md").exists() and path.is_relative_to(DOCS):
            target += "/README.md"
        is_page = place in PAGES or place.startswith("docs/")
        return f"{found[1]}{target if is_page else f'{REPOSITORY}/blob/main/{place}'}{found[3]}"

    return _LINK.sub(link, text)


def commands_page() -> str:
    """The page of the commands: the help of each, as the program prints it."""
    runner, app = CliRunner(), build_app()
    lines = ["# Commands", "", "The output of `triage COMMAND --help`, with the default configuration.", ""]
    for name in ("", *STAGES, *COMMANDS):
        words = [name] if name else []
        shown = runner.invoke(app, [*words, "--help"], env={"COLUMNS": "100"}, prog_name="triage", color=False)
        if shown.exit_code:
            raise RuntimeError(f"triage {name} --help: {shown.output}")
        lines += [f"## `triage {name}`" if name else "## `triage`", "", "```text", shown.output.strip(), "```", ""]
    return "\n".join(lines)


def stages_page() -> str:
    """The page of the stages: a row for each, with its files under the default configuration."""
    lines = [
        "# Stages",
        "",
        "What each stage reads and writes with the default configuration, and the settings that affect its output.",
    ]
    lines += ["Optional inputs are left out. Generated from `STAGES` in `pipeline/stages.py`.", ""]
    lines += ["| stage | reads | writes | affected by |", "|---|---|---|---|"]
    for name, stage in STAGES.items():
        run = stage_run(name, Config())
        files = (", ".join(f"`{path}`" for path in places.values()) for places in (run.inputs, run.outputs))
        keys = (key(Config()) if callable(key) else key for key in stage.settings)
        cells = [f"`{name}`", *files, ", ".join(f"`{key}`" for key in keys if key)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def write_pages(app: Any) -> None:
    """Write the pages that are made before each build, where their text has changed.

    Parameters
    ----------
    app : Sphinx
        The build that begins.
    """
    pages = {page: on_the_site((ROOT / name).read_text("utf-8"), ROOT) for name, page in PAGES.items()}
    pages |= {"reference/commands.md": commands_page(), "reference/stages.md": stages_page()}
    for page, text in pages.items():
        path = DOCS / page
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def rewrite_links(app: Any, page: str, source: list[str]) -> None:
    """Lead the links of a page to the site.

    Parameters
    ----------
    app : Sphinx
        The build.
    page : str
        The name of the page, without suffix.
    source : list of str
        Its text, the only item, which is replaced.
    """
    if f"{page}.md" not in PAGES.values():
        source[0] = on_the_site(source[0], (DOCS / page).parent)


def setup(app: Any) -> None:
    """Connect the functions above to the build.

    Parameters
    ----------
    app : Sphinx
        The build.
    """
    app.connect("builder-inited", write_pages)
    app.connect("source-read", rewrite_links)
