"""A policy's predictions for the messages it was trained on, as if it had not seen their texts.

The text scores of train are out of fold, in training as here: the models that give them are fitted on the other
messages. With the scores that new mail gets, the policy would know what the owner did with these messages, and neither
its doubt nor its disagreement would tell anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from enron_triage.annotation.messages import Key
from enron_triage.annotation.strategies import Array, ScoringPolicy
from enron_triage.config.schema import Config
from enron_triage.records import ACTIONS, LabeledEmail
from enron_triage.runtime import artifacts
from enron_triage.runtime.code_digest import code_digest

logger = logging.getLogger(__name__)

_KEPT = 5  # files: 1 MB each for the whole corpus


class TrainScores:
    """A policy that answers for train out of a table; `strategies.ScoringPolicy`.

    Parameters
    ----------
    policy : ScoringPolicy
        The policy as it is for new mail; it gives the inputs, which tell messages apart.
    table : array, shape (messages, actions)
        The log-probabilities of the messages of train.
    rows : mapping of Key to int
        The row of each message.
    """

    def __init__(self, policy: ScoringPolicy, table: Array, rows: Mapping[Key, int]) -> None:
        self._policy = policy
        self._table = table
        self._rows = rows

    def log_probabilities(self, records: Sequence[LabeledEmail]) -> Array:
        """Out of the table."""
        return self._table[[self._rows[Key(record.user, record.fingerprint)] for record in records]]

    def inputs(self, records: Sequence[LabeledEmail]) -> Array:
        """What the policy sees of messages."""
        return self._policy.inputs(records)


def train_log_probabilities(config: Config, checkpoint: Path, count: int) -> Array:
    """What a policy says of train, out of fold; kept beside the cached features, as it takes long to compute.

    Parameters
    ----------
    config : Config
        Where the data are, and who computes.
    checkpoint : Path
        The policy.
    count : int
        How many records train has.

    Returns
    -------
    array of float, shape (count, actions)
        Calibrated log-probabilities, in the order of the file.

    Raises
    ------
    UsageError
        If a split or the checkpoint is missing, damaged, or does not fit the other.
    """
    digest = hashlib.sha256(checkpoint.read_bytes())
    for name in ("train", "val"):
        state = (config.data / f"{name}.json").stat() if (config.data / f"{name}.json").exists() else None
        digest.update(repr(state and (state.st_size, state.st_mtime_ns)).encode())
    digest.update(code_digest("enron_triage.training.setup").encode())
    path = config.data / "features" / f"annotate-{digest.hexdigest()[:16]}.npy"
    table = _read(path)
    if table is None or table.shape != (count, len(ACTIONS)):
        logger.info("scoring train with %s; the scores are cached in %s", checkpoint, path)
        table = _computed(config, checkpoint)
        with artifacts.atomic_open(path) as file:
            np.save(file, table, allow_pickle=False)
        _remove_oldest(path.parent)
    return table


def _read(path: Path) -> Array | None:
    try:
        table: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # none, or none that can be used: it is made again
        return None
    return table


def _computed(config: Config, checkpoint: Path) -> Array:
    from enron_triage.policy.inference import choose_device  # with torch
    from enron_triage.training.setup import load_setup

    table: Array = load_setup(config, checkpoint, choose_device(config.device)).reference.cpu().numpy()
    return table


def _remove_oldest(folder: Path) -> None:
    with contextlib.suppress(OSError):
        files = sorted(folder.glob("annotate-*.npy"), key=lambda file: file.stat().st_mtime_ns)
        for old in files[:-_KEPT]:
            old.unlink(missing_ok=True)
