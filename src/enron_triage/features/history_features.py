"""The features computed from a message's history: smoothed rates, shares, recencies.

Rates are smoothed along a chain, each towards the next wider one: the owner's towards the train population's, the
domain's towards the owner's, then the sender's, then the series'. So a sender seen once says little, and a new owner
is an average one. Nothing here grows with the age of the mailbox alone: totals enter as shares or saturate.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from enron_triage.features.feature_group import FloatArray
from enron_triage.features.history import FIELDS, RAW_COLUMNS, SCOPES
from enron_triage.records import ACTIONS, REPLIES

_WIDER = {  # for each scope of the history, the one that its rates are smoothed towards
    "owner": "class_prior",
    "domain": "owner",
    "sender": "domain",
    "series": "sender",
    "recipient": "owner",
    "conversation": "sender",
}
_STRENGTH = 5.0  # the wider rate counts as much as this many earlier actions,
_STRENGTH_RECENT = 2.0  # or recent ones, of which there are fewer
# Shares of all that was received are smoothed as if 5 more messages had come, a tenth of them answered and half of them
# acted on; a sender's share towards those, as if by 2 more messages.
_EXTRA_MESSAGES, _EXTRA_ANSWERED, _EXTRA_ACTED_ON = 5, 0.5, 2.5
_EXTRA_FROM_SENDER = 2
_MONTH, _TWO_YEARS = 30 * 86400, 730 * 86400  # seconds after which it makes no difference how long ago it was
_HOURS = 24  # of the day

COLUMNS: dict[str, str] = {
    **{f"{scope}_{action}_rate": f"smoothed share of {action} among the actions on mail of this {scope}"
       for scope in SCOPES for action in ACTIONS},
    **{f"{scope}_{action}_recent_rate": f"the same of {action}, weighted by how lately"
       for scope in SCOPES for action in ACTIONS},
    **{f"{scope}_actions": f"how many actions on mail of this {scope}: n / (n + 5)" for scope in SCOPES},
    **{f"{scope}_recent_actions": "how many of them lately: n / (n + 2)" for scope in SCOPES},
    **{f"last_was_{action}": f"the last action on this sender's mail was {action}" for action in ACTIONS},
    **{f"owner_in_{field}": f"the owner's address is in {field}" for field in FIELDS},
    "owner_unlisted": "it is in none of them: a list, or a blind copy",
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


def transform(raw: FloatArray, class_prior: FloatArray) -> FloatArray:
    """The group's features from its raw columns, before normalisation.

    Parameters
    ----------
    raw : array of float32, shape (records, raw columns)
        The raw columns, as `history.extract` gives them.
    class_prior : array of float32, shape (actions,)
        The share of each action in train: what an owner without any history is taken for.

    Returns
    -------
    array of float32, shape (records, columns)
        The columns are in the order of `COLUMNS`.
    """
    width = 2 * len(ACTIONS)
    counts = {scope: raw[:, i * width : i * width + len(ACTIONS)] for i, scope in enumerate(SCOPES)}
    recent = {scope: raw[:, i * width + len(ACTIONS) : (i + 1) * width] for i, scope in enumerate(SCOPES)}
    value = dict(zip(RAW_COLUMNS, raw.T, strict=True))
    last, field = value["last_sender_action"], value["recipient_field"]
    columns = [
        *_rates(counts, class_prior, _STRENGTH),
        *_rates(recent, class_prior, _STRENGTH_RECENT),
        *(_confidence(counts[scope], _STRENGTH) for scope in SCOPES),
        *(_confidence(recent[scope], _STRENGTH_RECENT) for scope in SCOPES),
        *(last == index for index in range(len(ACTIONS))),
        *(field == index for index in (*range(len(FIELDS)), -1)),
        *_correspondence(value),
        *_shares_answered(value, counts),
        *_conversation(value),
        *_pace(value),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _rates(counts: dict[str, FloatArray], class_prior: FloatArray, strength: float) -> list[FloatArray]:
    """Shares of the actions in every scope, each smoothed towards the wider scope's."""
    rates = {"class_prior": class_prior[None, :]}
    for scope, wider in _WIDER.items():
        total = counts[scope].sum(axis=1, keepdims=True)
        rates[scope] = (counts[scope] + strength * rates[wider]) / (total + strength)
    return [column for scope in SCOPES for column in rates[scope].T]


def _confidence(counts: FloatArray, strength: float) -> FloatArray:
    total = counts.sum(axis=1)
    return cast(FloatArray, total / (total + strength))


def _correspondence(value: dict[str, FloatArray]) -> list[FloatArray]:
    """How the message is addressed, and how much the owner and the sender have written to each other."""
    sent, received, from_sender = value["sent"], value["received"], value["received_from_sender"]
    return [
        np.log1p(np.maximum(value["recipient_position"], 0)),
        value["addressed_by_name"],
        value["from_own_domain"],
        np.log1p(value["sent_to_sender"]),
        value["sent_to_sender"] / (sent + _EXTRA_MESSAGES),
        _recency(value["since_sent_to_sender"], _TWO_YEARS),
        np.log1p(value["sent_to_domain"]),
        np.log1p(from_sender),
        from_sender / (received + _EXTRA_MESSAGES),
        _recency(value["since_received_from_sender"], _TWO_YEARS),
        value["received_from_domain"] / (received + _EXTRA_MESSAGES),
        np.log1p(value["received_in_series"]),
        np.log1p(value["sender_recipients"] / np.maximum(from_sender, 1)),
    ]


def _shares_answered(value: dict[str, FloatArray], counts: dict[str, FloatArray]) -> list[FloatArray]:
    """Smoothed shares of the messages that were answered or acted on."""
    received, from_sender = value["received"], value["received_from_sender"]
    answered, answered_sender = (counts[scope][:, list(REPLIES)].sum(axis=1) for scope in ("owner", "sender"))
    share_answered = (answered + _EXTRA_ANSWERED) / (received + _EXTRA_MESSAGES)
    share_acted = (counts["owner"].sum(axis=1) + _EXTRA_ACTED_ON) / (received + _EXTRA_MESSAGES)
    acted_sender = counts["sender"].sum(axis=1)
    return [
        (answered_sender + _EXTRA_FROM_SENDER * share_answered) / (from_sender + _EXTRA_FROM_SENDER),
        share_answered,
        (acted_sender + _EXTRA_FROM_SENDER * share_acted) / (from_sender + _EXTRA_FROM_SENDER),
    ]


def _conversation(value: dict[str, FloatArray]) -> list[FloatArray]:
    """Who has written in the conversation, and how lately."""
    since_sent, since_received = value["since_conversation_sent"], value["since_conversation_received"]
    return [
        value["conversation_started"] < 0,
        value["conversation_started"] > 0,
        np.log1p(value["conversation_sent"]),
        _recency(since_sent, _TWO_YEARS),
        np.log1p(value["conversation_received"]),
        _recency(since_received, _TWO_YEARS),
        (since_sent >= 0) & ((since_received < 0) | (since_sent < since_received)),
    ]


def _pace(value: dict[str, FloatArray]) -> list[FloatArray]:
    """How quickly the owner answers, and how busy the hour and the day are."""
    return [
        _recency(value["response_to_sender"], _MONTH),
        _recency(value["response"], _MONTH),
        _recency(value["since_sent"], _MONTH),
        np.log1p(value["sent_last_hour"]),
        np.log1p(value["sent_last_day"]),
        np.log1p(value["received_last_hour"]),
        np.log1p(value["received_last_day"]),
        np.log((value["sent_this_hour"] + 1) / (value["sent"] / _HOURS + 1)),
    ]


def _recency(seconds: FloatArray, longest: float) -> FloatArray:
    """1 for no time at all, 0 for `longest` and for never (-1)."""
    ago = np.log1p(np.maximum(seconds, 0)) / np.log1p(longest)
    return np.where(seconds < 0, 0, np.maximum(1 - ago, 0)).astype(np.float32)
