"""The feature group ``history``: what the owner had done before the message arrived.

The raw counts and times come with the record (see ``labels/history.py``). Rates are smoothed along a
chain, each towards the wider one's: the train population's, the owner's, the domain's, the sender's,
the series', so that a sender seen once says little and a new owner is an average one. Nothing here
grows with the age of the mailbox alone: totals enter as shares or saturate.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import cast

import numpy as np
import numpy.typing as npt

from enron_triage.errors import UsageError
from enron_triage.records import ACTION_INDEX, ACTIONS, REPLIES, History, LabeledEmail

FloatArray = npt.NDArray[np.float32]

_WIDER = {  # each scope of the history, and what its rates are smoothed towards
    "owner": "class_prior",
    "domain": "owner",
    "sender": "domain",
    "series": "sender",
    "recipient": "owner",
    "conversation": "sender",
}
_SCOPES = tuple(_WIDER)
_STRENGTH = 5.0  # earlier actions that the wider rate weighs as much as,
_STRENGTH_RECENT = 2.0  # and recent ones, which are fewer
_MONTH, _TWO_YEARS = 30 * 86400, 730 * 86400  # seconds: from when on it is all the same how long ago
_FIELDS = ("to", "cc", "bcc")
_ACTION_COUNT = len(ACTIONS)
_NUMBERS = tuple(
    field for field in History.__struct_fields__ if field not in (*_SCOPES, "last_sender_action", "recipient_field")
)
_get_pasts = attrgetter(*_SCOPES)
_get_numbers = attrgetter(*_NUMBERS)

RAW_COLUMNS: tuple[str, ...] = (
    *(f"{scope}_{action}_{kind}" for scope in _SCOPES for kind in ("count", "recent") for action in ACTIONS),
    "last_sender_action",  # class index; -1 for none
    "recipient_field",  # 0 to, 1 cc, 2 bcc; -1 for none
    *_NUMBERS,  # as in `History`; -1 for None
)
COLUMNS: dict[str, str] = {
    **{f"{scope}_{action}_rate": f"smoothed share of {action} among the actions on mail of this {scope}"
       for scope in _SCOPES for action in ACTIONS},
    **{f"{scope}_{action}_recent_rate": f"the same of {action}, weighted by how lately"
       for scope in _SCOPES for action in ACTIONS},
    **{f"{scope}_actions": f"how many actions on mail of this {scope}: n / (n + 5)" for scope in _SCOPES},
    **{f"{scope}_recent_actions": "how many of them lately: n / (n + 2)" for scope in _SCOPES},
    **{f"last_was_{action}": f"the last action on this sender's mail was {action}" for action in ACTIONS},
    **{f"owner_in_{field}": f"the owner's address stands in {field}" for field in _FIELDS},
    "owner_unlisted": "it stands nowhere: a list, or a blind copy",
    "owner_position": "log(1 + place in that field)",
    "owner_named": "the text opens with the owner's name",
    "from_own_domain": "the sender's domain is the owner's",
    "sent_to_sender": "log(1 + messages that the owner had sent to this sender)",
    "sent_to_sender_share": "their share of all that the owner had sent",
    "sent_to_sender_recency": "how lately the last of them: 1 now, 0 two years ago or never",
    "sent_to_domain": "log(1 + messages that the owner had sent to this domain)",
    "received_from_sender": "log(1 + messages that this sender had sent)",
    "received_from_sender_share": "their share of all that the owner had received",
    "received_from_sender_recency": "how lately the last of them",
    "received_from_domain_share": "the domain's share of all that the owner had received",
    "received_in_series": "log(1 + messages of this sender with this subject, numbers apart)",
    "sender_recipients": "log(1 + mean number of recipients of the sender's messages)",
    "sender_answered": "smoothed share of the sender's messages that were answered",
    "owner_answered": "share of all messages that were answered",
    "sender_acted_on": "smoothed share of the sender's messages that got any action",
    "conversation_is_new": "no message of this subject was sent or received",
    "conversation_started": "the owner began it",
    "conversation_sent": "log(1 + the owner's messages in it)",
    "conversation_sent_recency": "how lately the last of them",
    "conversation_received": "log(1 + others' messages in it)",
    "conversation_received_recency": "how lately the last of them",
    "conversation_answer_due": "the owner's message in it is the latest",
    "response_to_sender": "how quick the owner's answers to this sender were: 1 at once, 0 a month or never",
    "response": "how quick the owner's answers were",
    "sent_recency": "how lately the owner had sent anything",
    "sent_last_hour": "log(1 + messages that the owner had sent in the last hour)",
    "sent_last_day": "log(1 + in the last day)",
    "received_last_hour": "log(1 + messages received in the last hour)",
    "received_last_day": "log(1 + in the last day)",
    "sent_this_hour": "how much of the owner's mail is sent at this hour: log of its ratio to an even day",
}  # fmt: skip


def extract(records: Sequence[LabeledEmail]) -> FloatArray:
    """The group's raw counts and times.

    Returns
    -------
    array of float32, shape (records, raw columns)
        In the order of `RAW_COLUMNS`.

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
        for past in _get_pasts(history):
            row += past.counts
            row += past.recent
        last, field = history.last_sender_action, history.recipient_field
        row.append(None if last is None else ACTION_INDEX[last])
        row.append(None if field is None else _FIELDS.index(field))
        row += _get_numbers(history)
        rows.append(row)
    raw = np.array(rows, dtype=np.float32).reshape(len(records), len(RAW_COLUMNS))  # None becomes NaN
    return np.nan_to_num(raw, nan=-1)


def transform(raw: FloatArray, class_prior: FloatArray) -> FloatArray:
    """The group's features from its raw columns.

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
    width = 2 * _ACTION_COUNT
    counts = {scope: raw[:, i * width : i * width + _ACTION_COUNT] for i, scope in enumerate(_SCOPES)}
    recent = {scope: raw[:, i * width + _ACTION_COUNT : (i + 1) * width] for i, scope in enumerate(_SCOPES)}
    value = dict(zip(RAW_COLUMNS, raw.T, strict=True))
    last, field = value["last_sender_action"], value["recipient_field"]
    columns = [
        *_rates(counts, class_prior, _STRENGTH),
        *_rates(recent, class_prior, _STRENGTH_RECENT),
        *(_confidence(counts[scope], _STRENGTH) for scope in _SCOPES),
        *(_confidence(recent[scope], _STRENGTH_RECENT) for scope in _SCOPES),
        *(last == index for index in range(_ACTION_COUNT)),
        *(field == index for index in (0, 1, 2, -1)),
        *_mail(value, counts),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def num_prior_actions(raw: FloatArray) -> FloatArray:
    """How many of the owner's earlier actions were known, from the raw columns; shape (records,)."""
    return np.asarray(raw[:, :_ACTION_COUNT].sum(axis=1))  # the owner's counts come first


def _rates(counts: dict[str, FloatArray], class_prior: FloatArray, strength: float) -> list[FloatArray]:
    """Shares of the actions in every scope, each smoothed towards the wider scope's."""
    rates = {"class_prior": class_prior[None, :]}
    for scope, wider in _WIDER.items():
        total = counts[scope].sum(axis=1, keepdims=True)
        rates[scope] = (counts[scope] + strength * rates[wider]) / (total + strength)
    return [column for scope in _SCOPES for column in rates[scope].T]


def _confidence(counts: FloatArray, strength: float) -> FloatArray:
    total = counts.sum(axis=1)
    return cast(FloatArray, total / (total + strength))


def _mail(value: dict[str, FloatArray], counts: dict[str, FloatArray]) -> list[FloatArray]:
    """What depends on mail sent and received, in the order of `COLUMNS`."""
    sent, received, from_sender = value["sent"], value["received"], value["received_from_sender"]
    replies = list(REPLIES)
    answered, answered_sender = (counts[scope][:, replies].sum(axis=1) for scope in ("owner", "sender"))
    share_answered = (answered + 0.5) / (received + 5)
    share_acted = (counts["owner"].sum(axis=1) + 2.5) / (received + 5)
    acted_sender = counts["sender"].sum(axis=1)
    since_sent, since_received = value["since_conversation_sent"], value["since_conversation_received"]
    return [
        np.log1p(np.maximum(value["recipient_position"], 0)),
        value["addressed_by_name"],
        value["from_own_domain"],
        np.log1p(value["sent_to_sender"]),
        value["sent_to_sender"] / (sent + 5),
        _recency(value["since_sent_to_sender"], _TWO_YEARS),
        np.log1p(value["sent_to_domain"]),
        np.log1p(from_sender),
        from_sender / (received + 5),
        _recency(value["since_received_from_sender"], _TWO_YEARS),
        value["received_from_domain"] / (received + 5),
        np.log1p(value["received_in_series"]),
        np.log1p(value["sender_recipients"] / np.maximum(from_sender, 1)),
        (answered_sender + 2 * share_answered) / (from_sender + 2),
        share_answered,
        (acted_sender + 2 * share_acted) / (from_sender + 2),
        value["conversation_started"] < 0,
        value["conversation_started"] > 0,
        np.log1p(value["conversation_sent"]),
        _recency(since_sent, _TWO_YEARS),
        np.log1p(value["conversation_received"]),
        _recency(since_received, _TWO_YEARS),
        (since_sent >= 0) & ((since_received < 0) | (since_sent < since_received)),
        _recency(value["response_to_sender"], _MONTH),
        _recency(value["response"], _MONTH),
        _recency(value["since_sent"], _MONTH),
        np.log1p(value["sent_last_hour"]),
        np.log1p(value["sent_last_day"]),
        np.log1p(value["received_last_hour"]),
        np.log1p(value["received_last_day"]),
        np.log((value["sent_this_hour"] + 1) / (sent / 24 + 1)),
    ]


def _recency(seconds: FloatArray, longest: float) -> FloatArray:
    """1 for no time at all, 0 for `longest` and for never (-1)."""
    ago = np.log1p(np.maximum(seconds, 0)) / np.log1p(longest)
    return np.where(seconds < 0, 0, np.maximum(1 - ago, 0)).astype(np.float32)
