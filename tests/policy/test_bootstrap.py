"""Intervals over resampled mailboxes, against theory and repeated messages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from enron_triage.policy import metrics
from enron_triage.policy.bootstrap import bootstrap_intervals, paired_interval, weighted_roc_auc


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_weighted_areas_are_those_of_the_repeated_messages(seed):
    generator = np.random.default_rng(seed)
    positive = generator.random(25) < 0.3
    score = generator.integers(0, 8, 25) / 8  # many ties
    weights = generator.integers(0, 3, size=(6, 25))
    weights[0] = 0
    weights[1] = positive  # no negatives
    got = weighted_roc_auc(positive, score, weights)
    assert got.shape == (6,)
    for area, weight in zip(got, weights, strict=True):
        repeated = np.repeat(positive, weight)
        if repeated.any() and not repeated.all():
            assert area == pytest.approx(sklearn.roc_auc_score(repeated, np.repeat(score, weight)))
        else:
            assert np.isnan(area)


def mean_of(values):
    """The statistic for the bootstrap: the mean of the groups' values."""
    return lambda drawn: drawn @ values / drawn.sum(axis=1)


@pytest.mark.parametrize(("count", "known"), [(0, False), (9, False), (10, True)])
def test_fewer_than_10_mailboxes_are_too_few_for_an_interval(count, known):
    groups = np.repeat(np.arange(count), 2)
    got = bootstrap_intervals(
        groups, {"mean": mean_of(np.ones(count))}, resamples=20, generator=np.random.default_rng(0)
    )
    assert got == {"mean": [1.0, 1.0] if known else None}


def test_the_interval_resamples_the_groups():
    values = np.random.default_rng(1).normal(3, 2, size=40)
    got = bootstrap_intervals(
        np.arange(40), {"mean": mean_of(values)}, resamples=4000, generator=np.random.default_rng(2)
    )
    error = values.std() / np.sqrt(40)
    assert got["mean"] == pytest.approx([values.mean() - 1.96 * error, values.mean() + 1.96 * error], abs=0.08)
    narrow = bootstrap_intervals(
        np.arange(40), {"mean": mean_of(values)}, resamples=4000, generator=np.random.default_rng(2), level=0.5
    )
    assert narrow["mean"] == pytest.approx([values.mean() - 0.674 * error, values.mean() + 0.674 * error], abs=0.08)


def test_the_interval_covers_the_truth_about_95_times_in_100():
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        values = generator.normal(0.5, 0.1, size=30)
        intervals = bootstrap_intervals(np.arange(30), {"mean": mean_of(values)}, resamples=200, generator=generator)
        low, high = intervals["mean"]
        covered += low <= 0.5 <= high
    assert 178 <= covered <= 198  # 30 groups: percentile intervals are a little narrow


def test_a_statistic_that_is_undefined_on_every_resample_has_no_interval():
    statistics = {
        "never": lambda drawn: np.full(len(drawn), np.nan),
        "sometimes": lambda drawn: np.where(np.arange(len(drawn)) % 2, 0.25, np.nan),
    }
    got = bootstrap_intervals(np.arange(12), statistics, resamples=50, generator=np.random.default_rng(0))
    assert got == {"never": None, "sometimes": [0.25, 0.25]}


def brute_force_differences(first, second, metric, resamples, seed):
    """The difference on each resample, message by message: the mailboxes are drawn as `multinomial` draws them."""
    count = len(first)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    differences = []
    for row in drawn:
        mailboxes = [index for index, times in enumerate(row) for _ in range(times)]
        pairs = []
        for matrices in (first, second):
            messages = [
                (true, predicted)
                for index in mailboxes
                for (true, predicted), times in np.ndenumerate(matrices[index])
                for _ in range(times)
            ]
            pairs.append(metric(*zip(*messages, strict=True)))
        differences.append(pairs[0] - pairs[1])
    return differences


def sklearn_macro_f1(true, predicted):
    return sklearn.f1_score(true, predicted, labels=sorted(set(true)), average="macro", zero_division=0)


@pytest.mark.parametrize(
    ("statistic", "metric"), [(metrics.accuracy, sklearn.accuracy_score), (metrics.macro_f1, sklearn_macro_f1)]
)
def test_a_paired_interval_is_that_of_both_policies_on_the_same_drawn_mailboxes(statistic, metric):
    generator = np.random.default_rng(5)
    first, second = generator.integers(0, 3, size=(2, 12, 5, 5))
    got = paired_interval(first, second, statistic, resamples=40, seed=11)
    expected = np.quantile(brute_force_differences(first, second, metric, 40, 11), [0.025, 0.975])
    assert got == pytest.approx(list(expected))


def test_a_policy_does_not_differ_from_itself_and_few_mailboxes_give_no_interval():
    confusions = np.random.default_rng(1).integers(0, 3, size=(10, 5, 5))
    assert paired_interval(confusions, confusions, metrics.accuracy, resamples=20, seed=0) == [0.0, 0.0]
    assert paired_interval(confusions[:9], confusions[:9], metrics.accuracy, resamples=20, seed=0) is None
