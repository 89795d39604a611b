"""The sections of the data stages, from the raw archive to the splits, with their defaults.

The comment above a key says what it does and its unit; its type says its range (see `types`).
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

import msgspec

from enron_triage.config.types import Choices, Dates, Duration, Owner, PositiveFloat, PositiveInt, Section, Sha256

StageName = Annotated[str, Choices("enron_triage.pipeline.stages:STAGES")]


class PipelineConfig(Section, frozen=True):
    """Section ``pipeline``: what ``triage run`` does."""

    # The stages to run, in this order.
    stages: Annotated[tuple[StageName, ...], msgspec.Meta(min_length=1)] = (
        "download",
        "parse",
        "label",
        "split",
        "sft",
        "evaluate",
    )


class DemoConfig(Section, frozen=True):
    """Section ``download.demo``: the synthetic corpus that ``download.source: demo`` writes."""

    # The seed of the corpus; a training's `seed` does not change it.
    seed: int = 42
    # The number of mailbox owners.
    mailboxes: Annotated[int, msgspec.Meta(ge=1, le=500)] = 24
    # About how many files are written.
    messages: Annotated[int, msgspec.Meta(ge=30)] = 12_000


class DownloadConfig(Section, frozen=True):
    """Section ``download``: where the raw archive comes from."""

    # "cmu" (the Enron archive), "demo" (a synthetic corpus), a URL, or the path of a .tar, .tar.gz or .tar.xz file.
    source: str = "cmu"
    # The SHA-256 that the archive must have; without it, the archive is not checked.
    sha256: Sha256 | None = None
    # The corpus that "demo" writes.
    demo: DemoConfig = DemoConfig()


class ParseConfig(Section, frozen=True):
    """Section ``parse``: which mail is parsed."""

    # Where the mail is: a Maildir, an mbox, a profile, an export, a folder or an archive of such; without it, in
    # <data_dir>/maildir.
    source: str | None = None
    # The layout of the source; "auto" recognises it.
    format: Annotated[str, Choices("enron_triage.mail.sources:SOURCES", also=("auto",))] = "auto"
    # Parse only the first files, up to this number, for a quick look; without it, parse all of them.
    limit: PositiveInt | None = None


class FoldersConfig(Section, frozen=True):
    """Section ``label.folders``: names of folders and Gmail labels by role, as people read them.

    A folder that has no role by its name is a filing folder: a message in it was archived.
    """

    # Folders of mail that the owner sent; an empty list says that there is none.
    sent: tuple[str, ...] = (
        "sent",
        "sent_items",
        "_sent_mail",
        "_sent",
        "sent mail",
        "sent messages",
        "sent items",
    )
    # Folders of mail that the owner deleted.
    deleted: tuple[str, ...] = (
        "deleted_items",
        "connect_deletes",
        "trash",
        "deleted items",
        "deleted messages",
        "bin",
    )
    # Folders of mail that a filter, or the owner, judged to be junk.
    junk: tuple[str, ...] = ("junk", "junk_file", "junk_e-mail", "junk e-mail", "spam", "bulk mail")
    # Folders in which mail arrives; "" is the top of a Maildir (its own cur and new).
    inbox: tuple[str, ...] = ("inbox", "notes_inbox", "")
    # Folders of mail that was written and not sent.
    drafts: tuple[str, ...] = ("drafts", "_drafts", "draft")
    # Folders that the mail system fills, or that hold no mail; a copy there says nothing about what the owner did.
    system: tuple[str, ...] = (
        "all_documents",
        "discussion_threads",
        "calendar",
        "contacts",
        "tasks",
        "to_do",
        "notes",
        "journal",
        "outbox",
        "sync_issues",
        "conflicts",
    )


class LabelConfig(Section, frozen=True):
    """Section ``label``: what counts as which action."""

    # How labels are derived from a mailbox.
    scheme: Annotated[str, Choices("enron_triage.labels.schemes:SCHEMES")] = "received"
    # A reply within this time after the message is reply_now, a later one reply_later; 1h is the reference log's.
    reply_now_within: Duration = "1h"
    # A reply or forward is linked to a message that arrived at most this long before it.
    link_window: Duration = "30d"
    # Filing and deleting leave no time stamp; this long after a message's arrival they count in the owner's history.
    action_lag: Duration = "7d"
    # Only messages from the first date (included) to the second (excluded), in UTC, are labelled.
    dates: Dates = (datetime.date(1997, 1, 1), datetime.date(2003, 1, 1))
    # All of the owner's addresses, for every mailbox or by the name of the mailbox; without them, they are learned from
    # who writes the sent mail, and from the mailbox's name.
    owner: Owner = ()
    # The roles of folders and Gmail labels: names as people read them, whatever their case and accents. A role with its
    # default list has the names that programs give in other languages, too; your own list replaces both.
    folders: FoldersConfig = FoldersConfig()


class SplitConfig(Section, frozen=True):
    """Section ``split``: how labelled messages are divided into train, val and test."""

    # "user" assigns whole mailboxes; "time" cuts each mailbox into earlier and later messages, and leaves out those
    # within label.link_window before each cut (less in a short mailbox), because their outcome is not known by then.
    by: Literal["user", "time"] = "user"
    # The shares of train, val and test, which sum to 1.
    ratios: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.75, 0.125, 0.125)
    # The seed of the assignment of mailboxes; a training's `seed` does not change it.
    seed: int = 42
