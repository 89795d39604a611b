"""The feature group ``history``: what the owner had done before the message arrived, as raw counts and times.

They come with the record (see ``labels/history.py``). What the policy sees is made of them by `history_features`.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import numpy as np

from enron_triage.errors import UsageError
from enron_triage.features.feature_group import FloatArray
from enron_triage.records import ACTION_INDEX, ACTIONS, History, LabeledEmail

SCOPES = ("owner", "domain", "sender", "series", "recipient", "conversation")  # what the history counts actions by
FIELDS = ("to", "cc", "bcc")
_NUMBERS = tuple(
    field for field in History.__struct_fields__ if field not in (*SCOPES, "last_sender_action", "recipient_field")
)
_get_counts = attrgetter(*SCOPES)
_get_numbers = attrgetter(*_NUMBERS)

RAW_COLUMNS: tuple[str, ...] = (
    *(f"{scope}_{action}_{kind}" for scope in SCOPES for kind in ("count", "recent") for action in ACTIONS),
    "last_sender_action",  # class index; -1 for none
    "recipient_field",  # 0 to, 1 cc, 2 bcc; -1 for none
    *_NUMBERS,  # as in `History`; -1 for None
)


def extract(records: Sequence[LabeledEmail]) -> FloatArray:
    """The group's raw counts and times.

    Parameters
    ----------
    records : sequence of LabeledEmail
        The messages, with their history.

    Returns
    -------
    array of float32, shape (records, raw columns)
        The columns are in the order of `RAW_COLUMNS`; what is not known is -1.

    Raises
    ------
    UsageError
        If a record has no history, as under the ``folder`` scheme.
    """
    rows: list[list[float | None]] = []
    for record in records:
        history = record.history
        if history is None:
            raise UsageError(
                f"{record.path}: has no history (scheme {record.scheme}); leave history out of features.groups"
            )
        row: list[float | None] = []
        for scope in _get_counts(history):
            row += scope.counts
            row += scope.recent
        last, field = history.last_sender_action, history.recipient_field
        row.append(None if last is None else ACTION_INDEX[last])
        row.append(None if field is None else FIELDS.index(field))
        row += _get_numbers(history)
        rows.append(row)
    raw = np.array(rows, dtype=np.float32).reshape(len(records), len(RAW_COLUMNS))  # None becomes NaN
    return np.nan_to_num(raw, nan=-1)


def num_prior_actions(raw: FloatArray) -> FloatArray:
    """How many of the owner's earlier actions were known when a message arrived.

    Parameters
    ----------
    raw : array of float32, shape (records, raw columns)
        The raw columns, as `extract` gives them.

    Returns
    -------
    array of float32, shape (records,)
        Actions on any mail, however long ago.
    """
    return np.asarray(raw[:, : len(ACTIONS)].sum(axis=1))  # the owner's counts come first
