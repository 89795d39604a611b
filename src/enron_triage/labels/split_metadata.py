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
    """The content of ``split_metadata.json``.

    Attributes
    ----------
    mailboxes : dict of str to list of str
        By split.
    until : dict of str to list of int, or None
        For a split by time: each mailbox's two cuts (seconds UTC); None for a split by mailbox.
    actions_before, actions : dict
        By split, the number of messages with each action, before and after the drops.
    dropped : dict
        By split, the number of messages dropped for each reason.
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
    """Whether an unacted message belongs to the mailboxes (and the time) of a split."""
    if metadata.until is None:
        return user in metadata.mailboxes[split]
    if timestamp is None or user not in metadata.until:
        return False
    return bisect_right(metadata.until[user], timestamp) == SPLITS.index(split)


def read_metadata(path: Path) -> SplitMetadata:
    """Read ``split_metadata.json``.

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
