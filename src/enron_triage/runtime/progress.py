"""Progress bars on stderr, with the rate and the time left, for work that takes longer than a second."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")
logger = logging.getLogger("enron_triage")


def progress(items: Iterable[Item], *, description: str, total: int | None = None, unit: str = "it") -> tqdm[Item]:
    """Wrap an iterable so that a progress bar follows the iteration.

    No bar is shown if stderr is not a terminal, or with the option ``--quiet``.

    Parameters
    ----------
    items : iterable
        What the caller iterates over.
    description : str
        The text to the left of the bar.
    total : int, optional
        The number of items, if ``len(items)`` does not give it; without it, the bar has no end and shows the rate only.
    unit : str
        The name of one item, for the rate; ``"B"`` is scaled to kB, MB, ...

    Returns
    -------
    tqdm
        An iterable over the same items.
    """
    from tqdm import tqdm  # with asyncio, which a command without bars does without

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
    """A progress bar that the caller moves with its method ``update``.

    Parameters
    ----------
    description, total, unit
        As for `progress`.

    Returns
    -------
    tqdm
        The bar; use it as a context manager.
    """
    return progress((), description=description, total=total, unit=unit)
