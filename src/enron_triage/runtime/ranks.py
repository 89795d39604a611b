"""The rank of this process among those that ``torchrun`` started, found without importing torch."""

from __future__ import annotations

import os


def rank() -> int:
    """The rank of this process, which ``torchrun`` puts into the environment as ``RANK``.

    Returns
    -------
    int
        From 0 to `world_size` - 1. Only rank 0 writes files and shows progress; a single process has rank 0.
    """
    return int(os.environ.get("RANK") or 0) if world_size() > 1 else 0


def world_size() -> int:
    """The number of processes that train together, which ``torchrun`` puts into the environment as ``WORLD_SIZE``.

    Returns
    -------
    int
        1 without ``torchrun``.
    """
    return int(os.environ.get("WORLD_SIZE") or 1)
