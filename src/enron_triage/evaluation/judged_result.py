"""The part of an evaluation that compares a policy with judgements by people."""

from __future__ import annotations

import msgspec


class JudgedShare(msgspec.Struct, kw_only=True):
    """How often a policy agrees with judgements by people.

    Attributes
    ----------
    count : int
        The number of judgements; each counts, also if several people judged the same question.
    accuracy : float or None
        The share of judgements that the policy agrees with; None if there are none.
    interval : [low, high] or None
        The 95% interval of the accuracy.
    interval_method : str or None
        How it was computed: ``jackknife over mailboxes`` (see `policy.intervals`), or, with fewer than 10 mailboxes or
        with mailboxes that are all alike, ``Wilson, judgements taken for independent`` (Wilson 1927). The latter is too
        narrow if the judgements within a mailbox resemble each other.
    """

    count: int
    accuracy: float | None
    interval: list[float] | None
    interval_method: str | None


class JudgedMetrics(msgspec.Struct, kw_only=True):
    """A policy compared with judgements by people.

    Attributes
    ----------
    path, sha256 : str
        The file of judgements.
    messages, mailboxes, annotators : int
        The number of evaluated messages that were judged, of their mailboxes, and of the people who judged them.
    pairs : JudgedShare
        For pairs of actions: how often the policy gives the better one the higher probability.
    actions : JudgedShare
        For judgements of the right action: how often the policy decides on that action.
    ties : int
        The number of judgements that two actions are equally good; they are not part of the shares.
    elsewhere : int
        The number of judgements of messages that were not evaluated.
    """

    path: str
    sha256: str
    messages: int
    mailboxes: int
    annotators: int
    pairs: JudgedShare
    actions: JudgedShare
    ties: int
    elsewhere: int
