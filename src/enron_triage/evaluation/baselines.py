"""Decisions that need no training: baselines that a policy must beat, and rules that reveal a leak in the labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from enron_triage.policy.metrics import FloatArray, IntArray
from enron_triage.records import ACTION_INDEX, Action, LabeledEmail


def majority_prediction(train_shares: FloatArray, count: int) -> IntArray:
    """The most frequent action of train, for every message.

    Parameters
    ----------
    train_shares : array of float, shape (actions,)
        The share of train that each action has.
    count : int >= 0
        How many messages to decide.

    Returns
    -------
    array of int, shape (count,)
        Class indices.
    """
    return np.full(count, int(train_shares.argmax()), dtype=np.int64)


def prior_prediction(train_shares: FloatArray, count: int, generator: np.random.Generator) -> IntArray:
    """Actions drawn at random, each as often as in train.

    Parameters
    ----------
    train_shares : array of float, shape (actions,)
        The share of train that each action has; their sum may be off by rounding.
    count : int >= 0
        How many messages to decide.
    generator : numpy.random.Generator
        What draws them.

    Returns
    -------
    array of int, shape (count,)
        Class indices.
    """
    return generator.choice(len(train_shares), size=count, p=train_shares / train_shares.sum()).astype(np.int64)


def last_action_rule(records: Iterable[LabeledEmail], fallback: Action) -> IntArray:
    """What the owner last did with mail of this sender, as far as it was known when the message arrived.

    Parameters
    ----------
    records : iterable of LabeledEmail
        The messages, with their history.
    fallback : Action
        The decision for a sender on whose mail the owner has not acted before.

    Returns
    -------
    array of int, shape (records,)
        Class indices.
    """
    last = [record.history.last_sender_action if record.history else None for record in records]
    return np.array([ACTION_INDEX[action or fallback] for action in last], dtype=np.int64)


def fit_calendar_rule(train: Sequence[tuple[int, Action]]) -> int:
    """The date that best tells archived mail, before it, from deleted mail, after it.

    That such a rule works at all is due to habits of the company, not of a person; no feature may use it.

    Parameters
    ----------
    train : sequence of (int, Action)
        The time of arrival (seconds UTC) and the action of each message.

    Returns
    -------
    int
        The date in seconds UTC: mail from then on is deleted, earlier mail archived.
    """
    ordered = sorted((time, action) for time, action in train if action in (Action.ARCHIVE, Action.DELETE))
    right = best = Counter(action for _, action in ordered)[Action.DELETE]
    cut = ordered[0][0] if ordered else 0
    for index, (time, action) in enumerate(ordered):
        right += 1 if action is Action.ARCHIVE else -1
        if right > best and (index + 1 == len(ordered) or ordered[index + 1][0] > time):
            best, cut = right, time + 1
    return cut


def calendar_rule(timestamps: Iterable[int], cut: int) -> IntArray:
    """Delete the mail from a date on, and archive what came before.

    Parameters
    ----------
    timestamps : iterable of int
        When each message arrived, in seconds UTC.
    cut : int
        The date in seconds UTC: see `fit_calendar_rule`.

    Returns
    -------
    array of int, shape (messages,)
        Class indices.
    """
    late, early = ACTION_INDEX[Action.DELETE], ACTION_INDEX[Action.ARCHIVE]
    return np.array([late if time >= cut else early for time in timestamps], dtype=np.int64)
