"""What an evaluation says of a policy against judgements by people."""

from __future__ import annotations

import msgspec


class JudgedShare(msgspec.Struct, kw_only=True):
    """How often a policy agrees with judgements by people.

    Attributes
    ----------
    count : int
        How many judgements; each counts once, also where several people judged the same.
    accuracy : float or None
        How often the policy agrees; None of none.
    interval : [low, high] or None
        The 95% interval of the accuracy.
    interval_method : str or None
        How it was found: ``jackknife over mailboxes`` (see `policy.intervals`), or from fewer than 10 mailboxes, or
        mailboxes that are all alike, ``Wilson, judgements taken for independent`` (Wilson 1927), which is too narrow
        where the judgements of a mailbox resemble each other.
    """

    count: int
    accuracy: float | None
    interval: list[float] | None
    interval_method: str | None


class JudgedMetrics(msgspec.Struct, kw_only=True):
    """A policy against what people judged.

    Attributes
    ----------
    path, sha256 : str
        The file of judgements.
    messages, mailboxes, annotators : int
        How many of the evaluated messages were judged, of how many mailboxes, by how many people.
    pairs : JudgedShare
        Of pairs of actions: how often the policy gives the better one the higher probability.
    actions : JudgedShare
        Of judgements of what should be done: how often the policy decides so.
    ties : int
        How many judgements find two actions equally good; they are in none of the shares.
    elsewhere : int
        How many judgements are of messages that were not evaluated.
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
