"""What `triage report` prints: the answer first, and a table that fits a terminal."""

import numpy as np
import pytest

from enron_triage.evaluation.compare import rank
from enron_triage.evaluation.ranking_table import ranking_text
from enron_triage.evaluation.score import decision_metrics

COSTS = tuple(tuple(float(row != column) for column in range(5)) for row in range(5))
TARGETS, MAILBOX = np.arange(240) % 5, np.arange(240) // 20  # 12 mailboxes


def wrong(count):
    """The decisions of a policy that errs on the first messages of every mailbox."""
    return np.where(np.arange(240) % 20 < count, (TARGETS + 1) % 5, TARGETS)


@pytest.fixture
def text_of(decided, new_records):
    def make(policies, sort="accuracy", mailbox=MAILBOX, **fields):
        records = new_records(
            {name: decided(TARGETS, decisions, mailbox, **fields) for name, decisions in policies.items()}
        )
        return ranking_text([rank(records, sort, costs=COSTS)])

    return make


def row(text, name):
    return next(line.split() for line in text.splitlines() if f"  {name} " in line)


def test_the_answer_comes_first_and_in_words(text_of):
    close = wrong(2)
    close[1] = TARGETS[1]  # better in one mailbox, worse in another
    close[22:24] = (TARGETS[22:24] + 1) % 5
    text = text_of({"a": wrong(2), "b": wrong(8), "c": close})
    title, answer, *_ = text.split("\n\n")
    assert title == "test: 240 messages in 12 mailboxes (test.json, SHA-256 dddddddd)"
    assert " ".join(answer.split()) == (
        "a has the highest accuracy. Worse by more than chance: b. Not told apart from the best: c."
    )
    assert row(text, "a") == ["1", "a", "0.900", "best", "0.899"]
    assert row(text, "b")[:5] == ["3", "b", "0.600", "-0.300", "worse"]
    assert row(text, "c")[:6] == ["2", "c", "0.896", "-0.004", "not", "told"]


def test_a_baseline_above_every_policy_is_named(text_of):
    best = {"subject_rule": decision_metrics(TARGETS, TARGETS, COSTS)}
    text = text_of({"a": wrong(5)}, baselines=best)
    assert "a is the only policy. No policy reaches subject_rule." in text
    assert text.index("subject_rule ", text.index("rank")) < text.index("  a ", text.index("rank"))


def test_a_row_without_any_figure_of_the_table_is_left_out(decided, new_records, new_bayes_baseline):
    alone = decided(TARGETS, wrong(2), MAILBOX, stage="dpo", bayes_baseline=new_bayes_baseline(mean_reward=-0.9))
    records = new_records({"alone": alone})
    assert "best_sft before alone" not in ranking_text([rank(records, "accuracy", costs=COSTS)])
    assert "best_sft before alone" in ranking_text([rank(records, "mean_reward", costs=COSTS)])


def test_a_rule_other_than_the_usual_one_is_named(text_of):
    assert "decides by the rule" not in text_of({"a": wrong(5)})
    assert "    decides by the rule thresholds" in text_of({"a": wrong(5)}, decision_rule="thresholds")


def test_few_mailboxes_give_no_verdict(text_of):
    text = text_of({"a": wrong(2), "b": wrong(8)}, mailbox=np.zeros(240, dtype=int))
    assert "a has the highest accuracy. Whether that is more than chance is not known." in " ".join(text.split())
    assert "worse" not in text


@pytest.mark.parametrize("sort", ["accuracy", "macro_f1", "mean_reward"])
@pytest.mark.parametrize(
    "name", ["a", "sft_focal_balanced/best_sft", "a_run_with_a_name_of_more_than_forty_letters/best_sft"]
)
def test_no_line_is_wider_than_80_columns_and_no_name_is_cut(text_of, sort, name):
    intervals = {metric: [-0.5, 0.75] for metric in ("accuracy", "macro_f1", "mean_reward")}
    text = text_of({name: wrong(2), f"{name}_2": wrong(8)}, sort, intervals=intervals, collapsed=True)
    assert max(map(len, text.splitlines())) <= 80
    assert f"  {name}_2" in text
    assert "    collapsed to " in text


def test_the_differing_settings_are_named(decided, new_records):
    policies = {str(n): decided(TARGETS, wrong(n), MAILBOX, training={"sft": {"epochs": n, "seed": 1}}) for n in (1, 2)}
    text = ranking_text([rank(new_records(policies), "accuracy", costs=COSTS)])
    assert text.endswith("Settings that differ: sft.epochs")
