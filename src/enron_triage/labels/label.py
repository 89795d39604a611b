"""The stage ``label``: what the owner did with each message.

    triage label --config configs/enron.yaml

``received`` labels each message that reached the owner by what the owner did with it. ``folder`` is
the reference log's scheme, which labels every file by its folder, and leaks.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from enron_triage import artifacts
from enron_triage.actions import ACTIONS, Action
from enron_triage.artifacts import Span
from enron_triage.config import Config, LabelConfig, seconds
from enron_triage.errors import UsageError
from enron_triage.labels.folders import folder_action
from enron_triage.labels.history import MailboxHistory
from enron_triage.labels.mailbox import Message, sort_mailbox
from enron_triage.labels.threads import Link, link_sent
from enron_triage.progress import progress_bar
from enron_triage.records import Email, Evidence, LabeledEmail
from enron_triage.stages import Result, plan
from enron_triage.workers import map_ordered

logger = logging.getLogger(__name__)

_ENCODER = msgspec.json.Encoder()
_NO_RULE = "none"


class Labeled(msgspec.Struct):
    """What a worker makes of a mailbox: encoded records, ready to be written, and counts."""

    user: str
    labeled: list[bytes]
    unacted: list[bytes]
    actions: Counter[str]
    dropped: Counter[str]
    links: Counter[str]
    owner_known: bool


def run(config: Config) -> Result:
    """Label ``emails.json`` by ``label.scheme``.

    Raises
    ------
    UsageError
        If the input is missing or damaged, or no message could be labelled.
    """
    stage = plan("label", config)
    source = stage.inputs[0]
    labeled_path, unacted_path = stage.outputs
    with stage.recorded() as counts:
        actions: Counter[str] = Counter()
        dropped: Counter[str] = Counter()
        links: Counter[str] = Counter()
        ownerless = []
        spans = artifacts.mailbox_spans(source)
        work = functools.partial(label_span, source, config.label)
        with (
            artifacts.record_writer(labeled_path) as labeled_writer,
            artifacts.record_writer(unacted_path) as unacted_writer,
            progress_bar(description="label", total=sum(s.count for s in spans), unit=" messages") as bar,
        ):
            for span, done in zip(spans, map_ordered(work, spans, config.worker_count), strict=True):
                labeled_writer.write_many(b",\n".join(done.labeled), len(done.labeled))
                unacted_writer.write_many(b",\n".join(done.unacted), len(done.unacted))
                actions += done.actions
                dropped += done.dropped
                links += done.links
                if not done.owner_known:
                    ownerless.append(done.user)
                bar.update(span.count)
            if not labeled_writer.count:
                raise UsageError(
                    f"{source}: no message could be labelled ({sum(dropped.values())} dropped, "
                    f"{unacted_writer.count} without an action); check label.folders against the mailbox's folders"
                )
        counts.update(
            scheme=config.label.scheme,
            records=sum(span.count for span in spans),
            labeled=labeled_writer.count,
            unacted=unacted_writer.count,
            actions={action: actions[action] for action in ACTIONS},
            dropped=dict(sorted(dropped.items())),
            links=dict(sorted(links.items())),
        )
    if ownerless and config.label.scheme == "received":
        logger.warning(
            "%d mailboxes have too little sent mail to tell their owner (%s): nothing there can count as answered",
            len(ownerless),
            ", ".join(ownerless[:3]),
        )
    return Result(stage="label", table=_table(counts), data=counts)


def label_span(source: Path, config: LabelConfig, span: Span) -> Labeled:
    """Label one mailbox of ``emails.json``."""
    return label_mailbox(artifacts.read_span(source, span, Email), config)


def label_mailbox(emails: Sequence[Email], config: LabelConfig) -> Labeled:
    """Label the messages of one mailbox.

    Parameters
    ----------
    emails : sequence of Email
        Every record of the mailbox, in any order.
    config : LabelConfig
    """
    if config.scheme == "folder":
        return _label_by_folder(emails, config)
    mailbox = sort_mailbox(emails, config)
    links = link_sent(
        [message.email for message in mailbox.sent],
        [message.email for message in mailbox.received],
        seconds(config.link_window),
    )
    answers = _deciding_links(links, mailbox.sent)
    decided = [_decide(message, answers.get(index), config) for index, message in enumerate(mailbox.received)]
    records = [record for record in decided if record is not None]
    _add_history(records, mailbox.sent, seconds(config.action_lag))
    left_out = Counter(sent_by_owner=len(mailbox.sent), junk=len(decided) - len(records))
    return Labeled(
        user=emails[0].user,
        labeled=[_ENCODER.encode(record) for record in records if record.action],
        unacted=[_ENCODER.encode(record) for record in records if not record.action],
        actions=Counter(record.action for record in records if record.action),
        dropped=mailbox.dropped + left_out,
        links=Counter(f"{link.kind}:{link.how}" for link in links),
        owner_known=bool(mailbox.owner),
    )


def _deciding_links(links: Iterable[Link], sent: Sequence[Message]) -> dict[int, tuple[Link, Email]]:
    """For each received message the link that decides: its earliest reply, else its earliest forward."""
    deciding: dict[int, tuple[Link, Email]] = {}
    for link in links:  # in time order, as the sent messages are
        if link.received is None:
            continue
        known = deciding.get(link.received)
        if known is None or (known[0].kind == "forward" and link.kind == "reply"):
            deciding[link.received] = (link, sent[link.sent].email)
    return deciding


def _decide(message: Message, answer: tuple[Link, Email] | None, config: LabelConfig) -> LabeledEmail | None:
    """The labelled record of a received message, without its history; None if it is junk."""
    action: Action | None = None
    rule, response, sent_path = _NO_RULE, None, None
    if answer is not None:
        link, sent = answer
        rule, sent_path = f"{link.kind}:{link.how}", sent.path
        if link.kind == "reply":
            response = max(_timestamp(sent) - _timestamp(message.email), 0)  # clocks differ
            action = Action.REPLY_NOW if response <= seconds(config.reply_now_within) else Action.REPLY_LATER
        else:
            action = Action.FORWARD
    elif "deleted" in message.roles:
        action, rule = Action.DELETE, "deleted_folder"
    elif "junk" in message.roles:
        return None
    elif "filing" in message.roles:
        action, rule = Action.ARCHIVE, "filing_folder"
    return LabeledEmail(
        **msgspec.structs.asdict(message.email),
        action=action,
        response_seconds=response,
        evidence=Evidence(rule=rule, sent_path=sent_path, folders=message.folders),
        history=None,
        scheme="received",
    )


def _add_history(records: Sequence[LabeledEmail], sent: Sequence[Message], lag: int) -> None:
    """Give each record what was known before it arrived; the records are in time order."""
    # What answers a message counts as later than it, even where the clocks say otherwise: it must not be
    # part of what was known when the message arrived.
    sent_at = {message.email.path: _timestamp(message.email) for message in sent}
    for record in records:
        if record.evidence.sent_path is not None:
            sent_at[record.evidence.sent_path] = max(sent_at[record.evidence.sent_path], _timestamp(record))
    history = MailboxHistory()
    for message in sent:
        email = message.email
        history.announce_sent(sent_at[email.path], (*email.to, *email.cc, *email.bcc))
    for record in records:
        if record.action is not None:
            arrival, answer = _timestamp(record), record.evidence.sent_path
            known_from = arrival + lag if answer is None else sent_at[answer]
            history.announce_action(known_from, arrival, record.sender, record.action)
    for record in records:
        record.history = history.before(_timestamp(record), record.sender)


def _label_by_folder(emails: Sequence[Email], config: LabelConfig) -> Labeled:
    """The reference log's scheme: every file by the folder that it lies directly in."""
    arrivals = {email.message_id: email.timestamp for email in emails if email.message_id}
    labeled = []
    actions: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for email in emails:
        # The log's program read headers without decoding them; its counts depend on it.
        action = folder_action(email.folder, email.raw_subject or email.subject)
        if action is None:
            dropped["unlabeled_folder_or_subject"] += 1
            continue
        response = None
        arrival = arrivals.get(email.in_reply_to)
        if action is Action.REPLY_LATER and arrival is not None and email.timestamp is not None:
            response = max(email.timestamp - arrival, 0)
            if response <= seconds(config.reply_now_within):
                action = Action.REPLY_NOW
        record = LabeledEmail(
            **msgspec.structs.asdict(email),
            action=action,
            response_seconds=response,
            evidence=Evidence(rule=f"folder:{email.folder.rpartition('/')[2]}", sent_path=None, folders=[email.folder]),
            history=None,
            scheme="folder",
        )
        labeled.append(_ENCODER.encode(record))
        actions[action] += 1
    return Labeled(emails[0].user, labeled, [], actions, dropped, Counter(), owner_known=True)


def _timestamp(email: Email) -> int:
    assert email.timestamp is not None, "undated messages are dropped before labelling"
    return email.timestamp


def _table(counts: dict[str, object]) -> str:
    lines = [f"scheme {counts['scheme']}: {counts['records']:,} records, {counts['labeled']:,} labelled"]
    if counts["scheme"] == "folder":
        lines.append("This scheme leaks: a rule on sender and subject reads the labels of sent mail.")
    sections = (("action", "actions"), ("not labelled", "dropped"), ("sent mail", "links"))
    for title, key in sections:
        values = counts[key]
        assert isinstance(values, dict)
        for name, value in values.items():
            lines.append(f"  {title:<13} {name:<34} {value:>9,}")
    lines.append(f"  {'not labelled':<13} {'no action':<34} {counts['unacted']:>9,}")
    return "\n".join(lines)
