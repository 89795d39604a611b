"""How the threads of the numerical libraries wait for each other; without importing one of them."""

from __future__ import annotations

import os

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
