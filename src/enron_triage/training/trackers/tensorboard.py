"""The tracker ``tensorboard``: event files in ``<checkpoints>/<run>/tensorboard/<stage>``."""

from __future__ import annotations

import json
from pathlib import Path

from enron_triage.policy.validation import EpochMetrics
from enron_triage.runtime import artifacts
from enron_triage.training.trackers.tracker import TrackingContext, not_installed, scalars


class TensorboardTracker:
    """Scalars, the configuration as text, and hyperparameters with the best epoch's metrics: see `Tracker`."""

    def __init__(self) -> None:
        try:
            from torch.utils import tensorboard
        except ImportError:
            raise not_installed("tensorboard") from None
        self._make = tensorboard.SummaryWriter
        self._writer: tensorboard.SummaryWriter | None = None

    def begin(self, context: TrackingContext) -> None:
        """Remember the training; the older one's events stay until there is an epoch to replace them."""
        self._context = context

    def log(self, metrics: EpochMetrics) -> None:
        """Write the scalars."""
        if self._writer is None:
            folder = self._context.checkpoint_folder / "tensorboard" / self._context.stage
            artifacts.remove(folder)
            self._writer = self._make(str(folder))
            text = json.dumps(self._context.configuration, indent=2).replace("\n", "\n    ")
            self._writer.add_text("configuration", f"    {text}")
        for name, value in scalars(metrics).items():
            self._writer.add_scalar(name, value, metrics.epoch)
        self._writer.flush()

    def finish(self, best: EpochMetrics, checkpoint: Path) -> None:
        """Write the checkpoint's path, and the hyperparameters beside the metrics of the best epoch."""
        assert self._writer is not None
        self._writer.add_text("checkpoint", f"{checkpoint} (epoch {best.epoch})")
        values = {f"best/{name}": value for name, value in scalars(best).items()}
        self._writer.add_hparams(self._context.hyperparameters, values, run_name=".")
        self.abort()

    def abort(self) -> None:
        """Close the files."""
        if self._writer is not None:
            self._writer.close()
