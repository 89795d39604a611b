"""The owner's earlier behaviour, as it was known when a message arrived.

`MailboxHistory` walks a mailbox in time order. A reply or forward counts from the moment it was
sent; filing and deleting leave no time stamp, so they count once ``action_lag`` has passed since
the arrival. Nothing at or after a message's arrival enters its history.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable

from enron_triage.actions import ACTION_INDEX, Action
from enron_triage.records import History

_NO_ACTIONS = (0,) * len(ACTION_INDEX)


def domain_of(address: str) -> str:
    """The domain of an address; of one without a domain, the address itself.

    >>> domain_of("jane@x.example"), domain_of("jane")
    ('x.example', 'jane')
    """
    return address.rpartition("@")[2]


class MailboxHistory:
    """What one owner has done, growing in time.

    Everything that happens is announced with the time from which it counts, in any order;
    `before` then moves forward in time and never sees what counts later.
    """

    def __init__(self) -> None:
        self._coming: list[tuple[int, int, str, str, str]] = []  # action, or "" for mail sent; what it replaces
        self._sender: dict[str, list[int]] = defaultdict(lambda: list(_NO_ACTIONS))
        self._domain: dict[str, list[int]] = defaultdict(lambda: list(_NO_ACTIONS))
        self._owner = list(_NO_ACTIONS)
        self._sent_to: dict[str, int] = defaultdict(int)
        self._last: dict[str, Action] = {}

    def announce_action(
        self, known_from: int, arrival: int, sender: str, action: Action, instead_of: Action | None = None
    ) -> None:
        """The owner takes `action` on a message of `sender`.

        Parameters
        ----------
        known_from : int
            Seconds UTC from which the action counts: when the reply or forward was sent, or the
            arrival plus the lag.
        arrival : int
            Seconds UTC; orders the actions that become known at one moment.
        sender : str
        action : Action
        instead_of : Action, optional
            What was announced for this message before, and counts no longer from then on.
        """
        heapq.heappush(self._coming, (known_from, arrival, sender, action, instead_of or ""))

    def announce_sent(self, moment: int, recipients: Iterable[str]) -> None:
        """The owner sends a message at `moment` (seconds UTC) to the addresses `recipients`."""
        for recipient in sorted(set(recipients)):
            heapq.heappush(self._coming, (moment, moment, recipient, "", ""))

    def before(self, moment: int, sender: str) -> History:
        """What was known strictly before `moment` about mail of `sender`; moments must not decrease."""
        while self._coming and self._coming[0][0] < moment:
            _, _, address, action, instead_of = heapq.heappop(self._coming)
            if not action:
                self._sent_to[address] += 1
                continue
            for counts in (self._sender[address], self._domain[domain_of(address)], self._owner):
                counts[ACTION_INDEX[Action(action)]] += 1
                if instead_of:
                    counts[ACTION_INDEX[Action(instead_of)]] -= 1
            self._last[address] = Action(action)
        return History(
            sender_actions=list(self._sender.get(sender, _NO_ACTIONS)),
            domain_actions=list(self._domain.get(domain_of(sender), _NO_ACTIONS)),
            owner_actions=list(self._owner),
            sent_to_sender=self._sent_to.get(sender, 0),
            last_sender_action=self._last.get(sender),
        )
