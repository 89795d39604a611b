"""The advice in errors and warnings can be followed: the command that it names does what was missing."""

import logging
import shlex
import signal
import sys

import pytest

from enron_triage import cli
from enron_triage.cli.advice import add_options

DEMO = ["--set", "download.source=demo", "--set", "download.demo.messages=150", "--set", "download.demo.mailboxes=3"]
SMALL = ["--set", "sft.epochs=1", "--set", "model.hidden=[4]", "--set", "model.boosting=0", "--set", "workers=1"]


@pytest.fixture
def triage(monkeypatch, capsys):
    """Run the command line in this process; gives status, stdout and stderr."""
    logger = logging.getLogger("enron_triage")  # the command line makes it its own
    handlers, level, propagate = logger.handlers[:], logger.level, logger.propagate

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["triage", *arguments])
        handler = signal.getsignal(signal.SIGTERM)
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        signal.signal(signal.SIGTERM, handler)
        return stopped.value.code, *capsys.readouterr()

    yield run
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)


def advised_command(error: str) -> list[str]:
    return shlex.split(error.partition("run `triage ")[2].partition("`")[0])


def test_one_command_makes_all_that_is_missing(triage):
    options = [*DEMO, "--set", "workers=1", "--set", "split.by=time", "--set", "pipeline.stages=[download,parse,label]"]
    status, _, error = triage("split", *options)
    assert status == 2
    command = advised_command(error)
    assert command == ["run", *options]
    assert triage(*command)[0] == 0
    assert triage("split", *options)[0] == 0


def test_a_stage_that_the_pipeline_lacks_is_added_to_the_advised_run(triage):
    error = triage("evaluate", *DEMO, "--set", "evaluate.checkpoint=best_dpo")[2]
    assert advised_command(error)[-1] == "pipeline.stages=[download,parse,label,split,sft,dpo]"


def test_the_advised_run_of_ones_own_mail_asks_where_it_is(triage, tiny_corpus):
    chain = ["--set", "pipeline.stages=[parse,label,split,sft]"]
    assert advised_command(triage("sft", *chain)[2]) == ["run", *chain, "--set", "parse.source=PATH"]
    assert advised_command(triage("label", *chain)[2]) == ["parse", *chain, "--set", "parse.source=PATH"]
    source = ["--set", f"parse.source={tiny_corpus}"]
    assert advised_command(triage("label", *source)[2]) == ["parse", *source]


def test_a_run_is_not_advised_that_would_not_know_where_the_mail_is(triage):
    error = triage("label")[2]
    assert advised_command(error) == ["run", "--config", "NAME"]
    assert "NAME is demo, enron or own_mail: give the same --config here" in error


def test_no_command_is_advised_for_a_file_that_it_would_not_write(triage):
    error = triage("inspect", "elsewhere/best_sft.pt")[2]
    assert "elsewhere/best_sft.pt: no such file; give the right path" in error


def test_a_page_without_a_policy_may_be_had_without_one(triage, tiny_corpus):
    source = ["--set", f"parse.source={tiny_corpus}", "--set", "workers=1", "--set", "split.by=time"]
    triage("run", *source, "--set", "pipeline.stages=[parse,label,split]")
    error = triage("annotate", *source)[2]
    assert advised_command(error) == ["sft", *source]
    assert "first, or give --strategy random, which needs no policy" in error


def test_a_following_command_does_not_repeat_an_option():
    advice = "to decide by it: `triage evaluate --set evaluate.split=val --set decision.rule=prior`"
    given = "--config demo --set evaluate.split=val --set 'run=a b'"
    expected = f"to decide by it: `triage evaluate {given} --set decision.rule=prior`"
    assert add_options(advice, given) == expected


def test_mail_that_is_named_is_not_compared_with_what_would_be_fetched(triage):
    assert triage("download", *DEMO)[0] == 0
    named = ["--set", "parse.source=data/maildir", "--set", "workers=1"]
    status, _, log = triage("parse", *named)
    assert (status, log) == (0, "")
    assert "download.source was 'demo', is 'cmu'" in triage("parse", "--overwrite", "--set", "workers=1")[2]


def test_fetched_mail_is_the_same_mail_when_it_is_named(triage):
    triage("download", *DEMO)
    assert triage("parse", *DEMO, "--set", "workers=1")[0] == 0
    assert triage("parse", "--set", "parse.source=data/maildir", "--set", "workers=1")[0] == 0


def test_the_current_folder_can_be_named_by_a_dot(triage, tiny_corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny_corpus)
    data = ["--data-dir", str(tmp_path / "data"), "--set", "workers=1"]
    status, out, error = triage("parse", "--set", "parse.source=.", *data)
    assert (status, error) == (0, "")
    assert "0 errors" in out


def test_records_of_another_folder_are_not_said_to_be_made_again(triage, tiny_corpus):
    source = ["--set", f"parse.source={tiny_corpus}", "--set", "workers=1"]
    triage("run", *source, *SMALL, "--set", "pipeline.stages=[parse,label,split,sft]", "--set", "split.by=time")
    own = ["--data-dir", "other", "--set", "evaluate.split=data/test.json", "--set", "split.by=time"]
    status, _, log = triage("evaluate", *own, "--set", "split.seed=7")
    assert status == 0
    assert "data/test.json: made with other settings than the configuration's (split.seed was 42, is 7)" in log
    assert "to make it again" not in log
