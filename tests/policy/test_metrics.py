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
    assert np.isnan(metrics.accuracy(np.zeros((5, 5), dtype=int)))


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


def test_what_is_undefined_is_none():
    assert metrics.known(np.array([0.5, np.nan])) == [0.5, None]
