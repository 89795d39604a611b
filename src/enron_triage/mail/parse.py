"""The stage ``parse``: raw mail to ``emails.json``.

    triage parse --config configs/enron.yaml
    triage parse --set parse.source=enron_mail_20150507.tar.gz

Every file, or message of an mbox, becomes a record, or an entry of ``parse_errors.json``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from tqdm import tqdm

from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.mail.batches import ParsedBatch, group_by_mailbox, make_batches, parse_batches
from enron_triage.mail.sources import Source, Tree, find_source, open_tree
from enron_triage.mail.sources.report import describe, unread_files, why_nothing_found
from enron_triage.pipeline import stage_run
from enron_triage.records import ParseError
from enron_triage.runtime import artifacts
from enron_triage.runtime.progress import progress_bar
from enron_triage.runtime.workers import start_early
from enron_triage.stage_run import Result

logger = logging.getLogger(__name__)

_MAX_SHOWN = 3  # errors in the log


def run(config: Config) -> Result:
    """Parse the corpus at ``parse.source`` (else ``<data_dir>/maildir``).

    Parameters
    ----------
    config : Config
        The whole configuration; the section ``parse`` decides the records, ``workers`` and ``scheduler`` the speed.

    Returns
    -------
    Result
        How many files, records, errors and mailboxes there were, and in which layout they were read.

    Raises
    ------
    UsageError
        If there is no corpus, or no message in it.
    """
    stage = stage_run("parse", config)
    path = config.mail
    if not path.exists():
        raise UsageError(_advice_where_nothing_is(config))
    tree = open_tree(path)
    name, source = find_source(tree, config.parse.format)
    errors: list[ParseError] = []
    users: set[str] = set()
    with_labels = 0
    start_early(config.pool)  # while the state of the input is taken
    with stage.track() as counts:
        with (
            artifacts.record_writer(stage.outputs["emails"]) as writer,
            progress_bar(description="parse", unit=" messages") as bar,
        ):
            for batch in _parsed_batches(source, tree, config, bar):
                writer.write_many(batch.records, batch.count)
                errors += batch.errors
                users.add(batch.user)
                with_labels += batch.with_labels
            if not writer.count:
                raise UsageError(f"{path}: {why_nothing_found(tree, name, len(errors))}")
        with artifacts.record_writer(stage.outputs["errors"]) as error_writer:
            for error in errors:
                error_writer.write(msgspec.json.encode(error))
        counts.update(files=writer.count + len(errors), records=writer.count, errors=len(errors), mailboxes=len(users))
        counts["not_read"] = tree.unread.count
    _log_errors(errors, stage.outputs["errors"])
    if tree.unread.count:
        logger.warning("%s: %s", path, unread_files(tree))
    files, mailboxes = counts["files"], counts["mailboxes"]
    table = (
        f"{files:,} message{'s'[: files != 1]} in {mailboxes} mailbox{'es' if mailboxes != 1 else ''}: "
        f"{counts['records']:,} records, {counts['errors']:,} errors -> {stage.outputs['emails']}"
    )
    table += describe(tree, name, config.label.folders, with_labels)
    return Result(stage="parse", table=table, data=dict(counts, format=name))


def _advice_where_nothing_is(config: Config) -> str:
    """What to do where there is no corpus; a configuration that downloads none wants the path of somebody's mail."""
    problem = f"{config.mail}: no such file or folder"
    if config.parse.source:
        return f"{problem}; set parse.source to a folder of mailboxes, an archive or an mbox"
    if "download" not in config.pipeline.stages:
        kinds = "an export, a profile or a Maildir"
        return f"parse.source is not set; give the path of your mail ({kinds}): --set parse.source=PATH"
    return f"{problem}; run `triage download` or set parse.source"


def _parsed_batches(source: Source, tree: Tree, config: Config, bar: tqdm[None]) -> Iterator[ParsedBatch]:
    """What the workers make of a corpus, by mailbox and then by path."""
    batches = make_batches(source.mailboxes(tree), config.parse.limit)
    parsed = _with_progress(parse_batches(batches, config.pool), bar)
    return group_by_mailbox(parsed, config.data) if source.needs_grouping(tree) else parsed


def _with_progress(parsed: Iterable[ParsedBatch], bar: tqdm[None]) -> Iterator[ParsedBatch]:
    for batch in parsed:
        bar.update(batch.count + len(batch.errors))
        yield batch


def _log_errors(errors: list[ParseError], path: Path) -> None:
    """Show the first errors, and count the rest of those in the file at `path`."""
    for error in errors[:_MAX_SHOWN]:
        logger.warning("%s: %s", error.path, error.error)
    if len(errors) > _MAX_SHOWN:
        logger.warning("%d more files could not be parsed; see %s", len(errors) - _MAX_SHOWN, path)
