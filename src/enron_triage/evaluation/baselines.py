"""What needs no training: the rules that a policy must beat, and those that show a leak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from enron_triage.labels.folders import is_sent_folder, owner_addresses, subject_action
from enron_triage.records import ACTION_INDEX, Action, LabeledEmail

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def majority_prediction(train_shares: FloatArray, count: int) -> IntArray:
    """The most frequent action of train, for every message; shape (count,)."""
    return np.full(count, int(train_shares.argmax()), dtype=np.int64)


def prior_prediction(train_shares: FloatArray, count: int, generator: np.random.Generator) -> IntArray:
    """Actions drawn at random in the shares of train; shape (count,)."""
    return generator.choice(len(train_shares), size=count, p=train_shares / train_shares.sum()).astype(np.int64)


def subject_rule(records: Iterable[LabeledEmail]) -> IntArray:
    """The rule that reads the ``folder`` scheme's labels off sender and subject.

    Sent by the owner: the subject's prefix decides; else ``delete``. That so little suffices shows
    how far the scheme leaks.

    Returns
    -------
    array of int, shape (records,)
        Class indices.
    """
    seen = [(r.user, r.sender, r.raw_subject or r.subject, is_sent_folder(r.folder)) for r in records]
    sent: dict[str, list[str]] = {}
    for user, sender, _, is_sent in seen:
        if is_sent:
            sent.setdefault(user, []).append(sender)
    owners = {user: owner_addresses(senders) for user, senders in sent.items()}
    actions = [
        (subject_action(subject) if sender in owners.get(user, ()) else None) or Action.DELETE
        for user, sender, subject, _ in seen
    ]
    return np.array([ACTION_INDEX[action] for action in actions], dtype=np.int64)


def last_action_rule(records: Iterable[LabeledEmail], fallback: Action) -> IntArray:
    """What the owner last did with this sender, as far as it was known on arrival.

    Parameters
    ----------
    records : iterable of LabeledEmail
        With their history.
    fallback : Action
        For a sender without earlier action.

    Returns
    -------
    array of int, shape (records,)
        Class indices.
    """
    last = [record.history.last_sender_action if record.history else None for record in records]
    return np.array([ACTION_INDEX[action or fallback] for action in last], dtype=np.int64)


def fit_calendar_rule(train: Sequence[tuple[int, Action]]) -> int:
    """The date that best tells archived from deleted mail: later mail is deleted.

    That such a rule works at all is a habit of the company, not of a person; no feature may use it.

    Parameters
    ----------
    train : sequence of (int, Action)
        Arrival in seconds UTC, and the action.

    Returns
    -------
    int
        Seconds UTC: mail from then on is deleted, earlier mail archived.
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
    """Delete from `cut` on, archive before; shape (messages,)."""
    late, early = ACTION_INDEX[Action.DELETE], ACTION_INDEX[Action.ARCHIVE]
    return np.array([late if time >= cut else early for time in timestamps], dtype=np.int64)
