"""The options of ``triage annotate`` that open no page."""

import json
import logging

import builders
import pytest

from enron_triage.cli.app import build_app
from enron_triage.errors import UsageError


@pytest.fixture
def triage(tmp_path, capsys):
    line = {"fingerprint": "a", "user": "mail-a", "chosen": "archive", "rejected": "delete", "annotator": "anna"}
    (tmp_path / "judgements.jsonl").write_text(json.dumps(line) + "\n")
    builders.write_records(tmp_path / "train.json", [builders.new_record(fingerprint="a", user="mail-a")])

    logger = logging.getLogger("enron_triage")  # the command line makes it its own
    handlers, level, propagate = logger.handlers[:], logger.level, logger.propagate

    def run(*arguments):
        build_app()(args=["annotate", "--data-dir", str(tmp_path), *arguments], standalone_mode=False)
        return capsys.readouterr().out

    yield run
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)


def test_the_summary_is_text_or_json(triage):
    assert "1 judgement of 1 message in 1 mailbox" in triage("--summary")
    assert json.loads(triage("--summary", "--json"))["annotators"]["anna"]["judged"] == 1


@pytest.mark.parametrize("name", ["label-studio", "argilla"])
def test_judgements_go_out_and_come_back(triage, tmp_path, name):
    target = tmp_path / "there.json"
    assert f"1 tasks, 1 answers -> {target}" in triage("--export", name, str(target))
    assert "1 known already" in triage("--import", name, str(target))
    new = tmp_path / "new.jsonl"
    assert json.loads(triage("--import", name, str(target), "--output", str(new), "--json"))["added"] == 1
    assert len(new.read_text().splitlines()) == 1


def test_one_thing_at_a_time(triage, tmp_path):
    with pytest.raises(UsageError, match="annotate: give one of --summary, --export and --import"):
        triage("--summary", "--export", "argilla", str(tmp_path / "there.json"))
    assert not (tmp_path / "there.json").exists()
    with pytest.raises(UsageError, match="doccano: unknown format; allowed: label-studio, argilla"):
        triage("--export", "doccano", str(tmp_path / "there.json"))
