"""The owner's earlier behaviour, as it was known when a message arrived.

`MailboxHistory` replays a mailbox in time order, both for training (one pass over the mailbox) and for prediction (its
state as of now). A message counts from its own time, a reply or forward from the moment it was sent. Filing and
deleting leave no time stamp, so they count once ``label.action_lag`` has passed since the arrival. Nothing that happens
at or after a message's arrival enters its history.
"""

from __future__ import annotations

import heapq
import re
from collections import defaultdict
from itertools import count
from typing import NamedTuple

from enron_triage.labels.counters import ActionCounter, KnownAction, MessageCounter, ResponseTimes, SlidingWindow
from enron_triage.labels.mailbox import timestamp_of
from enron_triage.labels.owner import Owner
from enron_triage.mail.addresses import domain_of
from enron_triage.mail.subjects import conversation_subject
from enron_triage.records import ACTION_INDEX, REPLIES, Action, ActionCounts, Email, History

_HOUR, _DAY = 3600, 86400
_NOT_LETTERS = re.compile(r"[\W\d_]+")
_NO_ACTIONS = ActionCounts(counts=[0] * len(ACTION_INDEX), recent=[0.0] * len(ACTION_INDEX))

_Key = tuple[str, str]  # a scope and its key, such as ("sender", "jane@x.example")
_ANY: _Key = ("any", "")


class Scopes(NamedTuple):
    """The keys under which a message is counted together with similar mail; a message without a key has an empty one.

    Attributes
    ----------
    sender : str
        The address of the sender.
    domain : str
        The domain of that address.
    series : str
        The sender and the subject, numbers and dates ignored: for reports and newsletters.
    recipient : str
        The first recipient, if that is not the owner: for mailing lists, and for mail to somebody else.
    conversation : str
        The subject without reply and forward marks.
    """

    sender: str
    domain: str
    series: str
    recipient: str
    conversation: str

    @classmethod
    def from_email(cls, email: Email, owner: Owner) -> Scopes:
        """The keys of a received message.

        Parameters
        ----------
        email : Email
            The message.
        owner : Owner
            Whom it reached.
        """
        conversation = conversation_subject(email.subject)
        letters = _NOT_LETTERS.sub(" ", conversation).strip()
        recipient = email.to[0] if email.to and email.to[0] not in owner.addresses else ""
        series = f"{email.sender} {letters}" if email.sender and letters else ""
        return cls(email.sender, domain_of(email.sender), series, recipient, conversation)

    def present(self) -> list[_Key]:
        """The scopes for which the message has a key, each with the key."""
        return [(scope, key) for scope, key in zip(self._fields, self, strict=True) if key]


class _ActionEvent(NamedTuple):
    scopes: Scopes
    known: KnownAction
    replaces: KnownAction | None


class MailboxHistory:
    """What one owner has received, sent and done, over time.

    Events are added in any order, each with the moment from which it counts. `snapshot_before` then moves forward in
    time, and never sees an event before its moment.

    Parameters
    ----------
    owner : Owner
        Whose mailbox it is. This is identity, not behaviour, so it is known from the start.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        # A heap of the events to come: moment, arrival, sequence number, whether the owner acts, event. Two events of
        # one moment are replayed in the order of arrival, then in the order in which they were added.
        self._events: list[tuple[int, int, int, bool, Email | _ActionEvent]] = []
        self._sequence = count()
        self._actions: dict[_Key, ActionCounter] = defaultdict(ActionCounter)
        self._last_action: dict[str, Action] = {}  # by sender
        self._response_times: dict[_Key, ResponseTimes] = defaultdict(ResponseTimes)
        self._received: dict[_Key, MessageCounter] = defaultdict(MessageCounter)
        self._sent: dict[_Key, MessageCounter] = defaultdict(MessageCounter)
        self._started_by_owner: dict[str, bool] = {}  # by conversation
        self._sent_by_hour = [0] * 24
        self._recently_sent = {seconds: SlidingWindow(seconds) for seconds in (_HOUR, _DAY)}
        self._recently_received = {seconds: SlidingWindow(seconds) for seconds in (_HOUR, _DAY)}

    def add_received(self, email: Email) -> None:
        """Add a message that reached the owner.

        Parameters
        ----------
        email : Email
            A dated message; it counts from its own time.
        """
        self._add(timestamp_of(email), timestamp_of(email), False, email)

    def add_sent(self, email: Email) -> None:
        """Add a message that the owner sent.

        Parameters
        ----------
        email : Email
            A dated message; it counts from its own time.
        """
        self._add(timestamp_of(email), timestamp_of(email), True, email)

    def add_action(self, email: Email, known: KnownAction, replaces: KnownAction | None = None) -> None:
        """Add an action of the owner on a received message.

        Parameters
        ----------
        email : Email
            The dated message that the owner acted on.
        known : KnownAction
            The action, with the moment from which it counts: when the reply or forward was sent, or the arrival plus
            the lag.
        replaces : KnownAction, optional
            An action added before for this message, which no longer counts from then on.
        """
        event = _ActionEvent(Scopes.from_email(email, self._owner), known, replaces)
        self._add(known.moment, timestamp_of(email), True, event)

    def snapshot_before(self, email: Email, moment: int | None = None) -> History:
        """What was known strictly before a message arrived.

        Parameters
        ----------
        email : Email
            The message.
        moment : int, optional
            The time of arrival in seconds UTC, by default the message's own time; must not decrease from call to call.
        """
        moment = timestamp_of(email) if moment is None else moment
        while self._events and self._events[0][0] < moment:
            happened, _, _, by_owner, event = heapq.heappop(self._events)
            if isinstance(event, _ActionEvent):
                self._count_action(event)
            elif by_owner:
                self._count_sent(happened, event)
            else:
                self._count_received(happened, event)
        return self._snapshot(email, moment)

    def _add(self, moment: int, arrival: int, by_owner: bool, event: Email | _ActionEvent) -> None:
        heapq.heappush(self._events, (moment, arrival, next(self._sequence), by_owner, event))

    def _count_action(self, event: _ActionEvent) -> None:
        scopes, known = event.scopes, event.known
        for key in (_ANY, *scopes.present()):
            self._actions[key].add(known, event.replaces)
        if scopes.sender:
            self._last_action[scopes.sender] = known.action
        if known.response_seconds is not None and ACTION_INDEX[known.action] in REPLIES:
            self._response_times[_ANY].add(known.response_seconds)
            if scopes.sender:
                self._response_times["sender", scopes.sender].add(known.response_seconds)

    def _count_sent(self, moment: int, email: Email) -> None:
        """Count a sent message for its recipients, who are the senders of what the owner receives."""
        recipients = {*email.to, *email.cc, *email.bcc}
        conversation = conversation_subject(email.subject)
        self._sent[_ANY].add(moment)
        for recipient in recipients:
            self._sent["sender", recipient].add(moment)
        for domain in {domain_of(recipient) for recipient in recipients}:
            self._sent["domain", domain].add(moment)
        if conversation:
            self._started_by_owner.setdefault(conversation, True)
            self._sent["conversation", conversation].add(moment)
        self._sent_by_hour[_hour_of_day(moment)] += 1
        for window in self._recently_sent.values():
            window.add(moment)

    def _count_received(self, moment: int, email: Email) -> None:
        scopes = Scopes.from_email(email, self._owner)
        recipients = len(email.to) + len(email.cc) + len(email.bcc)
        for key in (_ANY, *scopes.present()):
            self._received[key].add(moment, recipients)
        if scopes.conversation:
            self._started_by_owner.setdefault(scopes.conversation, False)
        for window in self._recently_received.values():
            window.add(moment)

    def _snapshot(self, email: Email, moment: int) -> History:
        scopes = Scopes.from_email(email, self._owner)
        sent, from_sender = _messages(self._sent, _ANY), _messages(self._received, ("sender", scopes.sender))
        sent_to = _messages(self._sent, ("sender", scopes.sender))
        conversation_sent = _messages(self._sent, ("conversation", scopes.conversation))
        conversation_received = _messages(self._received, ("conversation", scopes.conversation))
        field, position = self._owner.find_recipient(email)
        return History(
            owner=self._actions[_ANY].at(moment),
            **{scope: self._action_counts(scope, key, moment) for scope, key in scopes._asdict().items()},
            last_sender_action=self._last_action.get(scopes.sender),
            sent=sent.count,
            since_sent=sent.since(moment),
            sent_last_hour=self._recently_sent[_HOUR].at(moment),
            sent_last_day=self._recently_sent[_DAY].at(moment),
            sent_this_hour=self._sent_by_hour[_hour_of_day(moment)],
            sent_to_sender=sent_to.count,
            since_sent_to_sender=sent_to.since(moment),
            sent_to_domain=_messages(self._sent, ("domain", scopes.domain)).count,
            received=_messages(self._received, _ANY).count,
            received_last_hour=self._recently_received[_HOUR].at(moment),
            received_last_day=self._recently_received[_DAY].at(moment),
            received_from_sender=from_sender.count,
            since_received_from_sender=from_sender.since(moment),
            sender_recipients=from_sender.recipients,
            received_from_domain=_messages(self._received, ("domain", scopes.domain)).count,
            received_in_series=_messages(self._received, ("series", scopes.series)).count,
            conversation_started=self._started_by_owner.get(scopes.conversation),
            conversation_sent=conversation_sent.count,
            since_conversation_sent=conversation_sent.since(moment),
            conversation_received=conversation_received.count,
            since_conversation_received=conversation_received.since(moment),
            response_to_sender=self._response_times["sender", scopes.sender].mean(),
            response=self._response_times[_ANY].mean(),
            recipient_field=field,
            recipient_position=position,
            addressed_by_name=self._owner.is_named_in(email),
            from_own_domain=self._owner.shares_domain(scopes.domain),
        )

    def _action_counts(self, scope: str, key: str, moment: int) -> ActionCounts:
        counter = self._actions.get((scope, key)) if key else None
        return _NO_ACTIONS if counter is None else counter.at(moment)


def _messages(counters: dict[_Key, MessageCounter], key: _Key) -> MessageCounter:
    """The counter of a key; a new one is not stored, so that looking up does not make the dictionary grow."""
    return counters.get(key) or MessageCounter()


def _hour_of_day(moment: int) -> int:
    return moment // _HOUR % 24
