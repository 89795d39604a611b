"""``triage clean``: removes epoch checkpoints of finished runs, and the files that interrupted runs left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.pipeline import STAGES
from enron_triage.runtime import artifacts
from enron_triage.runtime.locks import locked
from enron_triage.stage_run import Result

_EPOCH = re.compile(r"[a-z]+_epoch_\d+\.pt")


def clean(config: Config, *, caches: bool, every_run: bool, dry_run: bool) -> Result:
    """Remove files that no result needs.

    Parameters
    ----------
    config : Config
        The whole configuration: its folders.
    caches : bool
        Whether to remove cached features and fitted parts, too; a later run makes them again.
    every_run : bool
        Whether to go through the folders of all runs below ``checkpoint_dir``, not only this one's.
    dry_run : bool
        Whether to list the files without removing them.
    """
    checkpoints = Path(config.checkpoint_dir)
    folders = [path for path in checkpoints.rglob("*") if path.is_dir()] if every_run else []
    found = [path for folder in {config.checkpoints, *folders} for path in _epochs_of_finished(folder)]
    found += [path for root in (config.data, checkpoints) for path in root.rglob(".*.partial")]
    found = [path for path in found if not _is_at_work(path.parent)]
    if caches:
        found += [path for path in (config.data / "features").rglob("*") if path.is_file()]
    found = sorted(set(found))
    size = sum(path.stat().st_size for path in found if path.is_file())
    if not dry_run:
        for path in found:
            artifacts.remove(path)
    listed = [str(path) for path in found]
    if any(_EPOCH.fullmatch(path.name) for path in found):
        listed.append("without these checkpoints, the trainings cannot be extended by more epochs")
    summary = f"{len(found)} files, {size:,} bytes {'would be removed' if dry_run else 'removed'}"
    data = {"files": list(map(str, found)), "bytes": size, "removed": not dry_run}
    return Result(stage="clean", table="\n".join([*listed, summary]), data=data)


def _epochs_of_finished(folder: Path) -> Iterator[Path]:
    """The epoch checkpoints of stages that have finished since; an unfinished run goes on from its own."""
    for name, stage in STAGES.items():
        last = folder / f"stage_{stage.number}.pt"
        epochs = [path for path in folder.glob(f"{name}_epoch_*.pt") if _EPOCH.fullmatch(path.name)]
        if stage.number and last.exists():
            finished = last.stat().st_mtime_ns
            if all(path.stat().st_mtime_ns <= finished for path in epochs):  # else a run goes on from them
                yield from epochs


def _is_at_work(folder: Path) -> bool:
    """Whether another process writes in a folder, or has left files there that the next one is to put in place."""
    if any(folder.glob(".*.journal")):
        return True
    for lock in folder.glob(".*lock"):
        try:
            with locked(lock, folder, ""):
                pass
        except UsageError:
            return True
    return False
