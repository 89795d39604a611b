"""The loop that the training stages share: epochs, validation, checkpoints, early stop, resume.

After every epoch the whole state is written to ``<name>_epoch_N.pt``; a run that was killed goes on
from there exactly as if it had not been. The stage's own files (``stage_N.pt``, ``best_<name>.pt``)
are replaced only when the run is complete.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from enron_triage.config.training import TrainingConfig
from enron_triage.config.types import SelectionMetric
from enron_triage.errors import TriageError, UsageError
from enron_triage.policy.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from enron_triage.policy.network import Policy
from enron_triage.runtime import artifacts, distributed, ranks
from enron_triage.runtime.progress import progress
from enron_triage.training.files import StageFiles

logger = logging.getLogger(__name__)

Metrics = dict[str, Any]


class Task(msgspec.Struct, kw_only=True):
    """What one stage optimises.

    Attributes
    ----------
    policy : Policy
        On its device.
    order : callable
        Takes a generator; gives the indices of an epoch's examples, shape (examples,).
    losses : callable
        Takes the indices of a batch; yields the scalar to minimise, once for every step on the batch.
    validate : callable
        The policy's metrics on validation; the selection metric among them.
    checkpoint : callable
        Takes the epoch and the metrics; gives a checkpoint of the policy as it is now.
    identity : str
        Equal for runs that would do the same: what may be resumed.
    weights : Tensor, shape (examples,), or None
        How much each example counts in a batch's loss, which is a weighted mean. None: all the same.
    steps_per_batch : int
        How many losses a batch yields.
    train_metrics : callable
        What is to be logged of an epoch's training; called after it in every process.
    """

    policy: Policy
    order: Callable[[torch.Generator], Tensor]
    losses: Callable[[Tensor], Iterable[Tensor]]
    validate: Callable[[], Metrics]
    checkpoint: Callable[[int, Metrics], Checkpoint]
    identity: str
    weights: Tensor | None = None
    steps_per_batch: int = 1
    train_metrics: Callable[[], Metrics] = dict


class _State(msgspec.Struct, kw_only=True):
    """Where a run stands between two epochs."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_value: float = -math.inf
    history: list[Metrics] = msgspec.field(default_factory=list)


def train(task: Task, settings: TrainingConfig, files: StageFiles, seed: int, *, may_resume: bool) -> list[Metrics]:
    """Train, and leave the last and the best policy in the stage's files.

    AdamW (Loshchilov and Hutter 2019) with a linear warm-up and a cosine decay to zero over all
    epochs; stops early after ``patience`` epochs without a better ``select_by``.

    Parameters
    ----------
    task : Task
    settings : TrainingConfig
    files : StageFiles
    seed : int
        Of the order of the examples and of dropout.
    may_resume : bool
        Whether the checkpoints of an unfinished run of the same identity are gone on from.

    Returns
    -------
    list of dict
        The metrics of each epoch.

    Raises
    ------
    TriageError
        If the loss is no longer finite.
    """
    device = next(task.policy.parameters()).device
    writes = ranks.rank() == 0
    trained = [parameter for parameter in task.policy.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    generator = torch.Generator().manual_seed(seed)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        state = _resume(task, files, optimizer, generator, device) if may_resume else None
        if state is None:
            torch.manual_seed(seed)
            state = _State()
        while state.epoch < settings.epochs and state.epoch - state.best_epoch < settings.patience:
            started = time.perf_counter()
            distributed.seed_per_rank(seed, state.epoch)
            loss, rate = _run_epoch(task, settings, optimizer, generator, state)
            _check_finite(loss, state.epoch)
            validation = distributed.broadcast_from_rank0(task.validate)
            trained_on = {"train_loss": loss, "learning_rate": rate, **task.train_metrics()}
            metrics = {"epoch": state.epoch, **trained_on, **validation}
            _check_finite(metrics["val_loss"], state.epoch)
            _judge(state, metrics, settings)
            state.history.append({**metrics, "seconds": round(time.perf_counter() - started, 3)})
            if writes:
                resume = _resume_state(task, state, optimizer, generator, device)
                saved = msgspec.structs.replace(task.checkpoint(state.epoch, metrics), resume=resume)
                save_checkpoint(files.epoch(state.epoch), saved)
                _prune(files, state, settings.keep_checkpoints)
                _write_history(files.metrics, state.history)
                _report(metrics, settings, state)
    if writes:
        _finish(files, state)
    return state.history


def _run_epoch(
    task: Task,
    settings: TrainingConfig,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    state: _State,
) -> tuple[float, float]:
    """One pass over the examples; the mean loss and the last learning rate."""
    state.epoch += 1
    batches = torch.split(task.order(generator), settings.batch_size)
    total_steps = settings.epochs * len(batches) * task.steps_per_batch
    task.policy.train()
    losses = []
    rate = 0.0
    for batch in progress(batches, description=f"epoch {state.epoch}/{settings.epochs}", unit=" batches"):
        mine, share = distributed.shard_batch(batch, task.weights)
        for loss in task.losses(mine):
            rate = settings.learning_rate * learning_rate_factor(state.step, total_steps, settings.warmup)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
            loss = loss * share
            loss.backward()  # type: ignore[no-untyped-call]
            distributed.all_reduce_gradients(task.policy.parameters())
            torch.nn.utils.clip_grad_norm_(task.policy.parameters(), settings.gradient_clip)
            optimizer.step()
            losses.append(loss.detach() * len(batch))
            state.step += 1
    mean = float(distributed.all_reduce_sum(torch.stack(losses).sum())) / (
        task.steps_per_batch * sum(len(batch) for batch in batches)
    )
    return mean, rate


def learning_rate_factor(step: int, total: int, warmup: float) -> float:
    """Linear warm-up over a share of the steps, then half a cosine down to zero.

    >>> [round(learning_rate_factor(step, 10, 0.2), 2) for step in (0, 1, 2, 6)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warm = round(total * warmup)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(total - warm, 1)))


def _check_finite(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise TriageError(f"the loss is no longer finite in epoch {epoch}; lower learning_rate")


def selection_score(metrics: Metrics, select_by: SelectionMetric) -> float:
    """What an epoch is selected by: the more, the better."""
    return -float(metrics["val_loss"]) if select_by == "loss" else float(metrics[select_by])


def _judge(state: _State, metrics: Metrics, settings: TrainingConfig) -> None:
    """Whether this epoch is the best so far."""
    score = selection_score(metrics, settings.select_by)
    if not state.best_epoch or score > state.best_value:
        state.best_epoch, state.best_value = state.epoch, score
    metrics["best_epoch"] = state.best_epoch


def _resume_state(
    task: Task,
    state: _State,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    device: torch.device,
) -> dict[str, Any]:
    return {
        "identity": task.identity,
        "state": msgspec.to_builtins(state),
        "optimizer": optimizer.state_dict(),
        "order_generator": generator.get_state(),
        "random_state": torch.get_rng_state(),
        "cuda_random_state": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def _resume(
    task: Task,
    files: StageFiles,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    device: torch.device,
) -> _State | None:
    """Go on from the latest epoch checkpoint of a run of the same identity; None if there is none."""
    path = distributed.broadcast_from_rank0(lambda: _latest(task, files))
    if path is None:
        return None
    checkpoint = load_checkpoint(path)
    resume = checkpoint.resume
    state = msgspec.convert(resume["state"], _State)
    task.policy.load_state_dict(checkpoint.weights)
    optimizer.load_state_dict(resume["optimizer"])
    generator.set_state(resume["order_generator"])
    torch.set_rng_state(resume["random_state"])
    if device.type == "cuda" and resume["cuda_random_state"] is not None:
        torch.cuda.set_rng_state(resume["cuda_random_state"], device)
    logger.info("going on after epoch %d of an unfinished run (%s)", state.epoch, path)
    return state


def _latest(task: Task, files: StageFiles) -> Path | None:
    """The latest epoch checkpoint that can be gone on from."""
    for path in reversed(files.epochs().values()):
        try:
            resume = load_checkpoint(path).resume
        except UsageError as error:
            logger.warning("%s", error)
            continue
        if resume.get("identity") == task.identity and files.epoch(resume["state"]["best_epoch"]).exists():
            return path
    return None


def _prune(files: StageFiles, state: _State, keep: int) -> None:
    """Keep the latest epochs and the best one."""
    for number in files.epochs():
        if number <= state.epoch - keep and number != state.best_epoch:
            artifacts.remove(files.epoch(number))


def _write_history(path: Path, history: list[Metrics]) -> None:
    with artifacts.atomic_open(path) as file:
        for metrics in history:
            file.write(msgspec.json.encode(metrics) + b"\n")


def _report(metrics: Metrics, settings: TrainingConfig, state: _State) -> None:
    shares = " ".join(f"{action} {share:.0%}" for action, share in metrics["predicted_share"].items())
    logger.info(
        "epoch %d/%d: train loss %.4f, val loss %.4f, accuracy %.4f, macro-F1 %.4f%s | predicted: %s",
        state.epoch,
        settings.epochs,
        metrics["train_loss"],
        metrics["val_loss"],
        metrics["accuracy"],
        metrics["macro_f1"],
        " (best)" if state.best_epoch == state.epoch else "",
        shares,
    )
    if metrics["collapsed"]:
        most = max(metrics["predicted_share"], key=metrics["predicted_share"].__getitem__)
        logger.warning("epoch %d: the policy has collapsed to %s", state.epoch, most)


def _finish(files: StageFiles, state: _State) -> None:
    """Write the last and the best policy, without what only training needs; drop older runs' epochs."""
    for target, epoch in ((files.last, state.epoch), (files.best, state.best_epoch)):
        save_checkpoint(target, msgspec.structs.replace(load_checkpoint(files.epoch(epoch)), resume={}))
    for number, path in files.epochs().items():
        if number > state.epoch:
            artifacts.remove(path)
