"""Where training metrics go; to add a logger, write a class with `log` and add its line to `LOGGERS`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from enron_triage.config.training import TrainingConfig
from enron_triage.policy.validation import EpochMetrics
from enron_triage.runtime import artifacts
from enron_triage.training.files import TrainingFiles

logger = logging.getLogger(__name__)


class MetricLogger(Protocol):
    """Takes the metrics of every epoch, in rank 0."""

    def log(self, metrics: EpochMetrics, history: Sequence[EpochMetrics]) -> None:
        """Log one epoch.

        Parameters
        ----------
        metrics : EpochMetrics
            The metrics of the epoch.
        history : sequence of EpochMetrics
            The metrics of every epoch so far, this one included; a run that was resumed knows them all.
        """


class JsonLinesLogger:
    """``stage_N_metrics.jsonl``: one JSON object a line for each epoch.

    Parameters
    ----------
    files : TrainingFiles
        The stage's files.
    settings : TrainingConfig
        The stage's section of the configuration.
    """

    def __init__(self, files: TrainingFiles, settings: TrainingConfig) -> None:
        self._path = files.metrics

    def log(self, metrics: EpochMetrics, history: Sequence[EpochMetrics]) -> None:
        """Write all lines, so that the file never holds those of an older run: see `MetricLogger.log`."""
        with artifacts.atomic_open(self._path) as file:
            for epoch in history:
                file.write(msgspec.json.encode(epoch.flat()) + b"\n")


class ConsoleLogger:
    """A line for each epoch on stderr, and a warning where the policy has collapsed.

    Parameters
    ----------
    files : TrainingFiles
        The stage's files.
    settings : TrainingConfig
        The stage's section of the configuration.
    """

    def __init__(self, files: TrainingFiles, settings: TrainingConfig) -> None:
        self._epochs = settings.epochs
        self._select_by = settings.select_by

    def log(self, metrics: EpochMetrics, history: Sequence[EpochMetrics]) -> None:
        """Write one line: see `MetricLogger.log`."""
        validation = metrics.validation
        is_best = metrics.best_epoch == metrics.epoch
        shares = " ".join(f"{action} {share:.0%}" for action, share in validation.predicted_share.items())
        logger.info(
            "epoch %d/%d: train loss %.4f, val loss %.4f, accuracy %.4f, macro-F1 %.4f%s | predicted: %s",
            metrics.epoch,
            self._epochs,
            metrics.train_loss,
            validation.val_loss,
            validation.accuracy,
            validation.macro_f1,
            f" (best by {self._select_by})" if is_best and self._select_by != "last" else "",
            shares,
        )
        if validation.collapsed:
            most = max(validation.predicted_share, key=validation.predicted_share.__getitem__)
            logger.warning("epoch %d: the policy has collapsed to %s", metrics.epoch, most)


LOGGERS: dict[str, Callable[[TrainingFiles, TrainingConfig], MetricLogger]] = {
    "json_lines": JsonLinesLogger,
    "console": ConsoleLogger,
}
