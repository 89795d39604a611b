"""``split_metadata.json``: which mailboxes, or which times, belong to which split."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

import msgspec

from enron_triage.config.paths import SPLITS
from enron_triage.errors import UsageError
from enron_triage.records import Scheme
from enron_triage.runtime import artifacts


class SplitMetadata(msgspec.Struct, kw_only=True):
    """The content of ``split_metadata.json``; each dictionary is by split, unless it says otherwise.

    Attributes
    ----------
    seed : int
        The seed of the assignment of mailboxes.
    by : {"user", "time"}
        Whether mailboxes are assigned to splits, or each mailbox is divided in time.
    scheme : str
        The label scheme.
    ratios : tuple of float, length 3
        The shares of train, val and test that were asked for.
    mailboxes : dict of str to list of str
        The mailboxes with messages in the split.
    until : dict of str to list of int, or None
        For a split by time, the two cuts of each mailbox in seconds UTC, by mailbox; None for a split by mailbox.
    counts : dict of str to int
        The number of messages.
    actions_before, actions : dict of str to dict of str to int
        The number of messages with each action, before and after copies are dropped.
    dropped : dict of str to dict of str to int
        The number of messages dropped for each reason; besides the splits, ``before_a_cut`` and ``undated`` in a split
        by time.
    """

    seed: int
    by: str
    scheme: Scheme
    ratios: tuple[float, float, float]
    mailboxes: dict[str, list[str]]
    until: dict[str, list[int]] | None
    counts: dict[str, int]
    actions_before: dict[str, dict[str, int]]
    actions: dict[str, dict[str, int]]
    dropped: dict[str, dict[str, int]]


def belongs_to(metadata: SplitMetadata, split: str, user: str, timestamp: int | None) -> bool:
    """Whether an unacted message belongs to the mailboxes (and, in a split by time, to the period) of a split.

    Parameters
    ----------
    metadata : SplitMetadata
        What the stage ``split`` wrote.
    split : str
        ``train``, ``val`` or ``test``.
    user : str
        The mailbox of the message.
    timestamp : int or None
        Its time of arrival in seconds UTC; None if it is undated, and then in no split by time.
    """
    if metadata.until is None:
        return user in metadata.mailboxes[split]
    if timestamp is None or user not in metadata.until:
        return False
    return bisect_right(metadata.until[user], timestamp) == SPLITS.index(split)


def read_metadata(path: Path) -> SplitMetadata:
    """Read ``split_metadata.json``.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    UsageError
        If it is missing or damaged.
    """
    metadata = artifacts.read_json(path, SplitMetadata)
    cuts = (metadata.until or {}).values()
    if not set(SPLITS) <= set(metadata.mailboxes) or any(len(pair) != len(SPLITS) - 1 for pair in cuts):
        raise UsageError(f"{path}: lacks a split; run `triage split`")
    return metadata
