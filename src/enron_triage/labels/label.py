"""The stage ``label``: what the owner did with each message.

    triage label --config configs/enron.yaml

``label.scheme`` names the label scheme, a key of `SCHEMES`. Mailboxes are labelled independently, several at a time.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from enron_triage.config.data import LabelConfig
from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.labels.folders import MailboxFolders, folder_rows
from enron_triage.labels.in_time import InTime, label_in_time, warn_of_slow
from enron_triage.labels.label_table import label_table
from enron_triage.labels.labeled import Labeled
from enron_triage.labels.owner_identity import OwnerDecision
from enron_triage.labels.owner_report import check_mailboxes_of_owners, log_owners, owner_counts
from enron_triage.labels.schemes import SCHEMES
from enron_triage.pipeline import stage_run
from enron_triage.records import ACTIONS, Email
from enron_triage.runtime import artifacts
from enron_triage.runtime.artifacts import Span
from enron_triage.runtime.progress import progress_bar
from enron_triage.runtime.workers import Rescue, map_ordered
from enron_triage.stage_run import Result, StageRun

logger = logging.getLogger(__name__)

_MAX_SHOWN = 3  # mailboxes with their problem in the log
# Of processor time for a mailbox: some hundred times what any has taken. Without its links its labels would be wrong.
_SECONDS, _SECONDS_PER_MESSAGE = 60, 0.02
_ENCODER = msgspec.json.Encoder()


class EncodedMailbox(msgspec.Struct, kw_only=True):
    """The labels of one mailbox as a worker returns them: encoded records, ready to be written, and counts.

    Attributes
    ----------
    user : str
        The name of the mailbox.
    labeled, unacted : list of bytes
        The JSON of the records with an action, and of those without.
    actions : Counter of str
        How many records have each action.
    dropped, links, owner
        As in `Labeled`.
    folders : MailboxFolders
        Its folders by role.
    problem : str or None
        Why it was left out; None if it was labelled.
    slow : list of str
        The paths of messages that were left out, because each took too long.
    """

    user: str
    labeled: list[bytes]
    unacted: list[bytes]
    actions: Counter[str]
    dropped: Counter[str]
    links: Counter[str]
    owner: OwnerDecision | None
    folders: MailboxFolders
    problem: str | None = None
    slow: list[str] = []


class Totals(msgspec.Struct, kw_only=True):
    """What is counted over all mailboxes.

    Attributes
    ----------
    labeled, unacted : int
        How many records were written with an action, and without.
    actions, dropped, links : Counter of str
        As in `EncodedMailbox`, added up.
    owners : dict of str to OwnerDecision
        Who owns each mailbox, by name, if the scheme asks.
    inboxless : list of str
        The mailboxes in which no folder counts as the inbox.
    folders : list of MailboxFolders
        The folders of each mailbox that was labelled.
    left_out : dict of str to str
        Why each of the other mailboxes was not, by name.
    slow : list of str
        The paths of messages that took too long.
    """

    labeled: int = 0
    unacted: int = 0
    actions: Counter[str] = msgspec.field(default_factory=Counter)
    dropped: Counter[str] = msgspec.field(default_factory=Counter)
    links: Counter[str] = msgspec.field(default_factory=Counter)
    owners: dict[str, OwnerDecision] = {}
    inboxless: list[str] = []
    folders: list[MailboxFolders] = []
    left_out: dict[str, str] = {}
    slow: list[str] = []

    def add(self, mailbox: EncodedMailbox) -> None:
        """Add the counts of one mailbox.

        Parameters
        ----------
        mailbox : EncodedMailbox
            What a worker returned for it.
        """
        self.labeled += len(mailbox.labeled)
        self.unacted += len(mailbox.unacted)
        self.actions += mailbox.actions
        self.dropped += mailbox.dropped
        self.links += mailbox.links
        self.slow += mailbox.slow
        if mailbox.problem is not None:
            self.left_out[mailbox.user] = mailbox.problem
            return
        self.folders.append(mailbox.folders)
        if "inbox" not in mailbox.folders.roles:
            self.inboxless.append(mailbox.user)
        if mailbox.owner is not None:
            self.owners[mailbox.user] = mailbox.owner


def run(config: Config) -> Result:
    """Label ``emails.json`` by ``label.scheme``.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Returns
    -------
    Result
        The counts of records, labels, dropped records and links, and who owns which mailbox.

    Raises
    ------
    UsageError
        If the input is missing or damaged, no message could be labelled, or ``label.owner`` names no mailbox of it.
    """
    stage = stage_run("label", config)
    with stage.track() as counts:
        spans = artifacts.mailbox_spans(stage.inputs["emails"])
        check_mailboxes_of_owners(config.label.owner, [span.user for span in spans])
        totals = _write_labels(stage, spans)
        counts.update(
            scheme=config.label.scheme,
            records=sum(span.count for span in spans),
            labeled=totals.labeled,
            unacted=totals.unacted,
            actions={action: totals.actions[action] for action in ACTIONS},
            dropped=dict(sorted(totals.dropped.items())),
            links=dict(sorted(totals.links.items())),
            folders=dict(folder_rows(totals.folders)),
            left_out=sorted(totals.left_out),
            owners=owner_counts(totals.owners),
        )
    _warn(totals, uses_roles=SCHEMES[config.label.scheme].uses_roles)
    return Result(stage="label", table=label_table(counts), data=counts)


def label_span(source: Path, config: LabelConfig, span: Span) -> EncodedMailbox:
    """Label one mailbox of ``emails.json``; workers run this.

    Parameters
    ----------
    source : Path
        The artifact of parsed messages.
    config : LabelConfig
        The section ``label`` of the configuration.
    span : Span
        Where in the artifact the mailbox is.
    """
    emails = list(artifacts.read_span(source, span, Email))
    folders = MailboxFolders.of(emails, config.folders)
    problem = folders.why_not_labeled(config.folders) if SCHEMES[config.scheme].uses_roles else None
    if problem is not None:
        done = InTime(Labeled(records=[], dropped=Counter(unknown_folders=len(emails))), problem=problem)
    else:
        limit = _SECONDS + _SECONDS_PER_MESSAGE * len(emails)
        done = label_in_time(functools.partial(label_mailbox, config=config), emails, limit)
    labeled = done.labeled
    return EncodedMailbox(
        user=span.user,
        labeled=[_ENCODER.encode(record) for record in labeled.records if record.action],
        unacted=[_ENCODER.encode(record) for record in labeled.records if not record.action],
        actions=Counter(record.action for record in labeled.records if record.action),
        dropped=labeled.dropped,
        links=labeled.links,
        owner=labeled.owner,
        folders=folders,
        problem=done.problem,
        slow=done.left_out,
    )


def _left_out(config: LabelConfig, span: Span) -> EncodedMailbox:
    """What stands for a mailbox on which a worker process died."""
    return EncodedMailbox(
        user=span.user,
        labeled=[],
        unacted=[],
        actions=Counter(),
        dropped=Counter(took_too_long=span.count),
        links=Counter(),
        owner=None,
        folders=MailboxFolders.of([], config.folders),
        problem="labelling it killed the worker process (too much time or memory); please report it",
    )


def label_mailbox(emails: Sequence[Email], config: LabelConfig) -> Labeled:
    """Label the messages of one mailbox by the scheme of the configuration.

    Parameters
    ----------
    emails : sequence of Email
        Every record of the mailbox, in any order.
    config : LabelConfig
        The section ``label`` of the configuration.
    """
    return SCHEMES[config.scheme].label(emails, config)


def _write_labels(stage: StageRun, spans: Sequence[Span]) -> Totals:
    source, config = stage.inputs["emails"], stage.config
    totals = Totals()
    work = functools.partial(label_span, source, config.label)
    rescue = Rescue[Span, EncodedMailbox](lambda span: [span], functools.partial(_left_out, config.label))
    with (
        artifacts.record_writer(stage.outputs["labeled"]) as labeled,
        artifacts.record_writer(stage.outputs["unacted"]) as unacted,
        progress_bar(description="label", total=sum(span.count for span in spans), unit=" messages") as bar,
    ):
        for span, mailbox in zip(spans, map_ordered(work, spans, config.pool, rescue), strict=True):
            labeled.write_many(b",\n".join(mailbox.labeled), len(mailbox.labeled))
            unacted.write_many(b",\n".join(mailbox.unacted), len(mailbox.unacted))
            totals.add(mailbox)
            bar.update(span.count)
        # Raised before the writers close, so that the old files stay.
        if totals.left_out and not totals.folders:
            user, problem = next(iter(totals.left_out.items()))
            others = f" (and {len(totals.left_out) - 1:,} other mailboxes)" if len(totals.left_out) > 1 else ""
            raise UsageError(f"{source}: mailbox {user}{others}: {problem}")
        if not totals.labeled:
            raise UsageError(
                f"{source}: no message could be labelled ({totals.dropped.total()} dropped, "
                f"{totals.unacted} without an action); check label.folders against the mailbox's folders"
            )
    return totals


def _warn(totals: Totals, *, uses_roles: bool) -> None:
    """Say in the log which mailboxes were not labelled, or not as their owners may expect."""
    left_out = list(totals.left_out)
    for user in left_out[:_MAX_SHOWN]:
        logger.warning("mailbox %s is left out: %s", user, totals.left_out[user])
    if len(left_out) > _MAX_SHOWN:
        others = left_out[_MAX_SHOWN:]
        logger.warning("%d more mailboxes are left out for similar reasons: %s", len(others), ", ".join(others))
    warn_of_slow(totals.slow)
    log_owners(totals.owners)
    ownerless = [user for user, owner in totals.owners.items() if not owner.addresses]
    if ownerless:
        logger.warning(
            "%d mailboxes have too little sent mail to identify their owner (%s): nothing there can count as answered",
            len(ownerless),
            ", ".join(ownerless[:_MAX_SHOWN]),
        )
    if totals.inboxless and uses_roles:
        logger.warning(
            "%d mailboxes have no folder that counts as the inbox (%s), so mail in any other folder counts as filed; "
            "set label.folders.inbox if it has another name",
            len(totals.inboxless),
            ", ".join(totals.inboxless[:_MAX_SHOWN]),
        )
