"""Draw a sample in which small mailboxes are represented, and estimate error rates from judgements of the sample.

Used by ``audit_labels.py``. A message in a mailbox with ``n`` messages is drawn with a probability proportional to
``1 / sqrt(n)``. When rates are estimated, it is weighted by the inverse of that probability, so the rates are those
for all messages.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def inclusion_probabilities(mailbox: IntArray, count: int) -> FloatArray:
    """The probability of each message to be drawn.

    Parameters
    ----------
    mailbox : array of int, shape (messages,)
        The index of each message's mailbox.
    count : int
        How many messages are to be drawn.

    Returns
    -------
    array of float, shape (messages,)
        In proportion to 1 / sqrt(messages of the mailbox), at most 1; the sum is `count`, if there are that many.
    """
    if count >= len(mailbox):
        return np.ones(len(mailbox))
    size = np.bincount(mailbox)[mailbox] ** -0.5
    certain = np.zeros(len(mailbox), dtype=bool)
    while True:
        probability = np.where(certain, 1.0, (count - certain.sum()) * size / size[~certain].sum())
        if probability.max() <= 1:
            return probability
        certain |= probability >= 1


def draw(mailbox: IntArray, probability: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw messages systematically (Madow 1949): every mailbox gets its share, rounded up or down.

    Parameters
    ----------
    mailbox : array of int, shape (messages,)
        The index of each message's mailbox.
    probability : array of float, shape (messages,)
        How probable it is for each message to be drawn.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of int
        The indices of the messages drawn, in order of their mailboxes.
    """
    order = np.lexsort((rng.random(len(mailbox)), mailbox))
    steps = np.floor(np.cumsum(probability[order]) + rng.random() + 1e-9).astype(int)
    return order[np.diff(steps, prepend=0) > 0]


def error_rate(probability: FloatArray, is_error: Sequence[bool]) -> tuple[float, float, float] | None:
    """The share of errors among all messages, with a 95% interval.

    The estimate is Hajek's ratio of weighted sums. The interval is that of Korn and Graubard (1998): Clopper's and
    Pearson's for the effective number of judgements, which holds for few errors, too. That number is the smaller one of
    Kish's and of what the linearised variance of the ratio gives. That mailboxes have their shares in the sample makes
    the interval no narrower, so that it is somewhat too wide. It is an interval for these messages' rate, not for
    that of other people's mailboxes.

    Parameters
    ----------
    probability : array of float, shape (judged,)
        How probable it was for each judged message to be drawn.
    is_error : sequence of bool
        Whether its label was judged wrong.

    Returns
    -------
    (rate, low, high) or None
        None if nothing was judged.
    """
    if not len(probability):
        return None
    weight, wrong = 1 / probability, np.asarray(is_error, dtype=float)
    rate = float((weight * wrong).sum() / weight.sum())
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    count = len(weight)
    if 0 < rate < 1 and count > 1:
        variance = count / (count - 1) * (weight**2 * (wrong - rate) ** 2).sum() / weight.sum() ** 2
        effective = min(effective, rate * (1 - rate) / float(variance))
    errors = rate * effective
    low = float(betaincinv(errors, effective - errors + 1, 0.025)) if rate > 0 else 0.0
    high = float(betaincinv(errors + 1, effective - errors, 0.975)) if rate < 1 else 1.0
    return rate, low, high
