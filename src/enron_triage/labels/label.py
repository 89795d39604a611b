"""The stage ``label``: what the owner did with each message.

    triage label --config configs/enron.yaml

``received`` labels each message that reached the owner by what the owner did with it. ``folder`` is
the reference log's scheme, which labels every file by its folder, and leaks.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from enron_triage.config.data import LabelConfig
from enron_triage.config.schema import Config
from enron_triage.config.types import seconds
from enron_triage.errors import UsageError
from enron_triage.labels.counters import KnownAction
from enron_triage.labels.folders import folder_action
from enron_triage.labels.history import MailboxHistory
from enron_triage.labels.linking import Link, link_sent
from enron_triage.labels.mailbox import Mailbox, MergedMessage, partition_mailbox
from enron_triage.pipeline import Result, StageRun
from enron_triage.records import ACTIONS, Action, Email, Evidence, LabeledEmail
from enron_triage.runtime import artifacts
from enron_triage.runtime.artifacts import Span
from enron_triage.runtime.progress import progress_bar
from enron_triage.runtime.workers import map_ordered

logger = logging.getLogger(__name__)

_ENCODER = msgspec.json.Encoder()


class Response(msgspec.Struct):
    """A sent message that replies to or forwards a received one."""

    link: Link
    sent: Email


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
    stage = StageRun("label", config)
    source = stage.inputs["emails"]
    labeled_path, unacted_path = stage.outputs["labeled"], stage.outputs["unacted"]
    with stage.track() as counts:
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
            for span, done in zip(spans, map_ordered(work, spans, config.pool), strict=True):
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
    mailbox = partition_mailbox(emails, config)
    links = _links(mailbox, config)
    records = _label_received(mailbox, links, config)
    left_out = Counter(sent_by_owner=len(mailbox.sent), junk=len(mailbox.received) - len(records))
    return Labeled(
        user=emails[0].user,
        labeled=[_ENCODER.encode(record) for record in records if record.action],
        unacted=[_ENCODER.encode(record) for record in records if not record.action],
        actions=Counter(record.action for record in records if record.action),
        dropped=mailbox.dropped + left_out,
        links=Counter(f"{link.kind}:{link.how}" for link in links),
        owner_known=bool(mailbox.owner.addresses),
    )


def received_records(mailbox: Mailbox, config: LabelConfig) -> list[LabeledEmail]:
    """The received messages of a mailbox, each with what was done with it and what was known before it.

    In time order, without junk; what got no action has the action None.
    """
    return _label_received(mailbox, _links(mailbox, config), config)


def _links(mailbox: Mailbox, config: LabelConfig) -> list[Link]:
    return link_sent(
        [message.email for message in mailbox.sent],
        [message.email for message in mailbox.received],
        seconds(config.link_window),
    )


def _label_received(mailbox: Mailbox, links: Sequence[Link], config: LabelConfig) -> list[LabeledEmail]:
    answers: dict[int, list[Response]] = defaultdict(list)
    for link in links:  # in time order, as the sent messages are
        if link.received is not None:
            answers[link.received].append(Response(link, mailbox.sent[link.sent].email))
    received = [(message, answers.get(index, [])) for index, message in enumerate(mailbox.received)]
    decided = [(message, mine, _decide(message, mine, config)) for message, mine in received]
    known = [(message, mine, record) for message, mine, record in decided if record is not None]
    _add_history(known, mailbox, config)
    return [record for _, _, record in known]


def _decide(message: MergedMessage, answers: Sequence[Response], config: LabelConfig) -> LabeledEmail | None:
    """The labelled record of a received message, without its history; None if it is junk."""
    action, rule = _filed(message)
    response, sent_path = None, None
    deciding = _first(answers, "reply") or _first(answers, "forward")
    if deciding is not None:
        action, rule = _answered(message, deciding, config), f"{deciding.link.kind}:{deciding.link.how}"
        sent_path = deciding.sent.path
        if deciding.link.kind == "reply":
            response = _response_seconds(message, deciding)
    elif action is None and "junk" in message.roles:
        return None
    return LabeledEmail(
        **msgspec.structs.asdict(message.email),
        action=action,
        response_seconds=response,
        evidence=Evidence(rule=rule, sent_path=sent_path, folders=message.folders),
        history=None,
        scheme="received",
    )


def _filed(message: MergedMessage) -> tuple[Action | None, str]:
    """What the folders of a message's copies say was done with it, and the rule."""
    if "deleted" in message.roles:
        return Action.DELETE, "deleted_folder"
    if "filing" in message.roles and "junk" not in message.roles:
        return Action.ARCHIVE, "filing_folder"
    return None, "none"


def _first(answers: Sequence[Response], kind: str) -> Response | None:
    return next((answer for answer in answers if answer.link.kind == kind), None)


def _answered(message: MergedMessage, answer: Response, config: LabelConfig) -> Action:
    if answer.link.kind == "forward":
        return Action.FORWARD
    within = _response_seconds(message, answer) <= seconds(config.reply_now_within)
    return Action.REPLY_NOW if within else Action.REPLY_LATER


def _response_seconds(message: MergedMessage, answer: Response) -> int:
    return max(_timestamp(answer.sent) - _timestamp(message.email), 0)  # clocks differ


def _add_history(
    received: Sequence[tuple[MergedMessage, Sequence[Response], LabeledEmail]], mailbox: Mailbox, config: LabelConfig
) -> None:
    """Give each record what was known before it arrived."""
    history = MailboxHistory(mailbox.owner)
    for message in mailbox.sent:
        history.add_sent(message.email)
    for message in mailbox.received:
        history.add_received(message.email)
    moments = []
    for message, answers, _ in received:
        before: KnownAction | None = None
        for known in _as_it_became_known(message, answers, config):
            history.add_action(message.email, known, before)
            before = known
        # An answer whose clock was behind seems to come before its original; it must not tell of itself.
        moments.append(min([_timestamp(message.email), *(_timestamp(answer.sent) for answer in answers)]))
    for index in sorted(range(len(received)), key=moments.__getitem__):
        record = received[index][2]
        record.history = history.snapshot_before(record, moments[index])


def _as_it_became_known(
    message: MergedMessage, answers: Sequence[Response], config: LabelConfig
) -> Iterator[KnownAction]:
    """What would have been the label at each moment.

    A later answer must not change what was known before it: a message that is filed, and answered
    weeks later, counts as filed until then.
    """
    arrival = _timestamp(message.email)
    steps: list[tuple[int, int, KnownAction]] = []
    filed, _ = _filed(message)
    if filed is not None:
        known_from = arrival + seconds(config.action_lag)
        steps.append((known_from, 0, KnownAction(known_from, filed)))
    for rank, answer in enumerate((_first(answers, "forward"), _first(answers, "reply")), 1):
        if answer is not None:
            moment = max(_timestamp(answer.sent), arrival)
            known = KnownAction(moment, _answered(message, answer, config), _response_seconds(message, answer))
            steps.append((moment, rank, known))
    highest = -1
    for _, rank, known in sorted(steps):
        if rank > highest:
            yield known
            highest = rank


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
        arrival = arrivals.get(email.in_reply_to or (email.references[-1] if email.references else ""))
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
