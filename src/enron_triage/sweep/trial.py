"""One trial: training in any process, and its result as stored in the checkpoint."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from enron_triage import pipeline
from enron_triage.config.schema import Config
from enron_triage.errors import ArtifactError, InterruptedRun, TriageError
from enron_triage.pipeline import stage_run
from enron_triage.runtime import provenance
from enron_triage.sweep.sweep_file import METRICS

logger = logging.getLogger(__name__)

Status = Literal["finished", "failed", "pending"]

# A worker of a cluster may have several threads, and all of a process share torch's random numbers and the folder.
_ONE_AT_A_TIME = threading.Lock()


class TrialOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial ended.

    Attributes
    ----------
    status : str
        ``finished``, ``failed``, or ``pending`` where it has not been trained yet.
    metrics : dict of str to float or None
        Those of `METRICS`, on validation, of the best epoch of the last stage; empty unless it is finished.
    seconds : float or None
        How long its stages took; None unless it is finished.
    error : str
        What went wrong, in one line; empty unless it failed.
    """

    status: Status
    metrics: dict[str, float | None] = {}
    seconds: float | None = None
    error: str = ""


class TrialWork(msgspec.Struct, frozen=True, kw_only=True):
    """What a process needs to train a trial.

    Attributes
    ----------
    config : Config
        The trial's configuration.
    stages : tuple of str
        Its training stages, in order.
    folder : str
        The folder that paths are relative to.
    threads : int or None
        How many threads torch may use; None leaves it as it is.
    """

    config: Config
    stages: tuple[str, ...]
    folder: str
    threads: int | None


def run_trial(work: TrialWork) -> TrialOutcome:
    """Train a trial's stages, but those that are up to date.

    Parameters
    ----------
    work : TrialWork
        The trial.

    Returns
    -------
    TrialOutcome
        Its result; a failure is a result, too.
    """
    with _ONE_AT_A_TIME, contextlib.chdir(work.folder), _threads(work.threads):
        try:
            for name in work.stages:
                if not stage_run(name, work.config).is_up_to_date():
                    pipeline.run_stage(name, work.config)
            return stored_outcome(work.config, work.stages)
        except InterruptedRun:
            raise
        except Exception as error:  # whatever it is, the other trials go on
            logger.debug("traceback", exc_info=True)
            return TrialOutcome(status="failed", error=_line(error))


def is_finished(config: Config, stages: Sequence[str]) -> bool:
    """Whether all stages of a trial are up to date.

    Parameters
    ----------
    config : Config
        The trial's configuration.
    stages : sequence of str
        Its training stages.
    """
    return all(stage_run(name, config).is_up_to_date() for name in stages)


def stored_outcome(config: Config, stages: Sequence[str]) -> TrialOutcome:
    """The result of a finished trial, as its checkpoints hold it.

    Parameters
    ----------
    config : Config
        The trial's configuration.
    stages : sequence of str
        Its training stages.

    Raises
    ------
    UsageError
        If the checkpoint cannot be read.
    """
    from enron_triage.policy.checkpoint import load_checkpoint  # imports torch, which checking a sweep does without

    best = [stage_run(name, config).outputs["best"] for name in stages]
    epoch = load_checkpoint(best[-1]).metrics
    if epoch is None:
        raise TriageError(f"{best[-1]}: contains no metrics; remove it and run the sweep again")
    validation = epoch.validation
    values = {name: getattr(validation, "val_loss" if name == "loss" else name) for name in METRICS}
    metas = [provenance.read_meta(path) for path in best]
    return TrialOutcome(
        status="finished", metrics=values, seconds=round(sum(meta.seconds for meta in metas if meta), 3)
    )


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Let torch use so many threads in the block."""
    if count is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _line(error: Exception) -> str:
    if isinstance(error, ArtifactError):
        error = pipeline.with_advice(error)
    text = str(error) if isinstance(error, TriageError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())
