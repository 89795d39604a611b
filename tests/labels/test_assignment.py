from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.errors import UsageError
from enron_triage.labels.assignment import assign_mailboxes, cut_in_time, drop_copies
from enron_triage.labels.columns import UNDATED, Columns

RATIOS = (0.75, 0.125, 0.125)


# By mailbox


def test_mailboxes_of_one_person_go_to_one_split_and_the_others_stay_where_they_were():
    people = [*range(20), 3, 7]
    for seed in range(5):
        together = assign_mailboxes(22, RATIOS, seed, people)
        assert (together[20], together[21]) == (together[3], together[7])
        apart = assign_mailboxes(22, RATIOS, seed)
        assert np.mean(together == apart) > 0.7
    with pytest.raises(UsageError, match="found 4 of 2 people"):
        assign_mailboxes(4, RATIOS, 0, [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("count", "ratios", "sizes"),
    [
        (150, RATIOS, [112, 19, 19]),
        (110, RATIOS, [82, 14, 14]),
        (24, RATIOS, [18, 3, 3]),
        (25, RATIOS, [18, 3, 4]),  # the odd one to test
        (8, RATIOS, [6, 1, 1]),
        (4, RATIOS, [2, 1, 1]),
        (3, RATIOS, [1, 1, 1]),
        (100, (6, 2, 2), [60, 20, 20]),
        (10, (0.7, 0.2, 0.1), [7, 2, 1]),
        (100, (0.58, 0.28, 0.14), [58, 28, 14]),
        (3, (0.998, 0.001, 0.001), [1, 1, 1]),
        (100, (0.001, 0.001, 0.998), [1, 1, 98]),
        (100, (0.001, 0.998, 0.001), [1, 98, 1]),
    ],
)
def test_train_is_rounded_down_and_the_odd_mailbox_goes_to_test(count, ratios, sizes):
    for seed in (0, 1):
        assert np.bincount(assign_mailboxes(count, ratios, seed), minlength=3).tolist() == sizes


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(3, 200), st.tuples(*[st.floats(0.01, 10)] * 3), st.integers(0, 5))
def test_every_mailbox_is_in_one_split_and_no_split_is_empty(count, ratios, seed):
    sizes = np.bincount(assign_mailboxes(count, ratios, seed), minlength=3)
    assert sizes.sum() == count
    assert sizes.min() >= 1
    if count * min(ratios) / sum(ratios) >= 2:
        assert np.abs(sizes - count * np.array(ratios) / sum(ratios)).max() < 2


def test_the_seed_decides_which_mailbox_is_in_which_split():
    one, same, other = (assign_mailboxes(40, RATIOS, seed).tolist() for seed in (1, 1, 2))
    assert one == same
    assert one != other
    assert one != sorted(one)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_mailboxes_need_a_split_by_time(count):
    with pytest.raises(
        UsageError, match=rf"at least three mailboxes, found {count}; use --set split\.by=time"
    ) as error:
        assign_mailboxes(count, RATIOS, 42)
    assert error.value.exit_status == 2


# Copies


def test_a_message_also_in_test_leaves_train_and_val_and_one_also_in_val_leaves_train():
    message = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    assigned = np.array([0, 1, 2, 0, 1, 0, 2, 1, 2, -1, 0])
    assert drop_copies(message, assigned).tolist() == [-1, -1, 2, -1, 1, -1, 2, -1, 2, -1, 0]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from([-1, 0, 1, 2])), min_size=1, max_size=25))
def test_no_message_is_in_two_splits_and_the_later_split_keeps_it(rows):
    message, assigned = (np.array(column) for column in zip(*rows, strict=True))
    kept = drop_copies(message, assigned)
    for (copy, before), after in zip(rows, kept.tolist(), strict=True):
        elsewhere = {place for other, place in rows if other == copy}
        assert after == (before if before == max(elsewhere) else -1)


def test_copies_within_one_split_stay():
    assert drop_copies(np.array([0, 0, 1]), np.array([0, 0, 2])).tolist() == [0, 0, 2]


# By time


def columns_of(*mailboxes):
    """Columns of mailboxes given as lists of times."""
    mailbox = [index for index, times in enumerate(mailboxes) for _ in times]
    times = [UNDATED if time is None else time for times in mailboxes for time in times]
    numbers = np.arange(len(times))
    names = [f"user-{index}" for index in range(len(mailboxes))]
    return Columns(names, np.array(mailbox), numbers, np.array(times), numbers, numbers, numbers, "received")


def test_each_mailbox_is_cut_at_its_ratios_in_time():
    columns = columns_of(list(range(100)), list(range(1000, 1008))[::-1])
    assigned, until = cut_in_time(columns, RATIOS, 0)
    assert until == {"user-0": [75, 87], "user-1": [1006, 1007]}
    assert assigned[:100].tolist() == [0] * 75 + [1] * 12 + [2] * 13
    assert assigned[100:].tolist() == [2, 1, 0, 0, 0, 0, 0, 0]


def test_messages_within_the_window_before_a_cut_are_left_out():
    columns = columns_of(list(range(0, 1000, 10)))
    assigned, until = cut_in_time(columns, RATIOS, 35)
    assert until == {"user-0": [750, 870]}
    by_time = dict(zip(columns.timestamp.tolist(), assigned.tolist(), strict=True))
    assert [by_time[time] for time in (0, 700, 710, 720, 740, 750)] == [0, 0, 0, -1, -1, 1]
    assert [by_time[time] for time in (820, 830, 840, 860, 870, 990)] == [1, 1, -1, -1, 2, 2]
    assert Counter(assigned.tolist()) == {0: 72, 1: 9, 2: 13, -1: 6}
    # A window before the cut or later, the outcome is not known; one second earlier, it is.
    columns = columns_of([0, 64, 65, 100, 100, 100])
    assert cut_in_time(columns, (0.5, 0.25, 0.25), 36)[0].tolist() == [0, -1, -1, 2, 2, 2]
    assert cut_in_time(columns, (0.5, 0.25, 0.25), 35)[0].tolist() == [0, 0, -1, 2, 2, 2]


def test_messages_of_one_moment_are_on_the_same_side_of_a_cut():
    assigned, until = cut_in_time(columns_of([1, 2, 5, 5, 5, 5, 9, 10]), (0.5, 0.25, 0.25), 0)
    assert until == {"user-0": [5, 9]}
    assert assigned.tolist() == [0, 0, 1, 1, 1, 1, 2, 2]


def test_undated_messages_are_in_no_split_by_time():
    assigned, until = cut_in_time(columns_of([None, 1, 2, 3, 4], [None]), (0.5, 0.25, 0.25), 0)
    assert assigned.tolist() == [-1, 0, 0, 1, 2, -1]
    assert until == {"user-0": [3, 4]}
