"""A digest of the code changes with what the code does, and with nothing else."""

import ast
from pathlib import Path

import pytest

from enron_triage.runtime import code_digest as module
from enron_triage.runtime.code_digest import code_digest, module_digests

FILES = {
    "__init__.py": "",
    "errors.py": "class MyError(Exception): ...\n",
    "records.py": "ACTIONS = 5\n",
    "features/__init__.py": "",
    "features/groups.py": "from enron_triage.features import words\nfrom enron_triage.errors import MyError\n",
    "features/words.py": '''"""Words."""


def f(x):
    """Twice."""
    from ..records import ACTIONS

    return 2 * x
''',
    "features/other.py": "y = 1\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    for name, content in FILES.items():
        path = tmp_path / "package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.setattr(module, "_ROOT", tmp_path / "package")
    monkeypatch.setattr(module, "_KNOWN", tmp_path / "known.json")
    _forget()
    yield tmp_path / "package"
    _forget()


def digests():
    _forget()
    return module_digests("enron_triage.features.groups")


def _forget():
    """As another process would see it."""
    for remembered in (module._parsed, module._file_below, module._known):
        remembered.cache_clear()


def test_the_modules_below_count_however_they_are_imported_and_what_decides_nothing_does_not(package):
    assert list(digests()) == ["features", "features.groups", "features.words", "records"]


@pytest.mark.parametrize(
    ("name", "old", "new", "changed"),
    [
        ("features/words.py", "2 * x", "3 * x", ["features.words"]),
        ("records.py", "5", "6", ["records"]),
        ("features/words.py", "Twice", "Doubles", []),
        ("features/words.py", "    return", "    # a comment\n    return", []),
        ("features/other.py", "1", "2", []),
        ("errors.py", "...", "pass", []),
    ],
)
def test_an_edit_is_noticed_where_it_can_decide_a_result(package, name, old, new, changed):
    before = digests()
    path = package / name
    path.write_text(path.read_text().replace(old, new))
    after = digests()
    assert [name for name in after if after[name] != before[name]] == changed
    assert (before == after) == (not changed)


def test_a_new_import_is_noticed(package):
    before = digests()
    (package / "features/words.py").write_text("import enron_triage.features.other\n")
    assert digests().keys() - before.keys() == {"features.other"}


@pytest.mark.parametrize("content", [None, "", "{}", '{"enron_triage.records": ["", "0", []]}', "\0", '{"a": 1}'])
def test_what_is_kept_of_earlier_processes_changes_nothing(package, content):
    before = digests()
    assert digests() == before
    known = package.parent / "known.json"
    known.unlink()
    if content is not None:
        known.write_text(content)
    assert digests() == before
    (package / "records.py").write_text("ACTIONS = 6\n")
    assert digests()["records"] != before["records"]


def test_an_unchanged_module_is_parsed_once_by_all_processes(package, monkeypatch):
    before = digests()
    parsed = []
    monkeypatch.setattr(module.ast, "parse", lambda content, parse=ast.parse: parsed.append(content) or parse(content))
    assert digests() == before
    assert not parsed
    (package / "records.py").write_text("ACTIONS = 6\n")
    digests()
    assert parsed == [b"ACTIONS = 6\n"]


def test_an_installation_that_one_may_not_write_to_is_no_hindrance(package, monkeypatch):
    before = digests()
    (package.parent / "file").write_text("")
    monkeypatch.setattr(module, "_KNOWN", package.parent / "file" / "known.json")
    assert digests() == before


def test_every_stage_of_the_program_has_a_digest_of_its_own():
    names = ("mail.parse", "labels.label", "labels.split", "training.sft", "training.dpo", "evaluation.evaluate")
    found = [code_digest(f"enron_triage.{name}") for name in names]
    assert len(set(found)) == len(names)
    below = module_digests("enron_triage.training.sft")
    assert {"training.losses", "features.metadata", "policy.trees", "records"} <= below.keys()
    assert all(Path(module.__file__).parents[1].joinpath(*name.split(".")[:1]) for name in below)
