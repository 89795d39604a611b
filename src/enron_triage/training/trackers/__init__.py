"""Where training metrics go in addition to the console and JSON Lines: the trackers of the key ``tracking``.

To add one, write a class of the protocol `tracker.Tracker` and add its line to `TRACKERS`. A user's own logger is one
function that ``tracking`` names as ``module:function``: see `functions`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from enron_triage.config.schema import Config
from enron_triage.policy.validation import EpochMetrics
from enron_triage.runtime import ranks
from enron_triage.training.trackers.functions import FunctionTracker
from enron_triage.training.trackers.mlflow import MlflowTracker
from enron_triage.training.trackers.tensorboard import TensorboardTracker
from enron_triage.training.trackers.tracker import Tracker, TrackingContext
from enron_triage.training.trackers.wandb import WandbTracker

__all__ = ["TRACKERS", "Tracker", "Tracking", "TrackingContext"]

logger = logging.getLogger(__name__)

TRACKERS: dict[str, Callable[[], Tracker]] = {
    "tensorboard": TensorboardTracker,
    "mlflow": MlflowTracker,
    "wandb": WandbTracker,
}


class Tracking:
    """All trackers of one training, as one logger and one context manager; works in rank 0.

    A tracker that fails is left out from then on, with a warning: it must not cost the training.

    Parameters
    ----------
    config : Config
        The whole configuration, with the names of the trackers.
    stage : str
        The training stage.

    Raises
    ------
    UsageError
        If the package of a tracker is not installed, or a function cannot be imported.
    """

    def __init__(self, config: Config, stage: str) -> None:
        self._context = TrackingContext.of(config, stage)
        self._trackers = {name: FunctionTracker(name) if ":" in name else TRACKERS[name]() for name in config.tracking}
        self._has_begun = False

    def __enter__(self) -> Tracking:
        if ranks.rank() > 0:
            self._trackers = {}
        self._each(lambda tracker: tracker.begin(self._context))
        return self

    def log(self, metrics: EpochMetrics, history: Sequence[EpochMetrics]) -> None:
        """Log an epoch; the first time those before it, too, which a run that was resumed has: see `MetricLogger`."""
        epochs = [metrics] if self._has_begun else history
        self._has_begun = True
        for epoch in epochs:
            self._each(lambda tracker, epoch=epoch: tracker.log(epoch))  # type: ignore[misc]

    def finish(self, history: Sequence[EpochMetrics], checkpoint: Path) -> None:
        """Hand over the result.

        Parameters
        ----------
        history : sequence of EpochMetrics
            The metrics of every epoch.
        checkpoint : Path
            The best policy.
        """
        if not self._has_begun:  # a run that was complete but for its last files
            self.log(history[-1], history)
        best = history[history[-1].best_epoch - 1]
        self._each(lambda tracker: tracker.finish(best, checkpoint))
        self._trackers = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._each(lambda tracker: tracker.abort())

    def _each(self, work: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                work(tracker)
            except Exception as error:  # whatever a tracker raises, training goes on
                line = str(error).strip().partition("\n")[0][:200]
                logger.warning(
                    "tracking: %s failed (%s: %s); training continues without it", name, type(error).__name__, line
                )
                del self._trackers[name]
