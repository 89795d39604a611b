"""Notes on figures that come from few messages or few mailboxes, shown wherever such figures are shown."""

from __future__ import annotations

import math

FEW_MESSAGES = 200  # with fewer, an accuracy may be off by 7 percentage points or more
FEW_MAILBOXES = 10  # with fewer, an interval over mailboxes is that of a handful of people

_NORMAL_975 = 1.959963984540054  # the 97.5% quantile of the standard normal distribution


def accuracy_margin(messages: int) -> float:
    """How far an accuracy may be off: half the width of its 95% Wilson score interval, which is widest at one half.

    Messages of one person are more alike than those of different people, so that the true margin is larger.

    Parameters
    ----------
    messages : int >= 0
        How many messages the accuracy is from.

    Returns
    -------
    float
        Between 0 and 0.5 (Wilson 1927).

    Examples
    --------
    >>> round(accuracy_margin(7), 3), round(accuracy_margin(200), 3)
    (0.298, 0.069)
    """
    return _NORMAL_975 / (2 * math.sqrt(messages + _NORMAL_975**2))


def sample_note(messages: int, mailboxes: int | None = None) -> str | None:
    """What to say beside figures from a sample that is too small.

    Parameters
    ----------
    messages : int >= 0
        How many messages the figures are from.
    mailboxes : int >= 0, optional
        How many mailboxes these belong to; without it, or in a split by time, nothing is said of other people.

    Returns
    -------
    str or None
        One line; None for at least 200 messages in at least 10 mailboxes.

    Examples
    --------
    >>> sample_note(7)
    'only 7 messages: the accuracy may be off by 30 percentage points'
    >>> sample_note(5000, 3)
    'only 3 mailboxes (under 10): no intervals, and results for other people may be quite different'
    """
    notes = []
    if messages < FEW_MESSAGES:
        margin = f"{100 * accuracy_margin(messages):.0f} percentage points"
        notes.append(f"only {_counted(messages, 'message')}: the accuracy may be off by {margin}")
    if mailboxes is not None and mailboxes < FEW_MAILBOXES:
        counted = _counted(mailboxes, "mailbox", "mailboxes")
        notes.append(
            f"only {counted} (under {FEW_MAILBOXES}): no intervals, and results for other people may be quite different"
        )
    return "; ".join(notes) or None


def _counted(count: int, one: str, several: str = "messages") -> str:
    return f"{count:,} {one if count == 1 else several}"
