"""The command: what it writes, and where."""

import pytest

from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.evaluation import report
from enron_triage.evaluation.training_log import BEGIN, LOG


@pytest.fixture
def config(run_folders):
    return load_config([], [], data_dir=str(run_folders / "data"), checkpoint_dir=str(run_folders / "checkpoints"))


def test_the_report_is_printed_and_written_as_markdown_as_a_page_and_into_the_log(config, monkeypatch):
    monkeypatch.setattr(
        report, "html_page", lambda results, checkpoints, histories: "<!DOCTYPE html>"
    )  # plots cost seconds
    result = report.run(config, log=True)
    written = (config.data / "eval" / "report.md").read_text()
    assert written.startswith("# Report\n\n### Results\n")
    assert "### Training" in written
    assert (config.data / "eval" / "report.html").read_text() == "<!DOCTYPE html>"
    assert result.table.startswith(written.removeprefix("# Report\n\n").rstrip())
    assert result.table.endswith("report.html, TRAINING_LOG.md")
    assert f"{BEGIN}\n### Results" in LOG.read_text()
    assert list(result.data["policies"]) == ["best_sft", "best_grpo", "synthetic/best_dpo"]
    assert result.data["policies"]["best_sft"]["test"]["accuracy"] == 0.75
    assert result.data["policies"]["best_sft"]["test"]["alternative"]["beaten"] is True
    assert result.data["histories"] == ["synthetic/stage_4"]
    assert result.data["html"] == str(config.data / "eval" / "report.html")


def test_a_damaged_log_is_refused_before_anything_is_written(config):
    LOG.write_text(f"{BEGIN}\n")
    with pytest.raises(UsageError, match=r"TRAINING_LOG\.md: needs one"):
        report.run(config, log=True)
    assert LOG.read_text() == f"{BEGIN}\n"
    assert not list((config.data / "eval").glob("report.*"))


def test_without_an_evaluation_the_stage_that_makes_one_is_named():
    with pytest.raises(UsageError, match=r"eval: holds no evaluation; run `triage evaluate` first"):
        report.run(load_config([], []))
