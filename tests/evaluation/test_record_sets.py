"""Which evaluations stand in one table: those of the same records, and no others."""

import msgspec
import pytest

from enron_triage.errors import UsageError
from enron_triage.evaluation.reading import EvaluatedCheckpoint
from enron_triage.evaluation.record_sets import chosen_runs, record_sets


def on(evaluation, digest, checkpoint="c", **fields):
    """The same evaluation, of other records or of another checkpoint."""
    source = msgspec.structs.replace(evaluation.source, records_sha256=digest * 64, checkpoint_sha256=checkpoint * 64)
    return msgspec.structs.replace(evaluation, source=source, **fields)


@pytest.fixture
def checkpoint(new_evaluation):
    def make(name, **by_split):
        return EvaluatedCheckpoint(
            name=name,
            evaluations={split: on(new_evaluation(split=split), *digests) for split, digests in by_split.items()},
        )

    return make


def names(sets):
    return [list(records.policies) for records in sets]


def test_evaluations_on_other_records_or_labels_are_in_other_sets(checkpoint, new_evaluation):
    folder = EvaluatedCheckpoint(name="c", evaluations={"test": on(new_evaluation(scheme="folder"), "1")})
    sets = record_sets([checkpoint("a", test="1"), checkpoint("b", test="2"), folder, checkpoint("d", test="1")])
    assert names(sets) == [["a", "d"], ["c"], ["b"]]
    assert [(each.records_sha256[0], each.scheme) for each in sets] == [
        ("1", "received"),
        ("1", "folder"),
        ("2", "received"),
    ]


def test_validation_is_a_set_of_its_own_only_for_a_policy_without_a_test(checkpoint):
    a, b = checkpoint("a", test="1", val="9"), checkpoint("b", val="9")
    assert names(record_sets([a])) == [["a"]]
    sets = record_sets([a, b])
    assert names(sets) == [["a"], ["a", "b"]]
    assert "these figures are optimistic" in " ".join(sets[1].notes)


def test_a_validation_figure_stands_beside_the_same_checkpoint_only(checkpoint):
    same, trained_again = checkpoint("a", test="1", val="9"), checkpoint("b", test="1c", val="9e")
    trained_again.evaluations["test"] = on(trained_again.evaluations["test"], "1")
    (records,) = record_sets([same, trained_again])
    assert list(records.validation) == ["a"]
    assert not any("differ" in note for note in records.notes)


def test_different_validation_sets_are_named(checkpoint):
    (records,) = record_sets([checkpoint("a", test="1", val="8"), checkpoint("b", test="1", val="9")])
    assert "The validation sets differ: the figures on validation cannot be compared between runs." in records.notes


def test_a_set_says_what_it_is_and_that_it_is_small(checkpoint):
    small = checkpoint("a", test="1", val="9")
    small.evaluations["test"] = on(small.evaluations["test"], "1", count=30, mailboxes=1)
    small.evaluations["val"] = on(small.evaluations["val"], "9", count=7)
    (records,) = record_sets([small])
    assert records.title == "test: 30 messages in 1 mailbox (test.json, SHA-256 11111111)"
    assert records.notes == [
        "test has only 30 messages: the accuracy may be off by 17 percentage points.",
        "Validation has only 7 messages: the accuracy may be off by 30 percentage points.",
    ]


def test_the_same_records_under_two_paths_are_two_rows(checkpoint):
    (records,) = record_sets([checkpoint("a", test="1", **{"old/test.json": "1"})])
    assert list(records.policies) == ["a", "a (old/test.json)"]


def test_runs_are_chosen_by_patterns_of_the_run_the_checkpoint_or_both(checkpoint):
    every = [checkpoint(name, test="1") for name in ("sft_a/best_sft", "sft_b/best_dpo", "other/best_sft", "best_sft")]

    def chosen(*patterns):
        return [each.name for each in chosen_runs(every, patterns)]

    assert len(chosen()) == 4
    assert chosen("sft_*") == ["sft_a/best_sft", "sft_b/best_dpo"]
    assert chosen("best_sft") == ["sft_a/best_sft", "other/best_sft", "best_sft"]
    assert chosen("other", "sft_b/*") == ["sft_b/best_dpo", "other/best_sft"]
    with pytest.raises(UsageError, match=r"^--runs nope: matches no evaluated policy; there are sft_a/best_sft, "):
        chosen("sft_*", "nope")
