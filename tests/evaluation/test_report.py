"""The command: what it writes, and where."""

import os

import pytest

from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.evaluation import report
from enron_triage.evaluation.training_log import BEGIN, LOG
from enron_triage.runtime import artifacts
from enron_triage.runtime.together import finish_renames


@pytest.fixture
def config(run_folders):
    return load_config([], [], data_dir=str(run_folders / "data"), checkpoint_dir=str(run_folders / "checkpoints"))


def test_the_report_is_printed_and_written_as_markdown_as_a_page_and_into_the_log(config, monkeypatch):
    monkeypatch.setattr(report, "html_page", lambda *content: "<!DOCTYPE html>")
    result = report.run(config, log=True)
    written = (config.data / "eval" / "report.md").read_text()
    assert written.startswith("# Report\n\n### Results\n")
    assert "### Training" in written
    assert (config.data / "eval" / "report.html").read_text() == "<!DOCTYPE html>"
    assert result.table.startswith("The evaluations cover 2 different sets of messages, with a table for each")
    assert result.table.endswith("report.html, TRAINING_LOG.md")
    assert f"{BEGIN}\n### Results" in LOG.read_text()
    assert list(result.data["policies"]) == ["best_sft", "best_grpo", "synthetic/best_dpo"]
    assert result.data["policies"]["best_sft"]["test"]["accuracy"] == 0.75
    assert result.data["policies"]["best_sft"]["test"]["alternative"]["beaten"] is True
    assert result.data["histories"] == ["synthetic/stage_4"]
    assert result.data["html"] == str(config.data / "eval" / "report.html")


@pytest.mark.parametrize("renames", range(4))
def test_the_text_and_the_page_are_of_one_run_wherever_the_process_is_killed(config, monkeypatch, renames):
    monkeypatch.setattr(report, "html_page", lambda *content: "<!-- first -->")
    report.run(config, runs=["best_sft"])
    text, page = config.data / "eval" / "report.md", config.data / "eval" / "report.html"
    before = text.read_text()
    left, replace = iter(range(renames)), os.replace

    def until(*args, **options):
        if next(left, None) is None:
            patch.setattr(os, "unlink", lambda *args, **options: None)
            raise KeyboardInterrupt
        replace(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", until)
        patch.setattr(report, "html_page", lambda *content: "<!-- second -->")
        if renames < 3:  # the journal, the text, the page
            with pytest.raises(KeyboardInterrupt):
                report.run(config)
        else:
            report.run(config)
    finish_renames(page)
    assert (text.read_text() != before) == ("second" in page.read_text()) == (renames > 0)
    report.run(config)
    assert not list(page.parent.glob(".report*"))


def test_a_damaged_log_is_refused_before_anything_is_written(config):
    LOG.write_text(f"{BEGIN}\n")
    with pytest.raises(UsageError, match=r"TRAINING_LOG\.md: needs one"):
        report.run(config, log=True)
    assert LOG.read_text() == f"{BEGIN}\n"
    assert not list((config.data / "eval").glob("report.*"))


def test_without_an_evaluation_the_stage_that_makes_one_is_named():
    with pytest.raises(UsageError, match=r"eval: contains no evaluation; run `triage evaluate` first"):
        report.run(load_config([], []))


@pytest.fixture
def without_page(monkeypatch):
    monkeypatch.setattr(report, "html_page", lambda *content: "")


@pytest.mark.usefixtures("without_page")
def test_the_ranking_is_given_as_data_a_test_set_at_a_time(config):
    first, second = report.run(config).data["test_sets"]
    assert (first["split"], first["sort"], first["best"]) == ("test", "macro_f1", "best_grpo")
    assert [(row["name"], row["rank"]) for row in first["rows"] if row["kind"] == "policy"] == [
        ("best_grpo", 1),
        ("best_sft", 1),
    ]
    assert {row["kind"] for row in first["rows"]} == {"policy", "baseline", "alternative"}
    assert first["rows"][0]["metrics"]["accuracy"] == 0.75
    assert first["rows"][1]["difference"] == {"value": 0.0, "interval": None, "verdict": None}
    assert first["settings"]["stage"] == {"best_sft": "sft", "best_grpo": "grpo"}
    assert (second["scheme"], second["best"]) == ("folder", "synthetic/best_dpo")


@pytest.mark.usefixtures("without_page")
def test_the_chosen_runs_and_metric_are_reported_and_nothing_else(config):
    result = report.run(config, sort="accuracy", runs=["best_sft"])
    assert list(result.data["policies"]) == ["best_sft"]
    assert result.data["histories"] == []
    assert result.data["test_sets"][0]["sort"] == "accuracy"
    assert "best_grpo" not in (config.data / "eval" / "report.md").read_text()
    assert report.run(config, runs=["synth*"]).data["histories"] == ["synthetic/stage_4"]


def test_an_unknown_metric_or_run_is_refused_with_what_there_is(config):
    with pytest.raises(UsageError, match=r"^--sort f1: not a metric of the report; choose one of macro_f1, accuracy, "):
        report.run(config, sort="f1")
    with pytest.raises(UsageError, match=r"^--runs x\*: matches no evaluated policy; there are best_sft, best_grpo, "):
        report.run(config, runs=["x*"])
    assert not list((config.data / "eval").glob("report.*"))


def test_judgements_are_in_the_text_the_page_and_the_data_where_an_evaluation_has_them(config, run_folders, judged):
    folder = run_folders / "data" / "eval"
    assert "judgements" not in report.run(config).data["policies"]["best_grpo"]["test"]
    artifacts.write_json(folder / "best_grpo.test.json", judged[1].evaluations["test"])
    data = report.run(config).data
    assert data["policies"]["best_grpo"]["test"]["judgements"]["actions"]["accuracy"] == pytest.approx(0.25)
    assert "judgements" not in data["policies"]["best_sft"]["test"]
    assert "### Judgements by people" in (folder / "report.md").read_text()
    assert "Judgements by people</h2>" in (folder / "report.html").read_text()
