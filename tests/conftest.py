"""Fixtures that several rooms' tests share."""

import os
from pathlib import Path

import pytest

# Before torch is imported: its threads spin, and the tests already run in parallel processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from enron_triage.corpus.demo import write_demo


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A maildir of 3 owners and some 150 messages."""
    root = tmp_path_factory.mktemp("corpus") / "maildir"
    write_demo(root, seed=7, mailboxes=3, messages=150)
    return root


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may touch the checkout's own data."""
    monkeypatch.chdir(tmp_path)
