"""Labelling a mailbox with a limit on processor time, so that one message cannot cost the whole mailbox."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from enron_triage.labels.labeled import Labeled
from enron_triage.records import Email
from enron_triage.runtime.time_limit import TookTooLongError, time_limit

logger = logging.getLogger(__name__)

_SHARE_OF_ONE = 0.1  # of a mailbox's time, in which a message by itself must be done
_MOST_FOUND = 5  # messages; where there are more, it is not them

Labelling = Callable[[Sequence[Email]], Labeled]


class InTime(msgspec.Struct):
    """What became of a mailbox within its time.

    Attributes
    ----------
    labeled : Labeled
        The labels; none if there is a problem.
    left_out : list of str
        The paths of messages that were left out, because each by itself takes too long. What they answer counts as
        unanswered.
    problem : str or None
        Why the mailbox was not labelled; None if it was.
    """

    labeled: Labeled
    left_out: list[str] = []
    problem: str | None = None


def label_in_time(label: Labelling, emails: Sequence[Email], seconds: float) -> InTime:
    """Label a mailbox; if it takes too long, without the messages that take too long by themselves.

    Parameters
    ----------
    label : callable
        Labels the messages that it is given.
    emails : sequence of Email
        Every record of the mailbox.
    seconds : float
        Processor time, after which labelling is interrupted.
    """
    labeled = _within(label, emails, seconds)
    if labeled is not None:
        return InTime(labeled)
    slow = _slow_alone(label, emails, seconds * _SHARE_OF_ONE)
    if slow:
        others = [email for number, email in enumerate(emails) if number not in slow]
        labeled = _within(label, others, seconds) if others else None
    if labeled is None:
        problem = f"its {len(emails):,} messages took more than {seconds:.0f} s; please report it"
        return InTime(Labeled(records=[], dropped=Counter(took_too_long=len(emails))), problem=problem)
    labeled.dropped["took_too_long"] += len(slow)
    return InTime(labeled, left_out=[emails[number].path for number in sorted(slow)])


def _within(label: Labelling, emails: Sequence[Email], seconds: float) -> Labeled | None:
    """The labels; None if they take too long."""
    with time_limit(seconds) as watch:
        try:
            watch.begin()
            labeled = label(emails)
            watch.end()
        except TookTooLongError:
            watch.end()
            return None
    return labeled


def _slow_alone(label: Labelling, emails: Sequence[Email], seconds: float) -> set[int]:
    """The numbers of the messages that take too long with nothing but an answer to them; none if these are many."""
    found: set[int] = set()
    for number, email in enumerate(emails):
        if _within(label, _as_received_and_sent(email), seconds) is None:
            found.add(number)
        if len(found) > _MOST_FOUND:
            return set()
    return found


def _as_received_and_sent(email: Email) -> list[Email]:
    """A message as somebody received it, and as what its owner answered: all that is read of one is read."""
    replace = msgspec.structs.replace
    sent = replace(
        email,
        folder="sent",
        labels=[],
        subject=f"Re: {email.subject}",
        timestamp=None if email.timestamp is None else email.timestamp + 60,
        fingerprint=f"{email.fingerprint} answer",
    )
    return [replace(email, folder="inbox", labels=[]), sent]


def warn_of_slow(paths: Sequence[str]) -> None:
    """Say in the log which messages were left out.

    Parameters
    ----------
    paths : sequence of str
        `InTime.left_out` of all mailboxes.
    """
    if paths:
        logger.warning(
            "messages that took too long are left out: %d (the first: %s); what they answer counts as unanswered; "
            "please report it",
            len(paths),
            paths[0],
        )
