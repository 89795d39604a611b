"""What the documents name exists: files, commands, options, keys and configurations."""

import itertools
import json
import os
import re
import typing
from pathlib import Path

import pytest
import typer

from enron_triage.cli.app import build_app
from enron_triage.cli.commands import COMMANDS
from enron_triage.config.keys import documented_keys, documented_sections
from enron_triage.config.shipped import shipped_files
from enron_triage.pipeline import STAGES

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(path for path in (ROOT / "docs").rglob("*.md"))]
ABOUT_NOW = [page for page in PAGES if page.name not in ("TRAINING_LOG.md", "log.md", "CHANGELOG.md", "changelog.md")]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CALL = re.compile(r"(?:^|[`/ ])triage ((?:-[^ ]+ )*)([a-z]+)([^`\n;|]*)", re.MULTILINE)


def text_of(page):
    return page.read_text(encoding="utf-8")


def calls_in(text):
    """The calls of the program: for each its command and its words, without a comment behind it."""
    lines = re.sub(r"\\\n\s*", "", text)
    for found in _CALL.finditer(lines):
        yield found[2], re.split(r"\s+#", found[3])[0].split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page):
    if not text_of(page):
        pytest.skip("empty")
    targets = [target.partition("#")[0] for target in _LINK.findall(text_of(page)) if "://" not in target]
    written = [target for target in targets if target and not target.startswith(("/", "mailto:"))]
    assert [target for target in written if not (page.parent / target).exists()] == []


def test_the_documents_call_the_program_by_names_that_it_knows():
    group = typing.cast(typing.Any, typer.main.get_command(build_app()))
    options = {
        name: {word for each in command.params for word in each.opts} for name, command in group.commands.items()
    }
    wrong = []
    for page in ABOUT_NOW:
        for command, words in calls_in(text_of(page)):
            if command not in options:
                continue  # a sentence about the program
            given = [word.partition("=")[0].rstrip("`.,:)") for word in words if word.startswith("--")]
            wrong += [(page.name, command, word) for word in given if word not in {*options[command], "--help"}]
    assert wrong == []
    assert set(options) == {*STAGES, *COMMANDS}


def test_the_documents_set_keys_and_name_configurations_that_there_are():
    known = {*documented_keys(), *documented_sections()}
    wrong = []
    for page in ABOUT_NOW:
        keys = re.findall(r"--set ['\"]?([a-z_]+(?:\.[a-z_]+)*)=", text_of(page))
        wrong += [(page.name, key) for key in keys if key not in {*known, "key.path"}]
        for _, words in calls_in(text_of(page)):
            names = [after for word, after in itertools.pairwise(words) if word == "--config"]
            wrong += [
                (page.name, name)
                for name in names
                if name.isidentifier() and name.islower() and name not in shipped_files()
            ]
    assert wrong == []


def test_the_architecture_names_modules_and_packages_that_there_are():
    package = ROOT / "src" / "enron_triage"
    known = {path.name for path in package.rglob("*.py")} | {f"{path.name}/" for path in package.rglob("*/")}
    tree = re.search(r"(?:^    .+\n)+", text_of(ROOT / "docs" / "project" / "architecture.md"), re.MULTILINE)
    named = set(re.findall(r"\b[a-z_]+(?:\.py|/)", tree[0]))
    assert len(named) > 60
    assert named - known == set()
    packages = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert packages - named == set()


def test_the_readme_opens_with_the_two_commands_and_is_read_in_a_few_minutes():
    readme = text_of(ROOT / "README.md")
    assert len(readme.split()) <= 900
    opening = readme[:1200]
    assert "scripts/quickstart.sh" in opening
    assert "scripts/test.sh" in opening
    assert os.access(ROOT / "scripts" / "quickstart.sh", os.X_OK)


def test_the_pictures_are_of_figures_that_stand_in_the_log():
    figures = json.loads(text_of(ROOT / "docs" / "images" / "figures.json"))
    log = text_of(ROOT / "TRAINING_LOG.md")
    scores = figures["f1_by_action"]["models"]
    for model in ("policy", "LightGBM"):
        assert " | ".join(f"{mean:.4f} ± {deviation:.4f}" for mean, deviation in scores[model]) in log
    for value in (*figures["dpo_collapse"]["accuracy"], *figures["dpo_collapse"]["macro_f1"]):
        assert f"{value:.4f}" in log
