"""How the program was called, and which code answered."""

import subprocess
import sys

import pytest

from enron_triage.runtime import invocation


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["sft", "--config", "a b.yaml"], "triage sft --config 'a b.yaml'"),
        (["-v", "sft", "--json", "-q", "--set", "sft.epochs=3"], "triage sft --set sft.epochs=3"),
        (["sft", "--set", "workers=2", "--set", "scheduler=tcp://a:1", "--set=tracking=[x]"], "triage sft"),
        (["run", "--data-dir", "d", "--checkpoint-dir=c", "--device", "cpu"], "triage run --device cpu"),
        (["dpo", "--set", "dpo.resume=false", "--set=dpo.beta=1"], "triage dpo --set dpo.beta=1"),
        (["sft", "--data-dir"], "triage sft"),
    ],
)
def test_the_command_is_a_line_for_a_shell_without_what_decides_nothing(arguments, line, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/triage", *arguments])
    assert invocation.command_line() == line
    monkeypatch.setattr(sys, "argv", ["/somewhere/enron_triage/__main__.py", *arguments])
    assert invocation.command_line() == line


def test_a_library_has_no_command(monkeypatch):
    for argv in (["/usr/bin/pytest", "sft"], ["/somewhere/pytest/__main__.py"], [""], []):
        monkeypatch.setattr(sys, "argv", argv)
        assert invocation.command_line() == ""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package in a folder; `code_commit` is asked anew."""
    folder = tmp_path / "src" / "package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    monkeypatch.setattr(invocation, "_PACKAGE", folder)
    invocation.code_commit.cache_clear()
    yield folder
    invocation.code_commit.cache_clear()


def git(folder, *arguments):
    who = ["-c", "user.name=x", "-c", "user.email=x@x.example"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit_of():
    invocation.code_commit.cache_clear()
    return invocation.code_commit()


def test_the_commit_is_that_of_the_packages_checkout_and_says_if_the_package_differs(package, tmp_path):
    git(tmp_path, "init", "-q")
    assert commit_of() is None  # in the folder of a checkout, but no part of it
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "x")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert commit_of() == commit
    (tmp_path / "notes.txt").write_text("no code")
    assert commit_of() == commit
    (package / "__init__.py").write_text("edited = True")
    assert commit_of() == f"{commit}+changes"
    git(tmp_path, "checkout", "-q", "src")
    (package / "new.py").write_text("")
    assert commit_of() == f"{commit}+changes"


def test_without_a_checkout_or_git_there_is_no_commit(package, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(package))
    monkeypatch.setattr(invocation, "_GIT_TIMEOUT", 5)
    assert commit_of() is None
    monkeypatch.setenv("PATH", "")
    assert commit_of() is None
