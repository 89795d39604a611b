"""The sections of the data stages, from the raw archive to the splits, with their defaults."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

import msgspec

from enron_triage.config.types import Choices, Dates, Duration, PositiveFloat, PositiveInt, Section, Sha256

StageName = Annotated[str, Choices("enron_triage.pipeline:STAGES")]


class PipelineConfig(Section, frozen=True):
    """What ``triage run`` chains."""

    stages: Annotated[tuple[StageName, ...], msgspec.Meta(min_length=1)] = (
        "download",
        "parse",
        "label",
        "split",
        "sft",
        "evaluate",
    )


class DemoConfig(Section, frozen=True):
    """The synthetic corpus that ``download.source: demo`` writes."""

    mailboxes: Annotated[int, msgspec.Meta(ge=1, le=500)] = 24
    messages: Annotated[int, msgspec.Meta(ge=30)] = 12_000


class DownloadConfig(Section, frozen=True):
    """Where the raw archive comes from."""

    source: str = "cmu"  # cmu | demo | a URL | a local .tar, .tar.gz, .tar.xz
    sha256: Sha256 | None = None
    demo: DemoConfig = DemoConfig()


class ParseConfig(Section, frozen=True):
    """What is parsed."""

    source: str | None = None  # a folder or an mbox; none: <data_dir>/maildir
    format: Annotated[str, Choices("enron_triage.mail.sources:SOURCES", also=("auto",))] = "auto"
    limit: PositiveInt | None = None  # only the first files, for a quick look


class FoldersConfig(Section, frozen=True):
    """Names of folders (and Gmail labels) by role, lower-case. Any other is a filing folder."""

    sent: tuple[str, ...] = (
        "sent",
        "sent_items",
        "_sent_mail",
        "_sent",
        "sent mail",
        "sent messages",
        "sent items",
    )
    deleted: tuple[str, ...] = (
        "deleted_items",
        "connect_deletes",
        "trash",
        "deleted items",
        "deleted messages",
        "bin",
    )
    junk: tuple[str, ...] = ("junk", "junk_file", "junk_e-mail", "junk e-mail", "spam", "bulk mail")
    inbox: tuple[str, ...] = ("inbox", "notes_inbox", "")  # "": a Maildir's own cur/new
    drafts: tuple[str, ...] = ("drafts", "_drafts", "draft")
    # Made by the mail system, or no mail: a copy there says nothing about what the owner did.
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
    """What counts as which action."""

    scheme: Annotated[str, Choices("enron_triage.labels.schemes:SCHEMES")] = "received"
    reply_now_within: Duration = "1h"  # the reference log's threshold
    link_window: Duration = "30d"
    action_lag: Duration = "7d"  # filing and deleting leave no time stamp: when they count as history
    dates: Dates = (datetime.date(1997, 1, 1), datetime.date(2003, 1, 1))
    folders: FoldersConfig = FoldersConfig()


class SplitConfig(Section, frozen=True):
    """How labelled messages become train, val and test."""

    by: Literal["user", "time"] = "user"
    ratios: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.75, 0.125, 0.125)  # sum to 1
    seed: int | None = None
