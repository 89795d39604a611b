"""The report's tables: what they say of several policies, and what they do not let one overlook."""

import msgspec
import numpy as np
import pytest

from enron_triage.evaluation.compare import rank
from enron_triage.evaluation.markdown import judged_markdown, results_markdown, training_markdown
from enron_triage.evaluation.reading import TrainingHistory
from enron_triage.evaluation.record_sets import record_sets
from enron_triage.labels.schemes import SCHEMES

COSTS = [[0.0] * 5] * 5


def markdown_of(policies, sort="macro_f1"):
    return results_markdown([rank(each, sort, costs=COSTS) for each in record_sets(policies)])


@pytest.fixture
def results(compared):
    return markdown_of(compared)


def rows_of(markdown, name):
    lines = [line for line in markdown.splitlines() if f"| {name} |" in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_test_set_has_a_ranking_of_its_own(results):
    first, second = results.split("#### test: ")[1:]
    assert "The evaluations cover 2 different sets of messages" in results.split("####")[0]
    assert "(test.json, SHA-256 tttttttt)" in first
    assert "| best_sft |" in first
    assert "best_dpo" not in first
    assert "| synthetic/best_dpo |" in second
    assert "best_sft |" not in second


def test_one_test_set_is_not_called_several(compared):
    assert "different sets" not in markdown_of(compared[:2])


def test_the_ranking_has_a_row_for_each_policy_and_what_it_is_compared_with(results):
    (head,) = [line for line in results.splitlines() if line.startswith("| Rank |")][:1]
    cells = dict(
        zip([cell.strip() for cell in head.strip("|").split("|")], rows_of(results, "best_sft")[0], strict=True)
    )
    assert (cells["Rank"], cells["accuracy"]) == ("1", "0.7500 [0.5000, 0.7500]")
    assert (cells["Val accuracy"], cells["Val macro-F1"]) == ("1.0000", "1.0000")
    assert cells["mean reward"] == "-0.2500"
    assert rows_of(results, "best_grpo")[0][-3] == "-"
    assert rows_of(results, "majority")[0][:2] == ["-", "majority"]
    assert rows_of(results, "majority")[0][-1] == "a baseline"


def test_each_policy_has_a_table_of_the_actions(results):
    assert "##### best_sft, on test" in results
    assert "| reply_later | 1.0000 | 0.5000 | 0.6667 | 0.7500 | 2 | 12.5% |" in results
    assert "| forward | - | - | - | - | 0 | 0.0% |" in results


def test_what_must_not_be_overlooked_is_in_the_notes(results):
    assert rows_of(results, "best_grpo")[0][-1].startswith(
        "costs 0.0500 more than best_sft with the rule expected_reward (no interval: fewer than 10 mailboxes)"
    )
    assert "**collapsed** to `reply_later` on test" in rows_of(results, "synthetic/best_dpo")[0][-1]
    assert "No intervals: only 1 of the 10 mailboxes that they need" in results


def test_the_leak_is_explained_once_and_only_where_labels_leak(results, compared):
    assert results.count(SCHEMES["folder"].leak_note) == 1
    assert SCHEMES["folder"].leak_note not in markdown_of(compared[:2])


def test_the_settings_that_differ_are_shown_and_no_others(decided, new_records):
    targets = np.arange(10) % 5
    shared = {"model": {"hidden": [16]}, "decision": {"rule": None}}
    trainings = {
        "a": {"sft": {"epochs": 2, "seed": 1}, **shared},
        "b": {"sft": {"epochs": 3, "seed": 1}, **shared},
        "c": {"grpo": {"epochs": 9}, **shared},
    }
    records = new_records(
        {name: decided(targets, targets, targets, training=training) for name, training in trainings.items()}
    )
    text = results_markdown([rank(records, "accuracy", costs=COSTS)])
    section = text.split("Settings that differ:\n\n")[1].split("\n\n")[0]
    assert section.splitlines() == ["| Run | sft.epochs |", "|---|---|", "| a | `2` |", "| b | `3` |", "| c | - |"]
    assert "How these were trained" not in text
    known = records.policies["a"]
    records.policies["b"] = msgspec.structs.replace(known, source=msgspec.structs.replace(known.source, training={}))
    text = results_markdown([rank(records, "accuracy", costs=COSTS)])
    assert "How these were trained is not known: b." in text


def test_a_training_is_told_by_its_best_epoch_and_its_collapses(epochs, histories):
    text = training_markdown(histories)
    assert text.splitlines()[4].split(" | ") == [
        *("| synthetic/stage_4", "2", "1", "7", "0.5000", "0.4000", "-0.3000", "0.1000", "-"),
        "**in 1 of 2 epochs** |",
    ]
    assert text.endswith("Validation has only 7 messages: the accuracy may be off by 30 percentage points.")
    unknown = training_markdown({"stage_4": TrainingHistory(epochs=epochs[:1])})
    assert "| stage_4 | 1 | 1 | - |" in unknown
    assert unknown.endswith("| no |")
    assert training_markdown({}) == ""


def test_the_agreement_with_judgements_is_a_table_with_intervals_and_their_names(judged, compared):
    text = judged_markdown(judged)
    assert rows_of(text, "val") == [
        [
            *("best_sft", "val", "the better of two actions", "1,200", "0.6250", "0.5000 to 0.7500"),
            *("jackknife over mailboxes", "judgements.jsonl, SHA-256 abababab"),
        ],
        [
            *("best_sft", "val", "what should be done", "8", "0.2500", "0.0625 to 0.5625"),
            *("Wilson, judgements taken for independent", "judgements.jsonl, SHA-256 abababab"),
        ],
    ]
    (other,) = [line for line in text.splitlines() if line.startswith("| best_grpo |")]
    assert r"| more\|.jsonl, SHA-256 cdcdcdcd |" in other
    assert "best_dpo" not in text
    assert "Note: best_sft on val: trained on these judgements." in text
    assert "trained again" not in text
    assert judged_markdown(compared) == ""


def test_judgements_of_a_policy_that_was_trained_again_are_told_apart(judged):
    first = judged[0]
    source = msgspec.structs.replace(first.evaluations["val"].source, checkpoint_sha256="e" * 64)
    val = msgspec.structs.replace(first.evaluations["val"], source=source)
    changed = msgspec.structs.replace(first, evaluations={**first.evaluations, "val": val})
    assert (
        "Note: best_sft on val: the policy was trained again between this evaluation and the one on test."
    ) in judged_markdown([changed])


def test_each_judged_policy_has_a_sentence_on_its_judgements(judged, results):
    sections = {part.split(",")[0]: part for part in markdown_of(judged).split("##### ")[1:]}
    assert (
        "Judgements by people on val: the better of two actions: 0.6250 of 1,200 as the policy (95% interval 0.5000 to "
        "0.7500, jackknife over mailboxes); what should be done: 0.2500 of 8 as the policy (95% interval 0.0625 to "
        "0.5625, Wilson, judgements taken for independent). They are by 2 people, on 1,100 messages in 12 mailboxes "
        "(judgements.jsonl, SHA-256 abababab); not counted are 31 ties and 7 judgements of other messages."
    ) in sections["best_sft"]
    assert "Judgements by people on test: what should be done: 0.2500" in sections["best_grpo"]
    assert "They are by 1 person," in sections["best_grpo"]
    assert "Judgements" not in sections["synthetic/best_dpo"]
    assert "Judgements" not in results
