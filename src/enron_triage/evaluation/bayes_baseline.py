"""The simple alternative to a refined policy: an SFT policy's calibrated probabilities, and the Bayes decision.

The Bayes decision is the action of highest expected reward (Elkan 2001, eq. 1), the rule ``expected_reward``. A policy
that GRPO or DPO has refined must earn more than this, or refining it was not worth the effort.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from torch import Tensor

from enron_triage.config.paths import checkpoint_file
from enron_triage.config.schema import Config
from enron_triage.config.types import Costs
from enron_triage.errors import ArtifactError, UsageError
from enron_triage.evaluation.result import BayesBaseline
from enron_triage.evaluation.score import LogitArray, decision_of
from enron_triage.features.dataset import UNACTED, Dataset
from enron_triage.pipeline import with_advice
from enron_triage.policy import intervals
from enron_triage.policy.checkpoint import Checkpoint, load_checkpoint
from enron_triage.policy.decisions import least_expected_cost
from enron_triage.policy.inference import predict_logits
from enron_triage.policy.metrics import IntArray
from enron_triage.runtime import provenance

logger = logging.getLogger(__name__)

_MAX_ANCESTORS = 20  # policies between a checkpoint and the SFT policy that it was refined from


def compare_with_bayes_baseline(
    config: Config, path: Path, checkpoint: Checkpoint, dataset: Dataset, features: Tensor, logits: LogitArray
) -> BayesBaseline | None:
    """Compare a policy's decisions with the simple alternative to them.

    Parameters
    ----------
    config : Config
        The whole configuration: the decision rule and the costs.
    path : Path
        The policy's checkpoint.
    checkpoint : Checkpoint
        Its content.
    dataset : Dataset
        The messages that the policy is evaluated on.
    features : Tensor, shape (messages, features)
        The policy's inputs for them; the SFT policy that it was refined from has the same.
    logits : array, shape (messages, actions)
        The policy's logits for them.

    Returns
    -------
    BayesBaseline or None
        None, with a warning in the log, if the SFT policy is not there any more.
    """
    found = supervised_ancestor(path, checkpoint)
    if found is None:
        return None
    sft_path, sft = found
    sft_logits = logits if sft is checkpoint else predict_logits(sft.policy(features.device), features).numpy()
    acted = dataset.targets.numpy() != UNACTED
    log_p = checkpoint.calibration.log_probabilities(logits[acted])
    sft_log_p = sft.calibration.log_probabilities(sft_logits[acted])
    return compare_rewards(
        sft_path.stem,
        decision_of(checkpoint, config).decide(log_p),
        least_expected_cost(np.exp(sft_log_p), config.rewards.costs),
        dataset.targets.numpy()[acted],
        dataset.mailbox.numpy()[acted],
        costs=config.rewards.costs,
    )


def supervised_ancestor(path: Path, checkpoint: Checkpoint) -> tuple[Path, Checkpoint] | None:
    """The SFT policy that a policy was refined from, or the policy itself if it is one.

    Parameters
    ----------
    path : Path
        The policy's checkpoint.
    checkpoint : Checkpoint
        Its content.

    Returns
    -------
    (Path, Checkpoint) or None
        The SFT policy's checkpoint; None, with a warning in the log, if it is missing or has changed since.
    """
    for _ in range(_MAX_ANCESTORS):
        if checkpoint.stage == "sft":
            return path, checkpoint
        digest = checkpoint.init_digest
        try:
            path = _init_path(path, checkpoint.init)
            checkpoint = load_checkpoint(path)
        except ArtifactError as error:
            logger.warning("no comparison with the policy that this one was refined from: %s", with_advice(error))
            return None
        except UsageError as error:
            logger.warning("no comparison with the policy that this one was refined from: %s", error)
            return None
        if provenance.file_state(path, None).sha256 != digest:
            logger.warning("no comparison: %s is not what this policy was refined from any more", path)
            return None
    logger.warning("no comparison: %s was refined from too many policies, one after the other", path)
    return None


def _init_path(path: Path, init: str) -> Path:
    """The checkpoint that the ``init`` of another one names, by where the other one is now.

    The configuration cannot tell: it may name another run, and a folder of checkpoints may have been moved.
    """
    own_folder = path.parent
    is_below = (own_folder / f"{init}.pt").exists() or (
        own_folder / init
    ).is_dir()  # then this checkpoint belongs to the unnamed run
    return checkpoint_file(init, run_folder=own_folder, all_runs=own_folder if is_below else own_folder.parent)


def compare_rewards(
    checkpoint: str,
    predictions: IntArray,
    baseline: IntArray,
    targets: IntArray,
    mailbox: IntArray,
    *,
    costs: Costs,
) -> BayesBaseline:
    """Whether a policy's decisions earn more than a baseline's.

    Parameters
    ----------
    checkpoint : str
        The name of the SFT policy that the baseline's decisions come from.
    predictions : array of int, shape (messages,)
        The policy's decisions: class indices.
    baseline : array of int, shape (messages,)
        The baseline's decisions.
    targets : array of int, shape (messages,)
        What the owner did.
    mailbox : array of int, shape (messages,)
        The mailbox of each message.
    costs : 5 rows of 5 numbers
        Rows are what the owner did, columns what is decided.
    """
    matrix = np.asarray(costs)
    gain = matrix[targets, baseline] - matrix[targets, predictions]
    _, group = np.unique(mailbox, return_inverse=True)
    sums, sizes = np.bincount(group, gain), np.bincount(group)
    interval = intervals.jackknife_interval(sizes, lambda counts: (counts @ sums) / (counts @ sizes))
    return BayesBaseline(
        checkpoint=checkpoint,
        mean_reward=float(-matrix[targets, baseline].mean()),
        gain=float(gain.mean()),
        interval=interval,
        beats_baseline=bool(gain.mean() > 0),
    )
