"""Progress bars on stderr: a rate and the time left on whatever takes over a second."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
logger = logging.getLogger("enron_triage")


def progress(items: Iterable[T], *, description: str, total: int | None = None, unit: str = "it") -> tqdm[T]:
    """Wrap an iterable in a bar.

    There is none when stderr is not a terminal, nor under ``--quiet``.

    Parameters
    ----------
    items : iterable
        What is worked through.
    description : str
        Stands left of the bar.
    total : int, optional
        The number of items, where `items` cannot tell.
    unit : str
        What one item is, for the rate; ``"B"`` is scaled to kB, MB, ...
    """
    quiet = not logger.isEnabledFor(logging.INFO)
    return tqdm(
        items,
        desc=description,
        total=total,
        unit=unit,
        unit_scale=unit == "B",
        delay=1,
        dynamic_ncols=True,
        disable=True if quiet else None,  # None: tqdm shows nothing unless stderr is a terminal
    )


def progress_bar(*, description: str, total: int | None = None, unit: str = "it") -> tqdm[None]:
    """A bar that the caller updates; otherwise as `progress`."""
    return progress((), description=description, total=total, unit=unit)
