"""The tracker ``wandb``: a run of Weights & Biases for each training; ``WANDB_MODE=offline`` keeps it here."""

from __future__ import annotations

import os
from pathlib import Path

from enron_triage.policy.validation import EpochMetrics
from enron_triage.training.trackers.tracker import TrackingContext, not_installed, scalars


class WandbTracker:
    """The configuration, metrics and the best checkpoint: see `Tracker`.

    The project is ``WANDB_PROJECT``, or else ``enron_triage``.
    """

    def __init__(self) -> None:
        try:
            import wandb
        except ImportError:
            raise not_installed("wandb") from None
        self._wandb = wandb

    def begin(self, context: TrackingContext) -> None:
        """Create the run, with the configuration."""
        context.checkpoint_folder.mkdir(parents=True, exist_ok=True)
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT") or "enron_triage",
            name=context.title,
            group=context.run,
            job_type=context.stage,
            config=context.configuration,
            dir=str(context.checkpoint_folder),
            reinit="create_new",
        )

    def log(self, metrics: EpochMetrics) -> None:
        """Log the metrics, with the epoch as the step."""
        self._run.log(scalars(metrics), step=metrics.epoch)

    def finish(self, best: EpochMetrics, checkpoint: Path) -> None:
        """Hand over the checkpoint and its metrics."""
        self._run.summary.update({"best_epoch": best.epoch, **{f"best/{k}": v for k, v in scalars(best).items()}})
        artifact = self._wandb.Artifact(checkpoint.stem, type="model")
        artifact.add_file(str(checkpoint))
        self._run.log_artifact(artifact)
        self._run.finish()

    def abort(self) -> None:
        """Mark the run as failed."""
        self._run.finish(exit_code=1)
