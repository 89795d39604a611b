"""Training in several processes that ``torchrun`` starts.

    torchrun --nproc-per-node 2 -m enron_triage sft --config configs/sft_weighted.yaml

Every process holds all of the data and the policy. For each batch, each process computes the gradients of its shard,
the gradients are summed, and every process takes the same step, which is the one that a single process would take on
the whole batch. Only rank 0 fits the features and the trees, validates, shows progress and writes files.

This is synchronous data parallelism (Li et al. 2020, "PyTorch Distributed", VLDB 13(12), section 2.2).

With a single process, every function here does nothing or returns what it was given.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from enron_triage.errors import TriageError, UsageError
from enron_triage.runtime import ranks

Value = TypeVar("Value")

_TIMEOUT = datetime.timedelta(hours=2)  # long enough for the others to wait while rank 0 fits and validates


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Connect the processes for the duration of the block: with NCCL on GPUs (one per process), with Gloo on CPUs.

    Parameters
    ----------
    device : torch.device
        The device that this process trains on. For ``cuda`` the process takes the GPU of its local rank.

    Raises
    ------
    UsageError
        If this machine has fewer GPUs than processes, or `device` is neither ``cpu`` nor ``cuda`` (without a number).
    TriageError
        If another process has ended before the block does.
    """
    if ranks.world_size() == 1:
        yield
        return
    if device.index is not None:
        raise UsageError(f"--device {device}: torchrun gives each process a GPU of its own; use --device cuda")
    if device.type == "cuda":
        if int(os.environ.get("LOCAL_WORLD_SIZE", "1")) > torch.cuda.device_count():
            raise UsageError(
                f"{torch.cuda.device_count()} GPUs on this machine; start no more processes with --nproc-per-node"
            )
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    elif device.type != "cpu":
        raise UsageError(f"--device {device.type}: torchrun needs cpu or cuda")
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_TIMEOUT)
    try:
        yield
        _barrier()  # a process that exits while another still communicates with it can abort
    finally:
        dist.destroy_process_group()


def broadcast_from_rank0(work: Callable[[], Value]) -> Value:
    """Call a function in rank 0 only, and give its result to every process.

    Parameters
    ----------
    work : callable
        The function, without arguments; its result must be picklable.

    Returns
    -------
    Value
        What `work` returned in rank 0.

    Raises
    ------
    TriageError
        In every process: the error that `work` raised in rank 0, or that another process has ended.
    """
    if ranks.world_size() == 1:
        return work()
    content: list[Any] = [None, None]  # the result, the error
    if ranks.rank() == 0:
        try:
            content[0] = work()
        except TriageError as error:
            content[1] = error
    with reraise_peer_failure():
        dist.broadcast_object_list(content, src=0)
    if content[1] is not None:
        raise content[1]
    value: Value = content[0]
    return value


@contextmanager
def rank0_first() -> Iterator[None]:
    """Run the block in rank 0, then in the other processes, which find what rank 0 put into a cache.

    Raises
    ------
    TriageError
        If another process has ended.
    """
    if ranks.rank() > 0:
        _barrier()
    yield
    if ranks.rank() == 0 and ranks.world_size() > 1:
        _barrier()


def _barrier() -> None:
    """Wait until all processes have reached this call."""
    with reraise_peer_failure():
        dist.barrier()


def shard_batch(batch: Tensor, sample_weight: Tensor | None) -> tuple[Tensor, float | Tensor]:
    """The shard of a batch that this process computes, and the share of the batch's weight that it holds.

    Parameters
    ----------
    batch : LongTensor, shape (batch,)
        Indices of examples, the same in every process.
    sample_weight : Tensor, shape (examples,), or None
        How much each example counts in the mean over a batch; None counts all examples equally.

    Returns
    -------
    shard : LongTensor, shape (>= 1,)
        Indices of examples. If there are more processes than examples, a process without an example of its own gets
        the first one and the share 0, because every process must take part in every collective operation.
    share : float or Tensor, scalar
        The weight of the shard divided by that of the batch. The mean over each shard, times its share, summed over
        the processes, is the mean over the batch.
    """
    if ranks.world_size() == 1:
        return batch, 1.0
    shard = batch[ranks.rank() :: ranks.world_size()]
    if not len(shard):
        return batch[:1], 0.0
    if sample_weight is None:
        return shard, len(shard) / len(batch)
    total = sample_weight[batch].sum().clamp_min(torch.finfo(sample_weight.dtype).tiny)
    return shard, sample_weight[shard].sum() / total


def all_reduce_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace every gradient by its sum over the processes, in one operation.

    Parameters
    ----------
    parameters : iterable of Tensor
        What is trained, in the same order in every process; parameters without a gradient are skipped.

    Raises
    ------
    TriageError
        If another process has ended.
    """
    if ranks.world_size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    vector_to_parameters(all_reduce_sum(parameters_to_vector(gradients)), gradients)


def all_reduce_sum(values: Tensor) -> Tensor:
    """Sum a tensor over the processes, element by element.

    Parameters
    ----------
    values : Tensor
        Of any shape, the same in every process; overwritten by the sum.

    Returns
    -------
    Tensor
        `values`, which now holds the sum.

    Raises
    ------
    TriageError
        If another process has ended.
    """
    if ranks.world_size() > 1:
        with reraise_peer_failure():
            dist.all_reduce(values)
    return values


def seed_per_rank(seed: int, epoch: int) -> None:
    """Give every rank but 0 its own random numbers for an epoch, so that dropout differs between the processes.

    Rank 0 keeps the generator of a run with one process.

    Parameters
    ----------
    seed : int >= 0
        The seed of the stage.
    epoch : int >= 0
        The epoch that begins.
    """
    if ranks.rank() > 0:
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch, ranks.rank()]).generate_state(1)[0]))


@contextmanager
def reraise_peer_failure() -> Iterator[None]:
    """Turn the failure of a collective operation in the block into one line: another process has ended.

    Raises
    ------
    TriageError
        If the block raises a RuntimeError, as PyTorch does when the connection to another process is lost.
    """
    try:
        yield
    except RuntimeError as error:
        raise TriageError(
            "another process of this run has ended; unless it said why, run the same command again "
            f"to resume after the last whole epoch ({str(error).partition(chr(10))[0]})"
        ) from error
