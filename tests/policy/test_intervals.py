"""Intervals over mailboxes, against theory, simulations and repeated messages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn

from enron_triage.policy import metrics
from enron_triage.policy.intervals import jackknife_interval, paired_interval, weighted_roc_auc


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
    """The mean of the mailboxes' values as a statistic."""
    return lambda counts: counts @ values / counts.sum(axis=1)


def ratio_of(right, sizes):
    """The share of all messages that are right as a statistic."""
    return lambda counts: (counts @ right) / (counts @ sizes)


def ones(count):
    return np.ones(count, dtype=np.int64)


@pytest.mark.parametrize(("count", "expected"), [(0, None), (9, None), (10, [1.0, 1.0])])
def test_fewer_than_10_mailboxes_are_too_few_for_an_interval(count, expected):
    assert jackknife_interval(ones(count), mean_of(np.ones(count))) == expected


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_for_a_mean_of_mailboxes_of_one_size_it_is_the_t_interval(level):
    values = np.random.default_rng(1).normal(3, 2, size=12)
    expected = stats.t.interval(level, 11, loc=values.mean(), scale=stats.sem(values))
    assert jackknife_interval(ones(12), mean_of(values), level=level) == pytest.approx(list(expected))


def test_a_few_large_mailboxes_make_it_wider():
    values = np.random.default_rng(1).normal(3, 2, size=12)
    sizes = np.array([1000, 1000, *[1] * 10])  # some two mailboxes, in effect
    low, high = jackknife_interval(sizes, mean_of(values))
    even_low, even_high = jackknife_interval(ones(12), mean_of(values))
    assert low < even_low < even_high < high


def test_the_interval_of_a_share_stays_between_0_and_1():
    values = np.array([0.99] * 11 + [0.6])
    low, high = jackknife_interval(ones(12), mean_of(values), share=True)
    assert 0 < low < values.mean() < high < 1
    assert jackknife_interval(ones(12), mean_of(values))[1] > 1
    some = np.array([1.0] * 11 + [0.5])  # without the last mailbox all are right
    low, high = jackknife_interval(ones(12), mean_of(some), share=True)
    assert 0 < low < some.mean() < high == 1


@pytest.mark.parametrize("count", [14, 30])
def test_the_interval_of_a_ratio_of_uneven_mailboxes_covers_the_truth_about_95_times_in_100(count):
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(600):
        sizes = generator.lognormal(5, 1, size=count).astype(np.int64) + 1
        right = generator.binomial(sizes, generator.beta(12, 3, size=count))  # a mean of 0.8
        low, high = jackknife_interval(sizes, ratio_of(right, sizes), share=True)
        covered += low <= 0.8 <= high
    assert 0.93 <= covered / 600 <= 0.985


def test_a_statistic_that_is_undefined_without_some_mailbox_has_no_interval():
    def undefined(counts):
        return np.where(counts[:, 3] == 0, np.nan, 0.5)

    assert jackknife_interval(ones(12), undefined) is None
    assert jackknife_interval(ones(12), lambda counts: np.full(len(counts), np.nan)) is None


@pytest.mark.parametrize("statistic", [metrics.accuracy, metrics.macro_f1])
def test_a_paired_interval_is_that_of_the_difference_on_the_same_mailboxes(statistic):
    generator = np.random.default_rng(5)
    first, second = generator.integers(0, 3, size=(2, 12, 5, 5))
    kept = [[other for other in range(12) if other != left_out] for left_out in range(12)]
    differences = [statistic(first[rows].sum(axis=0)) - statistic(second[rows].sum(axis=0)) for rows in kept]
    error = np.sqrt(11 / 12 * np.square(np.array(differences) - np.mean(differences)).sum())
    whole = statistic(first.sum(axis=0)) - statistic(second.sum(axis=0))
    low, high = paired_interval(first, second, statistic)
    assert (low + high) / 2 == pytest.approx(whole)
    sizes = first.sum(axis=(1, 2))
    assert (high - low) / 2 == pytest.approx(error * stats.t.ppf(0.975, sizes.sum() ** 2 / (sizes**2).sum() - 1))


def test_a_policy_does_not_differ_from_itself_and_few_mailboxes_give_no_interval():
    confusions = np.random.default_rng(1).integers(0, 3, size=(10, 5, 5))
    assert paired_interval(confusions, confusions, metrics.accuracy) == [0.0, 0.0]
    assert paired_interval(confusions[:9], confusions[:9], metrics.accuracy) is None
