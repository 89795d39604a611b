import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.evaluation import baselines
from enron_triage.records import ACTION_INDEX, ACTION_NAMES, Action

SHARES = np.array([0.1, 0.0, 0.2, 0.4, 0.3])


@pytest.fixture(scope="session")
def message(new_record):
    return functools.partial(new_record, action=Action.ARCHIVE, history=None, scheme="folder")


def names(predictions):
    return [ACTION_NAMES[index] for index in predictions]


def test_the_majority_is_the_most_frequent_action_of_train():
    assert names(baselines.majority_prediction(SHARES, 3)) == ["archive"] * 3
    assert baselines.majority_prediction(SHARES, 0).shape == (0,)


def test_the_prior_draws_in_the_shares_of_train():
    drawn = baselines.prior_prediction(SHARES, 20_000, np.random.default_rng(0))
    shares = np.bincount(drawn, minlength=5) / 20_000
    assert shares == pytest.approx(SHARES, abs=0.015)
    assert shares[1] == 0
    again = baselines.prior_prediction(SHARES, 20_000, np.random.default_rng(0))
    assert (drawn == again).all()
    rounded = SHARES.astype(np.float32).astype(np.float64) * 1.00001  # a sum of 1 only nearly
    assert len(baselines.prior_prediction(rounded, 5, np.random.default_rng(0))) == 5


def test_the_last_action_rule_repeats_what_the_owner_last_did(message, new_history):
    records = [
        message(history=new_history(last_sender_action=Action.FORWARD)),
        message(history=new_history()),
        message(),
    ]
    got = baselines.last_action_rule(records, Action.DELETE)
    assert names(got) == ["forward", "delete", "delete"]


def right_with(train, cut):
    """How many of the archived and deleted messages the rule gets right."""
    return sum((time >= cut) == (action is Action.DELETE) for time, action in train if action in BINARY)


BINARY = (Action.ARCHIVE, Action.DELETE)


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(list(Action))), max_size=25))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_the_calendar_rule_is_as_good_as_the_best_of_all_dates(train):
    cut = baselines.fit_calendar_rule(train)
    assert right_with(train, cut) == max(right_with(train, date) for date in range(15))


def test_the_calendar_rule_deletes_from_its_date_on():
    train = [(10, Action.ARCHIVE), (20, Action.ARCHIVE), (30, Action.DELETE), (25, Action.REPLY_NOW)]
    cut = baselines.fit_calendar_rule(train)
    assert 20 < cut <= 30
    got = baselines.calendar_rule([5, 20, cut - 1, cut, 99], cut)
    assert names(got) == ["archive", "archive", "archive", "delete", "delete"]
    assert ACTION_INDEX[Action.DELETE] in got
