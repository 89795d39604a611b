"""Metrics of probabilities, against plain loops and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from enron_triage.policy import probability_metrics
from enron_triage.policy.probability_metrics import ReliabilityBin


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
    got = probability_metrics.expected_calibration_error(probabilities, targets)
    assert got == pytest.approx(ece_by_loop(probabilities, targets))


def test_the_calibration_error_of_known_forecasts():
    certain = np.eye(5)[[0, 0, 0, 0]]
    assert probability_metrics.expected_calibration_error(certain, np.array([0, 0, 0, 0])) == 0
    assert probability_metrics.expected_calibration_error(certain, np.array([0, 0, 0, 1])) == 0.25
    assert probability_metrics.expected_calibration_error(certain, np.array([1, 1, 1, 1])) == 1


def test_a_reply_is_one_now_or_later():
    probabilities = np.array([[0.1, 0.2, 0.3, 0.3, 0.1], [0.5, 0.5, 0, 0, 0]])
    assert probability_metrics.reply_probability(probabilities) == pytest.approx([0.3, 1])
    assert probability_metrics.needs_reply(np.array([0, 1, 2, 3, 4])).tolist() == [True, True, False, False, False]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_areas_and_average_precision_are_scikit_learns_and_none_where_undefined(pairs):
    positive, score = np.array([pair[0] for pair in pairs]), np.array([pair[1] / 6 for pair in pairs])
    area, average = probability_metrics.roc_auc(positive, score), probability_metrics.average_precision(positive, score)
    if positive.all() or not positive.any():
        assert area is None
    else:
        assert area == pytest.approx(sklearn.roc_auc_score(positive, score))
    if positive.any():
        assert average == pytest.approx(sklearn.average_precision_score(positive, score))
    else:
        assert average is None


def test_the_bins_of_a_reliability_diagram_hold_counts_and_means():
    probabilities = np.array([[0.9, 0.1, 0, 0, 0], [0.92, 0.08, 0, 0, 0], [0.3, 0.3, 0.4, 0, 0]])
    low, high = probability_metrics.reliability(probabilities, np.array([0, 1, 2]))
    assert low == ReliabilityBin(count=1, confidence=0.4, accuracy=1.0)
    assert (high.count, high.accuracy) == (2, 0.5)
    assert high.confidence == pytest.approx(0.91)
