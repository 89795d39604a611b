"""The number of threads of the numerical libraries, and how these wait, set without importing the libraries."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from typing import Any

# What a user may have set to say how threads wait: OpenMP's own variable, and those of GNU's and LLVM's libraries.
_WAIT_VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def sleep_while_waiting() -> None:
    """Let the threads of OpenMP sleep while they wait, unless the user has said how they wait.

    The libraries of OpenMP that torch, LightGBM and scikit-learn load read the environment once, so this must come
    before. By default a thread that waits for the others spins, for longer than the others get to run where more
    threads than cores want to: two trainings at once then take many times as long as one after the other. Neither the
    number of threads nor any result changes. docs/benchmarks.md has the figures.
    """
    if not any(name in os.environ for name in _WAIT_VARIABLES):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let numpy's matrix products take one thread within the block.

    Those of a batch of messages are small: several threads gain little, and where other programs run, too, they spin
    while they wait for each other. Measured beside eight such programs on two cores, predictions with one thread took a
    sixth of the processor time. docs/benchmarks.md has the figures.
    """
    with _thread_pools().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _thread_pools() -> Any:
    """Those of the libraries that are loaded when it is first asked for."""
    import numpy as np  # noqa: F401 - so that its own is among them
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()
