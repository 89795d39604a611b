"""The owner's earlier behaviour, as it was known when a message arrived.

`MailboxHistory` walks a mailbox in time order, in training (one pass over a mailbox) as in prediction
(its state as of now). Mail counts from its own time, a reply or forward from the moment it was sent;
filing and deleting leave no time stamp, so they count once ``action_lag`` has passed since the
arrival. Nothing at or after a message's arrival enters its history.
"""

from __future__ import annotations

import heapq
import re
from collections import defaultdict
from itertools import count
from typing import NamedTuple

from enron_triage.labels.counters import ActionCounter, KnownAction, Mail, Responses, Window
from enron_triage.labels.linking import conversation_subject
from enron_triage.labels.owner import Owner
from enron_triage.mail.addresses import domain_of
from enron_triage.records import ACTION_INDEX, REPLIES, Action, ActionCounts, Email, History

_HOUR, _DAY = 3600, 86400
_NOT_LETTERS = re.compile(r"[\W\d_]+")
_NOTHING = ActionCounts(counts=[0] * len(ACTION_INDEX), recent=[0.0] * len(ACTION_INDEX))


class Scopes(NamedTuple):
    """What mail is alike: the keys of one message; an empty key means that it has none."""

    sender: str
    domain: str
    series: str  # a sender's mail of one subject, numbers and dates apart: reports, newsletters
    recipient: str  # the first recipient, where that is not the owner: a list, or somebody else's mail
    conversation: str

    @classmethod
    def of(cls, email: Email, owner: Owner) -> Scopes:
        """The keys of a message that reached the owner."""
        conversation = conversation_subject(email.subject)
        letters = _NOT_LETTERS.sub(" ", conversation).strip()
        recipient = email.to[0] if email.to and email.to[0] not in owner.addresses else ""
        series = f"{email.sender} {letters}" if email.sender and letters else ""
        return cls(email.sender, domain_of(email.sender), series, recipient, conversation)

    def present(self) -> list[tuple[str, str]]:
        """The kind and the key of each that the message has."""
        return [(kind, key) for kind, key in zip(self._fields, self, strict=True) if key]


class _Acted(NamedTuple):
    scopes: Scopes
    known: KnownAction
    instead_of: KnownAction | None


class MailboxHistory:
    """What one owner has received, sent and done, growing in time.

    Everything that happens is announced with the time from which it counts, in any order;
    `snapshot_before` then moves forward in time and never sees what counts later.

    Parameters
    ----------
    owner : Owner
        Whose mailbox it is: identity, not behaviour, so known from the start.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._coming: list[tuple[int, int, int, bool, Email | _Acted]] = []
        self._sequence = count()
        self._tallies: dict[tuple[str, str], ActionCounter] = defaultdict(ActionCounter)
        self._last_action: dict[str, Action] = {}
        self._responses: dict[tuple[str, str], Responses] = defaultdict(Responses)
        self._received: dict[tuple[str, str], Mail] = defaultdict(Mail)
        self._sent: dict[tuple[str, str], Mail] = defaultdict(Mail)
        self._started: dict[str, bool] = {}
        self._sent_by_hour = [0] * 24
        self._sent_lately = {seconds: Window(seconds) for seconds in (_HOUR, _DAY)}
        self._received_lately = {seconds: Window(seconds) for seconds in (_HOUR, _DAY)}

    def add_received(self, email: Email) -> None:
        """A message reaches the owner."""
        self._add(_timestamp(email), _timestamp(email), False, email)

    def add_sent(self, email: Email) -> None:
        """The owner sends a message."""
        self._add(_timestamp(email), _timestamp(email), True, email)

    def add_action(self, email: Email, known: KnownAction, instead_of: KnownAction | None = None) -> None:
        """The owner takes an action on a received message.

        Parameters
        ----------
        email : Email
            What is acted on.
        known : KnownAction
            The action, with the moment from which it counts: when the reply or forward was sent,
            or the arrival plus the lag.
        instead_of : KnownAction, optional
            What was announced for this message before, and counts no longer from then on.
        """
        acted = _Acted(Scopes.of(email, self._owner), known, instead_of)
        self._add(known.moment, _timestamp(email), True, acted)

    def snapshot_before(self, email: Email, moment: int | None = None) -> History:
        """What was known strictly before a message arrived.

        Parameters
        ----------
        email : Email
        moment : int, optional
            Seconds UTC, by default the message's own time; must not decrease from call to call.
        """
        moment = _timestamp(email) if moment is None else moment
        while self._coming and self._coming[0][0] < moment:
            happened, _, _, by_owner, event = heapq.heappop(self._coming)
            if isinstance(event, _Acted):
                self._act(event)
            elif by_owner:
                self._send(happened, event)
            else:
                self._receive(happened, event)
        return self._state(email, moment)

    def _add(self, moment: int, arrival: int, by_owner: bool, event: Email | _Acted) -> None:
        heapq.heappush(self._coming, (moment, arrival, next(self._sequence), by_owner, event))

    def _act(self, acted: _Acted) -> None:
        scopes, known = acted.scopes, acted.known
        self._tallies["owner", ""].add(known, acted.instead_of)
        for scope in scopes.present():
            self._tallies[scope].add(known, acted.instead_of)
        if scopes.sender:
            self._last_action[scopes.sender] = known.action
        if known.response_seconds is not None and ACTION_INDEX[known.action] in REPLIES:
            self._responses["all", ""].add(known.response_seconds)
            if scopes.sender:
                self._responses["sender", scopes.sender].add(known.response_seconds)

    def _send(self, moment: int, email: Email) -> None:
        recipients = {*email.to, *email.cc, *email.bcc}
        conversation = conversation_subject(email.subject)
        self._sent["all", ""].add(moment)
        for recipient in recipients:
            self._sent["sender", recipient].add(moment)
        for domain in {domain_of(recipient) for recipient in recipients}:
            self._sent["domain", domain].add(moment)
        if conversation:
            self._started.setdefault(conversation, True)
            self._sent["conversation", conversation].add(moment)
        self._sent_by_hour[moment // _HOUR % 24] += 1
        for window in self._sent_lately.values():
            window.add(moment)

    def _receive(self, moment: int, email: Email) -> None:
        scopes = Scopes.of(email, self._owner)
        recipients = len(email.to) + len(email.cc) + len(email.bcc)
        for scope in (("all", ""), *scopes.present()):
            self._received[scope].add(moment, recipients)
        if scopes.conversation:
            self._started.setdefault(scopes.conversation, False)
        for window in self._received_lately.values():
            window.add(moment)

    def _state(self, email: Email, moment: int) -> History:
        scopes = Scopes.of(email, self._owner)
        past = {name: self._past(name, key, moment) for name, key in zip(Scopes._fields, scopes, strict=True)}
        sent, from_sender = self._mail(self._sent, "all", ""), self._mail(self._received, "sender", scopes.sender)
        sent_to = self._mail(self._sent, "sender", scopes.sender)
        sent_there = self._mail(self._sent, "conversation", scopes.conversation)
        received_there = self._mail(self._received, "conversation", scopes.conversation)
        place, position = self._owner.place_in(email)
        return History(
            owner=self._tallies["owner", ""].at(moment),
            **past,
            last_sender_action=self._last_action.get(scopes.sender),
            sent=sent.count,
            since_sent=sent.since(moment),
            sent_last_hour=self._sent_lately[_HOUR].at(moment),
            sent_last_day=self._sent_lately[_DAY].at(moment),
            sent_this_hour=self._sent_by_hour[moment // _HOUR % 24],
            sent_to_sender=sent_to.count,
            since_sent_to_sender=sent_to.since(moment),
            sent_to_domain=self._mail(self._sent, "domain", scopes.domain).count,
            received=self._mail(self._received, "all", "").count,
            received_last_hour=self._received_lately[_HOUR].at(moment),
            received_last_day=self._received_lately[_DAY].at(moment),
            received_from_sender=from_sender.count,
            since_received_from_sender=from_sender.since(moment),
            sender_recipients=from_sender.recipients,
            received_from_domain=self._mail(self._received, "domain", scopes.domain).count,
            received_in_series=self._mail(self._received, "series", scopes.series).count,
            conversation_started=self._started.get(scopes.conversation),
            conversation_sent=sent_there.count,
            since_conversation_sent=sent_there.since(moment),
            conversation_received=received_there.count,
            since_conversation_received=received_there.since(moment),
            response_to_sender=self._responses["sender", scopes.sender].typical(),
            response=self._responses["all", ""].typical(),
            recipient_field=place,
            recipient_position=position,
            addressed_by_name=self._owner.is_named_in(email),
            from_own_domain=self._owner.shares_domain(scopes.domain),
        )

    def _past(self, name: str, key: str, moment: int) -> ActionCounts:
        tally = self._tallies.get((name, key)) if key else None
        return _NOTHING if tally is None else tally.at(moment)

    @staticmethod
    def _mail(kind: dict[tuple[str, str], Mail], name: str, key: str) -> Mail:
        return kind.get((name, key)) or Mail()


def _timestamp(email: Email) -> int:
    assert email.timestamp is not None, "undated messages are dropped before labelling"
    return email.timestamp
