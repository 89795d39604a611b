"""One run of the page where people judge messages, from opening the file to the end.

    triage annotate --strategy cost --target 200

serves the page on this machine. `messages` and `conversations` hold what is shown, `strategies` and `selection` choose,
`session` hands out messages and takes answers, `store` keeps them, `server` and `guard` talk to the browser.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from enron_triage.annotation import server, store
from enron_triage.annotation.conversations import Conversations
from enron_triage.annotation.exchange import Settings
from enron_triage.annotation.messages import Messages
from enron_triage.annotation.selection import Queue, Selection
from enron_triage.annotation.session import Session
from enron_triage.annotation.strategies import WITHOUT_POLICY, ScoringPolicy

__all__ = ["WITHOUT_POLICY", "Selection", "Settings", "Shown", "run"]


class Shown(NamedTuple):
    """What the page shows.

    Attributes
    ----------
    messages : Messages
        The messages to be judged.
    conversations : callable
        Begins to look for what came before them.
    """

    messages: Messages
    conversations: Callable[[], Conversations]


def run(
    path: Path,
    shown: Shown,
    policies: Sequence[ScoringPolicy],
    selection: Selection,
    settings: Settings,
    port: int,
    announce: Callable[[str], None],
) -> Counter[str]:
    """Serve the page until the process is interrupted.

    Parameters
    ----------
    path : Path
        The file that judgements are appended to.
    shown : Shown
        What the page shows.
    policies : sequence of ScoringPolicy
        The committee that messages are chosen by.
    selection : Selection
        How they are chosen.
    settings : Settings
        What the page is set to.
    port : int
        Where to listen; 0 takes any port that is free.
    announce : callable
        Gets the address, with the token of this run, when the first message is ready.

    Returns
    -------
    Counter of str
        How many messages each person has judged in this run.

    Raises
    ------
    UsageError
        If the file or the port is in use, or the messages do not fit the strategy.
    TriageError
        If the file cannot be written.
    """
    with store.opened(path) as file, contextlib.closing(server.listen(port)) as listener:
        queue = Queue(shown.messages, policies, selection, file.judged())
        queue.prepare()
        session = Session(shown.messages, queue, file, shown.conversations(), settings)
        before = file.counts()
        server.serve(session, listener, announce)
        after = file.counts()
        after.subtract(before)
        return +after
