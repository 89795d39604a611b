"""The trainer that the training stages share: epochs, validation, checkpoints, early stopping, resuming.

What is trained is an `Objective`: sft, reward, grpo and dpo have one each. After every epoch the whole state is written
to ``<name>_epoch_N.pt``; a run that was killed resumes from there exactly as if it had not been. The stage's own files
(``stage_N.pt``, ``best_<name>.pt``) are replaced only when the run is complete.
"""

from __future__ import annotations

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import msgspec
import torch
from torch import Tensor

from enron_triage.config.training import TrainingConfig
from enron_triage.config.types import SelectionMetric
from enron_triage.errors import TriageError
from enron_triage.features.dataset import Dataset
from enron_triage.policy.checkpoint import Checkpoint, save_checkpoint
from enron_triage.policy.network import Policy
from enron_triage.policy.origin import Origin
from enron_triage.policy.validation import EpochMetrics, ValidationMetrics
from enron_triage.runtime import adamw, distributed, ranks
from enron_triage.runtime.progress import progress
from enron_triage.training import resuming
from enron_triage.training.files import TrainingFiles
from enron_triage.training.loggers import MetricLogger
from enron_triage.training.resuming import RandomState, TrainingState

logger = logging.getLogger(__name__)


class Objective(ABC):
    """What a stage optimises: examples, the loss of a batch, validation, the checkpoint.

    Attributes
    ----------
    policy : Policy
        What is trained, on its device.
    sample_weights : Tensor, shape (examples,), or None
        How much each example counts in a batch's loss, which is a weighted mean; None if all count the same.
    train, val : Dataset
        The messages that the policy is trained and validated on.
    steps_per_batch : int
        How many losses a batch yields.
    sizes : dict of str to int
        How many examples of which kind there are, for the result of the stage.
    """

    policy: Policy
    train: Dataset
    val: Dataset
    sample_weights: Tensor | None = None
    steps_per_batch: int = 1
    sizes: dict[str, int]

    @abstractmethod
    def indices(self, generator: torch.Generator) -> Tensor:
        """The examples of one epoch, in order.

        Parameters
        ----------
        generator : torch.Generator
            What draws; its state is part of what a run resumes from.

        Returns
        -------
        LongTensor, shape (examples,)
            Indices, which the trainer divides into batches.
        """

    @abstractmethod
    def losses(self, batch: Tensor) -> Iterator[Tensor]:
        """The scalars to minimise on one batch, one for each optimizer step.

        Parameters
        ----------
        batch : LongTensor, shape (batch,)
            Indices of examples.
        """

    @abstractmethod
    def validate(self) -> ValidationMetrics:
        """The metrics of the policy as it is now, on validation."""

    def validate_start(self) -> ValidationMetrics:
        """As `validate`, before the first epoch."""
        return self.validate()

    @abstractmethod
    def checkpoint(self, metrics: EpochMetrics) -> Checkpoint:
        """The policy as it is now, with all that prediction and later stages need; the trainer adds its origin.

        Parameters
        ----------
        metrics : EpochMetrics
            Of the epoch that has just been trained, without its seconds.
        """

    def train_metrics(self) -> dict[str, float]:
        """What else to log of an epoch's training; called after each epoch, in every process."""
        return {}


class Trainer:
    """Trains one objective, and leaves the last and the best policy in the stage's files.

    AdamW (Loshchilov and Hutter 2019) with a linear warm-up and a cosine decay to zero over all epochs; stops early
    after ``patience`` epochs without a better ``select_by``.

    Parameters
    ----------
    objective : Objective
        What is optimised.
    settings : TrainingConfig
        The stage's section of the configuration.
    files : TrainingFiles
        The stage's files.
    seed : int
        Seeds the order of the examples, dropout and what the objective draws.
    run_fingerprint : str
        Equal for runs that would do the same: only their epochs are resumed from.
    origin : Origin, optional
        How the checkpoints are made.
    loggers : sequence of MetricLogger
        Where the metrics of each epoch go.
    """

    def __init__(
        self,
        objective: Objective,
        settings: TrainingConfig,
        files: TrainingFiles,
        *,
        seed: int,
        run_fingerprint: str,
        origin: Origin | None = None,
        loggers: Sequence[MetricLogger] = (),
    ) -> None:
        self.objective = objective
        self.settings = settings
        self.files = files
        self.seed = seed
        self.run_fingerprint = run_fingerprint
        self.origin = origin or Origin()
        self.loggers = loggers
        self.device = next(objective.policy.parameters()).device
        trained = [parameter for parameter in objective.policy.parameters() if parameter.requires_grad]
        self.optimizer = adamw.AdamW(trained, weight_decay=settings.weight_decay, fused=True)
        self.random = RandomState(torch.Generator().manual_seed(seed), self.device)
        self.state = TrainingState(planned_epochs=settings.epochs)

    def train(self, *, resume: bool) -> list[EpochMetrics]:
        """Train to the end.

        Parameters
        ----------
        resume : bool
            Whether to continue a run of the same fingerprint that is unfinished, or was for fewer epochs.

        Returns
        -------
        list of EpochMetrics
            One for each epoch, also those before an interruption.

        Raises
        ------
        TriageError
            If the loss became NaN or infinite.
        """
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.seed)
            if resume:
                self._resume()
            while not self.state.is_complete(self.settings.patience):
                self._epoch()
        if ranks.rank() == 0:
            resuming.finish(self.files, self.state, self.origin)
        return self.state.history

    def _epoch(self) -> None:
        """One epoch: train, validate, select, log, save."""
        started = time.perf_counter()
        distributed.seed_per_rank(self.seed, self.state.epoch)
        loss, learning_rate = self._pass()
        _check_finite(loss, self.state.epoch)
        validation = distributed.broadcast_from_rank0(self.objective.validate)
        _check_finite(validation.val_loss, self.state.epoch)
        self.state.select(selection_score(validation, self.settings.select_by, self.state.epoch))
        metrics = EpochMetrics(
            epoch=self.state.epoch,
            train_loss=loss,
            learning_rate=learning_rate,
            train_extra=self.objective.train_metrics(),
            validation=validation,
            best_epoch=self.state.best_epoch,
        )
        timed = msgspec.structs.replace(metrics, seconds=round(time.perf_counter() - started, 3))
        self.state.history.append(timed)
        if ranks.rank() == 0:
            # Before the checkpoint: where the process is killed between the two, the epoch is trained and logged again.
            for metric_logger in self.loggers:
                metric_logger.log(timed, self.state.history)
            checkpoint = msgspec.structs.replace(
                self.objective.checkpoint(metrics),
                origin=msgspec.structs.replace(self.origin, extended_from=self.state.extended_from),
                resume=resuming.state_of(self.run_fingerprint, self.state, self.optimizer, self.random),
            )
            save_checkpoint(self.files.epoch(self.state.epoch), checkpoint)
            resuming.prune(self.files, self.state, self.settings.keep_checkpoints)

    def _pass(self) -> tuple[float, float]:
        """One pass over the examples: the mean loss and the last learning rate."""
        self.state.epoch += 1
        batches = torch.split(self.objective.indices(self.random.sampling), self.settings.batch_size)
        steps = self.objective.steps_per_batch
        total_steps = self.settings.epochs * len(batches) * steps
        self.objective.policy.train()
        losses: list[Tensor] = []
        description = f"epoch {self.state.epoch}/{self.settings.epochs}"
        for batch in progress(batches, description=description, unit=" batches"):
            shard, share = distributed.shard_batch(batch, self.objective.sample_weights)
            for loss in self.objective.losses(shard):
                self._step(loss * share, total_steps)
                losses.append(loss.detach() * share * len(batch))
        mean = float(distributed.all_reduce_sum(torch.stack(losses).sum())) / (steps * sum(map(len, batches)))
        return mean, float(self.optimizer.param_groups[0]["lr"])

    def _step(self, loss: Tensor, total_steps: int) -> None:
        """One optimizer step; the gradients are summed over the processes."""
        factor = learning_rate_factor(self.state.step, total_steps, self.settings.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * factor
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        distributed.all_reduce_gradients(self.objective.policy.parameters())
        torch.nn.utils.clip_grad_norm_(self.objective.policy.parameters(), self.settings.gradient_clip)
        self.optimizer.step()
        self.state.step += 1

    def _resume(self) -> None:
        """Continue after the latest epoch of a run of the same fingerprint, if there is one: see `resuming.latest`."""
        path = distributed.broadcast_from_rank0(
            lambda: resuming.latest(self.files, self.run_fingerprint, self.settings)
        )
        if path is not None:
            self.state = resuming.restore(path, self.objective.policy, self.optimizer, self.random)
            if not self.state.is_complete(self.settings.patience):
                logger.info("resuming after epoch %d of an unfinished run (%s)", self.state.epoch, path)
            self.state.extend(self.settings.epochs, self.settings.patience)


def selection_score(metrics: ValidationMetrics, select_by: SelectionMetric, epoch: int = 0) -> float:
    """What an epoch is selected by: the more, the better.

    Parameters
    ----------
    metrics, select_by, epoch
        The metrics after the epoch; ``loss``, a metric's name or ``last``; the number of the epoch, for ``last``.
    """
    values = {"loss": -metrics.val_loss, "last": float(epoch)}
    return values[select_by] if select_by in values else float(getattr(metrics, select_by))


def learning_rate_factor(step: int, total: int, warmup: float) -> float:
    """Linear warm-up over a share of the steps, then half a cosine down to zero.

    Parameters
    ----------
    step : int
        The number of the step, from 0.
    total : int
        How many steps there are in all.
    warmup : float, 0 <= warmup < 1
        The share of the steps in which the rate rises.

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> [round(learning_rate_factor(step, 10, 0.2), 2) for step in (0, 1, 2, 6)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warm = round(total * warmup)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(total - warm, 1)))


def _check_finite(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise TriageError(f"the loss became NaN or infinite in epoch {epoch}; lower learning_rate")
