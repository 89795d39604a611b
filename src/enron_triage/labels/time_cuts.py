"""Where a mailbox is cut in time, so that train, val and test all get messages even from a short mailbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from enron_triage.labels.columns import IntArray

LEAST = 30  # messages that val and test get at least, if that is no more than a tenth of the mailbox
_LEAST_SHARE = 10
_LEAST_TRAIN = 0.75  # of train's share that must remain before the gaps are shortened


class Cuts(NamedTuple):
    """The cuts of one mailbox.

    Attributes
    ----------
    at : list of int, length 2
        The times, in seconds, at which val and test begin.
    gap : int
        How many seconds before each of them are left out.
    """

    at: list[int]
    gap: int


def find_cuts(times: IntArray, ratios: Sequence[float], window: int, least: int) -> Cuts:
    """Cut a mailbox in time by its shares, or somewhat earlier where too little would be left.

    The gap before a cut is `window`, as long as three quarters of train's share remain and val has its least number of
    messages; else half of it, or half of that, and so on.

    Parameters
    ----------
    times : array of int, shape (messages,)
        The times of the mailbox's messages in seconds, ascending; at least one.
    ratios : sequence of float, length 3
        The shares of train, val and test; they need not sum to 1.
    window : int
        The gap that is wanted, in seconds.
    least : int
        The least number of messages in val and in test, though no more than a tenth of all; 0 for cuts by the shares
        alone, with a gap of `window` in any case.

    Returns
    -------
    Cuts
        The cuts, and the gap before them.
    """
    shares = np.cumsum(ratios)[:2] / sum(ratios)
    needed = min(least, max(len(times) // _LEAST_SHARE, 1))
    for gap in _halved(window):
        cuts = _cuts(times, shares, needed, gap)
        first, second = cuts.at
        train, val = _before(times, first - gap), _before(times, second - gap) - _before(times, first)
        if not least or (train >= _LEAST_TRAIN * shares[0] * len(times) and val >= needed):
            break
    return cuts


def _halved(window: int) -> Iterator[int]:
    while window:
        yield window
        window //= 2
    yield 0


def _cuts(times: IntArray, shares: npt.NDArray[np.float64], needed: int, gap: int) -> Cuts:
    """The cuts by the shares, each earlier where fewer messages than needed would follow it."""
    last = len(times) - 1
    first, second = (min(int(len(times) * share), last) for share in shares)
    second = max(min(second, len(times) - needed), 0)
    if needed:
        first = max(min(first, _before(times, int(times[second]) - gap) - needed), 0)
    return Cuts([int(times[first]), int(times[second])], gap)


def _before(times: IntArray, moment: int) -> int:
    return int(np.searchsorted(times, moment))
