import warnings

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from enron_triage.policy import metrics
from enron_triage.records import ACTION_NAMES

LABELS = list(range(5))
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


def arrays(pairs):
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])


@given(PAIRS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_classification_is_what_scikit_learn_computes(pairs):
    targets, predictions = arrays(pairs)
    got = msgspec.to_builtins(metrics.classification(targets, predictions))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that were predicted but are not there
        precision, recall, f1, support = sklearn.precision_recall_fscore_support(
            targets, predictions, labels=LABELS, zero_division=0
        )
        balanced = sklearn.balanced_accuracy_score(targets, predictions)
    for index, name in enumerate(ACTION_NAMES):
        values = got["per_class"][name]
        assert values["support"] == support[index]
        if support[index]:
            expected = (precision[index], recall[index], f1[index])
            assert (values["precision"], values["recall"], values["f1"]) == pytest.approx(expected)
        else:
            assert (values["precision"], values["recall"], values["f1"]) == (None, None, None)
    assert got["accuracy"] == pytest.approx(sklearn.accuracy_score(targets, predictions))
    assert got["balanced_accuracy"] == pytest.approx(balanced)
    assert got["macro_f1"] == pytest.approx(f1[support > 0].mean())
    assert got["confusion_matrix"] == sklearn.confusion_matrix(targets, predictions, labels=LABELS).tolist()
    shares = [float((predictions == index).mean()) for index in LABELS]
    assert list(got["predicted_share"].values()) == pytest.approx(shares)


def test_a_class_that_is_never_predicted_has_precision_0_and_one_without_support_none():
    got = msgspec.to_builtins(metrics.classification(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 3])))
    assert got["per_class"]["reply_later"] == {"precision": 0, "recall": 0, "f1": 0, "support": 2}
    assert got["per_class"]["archive"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    assert got["macro_f1"] == pytest.approx((2 * 2 / 5 + 0) / 2)
    assert got["balanced_accuracy"] == 0.5


def test_many_confusion_matrices_are_judged_at_once():
    generator = np.random.default_rng(0)
    many = generator.integers(0, 5, size=(3, 5, 5))
    many[1, 2] = 0  # a class without support
    for statistic in (metrics.accuracy, metrics.macro_f1, metrics.balanced_accuracy):
        np.testing.assert_allclose(statistic(many), [statistic(one) for one in many])
    assert np.isnan(metrics.macro_f1(np.zeros((5, 5), dtype=int)))
    assert metrics.accuracy(np.zeros((5, 5), dtype=int)) == 0


def confusion(true, predicted):
    """A confusion matrix with these margins: everything else is of no interest here."""
    targets = np.repeat(LABELS, true)
    return metrics.confusion_matrix(targets, np.repeat(LABELS, predicted))


@pytest.mark.parametrize(
    ("true", "predicted", "collapsed"),
    [
        ([50, 50, 0, 0, 0], [96, 4, 0, 0, 0], True),
        ([50, 50, 0, 0, 0], [95, 5, 0, 0, 0], False),  # over 95%, not at it
        ([89, 11, 0, 0, 0], [100, 0, 0, 0, 0], True),
        ([90, 10, 0, 0, 0], [100, 0, 0, 0, 0], False),  # under 90%, not at it
        ([90, 10, 0, 0, 0], [0, 0, 0, 0, 100], True),  # of another class than the frequent one
        ([0, 0, 0, 0, 0], [0, 0, 0, 0, 0], False),
    ],
)
def test_a_collapse_is_one_class_over_95_percent_of_the_predictions_and_under_90_of_the_truth(
    true, predicted, collapsed
):
    assert metrics.collapsed(confusion(true, predicted)) is collapsed


def ece_by_loop(probabilities, targets):
    bins = [[] for _ in range(15)]
    for row, target in zip(probabilities, targets, strict=True):
        top = max(range(5), key=lambda index: row[index])
        bins[min(int(row[top] * 15), 14)].append((row[top], top == target))
    gaps = [
        abs(sum(right for _, right in found) - sum(confidence for confidence, _ in found)) for found in bins if found
    ]
    return sum(gaps) / len(targets)


@given(st.integers(0, 10**6), st.floats(0.1, 8))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_calibration_error_is_that_of_a_plain_loop(seed, sharpness):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(80, 5)) * sharpness
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = generator.integers(0, 5, 80)
    got = metrics.expected_calibration_error(probabilities, targets)
    assert got == pytest.approx(ece_by_loop(probabilities, targets))


def test_the_calibration_error_of_known_forecasts():
    certain = np.eye(5)[[0, 0, 0, 0]]
    assert metrics.expected_calibration_error(certain, np.array([0, 0, 0, 0])) == 0
    assert metrics.expected_calibration_error(certain, np.array([0, 0, 0, 1])) == 0.25
    assert metrics.expected_calibration_error(certain, np.array([1, 1, 1, 1])) == 1


def test_a_reply_is_one_now_or_later():
    probabilities = np.array([[0.1, 0.2, 0.3, 0.3, 0.1], [0.5, 0.5, 0, 0, 0]])
    assert metrics.reply_probability(probabilities) == pytest.approx([0.3, 1])
    assert metrics.needs_reply(np.array([0, 1, 2, 3, 4])).tolist() == [True, True, False, False, False]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_areas_and_average_precision_are_scikit_learns_and_none_where_undefined(pairs):
    positive, score = np.array([pair[0] for pair in pairs]), np.array([pair[1] / 6 for pair in pairs])
    area, average = metrics.roc_auc(positive, score), metrics.average_precision(positive, score)
    if positive.all() or not positive.any():
        assert area is None
    else:
        assert area == pytest.approx(sklearn.roc_auc_score(positive, score))
    if positive.any():
        assert average == pytest.approx(sklearn.average_precision_score(positive, score))
    else:
        assert average is None


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_weighted_areas_are_those_of_the_repeated_messages(seed):
    generator = np.random.default_rng(seed)
    positive = generator.random(25) < 0.3
    score = generator.integers(0, 8, 25) / 8  # many ties
    weights = generator.integers(0, 3, size=(6, 25))
    weights[0] = 0
    weights[1] = positive  # no negatives
    got = metrics.weighted_roc_auc(positive, score, weights)
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
    got = metrics.bootstrap_intervals(
        groups, {"mean": mean_of(np.ones(count))}, resamples=20, generator=np.random.default_rng(0)
    )
    assert got == {"mean": [1.0, 1.0] if known else None}


def test_the_interval_resamples_the_groups():
    values = np.random.default_rng(1).normal(3, 2, size=40)
    got = metrics.bootstrap_intervals(
        np.arange(40), {"mean": mean_of(values)}, resamples=4000, generator=np.random.default_rng(2)
    )
    error = values.std() / np.sqrt(40)
    assert got["mean"] == pytest.approx([values.mean() - 1.96 * error, values.mean() + 1.96 * error], abs=0.08)
    narrow = metrics.bootstrap_intervals(
        np.arange(40), {"mean": mean_of(values)}, resamples=4000, generator=np.random.default_rng(2), level=0.5
    )
    assert narrow["mean"] == pytest.approx([values.mean() - 0.674 * error, values.mean() + 0.674 * error], abs=0.08)


def test_the_interval_covers_the_truth_about_95_times_in_100():
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        values = generator.normal(0.5, 0.1, size=30)
        intervals = metrics.bootstrap_intervals(
            np.arange(30), {"mean": mean_of(values)}, resamples=200, generator=generator
        )
        low, high = intervals["mean"]
        covered += low <= 0.5 <= high
    assert 178 <= covered <= 198  # 30 groups: percentile intervals are a little narrow


def test_a_statistic_that_is_undefined_on_every_resample_has_no_interval():
    statistics = {
        "never": lambda drawn: np.full(len(drawn), np.nan),
        "sometimes": lambda drawn: np.where(np.arange(len(drawn)) % 2, 0.25, np.nan),
    }
    got = metrics.bootstrap_intervals(np.arange(12), statistics, resamples=50, generator=np.random.default_rng(0))
    assert got == {"never": None, "sometimes": [0.25, 0.25]}


def test_what_is_undefined_is_none():
    assert metrics.known(np.array([0.5, np.nan])) == [0.5, None]
