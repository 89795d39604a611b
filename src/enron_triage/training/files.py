"""The names of a training stage's files."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec


class StageFiles(msgspec.Struct, frozen=True):
    """The names of a training stage's files.

    Attributes
    ----------
    folder : Path
    number : int
        Of the stage: ``stage_<number>.pt``.
    name : str
        ``best_<name>.pt`` and ``<name>_epoch_N.pt``.
    """

    folder: Path
    number: int
    name: str

    @property
    def last(self) -> Path:
        """The policy after the last epoch."""
        return self.folder / f"stage_{self.number}.pt"

    @property
    def best(self) -> Path:
        """The policy after the best epoch on validation."""
        return self.folder / f"best_{self.name}.pt"

    @property
    def metrics(self) -> Path:
        """One line an epoch."""
        return self.folder / f"stage_{self.number}_metrics.jsonl"

    def epoch(self, number: int) -> Path:
        """The whole state after one epoch."""
        return self.folder / f"{self.name}_epoch_{number}.pt"

    def epochs(self) -> dict[int, Path]:
        """The epoch checkpoints that are there, by number."""
        found = {}
        for path in self.folder.glob(f"{self.name}_epoch_*.pt"):
            number = re.fullmatch(rf"{self.name}_epoch_(\d+)\.pt", path.name)
            if number:
                found[int(number[1])] = path
        return dict(sorted(found.items()))
