"""The simple alternative to a refined policy: calibrated SFT probabilities, the action of highest expected reward."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from enron_triage.config.types import Costs
from enron_triage.errors import UsageError
from enron_triage.policy import metrics
from enron_triage.policy.checkpoint import Checkpoint, load_checkpoint
from enron_triage.runtime import provenance

logger = logging.getLogger(__name__)

IntArray = npt.NDArray[np.int64]
_LONGEST_LINE = 20  # refined policies between a checkpoint and its SFT policy


def supervised_ancestor(path: Path, checkpoint: Checkpoint) -> tuple[Path, Checkpoint] | None:
    """The SFT policy that a policy was refined from: itself, if it is one; None, with a warning, if it is not there."""
    for _ in range(_LONGEST_LINE):
        if checkpoint.stage == "sft":
            return path, checkpoint
        path, digest = _beside(path, checkpoint.init), checkpoint.init_digest
        try:
            checkpoint = load_checkpoint(path)
        except UsageError as error:
            logger.warning("no comparison with the policy that this one was refined from: %s", error)
            return None
        if provenance.file_state(path, None).sha256 != digest:
            logger.warning("no comparison: %s is not what this policy was refined from any more", path)
            return None
    logger.warning("no comparison: %s was refined from too many policies, one after the other", path)
    return None


def _beside(path: Path, name: str) -> Path:
    """The checkpoint that another one's ``init`` names: see `stages.named_checkpoint`."""
    if name.endswith(".pt"):
        return Path(name)
    here = path.parent / f"{name}.pt"
    # RUN/NAME is below the folder of all checkpoints, which is the parent's where this one belongs to a run.
    return path.parent.parent / f"{name}.pt" if "/" in name and not here.exists() else here


def compare_rewards(
    predictions: IntArray,
    alternative: IntArray,
    targets: IntArray,
    mailbox: IntArray,
    costs: Costs,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Whether decisions are worth more than the alternative's.

    Parameters
    ----------
    predictions, alternative, targets, mailbox : arrays of int, shape (messages,)
    costs : 5 rows of 5 numbers
    resamples, seed : int
        Of the bootstrap over mailboxes.

    Returns
    -------
    dict
        ``mean_reward`` of the alternative, ``gain`` of the decisions over it, its 95% ``interval`` (None under 10
        mailboxes), and whether it is ``beaten``.
    """
    matrix = np.asarray(costs)
    gain = matrix[targets, alternative] - matrix[targets, predictions]
    _, group = np.unique(mailbox, return_inverse=True)
    sums, sizes = np.bincount(group, gain), np.bincount(group)
    intervals = metrics.bootstrap_intervals(
        group,
        {"gain": lambda drawn: (drawn @ sums) / (drawn @ sizes)},
        resamples=resamples,
        generator=np.random.default_rng(seed),
    )
    return {
        "mean_reward": float(-matrix[targets, alternative].mean()),
        "gain": float(gain.mean()),
        "interval": intervals["gain"],
        "beaten": bool(gain.mean() > 0),
    }
