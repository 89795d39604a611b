"""Which message goes to train, val and test.

A split is an index: 0 for train, 1 for val, 2 for test, and `LEFT_OUT` for a message that is in none of them.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence

import numpy as np

from enron_triage.errors import UsageError
from enron_triage.labels.columns import UNDATED, Columns, IntArray
from enron_triage.labels.time_cuts import find_cuts

logger = logging.getLogger(__name__)

LEFT_OUT = -1
_DAY = 86400  # seconds
_TRAIN, _VAL, _TEST = range(3)


def assign_mailboxes(count: int, ratios: Sequence[float], seed: int, people: Sequence[int] | None = None) -> IntArray:
    """Assign mailboxes to splits at random.

    Train gets its ratio of the people, rounded down. The others are divided between val and test by their ratios,
    the odd one to test. Every split gets at least one.

    Parameters
    ----------
    count : int
        The number of mailboxes.
    ratios : sequence of float, length 3
        The shares of train, val and test; they need not sum to 1.
    seed : int
        The seed of the random order.
    people : sequence of int, length `count`, optional
        Whose each mailbox is: those of one person go to one split. By default each is another person's.

    Returns
    -------
    array of int, shape (count,)
        The split of each mailbox.

    Raises
    ------
    UsageError
        If there are fewer than three mailboxes, or people.
    """
    order = list(range(count))
    random.Random(seed).shuffle(order)
    owners = order if people is None else [people[mailbox] for mailbox in order]
    in_order = list(dict.fromkeys(owners))
    if len(in_order) < 3:
        needed, whose = "three mailboxes", ""
        if len(in_order) < count:
            needed, whose = "three mailboxes of different people", f" of {len(in_order)} people"
        raise UsageError(f"a split by mailbox needs at least {needed}, found {count}{whose}; use --set split.by=time")
    # A product that floating point puts just below a whole number must not lose a mailbox.
    train = min(max(int(len(in_order) * ratios[0] / sum(ratios) + 1e-9), 1), len(in_order) - 2)
    rest = len(in_order) - train
    val = min(max(int(rest * ratios[1] / (ratios[1] + ratios[2]) + 1e-9), 1), rest - 1)
    split_of = dict.fromkeys(in_order, _TEST)
    split_of |= dict.fromkeys(in_order[:train], _TRAIN) | dict.fromkeys(in_order[train : train + val], _VAL)
    assigned = np.empty(count, dtype=np.int64)
    assigned[order] = [split_of[owner] for owner in owners]
    return assigned


def cut_in_time(
    columns: Columns, ratios: Sequence[float], window: int, least: int = 0
) -> tuple[IntArray, dict[str, list[int]]]:
    """Divide each mailbox in time.

    A message within `window` seconds before a cut is left out: whether it was answered is only known after the cut.
    Where a mailbox is too short for that, the gap before its cuts is shorter: see `time_cuts.find_cuts`. Earlier
    messages that were answered after the cut are left out, too. So the only thing that train may know of the time after
    the cut is that a message was *not* answered any more; that it was filed or deleted has no time, and is assumed to
    have happened within the gap.

    Parameters
    ----------
    columns : Columns
        The labelled messages; undated ones are left out.
    ratios : sequence of float, length 3
        The shares of each mailbox's messages in train, val and test; they need not sum to 1.
    window : int
        The longest time, in seconds, after which a message may still be answered.
    least : int
        The least number of messages in val and in test: see `time_cuts.find_cuts`. With 0, the gap is `window` in any
        case.

    Returns
    -------
    assigned : array of int, shape (records,)
        The split of each message.
    until : dict of str to list of int
        The two cuts of each mailbox with dated messages, in seconds UTC.
    """
    assigned = np.full(len(columns.mailbox), LEFT_OUT, dtype=np.int64)
    answered = np.full_like(columns.timestamp, UNDATED) if columns.answered is None else columns.answered
    until, short = {}, {}
    for index, name in enumerate(columns.mailboxes):
        rows = np.flatnonzero((columns.mailbox == index) & (columns.timestamp != UNDATED))
        if not len(rows):
            continue
        times = columns.timestamp[rows]
        cuts, gap = find_cuts(np.sort(times), ratios, window, least)
        split = np.searchsorted(cuts, times, side="right")
        end = np.array([*cuts, np.iinfo(np.int64).max])[split]  # test has none
        assigned[rows] = np.where((times < end - gap) & (answered[rows] < end), split, LEFT_OUT)
        until[name] = cuts
        if gap < window:
            short[name] = gap
    if short:
        _say_what_is_short(short, len(until), window)
    return assigned, until


def _say_what_is_short(gaps: dict[str, int], mailboxes: int, window: int) -> None:
    """Say in one line which mailboxes are too short for the whole window."""
    days = f"{min(gaps.values()) / _DAY:.3g}"
    which = "the mailbox is" if mailboxes == 1 else f"{len(gaps)} of {mailboxes} mailboxes are"
    logger.warning(
        "%s too short to leave out label.link_window (%.3g days) before each cut in time: %s%s days are left out, and "
        "messages answered after a cut; the others are assumed to have been filed or deleted before it",
        which,
        window / _DAY,
        "" if len(gaps) == 1 else "down to ",
        days,
    )


def drop_copies(message: IntArray, assigned: IntArray) -> IntArray:
    """Leave each message out of every split but the last that has a copy of it.

    So test keeps its natural mix, and nothing in it was trained on.

    Parameters
    ----------
    message : array of int, shape (records,)
        Equal for copies of one message.
    assigned : array of int, shape (records,)
        The split of each record.

    Returns
    -------
    array of int, shape (records,)
        `assigned`, with `LEFT_OUT` for the copies in earlier splits.
    """
    latest = np.full(message.max() + 1, LEFT_OUT, dtype=np.int64)
    np.maximum.at(latest, message, assigned)
    return np.where(assigned == latest[message], assigned, LEFT_OUT)
