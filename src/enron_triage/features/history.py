"""The feature group ``history``: what the owner had done before the message arrived.

The raw counts come with the record (see ``labels/history.py``). Rates are smoothed: the sender's
towards the domain's, the domain's towards the owner's, the owner's towards the train population's,
so that a sender seen once says little and a new owner is an average one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from enron_triage.actions import ACTION_INDEX, ACTIONS
from enron_triage.errors import UsageError
from enron_triage.records import LabeledEmail

FloatArray = npt.NDArray[np.float32]

_SCOPES = ("sender", "domain", "owner")
_ACTION_COUNT = len(ACTIONS)
_STRENGTH = 5.0  # earlier actions that the wider rate weighs as much as

RAW_COLUMNS: dict[str, str] = {
    **{
        f"{scope}_{action}_count": f"times that the owner took {action} on mail of this {scope}"
        for scope in _SCOPES
        for action in ACTIONS
    },
    "sent_to_sender_count": "messages that the owner had sent to this sender",
    "last_sender_action": "class index of the action on this sender's mail that became known last; -1 for none",
}
COLUMNS: dict[str, str] = {
    **{f"{scope}_{action}_rate": f"smoothed share of {action} among the actions on mail of this {scope}"
       for scope in _SCOPES for action in ACTIONS},
    **{f"{scope}_actions": f"log(1 + actions on mail of this {scope})" for scope in _SCOPES},
    "sent_to_sender": "log(1 + messages that the owner had sent to this sender)",
    **{f"last_was_{action}": f"the last action on this sender's mail was {action}" for action in ACTIONS},
}  # fmt: skip


def extract(records: Sequence[LabeledEmail]) -> FloatArray:
    """The group's raw counts.

    Returns
    -------
    array of float32, shape (records, raw columns)
        In the order of `RAW_COLUMNS`.

    Raises
    ------
    UsageError
        If a record has no history, as under the ``folder`` scheme.
    """
    rows = []
    for record in records:
        history = record.history
        if history is None:
            raise UsageError(
                f"{record.path}: has no history (scheme {record.scheme}); leave history out of features.groups"
            )
        last = -1 if history.last_sender_action is None else ACTION_INDEX[history.last_sender_action]
        counts = (*history.sender_actions, *history.domain_actions, *history.owner_actions)
        rows.append((*counts, history.sent_to_sender, last))
    return np.array(rows, dtype=np.float32).reshape(len(records), len(RAW_COLUMNS))


def derive(raw: FloatArray, population: FloatArray) -> FloatArray:
    """The group's features from its raw counts.

    Parameters
    ----------
    raw : array, shape (records, raw columns)
    population : array, shape (actions,)
        Shares of the actions in train.

    Returns
    -------
    array of float32, shape (records, columns)
        In the order of `COLUMNS`.
    """
    sender, domain, owner = (raw[:, i * _ACTION_COUNT : (i + 1) * _ACTION_COUNT] for i in range(3))
    owner_rate = _smoothed(owner, population[None, :])
    domain_rate = _smoothed(domain, owner_rate)
    sender_rate = _smoothed(sender, domain_rate)
    totals = np.log1p(np.stack([counts.sum(axis=1) for counts in (sender, domain, owner)], axis=1))
    sent_to, last = np.log1p(raw[:, -2:-1]), raw[:, -1:]
    last_was = last == np.arange(_ACTION_COUNT)[None, :]
    columns = [sender_rate, domain_rate, owner_rate, totals, sent_to, last_was]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _smoothed(counts: FloatArray, prior: FloatArray) -> FloatArray:
    """Shares of the counts, with `_STRENGTH` more of them distributed as the prior."""
    smoothed: FloatArray = (counts + _STRENGTH * prior) / (counts.sum(axis=1, keepdims=True) + _STRENGTH)
    return smoothed
