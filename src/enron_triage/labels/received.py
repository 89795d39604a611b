"""The label scheme ``received``: each message that reached the owner, by what the owner did with it.

A reply decides, then a forward, then deletion, then filing. A reply or forward is found by linking the sent mail to the
received mail, else by a flag that a mail program set; a reply whose time is not known counts as a late one. Deletion
and filing are found by the folders that hold a copy. A copy that is still in the inbox was not filed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from enron_triage.config.data import LabelConfig
from enron_triage.config.types import seconds
from enron_triage.labels.clocks import Reply, reply_times
from enron_triage.labels.counters import KnownAction
from enron_triage.labels.history import MailboxHistory
from enron_triage.labels.labeled import Labeled
from enron_triage.labels.linking import Link, link_sent
from enron_triage.labels.mailbox import Mailbox, MergedMessage, partition_mailbox, timestamp_of
from enron_triage.labels.owner_identity import configured_owner
from enron_triage.labels.response_kinds import ResponseKind
from enron_triage.records import Action, Email, Evidence, LabeledEmail


class Response(msgspec.Struct, frozen=True):
    """A sent message that replies to or forwards a received one.

    Attributes
    ----------
    link : Link
        Which two messages are linked, and by what rule.
    sent : Email
        The sent message.
    seconds : int or None
        How long a reply took; None for a forward, and where no clock tells.
    """

    link: Link
    sent: Email
    seconds: int | None = None


class _Received(msgspec.Struct, frozen=True):
    """A message that reached the owner, with its responses, in the order in which they were sent."""

    message: MergedMessage
    responses: list[Response]

    def first(self, kind: ResponseKind) -> Response | None:
        return next((response for response in self.responses if response.link.kind == kind), None)

    def flagged_action(self) -> Action | None:
        """The response that a flag tells of and no sent message shows: its time is not known."""
        if "replied" in self.message.flags and self.first("reply") is None:
            return Action.REPLY_LATER
        if "forwarded" in self.message.flags and self.first("forward") is None:
            return Action.FORWARD
        return None


def _action_of(response: Response, config: LabelConfig) -> Action:
    if response.link.kind == "forward":
        return Action.FORWARD
    is_soon = response.seconds is not None and response.seconds <= seconds(config.reply_now_within)
    return Action.REPLY_NOW if is_soon else Action.REPLY_LATER


def label_received(emails: Sequence[Email], config: LabelConfig) -> Labeled:
    """Label what reached the owner of one mailbox.

    Parameters
    ----------
    emails : sequence of Email
        Every record of the mailbox, in any order.
    config : LabelConfig
        The section ``label``.

    Returns
    -------
    Labeled
        The received messages in time order, one record for all copies of a message. Dropped are copies, junk, drafts,
        undated messages, what is no mail, what the owner sent, and meeting requests of which nobody knows whether the
        owner deleted them.
    """
    addresses = configured_owner(config.owner, emails[0].user if emails else "")
    mailbox = partition_mailbox(emails, config, frozenset(addresses))
    links = _link(mailbox, config)
    records = _label(mailbox, links, config)
    left_out = Counter(sent_by_owner=len(mailbox.sent))
    kept = {record.fingerprint for record in records}
    left_out.update(_why_left_out(message) for message in mailbox.received if message.email.fingerprint not in kept)
    return Labeled(
        records=records,
        dropped=mailbox.dropped + left_out,
        links=Counter(f"{link.kind}:{link.rule}" for link in links),
        owner=mailbox.decision,
    )


def received_records(mailbox: Mailbox, config: LabelConfig) -> list[LabeledEmail]:
    """The received messages of a mailbox, each with its label and its history.

    Parameters
    ----------
    mailbox : Mailbox
        As `partition_mailbox` returns it.
    config : LabelConfig
        The section ``label``.

    Returns
    -------
    list of LabeledEmail
        In time order, without junk and removed meeting requests; a message on which the owner did not act has the
        action None.
    """
    return _label(mailbox, _link(mailbox, config), config)


def _link(mailbox: Mailbox, config: LabelConfig) -> list[Link]:
    return link_sent(
        [message.email for message in mailbox.sent],
        [message.email for message in mailbox.received],
        seconds(config.link_window),
    )


def _label(mailbox: Mailbox, links: Sequence[Link], config: LabelConfig) -> list[LabeledEmail]:
    responses = _responses(mailbox, links)
    labeled = []
    for index, message in enumerate(mailbox.received):
        received = _Received(message, responses.get(index, []))
        record = _decide(received, config)
        if record is not None:
            labeled.append((received, record))
    _add_histories(labeled, mailbox, config)
    return [record for _, record in labeled]


def _responses(mailbox: Mailbox, links: Sequence[Link]) -> dict[int, list[Response]]:
    """The responses to each received message, in the order in which they were sent, by its index."""
    sent, received = ([message.email for message in messages] for messages in (mailbox.sent, mailbox.received))
    found = [(link.received, link) for link in links if link.received is not None]
    replies = [
        Reply(sent[link.sent], received[original], is_proven=link.rule == "threading_headers")
        for original, link in found
        if link.kind == "reply"
    ]
    times = iter(reply_times(replies, sent))
    responses: dict[int, list[Response]] = defaultdict(list)
    for original, link in found:
        taken = next(times) if link.kind == "reply" else None
        responses[original].append(Response(link, sent[link.sent], taken))
    return responses


def _decide(received: _Received, config: LabelConfig) -> LabeledEmail | None:
    """The labelled record of a received message, without its history; None if `_why_left_out` tells why not."""
    message = received.message
    action, rule = _filing_action(message)
    response_seconds, sent_path = None, None
    flagged = received.flagged_action()
    deciding = received.first("reply") or received.first("forward")
    if flagged is not None and (deciding is None or flagged is Action.REPLY_LATER):
        action, rule = flagged, f"flag:{'forwarded' if flagged is Action.FORWARD else 'replied'}"
    elif deciding is not None:
        action, rule = _action_of(deciding, config), f"{deciding.link.kind}:{deciding.link.rule}"
        sent_path = deciding.sent.path
        if deciding.link.kind == "reply":
            response_seconds = deciding.seconds
    elif _is_removed_request(message) or (action is None and "junk" in message.roles):
        return None
    return LabeledEmail(
        **msgspec.structs.asdict(message.email),
        action=action,
        response_seconds=response_seconds,
        evidence=Evidence(rule=rule, sent_path=sent_path, folders=message.folders),
        history=None,
        scheme="received",
    )


def _is_removed_request(message: MergedMessage) -> bool:
    """Whether a message is a meeting request that the mail program may have deleted, because it was answered."""
    return message.email.item == "meeting" and _filing_action(message)[0] is Action.DELETE


def _why_left_out(message: MergedMessage) -> str:
    return "meeting_request" if _is_removed_request(message) else "junk"


def _filing_action(message: MergedMessage) -> tuple[Action | None, str]:
    """The action that the folders of a message's copies show, or a flag, and the rule that found it."""
    if "deleted" in message.roles:
        return Action.DELETE, "deleted_folder"
    if "deleted" in message.flags:
        return Action.DELETE, "flag:deleted"
    if "filing" in message.roles and message.roles.isdisjoint({"junk", "inbox"}):
        return Action.ARCHIVE, "filing_folder"
    return None, "none"


def _add_histories(labeled: Sequence[tuple[_Received, LabeledEmail]], mailbox: Mailbox, config: LabelConfig) -> None:
    """Set the history of each record to what was known before it arrived."""
    history = MailboxHistory(mailbox.owner)
    for message in mailbox.sent:
        history.add_sent(message.email)
    for message in mailbox.received:
        history.add_received(message.email)
    moments = []
    for received, record in labeled:
        previous: KnownAction | None = None
        for known in _known_actions(received, config):
            history.add_action(record, known, replaces=previous)
            previous = known
        # A response whose clock was slow seems to come before its original; the original's history must not show it.
        moments.append(min(timestamp_of(email) for email in (record, *(r.sent for r in received.responses))))
    for index in sorted(range(len(labeled)), key=moments.__getitem__):
        _, record = labeled[index]
        record.history = history.snapshot_before(record, moments[index])


def _known_actions(received: _Received, config: LabelConfig) -> Iterator[KnownAction]:
    """The labels that the message would have had over time, each with the moment from which it was known.

    A later response must not change what was known before it: a message that is filed, and answered weeks later, counts
    as filed until then.
    """
    arrival = timestamp_of(received.message.email)
    steps: list[tuple[int, int, KnownAction]] = []  # moment, precedence, action
    known_from = arrival + seconds(config.action_lag)  # where nothing tells the time
    filing_action, _ = _filing_action(received.message)
    if filing_action is not None:
        steps.append((known_from, 0, KnownAction(known_from, filing_action)))
    flagged = received.flagged_action()
    if flagged is not None:
        steps.append((known_from, 1 if flagged is Action.FORWARD else 2, KnownAction(known_from, flagged)))
    for precedence, response in enumerate((received.first("forward"), received.first("reply")), 1):
        if response is not None:
            moment = max(timestamp_of(response.sent), arrival)
            action = _action_of(response, config)
            steps.append((moment, precedence, KnownAction(moment, action, response.seconds)))
    highest = -1
    for _, precedence, known in sorted(steps):
        if precedence > highest:
            yield known
            highest = precedence
