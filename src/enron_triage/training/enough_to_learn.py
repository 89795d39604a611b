"""Whether a train split is large enough to learn from: what is refused, and the warnings."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from enron_triage.errors import UsageError
from enron_triage.features.dataset import Dataset
from enron_triage.labels.sample_size import FEW_MESSAGES
from enron_triage.records import ACTION_NAMES

logger = logging.getLogger(__name__)


def check_enough(path: Path, train: Dataset, val: Dataset, *, starts_trained: bool) -> None:
    """Refuse messages that all have the same action, and say in a line each what cannot be learned well.

    Parameters
    ----------
    path : Path
        The file of the train split, for the message.
    train, val : Dataset
        The messages to train and validate on.
    starts_trained : bool
        Whether training goes on from a trained policy, for which few messages are enough.

    Raises
    ------
    UsageError
        If both hold only one action.
    """
    counts = torch.bincount(train.targets, minlength=len(ACTION_NAMES)).tolist()
    absent = [action for action, count in zip(ACTION_NAMES, counts, strict=True) if not count]
    actions = {*train.targets.tolist(), *val.targets.tolist()}
    if len(actions) == 1:
        raise UsageError(
            f"{path}: contains only one action, {ACTION_NAMES[min(actions)]} ({len(train):,} messages), and so does "
            "validation: there is nothing to choose between; give mail with which different things were done (is "
            "the folder of sent mail there?), or predict with a policy that was trained on other mail"
        )
    if absent:
        logger.warning("no training message has the action %s: it cannot be learned", ", ".join(absent))
    if len(train) < FEW_MESSAGES and not starts_trained:
        logger.warning(
            "sft: only %d messages to learn from: expect little more than how often each action occurs. A policy that "
            "was trained on other mail knows more: give one with sft.init",
            len(train),
        )
