"""A short part of the campaigns of scripts/fuzz.py, with a seed; and that they find what they look for."""

import importlib
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from enron_triage.mail.message import parse_message
from enron_triage.mail.mime import read

SCRIPTS = Path(__file__).parents[1] / "scripts"
GOOD = (
    b"Date: Mon, 14 May 2001 18:00:00 -0700\nFrom: Jane Doe <jane@x.example>\nTo: john@x.example\nSubject: Re: lunch\n"
    b"Message-ID: <1@x.example>\n\nYes.\n\n-----Original Message-----\nFrom: John\nSent: Monday, May 14, 2001 9:00 AM\n"
    b"To: Jane\nSubject: lunch\n\nAre you in?\n"
)


@pytest.fixture
def fuzzing(monkeypatch):
    """Gives a module of the campaigns."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return lambda name: importlib.import_module(f"fuzzing.{name}")


def test_every_mutation_is_made_again_by_its_seed_and_ends_as_a_record_or_an_entry(fuzzing):
    mutations = fuzzing("mutations")
    tried = records = 0
    for kind, mutate in mutations.MUTATIONS.items():
        for seed in range(25):
            raw = mutate(Random(seed), GOOD, 2 ** (seed % 8))
            assert raw == mutate(Random(seed), GOOD, 2 ** (seed % 8)), kind
            tried += raw != GOOD
            try:
                parse_message(raw, path="a", user="b", folder="c")
                records += 1
            except ValueError:
                pass
    assert tried > 250
    assert records > 150


def test_mutated_mail_is_of_every_kind(fuzzing):
    mutations = fuzzing("mutations")
    kinds = {mutations.mutated(Random(seed), GOOD)[0] for seed in range(200)}
    assert kinds == set(mutations.MUTATIONS)
    assert read(mutations.with_header(GOOD, "Subject", b"other"))[0]["subject"] == "other"


def test_what_was_tried_is_not_tried_again_and_stands_in_the_table(fuzzing, tmp_path):
    findings = fuzzing("findings")
    kept = findings.Findings(tmp_path / "findings.jsonl")
    failed = {"failures": ["a mixture"], "slowest": 1.5, "peak": 2.0**21, "what": "(x)"}
    kept.add(findings.Trial(campaign="kills", subject="split", number=0, seed=1, tried=1))
    kept.add(findings.Trial(campaign="kills", subject="split", number=2, seed=1, tried=1, **failed))
    with kept.path.open("ab") as file:
        file.write(b'{"campaign":"kills","subj')  # it was killed while it wrote
    again = findings.Findings(kept.path)
    assert list(again.left("kills", "split", 1, 4)) == [1, 3]
    assert list(again.left("kills", "split", 2, 2)) == [0, 1]
    assert "| kills: split | 2 | 1 | 1.50 s (x) | 2 MiB |" in again.table()
    again.add(findings.Trial(campaign="kills", subject="split", number=1, seed=1, tried=1))
    assert len(findings.Findings(kept.path).trials) == 3


@pytest.mark.slow
def test_a_short_campaign_holds(tmp_path):
    command = [sys.executable, str(SCRIPTS / "fuzz.py"), "--work", str(tmp_path / "work"), "--seed", "5"]
    command += ["--archives", "6", "--kills", "2", "--stages", "download", "parse", "label", "split"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| kills") or line.startswith("| archives")]
    assert len(rows) == 10
    assert all(row.split("|")[2] == row.split("|")[3] for row in rows)
