"""Which of the processes that ``torchrun`` started this one is; known without torch."""

from __future__ import annotations

import os


def rank() -> int:
    """The number of this process; 0, which alone writes and shows progress, where there is only one."""
    return int(os.environ.get("RANK") or 0) if world_size() > 1 else 0


def world_size() -> int:
    """How many processes work together."""
    return int(os.environ.get("WORLD_SIZE") or 1)
