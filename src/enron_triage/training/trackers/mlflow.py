"""The tracker ``mlflow``: a run for each training, in ``MLFLOW_TRACKING_URI``, or else in ``mlflow.db`` here."""

from __future__ import annotations

import os
import time
from pathlib import Path

from enron_triage.policy.validation import EpochMetrics
from enron_triage.training.trackers.tracker import TrackingContext, not_installed, scalars

_MAX_PARAMETERS = 100  # that MLflow takes at once
_MAX_LENGTH = 500  # of a parameter in older stores; configuration.json holds them whole


class MlflowTracker:
    """Parameters, metrics and the best checkpoint: see `Tracker`.

    The experiment is ``MLFLOW_EXPERIMENT_NAME``, or else ``enron_triage``.
    """

    def __init__(self) -> None:
        try:
            import mlflow

            if not os.environ.get("MLFLOW_TRACKING_URI"):
                import sqlalchemy  # noqa: F401 -- the store in the working folder, mlflow.db, needs it
        except ImportError:
            raise not_installed("mlflow") from None
        self._mlflow = mlflow

    def begin(self, context: TrackingContext) -> None:
        """Create the run, with the configuration."""
        self._client = self._mlflow.MlflowClient()
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "enron_triage"
        experiment = self._client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else self._client.create_experiment(name)
        run = self._client.create_run(number, run_name=context.title, tags={"stage": context.stage})
        self._id = run.info.run_id
        parameters = [
            self._mlflow.entities.Param(key, str(value)[:_MAX_LENGTH]) for key, value in context.hyperparameters.items()
        ]
        for first in range(0, len(parameters), _MAX_PARAMETERS):
            self._client.log_batch(self._id, params=parameters[first : first + _MAX_PARAMETERS])
        self._client.log_dict(self._id, context.configuration, "configuration.json")

    def log(self, metrics: EpochMetrics) -> None:
        """Log the metrics, with the epoch as the step."""
        now = int(time.time() * 1000)
        values = [
            self._mlflow.entities.Metric(name, value, now, metrics.epoch) for name, value in scalars(metrics).items()
        ]
        self._client.log_batch(self._id, metrics=values)

    def finish(self, best: EpochMetrics, checkpoint: Path) -> None:
        """Hand over the checkpoint and its metrics."""
        self._client.log_artifact(self._id, str(checkpoint))
        self._client.log_dict(self._id, {"epoch": best.epoch, **scalars(best)}, "best_metrics.json")
        self._client.set_terminated(self._id)

    def abort(self) -> None:
        """Mark the run as killed."""
        self._client.set_terminated(self._id, "KILLED")
