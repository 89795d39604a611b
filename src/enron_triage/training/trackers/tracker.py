"""The interface of a tracker, and the data that it receives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import msgspec

from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.policy.validation import EpochMetrics
from enron_triage.runtime.extras import install_command


class TrackingContext(msgspec.Struct, frozen=True, kw_only=True):
    """Which training it is.

    Attributes
    ----------
    stage : str
        The training stage, such as ``sft``.
    run : str or None
        The name of the run, if it has one.
    configuration : dict
        The whole configuration, as nested plain values.
    checkpoint_folder : Path
        The folder of the run's checkpoints.
    """

    stage: str
    run: str | None
    configuration: dict[str, Any]
    checkpoint_folder: Path

    @classmethod
    def of(cls, config: Config, stage: str) -> TrackingContext:
        """The context of a stage under a configuration.

        Parameters
        ----------
        config : Config
            The whole configuration.
        stage : str
            The training stage.
        """
        return cls(
            stage=stage,
            run=config.run,
            configuration=msgspec.json.decode(msgspec.json.encode(config)),
            checkpoint_folder=config.checkpoints,
        )

    @property
    def title(self) -> str:
        """The name of the run and the stage, for people."""
        return f"{self.run}/{self.stage}" if self.run else self.stage

    @property
    def hyperparameters(self) -> dict[str, bool | int | float | str]:
        """The configuration on one level: dotted keys, and lists as JSON."""
        return _flat(self.configuration)


class Tracker(Protocol):
    """Takes the configuration, the metrics of every epoch and the result of a training, in rank 0.

    It is made without arguments before anything else is done, and raises `UsageError` if its package is missing.
    """

    def begin(self, context: TrackingContext) -> None:
        """Take note of a training that begins, or is resumed.

        Parameters
        ----------
        context : TrackingContext
            Which training it is.
        """

    def log(self, metrics: EpochMetrics) -> None:
        """Log one epoch. A run that was resumed logs its earlier epochs again first.

        Parameters
        ----------
        metrics : EpochMetrics
            The metrics of the epoch.
        """

    def finish(self, best: EpochMetrics, checkpoint: Path) -> None:
        """Take the result.

        Parameters
        ----------
        best : EpochMetrics
            The metrics of the best epoch.
        checkpoint : Path
            The policy after it.
        """

    def abort(self) -> None:
        """Take note that the training did not come to its end."""


def scalars(metrics: EpochMetrics) -> dict[str, float]:
    """The numbers of an epoch by names such as ``train/loss`` and ``val/macro_f1``; without those undefined.

    Parameters
    ----------
    metrics : EpochMetrics
        The metrics of the epoch.
    """
    validation = metrics.validation.flat()
    numbers = {
        "train/loss": metrics.train_loss,
        "train/learning_rate": metrics.learning_rate,
        "train/seconds": metrics.seconds,
        **{f"train/{name}": value for name, value in metrics.train_extra.items()},
        "val/loss": validation.pop("val_loss"),
        **{f"val/predicted_share/{name}": share for name, share in validation.pop("predicted_share").items()},
        **{f"val/{name}": value for name, value in validation.items()},
    }
    return {name: float(value) for name, value in numbers.items() if isinstance(value, (bool, int, float))}


def not_installed(name: str) -> UsageError:
    """The error to raise for a tracker whose package is missing.

    Parameters
    ----------
    name : str
        The tracker, which is also the name of the extra.
    """
    return UsageError(f"tracking: {name}: not installed; run {install_command(name)}")


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, bool | int | float | str]:
    flat: dict[str, bool | int | float | str] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, (bool, int, float, str)) else json.dumps(value)
    return flat
