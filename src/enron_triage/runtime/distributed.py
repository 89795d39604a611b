"""Training as one of the processes that ``torchrun`` started; with one process, nothing here does anything.

    torchrun --nproc-per-node 2 -m enron_triage sft --config configs/sft_weighted.yaml

Every process holds the data and the policy. They divide each batch, add up the gradients that their parts give, and
all take the step that one process would take on the whole batch (synchronous data parallelism: Li et al. 2020,
section 2.2). Process 0 alone fits, validates, shows progress and writes.
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

_TIMEOUT = datetime.timedelta(hours=2)  # that the others wait while process 0 fits and validates


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Work with the other processes inside of the block: by NCCL on GPUs, one a process, else by Gloo.

    Parameters
    ----------
    device : torch.device

    Raises
    ------
    UsageError
        If this machine has fewer GPUs than processes, or the device is of another kind than these.
    """
    if ranks.world_size() == 1:
        yield
        return
    if device.type == "cuda":
        if int(os.environ.get("LOCAL_WORLD_SIZE", "1")) > torch.cuda.device_count():
            raise UsageError(f"{torch.cuda.device_count()} GPUs here; give torchrun no more with --nproc-per-node")
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    elif device.type != "cpu":
        raise UsageError(f"--device {device.type}: torchrun needs cpu or cuda")
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_TIMEOUT)
    try:
        yield
        _wait()  # a process that leaves while another still works with it can abort on its way out
    finally:
        dist.destroy_process_group()


def broadcast_from_rank0(work: Callable[[], Value]) -> Value:
    """What `work` gives in process 0, for every process."""
    if ranks.world_size() == 1:
        return work()
    content: list[Any] = [None, None]
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
    """Run the block in process 0, then in the others: they find in a cache what it made."""
    if ranks.rank() > 0:
        _wait()
    yield
    if ranks.rank() == 0 and ranks.world_size() > 1:
        _wait()


def _wait() -> None:
    """Until all processes have come here."""
    with reraise_peer_failure():
        dist.barrier()


def shard_batch(batch: Tensor, weights: Tensor | None) -> tuple[Tensor, float | Tensor]:
    """The part of a batch for this process, and how much that part weighs.

    Parameters
    ----------
    batch : LongTensor, shape (batch,)
        Indices of examples, the same in every process.
    weights : Tensor, shape (examples,), or None
        How much each example counts in the mean over a batch; None: all the same.

    Returns
    -------
    mine : LongTensor, shape (>= 1,)
    share : float or Tensor, scalar
        The weights of this part over those of the batch: a mean over the part, times this, summed over the
        processes, is the mean over the batch.
    """
    if ranks.world_size() == 1:
        return batch, 1.0
    mine = batch[ranks.rank() :: ranks.world_size()]
    if not len(mine):  # computed all the same, as every process must take part in every step
        return batch[:1], 0.0
    if weights is None:
        return mine, len(mine) / len(batch)
    return mine, weights[mine].sum() / weights[batch].sum().clamp_min(torch.finfo(weights.dtype).tiny)


def all_reduce_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace every gradient by its sum over the processes."""
    if ranks.world_size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    together = all_reduce_sum(parameters_to_vector(gradients))
    vector_to_parameters(together, gradients)


def all_reduce_sum(values: Tensor) -> Tensor:
    """The sum over the processes, of any shape."""
    if ranks.world_size() > 1:
        with reraise_peer_failure():
            dist.all_reduce(values)
    return values


def seed_per_rank(seed: int, epoch: int) -> None:
    """Let the processes but the first draw their own dropout in an epoch; the first draws as one process would."""
    if ranks.rank() > 0:
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch, ranks.rank()]).generate_state(1)[0]))


@contextmanager
def reraise_peer_failure() -> Iterator[None]:
    """Turn the failure of a collective operation into one line: another process has ended."""
    try:
        yield
    except RuntimeError as error:
        raise TriageError(
            "another process of this run has ended; unless it said why, run the same command again "
            f"to go on after the last whole epoch ({str(error).partition(chr(10))[0]})"
        ) from error
