"""The names of a training stage's files."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from enron_triage.config.schema import Config
from enron_triage.pipeline import STAGES


class TrainingFiles(msgspec.Struct, frozen=True):
    """The names of a training stage's files.

    Attributes
    ----------
    folder : Path
        The folder of the run's checkpoints.
    name : str
        The stage, in ``best_<name>.pt`` and ``<name>_epoch_N.pt``.
    number : int
        The number of the stage, in ``stage_<number>.pt``.
    """

    folder: Path
    name: str
    number: int

    @classmethod
    def of_stage(cls, name: str, config: Config) -> TrainingFiles:
        """The files of a stage under a configuration.

        Parameters
        ----------
        name : str
            A stage of the table that has a number.
        config : Config
            The whole configuration.
        """
        number = STAGES[name].number
        assert number is not None, f"{name} is not a training stage"
        return cls(config.checkpoints, name, number)

    @property
    def last(self) -> Path:
        """The policy after the last epoch."""
        return self.folder / f"stage_{self.number}.pt"

    @property
    def best(self) -> Path:
        """The policy after the epoch that was best on validation."""
        return self.folder / f"best_{self.name}.pt"

    @property
    def metrics(self) -> Path:
        """The metrics, one line an epoch."""
        return self.folder / f"stage_{self.number}_metrics.jsonl"

    def epoch(self, number: int) -> Path:
        """The whole state of the training after one epoch.

        Parameters
        ----------
        number : int
            The epoch, from 1.
        """
        return self.folder / f"{self.name}_epoch_{number}.pt"

    def epochs(self) -> dict[int, Path]:
        """The epoch checkpoints that are there, by number, in ascending order."""
        found = {}
        for path in self.folder.glob(f"{self.name}_epoch_*.pt"):
            number = re.fullmatch(rf"{self.name}_epoch_(\d+)\.pt", path.name)
            if number:
                found[int(number[1])] = path
        return dict(sorted(found.items()))
