"""The ranking: its order, and its paired intervals against loops over messages."""

import msgspec
import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn

from enron_triage.evaluation.compare import rank
from enron_triage.evaluation.ranking import METRICS
from enron_triage.evaluation.score import decision_metrics

COSTS = tuple(tuple(float(row != column) for column in range(5)) for row in range(5))
DEAR = tuple(tuple(abs(row - column) * 1.5 for column in range(5)) for row in range(5))


@pytest.fixture(scope="module")
def messages():
    """Targets and mailboxes of 300 messages in 12 mailboxes, and decisions of which a given share is right."""
    generator = np.random.default_rng(0)
    targets, mailbox = generator.integers(0, 5, 300), np.arange(300) % 12

    def decisions(share):
        return np.where(generator.random(300) < share, targets, generator.integers(0, 5, 300))

    return targets, mailbox, decisions


def ranked(records, sort="macro_f1", costs=COSTS):
    return rank(records, sort, costs=costs)


def t_interval(mailbox, of):
    """The jackknife's interval of what `of` gives for the rows of some messages; all 12 mailboxes have 25."""
    values = np.array([of(np.flatnonzero(mailbox != left_out)) for left_out in range(12)])
    reach = stats.t.ppf(0.975, 11) * np.sqrt(11 / 12 * np.square(values - values.mean()).sum())
    whole = of(np.arange(len(mailbox)))
    return pytest.approx([whole - reach, whole + reach])


def score_of(metric, targets, predictions, costs=COSTS):
    """A metric of some decisions by other means than the program's."""
    if metric == "accuracy":
        return np.mean(targets == predictions)
    if metric == "balanced_accuracy":
        return sklearn.balanced_accuracy_score(targets, predictions)
    if metric == "macro_f1":
        return sklearn.f1_score(targets, predictions, labels=np.unique(targets), average="macro", zero_division=0)
    return -np.mean([costs[true][predicted] for true, predicted in zip(targets, predictions, strict=True)])


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "mean_reward"])
def test_a_difference_is_that_on_the_same_mailboxes(messages, decided, new_records, metric):
    targets, mailbox, decisions = messages
    good, other = decisions(0.8), decisions(0.6)
    records = new_records({"b": decided(targets, other, mailbox), "a": decided(targets, good, mailbox)})
    best, row = ranked(records, metric).policies
    assert (best.name, best.rank, best.difference) == ("a", 1, None)
    assert (row.name, row.rank) == ("b", 2)

    def difference(rows):
        return score_of(metric, targets[rows], other[rows]) - score_of(metric, targets[rows], good[rows])

    whole = score_of(metric, targets, other) - score_of(metric, targets, good)
    assert row.difference.value == pytest.approx(whole)
    assert row.difference.interval == t_interval(mailbox, difference)
    assert row.difference.verdict == "worse"


def test_policies_that_hardly_differ_are_not_told_apart(messages, decided, new_records):
    targets, mailbox, decisions = messages
    one = decisions(0.7)
    other = one.copy()
    right, wrong = np.flatnonzero(one == targets), np.flatnonzero(one != targets)
    other[wrong[:6]] = targets[wrong[:6]]
    other[right[:7]] = (targets[right[:7]] + 1) % 5
    records = new_records({"one": decided(targets, one, mailbox), "other": decided(targets, other, mailbox)})
    _, second = ranked(records, "accuracy").policies
    low, high = second.difference.interval
    assert low <= 0 <= high
    assert second.difference.verdict == "not told apart"


def test_under_10_mailboxes_there_is_no_interval_and_the_reason_is_given(messages, decided, new_records):
    targets, _, decisions = messages
    few = np.arange(300) % 9
    records = new_records({name: decided(targets, decisions(0.7), few) for name in ("a", "b")})
    ranking = ranked(records)
    second = ranking.policies[1]
    assert second.difference.value < 0
    assert second.difference.interval is second.difference.verdict is None
    assert ranking.why_none.startswith("No intervals: only 9 of the 10 mailboxes that they need")


@pytest.mark.parametrize(("sort", "first"), [("reply_auc", "a"), ("ece_calibrated", "b")])
def test_a_metric_of_probabilities_is_ranked_without_an_interval(messages, decided, new_records, sort, first):
    targets, mailbox, decisions = messages
    a = decided(targets, decisions(0.5), mailbox, reply_auc=0.9, ece_calibrated=0.2)
    b = decided(targets, decisions(0.5), mailbox, reply_auc=0.8, ece_calibrated=0.1)
    unknown = decided(targets, decisions(0.5), mailbox, reply_auc=None, ece_calibrated=0.3)
    ranking = ranked(new_records({"unknown": unknown, "a": a, "b": b}), sort)
    assert ranking.policies[0].name == first
    assert ranking.policies[1].difference.value == pytest.approx(-0.1 if sort == "reply_auc" else 0.1)
    assert ranking.policies[1].difference.interval is None
    assert "does not follow from the decisions alone" in ranking.why_none
    if sort == "reply_auc":  # what lacks the metric comes last and has no rank
        assert [(row.name, row.rank) for row in ranking.policies][-1] == ("unknown", None)
        assert ranking.policies[-1].difference.value is None


def test_equal_policies_have_equal_ranks(messages, decided, new_records):
    targets, mailbox, decisions = messages
    same, worse = decisions(0.8), decisions(0.4)
    evaluations = {"b": same, "a": same, "c": worse}
    records = new_records({name: decided(targets, each, mailbox) for name, each in evaluations.items()})
    assert [(row.name, row.rank) for row in ranked(records).policies] == [("a", 1), ("b", 1), ("c", 3)]


def test_baselines_are_rows_once_and_the_constant_one_has_an_interval(messages, decided, new_records):
    targets, mailbox, decisions = messages
    good = decisions(0.8)
    constant, random = np.full(300, 4), decisions(0.0)
    baselines = {
        "majority": decision_metrics(targets, constant, COSTS),
        "prior": decision_metrics(targets, random, COSTS),
    }
    records = new_records({name: decided(targets, good, mailbox, baselines=baselines) for name in ("a", "b")})
    rows = {row.name: row for row in ranked(records, "accuracy").rows}
    assert [name for name, row in rows.items() if row.kind == "baseline"] == sorted(
        baselines, key=lambda name: -baselines[name].accuracy
    )

    def difference(rows):
        return np.mean(constant[rows] == targets[rows]) - np.mean(good[rows] == targets[rows])

    assert rows["majority"].difference.interval == t_interval(mailbox, difference)
    assert rows["majority"].difference.verdict == "worse"
    assert rows["majority"].rank is None
    assert rows["prior"].difference.interval is None


def test_the_simple_alternative_is_a_row_once(messages, decided, new_records, new_bayes_baseline):
    targets, mailbox, decisions = messages
    cheap = decision_metrics(targets, decisions(0.6), COSTS)
    alternative = new_bayes_baseline(mean_reward=cheap.mean_reward)
    other = new_bayes_baseline(mean_reward=-0.9)
    sft = decided(targets, decisions(0.7), mailbox, decisions={"expected_reward": cheap}, bayes_baseline=alternative)
    grpo = decided(targets, decisions(0.7), mailbox, stage="grpo", bayes_baseline=alternative)
    lone = decided(targets, decisions(0.7), mailbox, stage="dpo", bayes_baseline=other)
    rows = [
        row for row in ranked(new_records({"sft": sft, "grpo": grpo, "lone": lone})).rows if row.kind == "alternative"
    ]
    assert [row.name for row in rows] == ["sft, expected_reward", "best_sft before lone, expected_reward"]
    assert rows[0].metrics["accuracy"] == cheap.accuracy
    assert (rows[1].metrics["mean_reward"], rows[1].metrics["accuracy"]) == (-0.9, None)
    by_it = msgspec.structs.replace(sft, decision_rule="expected_reward")
    assert all(row.kind == "policy" for row in ranked(new_records({"sft": by_it})).rows)


def test_mean_rewards_by_different_costs_are_computed_again_by_the_same(messages, decided, new_records):
    targets, mailbox, decisions = messages
    one, other = decisions(0.7), decisions(0.5)
    a, b = decided(targets, one, mailbox), decided(targets, other, mailbox, costs=DEAR)
    assert ranked(new_records({"a": a})).same_costs
    ranking = ranked(new_records({"a": a, "b": b}), "mean_reward", costs=DEAR)
    assert not ranking.same_costs
    rows = {row.name: row for row in ranking.policies}
    assert rows["a"].metrics["mean_reward"] == pytest.approx(score_of("mean_reward", targets, one, DEAR))
    expected = t_interval(mailbox, lambda chosen: score_of("mean_reward", targets[chosen], one[chosen], DEAR))
    assert rows["a"].intervals["mean_reward"] == expected
    assert a.mean_reward == pytest.approx(score_of("mean_reward", targets, one))  # the evaluation is as it was


def test_policies_on_other_messages_get_no_interval(messages, decided, new_records):
    targets, mailbox, decisions = messages
    a = decided(targets, decisions(0.8), mailbox)
    b = decided(targets, decisions(0.5), (mailbox + 1) % 12)  # the same mailboxes with other messages
    assert ranked(new_records({"a": a, "b": b})).policies[1].difference.interval is None


def test_every_metric_of_the_table_is_one_of_an_evaluation(new_evaluation):
    evaluation = new_evaluation()
    assert all(hasattr(evaluation, name) for name in METRICS)
