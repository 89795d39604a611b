"""The state after an epoch, from which a training run resumes: writing and reading it in epoch checkpoints."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import msgspec
import torch

from enron_triage.config.training import TrainingConfig
from enron_triage.errors import UsageError
from enron_triage.policy.checkpoint import load_checkpoint, save_checkpoint
from enron_triage.policy.network import Policy
from enron_triage.policy.origin import Origin
from enron_triage.policy.validation import EpochMetrics
from enron_triage.runtime import artifacts
from enron_triage.training.files import TrainingFiles

logger = logging.getLogger(__name__)


class TrainingState(msgspec.Struct, kw_only=True):
    """How far a run has come.

    Attributes
    ----------
    epoch, step : int
        How many epochs and optimizer steps have been done.
    best_epoch : int
        The epoch that was best on validation; 0 before the first.
    best_score : float
        Its selection score.
    history : list of EpochMetrics
        The metrics of every epoch.
    planned_epochs : int
        For how many epochs the run is configured; the learning rate follows from it.
    extended_from : list of int
        For how many it was configured before it was extended, in order.
    """

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_score: float = -math.inf
    history: list[EpochMetrics] = msgspec.field(default_factory=list)
    planned_epochs: int = 0
    extended_from: list[int] = msgspec.field(default_factory=list)

    @property
    def stale_epochs(self) -> int:
        """The number of epochs since the best one."""
        return self.epoch - self.best_epoch

    def select(self, score: float) -> None:
        """Make the current epoch the best one if its score is higher than any before.

        Parameters
        ----------
        score : float
            The selection score of the current epoch.
        """
        if not self.best_epoch or score > self.best_score:
            self.best_epoch, self.best_score = self.epoch, score

    def is_complete(self, patience: int) -> bool:
        """Whether all epochs are done, or the run has stopped early.

        Parameters
        ----------
        patience : int
            After how many epochs without an improvement it stops.
        """
        return self.epoch >= self.planned_epochs or self.stale_epochs >= patience

    def extend(self, epochs: int, patience: int) -> None:
        """Go on to more epochs than the run was configured for, and say so; nothing if it was for just as many.

        Parameters
        ----------
        epochs : int
            For how many epochs the run is configured now.
        patience : int
            After how many epochs without an improvement it stops.
        """
        if epochs == self.planned_epochs:
            return
        if self.stale_epochs >= patience:
            logger.warning(
                "the run of %d epochs had stopped early after epoch %d (patience %d): more epochs would change nothing",
                self.planned_epochs,
                self.epoch,
                patience,
            )
        else:
            logger.info(
                "extending a finished run from %d to %d epochs; the learning rate of the first %d followed the "
                "schedule of %d epochs",
                self.planned_epochs,
                epochs,
                self.epoch,
                self.planned_epochs,
            )
        self.extended_from.append(self.planned_epochs)
        self.planned_epochs = epochs


class RandomState:
    """Every random generator that a run draws from.

    Parameters
    ----------
    sampling : torch.Generator
        Draws the order of the examples.
    device : torch.device
        Where the policy is; a GPU has a generator of its own.
    """

    def __init__(self, sampling: torch.Generator, device: torch.device) -> None:
        self.sampling = sampling
        self.device = device

    def save(self) -> dict[str, Any]:
        """The states of the generators."""
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return {"sampling": self.sampling.get_state(), "torch": torch.get_rng_state(), "cuda": cuda}

    def restore(self, states: dict[str, Any]) -> None:
        """Set the generators to the states that `save` gave.

        Parameters
        ----------
        states : dict
            By generator.
        """
        self.sampling.set_state(states["sampling"])
        torch.set_rng_state(states["torch"])
        if self.device.type == "cuda" and states["cuda"] is not None:
            torch.cuda.set_rng_state(states["cuda"], self.device)


def state_of(
    run_fingerprint: str, state: TrainingState, optimizer: torch.optim.Optimizer, random: RandomState
) -> dict[str, Any]:
    """What an epoch checkpoint holds for resuming, as tensors and plain values.

    Parameters
    ----------
    run_fingerprint : str
        Equal for runs that would do the same.
    state : TrainingState
        How far the run has come.
    optimizer : torch.optim.Optimizer
        With its moments.
    random : RandomState
        The generators.
    """
    return {
        "run_fingerprint": run_fingerprint,
        "progress": msgspec.to_builtins(state),
        "optimizer": optimizer.state_dict(),
        "random": random.save(),
    }


def latest(files: TrainingFiles, run_fingerprint: str, settings: TrainingConfig) -> Path | None:
    """The latest epoch checkpoint of a run to go on with; None if there is none.

    A run for as many epochs is resumed; one for fewer is extended, once it is finished.

    Parameters
    ----------
    files : TrainingFiles
        The stage's files.
    run_fingerprint : str
        What the run must have done; its best epoch must still be there, too.
    settings : TrainingConfig
        The stage's section of the configuration.
    """
    others: list[TrainingState] = []
    for path in reversed(files.epochs().values()):
        try:
            resume = load_checkpoint(path).resume
        except UsageError as error:
            logger.warning("%s", error)
            continue
        if resume.get("run_fingerprint") != run_fingerprint:
            continue
        state = msgspec.convert(resume["progress"], TrainingState)
        if _has_its_best(files, run_fingerprint, state):
            if _goes_on(state, settings):
                return path
            others.append(state)
    if others:
        _say_why_not(others[0], settings)
    return None


def _has_its_best(files: TrainingFiles, run_fingerprint: str, state: TrainingState) -> bool:
    """Whether the best epoch of a run is there, and not another run's of the same number."""
    try:
        resume = load_checkpoint(files.epoch(state.best_epoch)).resume
    except UsageError:
        return False
    if resume.get("run_fingerprint") != run_fingerprint:
        return False
    best = msgspec.convert(resume["progress"], TrainingState)
    return best.planned_epochs in (state.planned_epochs, *state.extended_from)


def _goes_on(state: TrainingState, settings: TrainingConfig) -> bool:
    """Whether a run that differs in its number of epochs at most is resumed or extended."""
    if settings.epochs == state.planned_epochs:
        return True
    return settings.epochs > state.planned_epochs and state.is_complete(settings.patience)


def _say_why_not(state: TrainingState, settings: TrainingConfig) -> None:
    """Say why a run of another number of epochs is not gone on with."""
    done = "a run" if state.is_complete(settings.patience) else "an unfinished run"
    advice = "" if settings.epochs < state.planned_epochs else ", which can be extended only when it is finished"
    logger.info(
        "training from the start for %d epochs: there is %s of %d%s",
        settings.epochs,
        done,
        state.planned_epochs,
        advice,
    )


def restore(path: Path, policy: Policy, optimizer: torch.optim.Optimizer, random: RandomState) -> TrainingState:
    """Set policy, optimizer and generators to the state of an epoch checkpoint.

    Parameters
    ----------
    path : Path
        The epoch checkpoint.
    policy : Policy
        Takes its weights.
    optimizer : torch.optim.Optimizer
        Takes its moments.
    random : RandomState
        Takes the states of the generators.

    Returns
    -------
    TrainingState
        How far that run had come.
    """
    checkpoint = load_checkpoint(path)
    policy.load_state_dict(checkpoint.weights)
    optimizer.load_state_dict(checkpoint.resume["optimizer"])
    random.restore(checkpoint.resume["random"])
    return msgspec.convert(checkpoint.resume["progress"], TrainingState)


def prune(files: TrainingFiles, state: TrainingState, keep: int) -> None:
    """Remove the epoch checkpoints but the latest and the best.

    Parameters
    ----------
    files : TrainingFiles
        The stage's files.
    state : TrainingState
        How far the run has come.
    keep : int
        How many of the latest are kept.
    """
    for number in files.epochs():
        if number <= state.epoch - keep and number != state.best_epoch:
            artifacts.remove(files.epoch(number))


def finish(files: TrainingFiles, state: TrainingState, origin: Origin) -> None:
    """Write the last and the best policy, without what only resuming needs; remove the epochs of older runs.

    The best epoch may be one from before the run was extended; the policy says of it, too, that the run was.

    Parameters
    ----------
    files : TrainingFiles
        The stage's files.
    state : TrainingState
        How far the run has come.
    origin : Origin
        How the policies were made, the epochs before an interruption included.
    """
    for target, epoch in ((files.last, state.epoch), (files.best, state.best_epoch)):
        checkpoint = load_checkpoint(files.epoch(epoch))
        extended = msgspec.structs.replace(origin, extended_from=state.extended_from)
        save_checkpoint(target, msgspec.structs.replace(checkpoint, origin=extended, resume={}))
    for number, path in files.epochs().items():
        if number > state.epoch:
            artifacts.remove(path)
