"""The report's tables: what they say of several policies, and what they do not let one overlook."""

import pytest

from enron_triage.evaluation.markdown import results_markdown, training_markdown
from enron_triage.labels.schemes import SCHEMES


@pytest.fixture
def results(compared):
    return results_markdown(compared)


def row(markdown, name):
    (line,) = [line for line in markdown.splitlines() if line.startswith(f"| {name} |")][:1]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_comparison_has_a_row_for_each_policy(results):
    head, _, *rows = results.split("\n\n")[1].splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in rows] == ["best_sft", "best_grpo", "synthetic/best_dpo"]
    assert head.count("|") == rows[0].count("|")
    assert row(results, "best_sft")[1:3] == ["1.0000", "0.7500"]  # accuracy on val and test
    assert row(results, "best_grpo")[1] == "-"
    assert row(results, "best_sft")[7:9] == ["-0.2500", "-0.3000"]


def test_each_policy_has_a_table_of_the_actions(results):
    assert "#### best_sft, on test" in results
    assert "| reply_later | 1.0000 | 0.5000 | 0.6667 | 0.7500 | 2 | 12.5% |" in results
    assert "| forward | - | - | - | - | 0 | 0.0% |" in results


def test_what_must_not_be_overlooked_is_in_the_notes(results):
    assert row(results, "best_sft")[-1] == ""
    assert row(results, "best_grpo")[-1] == "reward not above the simple alternative's (-0.0500)"
    notes = row(results, "synthetic/best_dpo")[-1]
    assert "**collapsed** to `reply_later` on test" in notes
    assert "leaking labels" in notes


def test_the_leak_is_explained_once_and_only_where_labels_leak(results, compared):
    assert results.count(SCHEMES["folder"].leak_note) == 1
    assert SCHEMES["folder"].leak_note not in results_markdown(compared[:2])


def test_a_training_is_told_by_its_best_epoch_and_its_collapses(epochs):
    cells = row(training_markdown({"synthetic/stage_4": epochs}), "synthetic/stage_4")
    assert cells[1:] == ["2", "1", "0.5000", "0.4000", "-0.3000", "0.1000", "-", "**in 1 of 2 epochs**"]
    assert row(training_markdown({"stage_4": epochs[:1]}), "stage_4")[-1] == "no"
    assert training_markdown({}) == ""
