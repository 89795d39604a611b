"""The stage ``parse``: raw mail to ``emails.json``.

    triage parse --config configs/enron.yaml
    triage parse --set parse.source=enron_mail_20150507.tar.gz

Every file, or message of an mbox, ends as a record or as an entry of ``parse_errors.json``.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from tqdm import tqdm

from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.mail.archive import is_archive
from enron_triage.mail.mailboxes import Format, detect_format, list_batches
from enron_triage.mail.message import parse_message
from enron_triage.mail.message_ref import Batch, read_message_ref
from enron_triage.pipeline import Result, StageRun
from enron_triage.records import ParseError
from enron_triage.runtime import artifacts
from enron_triage.runtime.progress import progress_bar
from enron_triage.runtime.workers import map_ordered

logger = logging.getLogger(__name__)

_ENCODER = msgspec.json.Encoder()


class _Path(msgspec.Struct):
    path: str


_PATH = msgspec.json.Decoder(_Path)


class Parsed(msgspec.Struct):
    """What a worker makes of a batch: encoded records, ready to be written, and errors."""

    user: str
    records: bytes
    count: int
    errors: list[ParseError]


def run(config: Config) -> Result:
    """Parse the corpus at ``parse.source`` (else ``<data_dir>/maildir``).

    Raises
    ------
    UsageError
        If there is no corpus, or no message in it.
    """
    stage = StageRun("parse", config)
    source = config.mail
    if config.parse.source and not source.exists():
        advice = "set parse.source to a folder of mailboxes, an archive or an mbox"
        raise UsageError(f"{source}: no such file or folder; {advice}")
    layout = detect_format(source) if config.parse.format == "auto" else config.parse.format
    records_path, errors_path = stage.outputs["emails"], stage.outputs["errors"]
    with stage.track() as counts:
        errors: list[ParseError] = []
        users = set()
        batches = list_batches(source, layout, config.parse.limit)
        with (
            artifacts.record_writer(records_path) as writer,
            progress_bar(description="parse", unit=" messages") as bar,
        ):
            parsed = _shown(map_ordered(parse_batch, batches, config.pool), bar)
            for part in group_by_mailbox(parsed, config.data) if is_archive(source) else parsed:
                writer.write_many(part.records, part.count)
                errors += part.errors
                users.add(part.user)
            if not writer.count:
                raise UsageError(f"{source}: {_nothing_found(source, layout, len(errors))}")
        with artifacts.record_writer(errors_path) as error_writer:
            for error in errors:
                error_writer.write(_ENCODER.encode(error))
        counts.update(files=writer.count + len(errors), records=writer.count, errors=len(errors), mailboxes=len(users))
    for error in errors[:3]:
        logger.warning("%s: %s", error.path, error.error)
    if len(errors) > 3:
        logger.warning("%d more files could not be parsed; see %s", len(errors) - 3, errors_path)
    table = (
        f"{counts['files']:,} files in {counts['mailboxes']} mailboxes: "
        f"{counts['records']:,} records, {counts['errors']:,} errors -> {records_path}"
    )
    return Result(stage="parse", table=table, data=dict(counts, format=layout))


def _shown(parsed: Iterable[Parsed], bar: tqdm[None]) -> Iterator[Parsed]:
    for part in parsed:
        bar.update(part.count + len(part.errors))
        yield part


def group_by_mailbox(parsed: Iterable[Parsed], folder: Path) -> Iterator[Parsed]:
    """What an archive held, by mailbox and then by path, as if it had been unpacked.

    Parameters
    ----------
    parsed : iterable of Parsed
        In any order; kept in a temporary file until all is there.
    folder : Path
        Where the temporary file lies.

    Yields
    ------
    Parsed
        One whole mailbox.
    """
    blocks: dict[str, list[tuple[int, int]]] = {}
    errors: dict[str, list[ParseError]] = {}
    with tempfile.TemporaryFile(dir=folder) as spool:
        for part in parsed:
            blocks.setdefault(part.user, []).append((spool.tell(), len(part.records)))
            errors.setdefault(part.user, []).extend(part.errors)
            spool.write(part.records)
        for user in sorted(blocks):
            lines: list[bytes] = []
            for start, size in blocks[user]:
                spool.seek(start)
                lines += spool.read(size).split(b",\n") if size else []
            keyed = sorted((_PATH.decode(line).path.split("/"), line) for line in lines)
            failed = sorted(errors[user], key=lambda error: error.path.split("/"))
            yield Parsed(user, b",\n".join(line for _, line in keyed), len(keyed), failed)


def _nothing_found(source: Path, layout: Format, errors: int) -> str:
    """Why a corpus gave no record, and what to do."""
    if errors:
        found = f"no message found, read as {layout} ({errors} files could not be parsed)"
        return f"{found}; set parse.source and parse.format"
    if is_archive(source):
        return "an archive without mail; it should unpack to maildir/<owner>/<folder>/<file>"
    if source.is_file():
        return "an empty file; export the mail again"
    return f"holds no mail, read as {layout}; set parse.source to a folder of mailboxes, a Maildir or an mbox"


def parse_batch(batch: Batch) -> Parsed:
    """Parse some messages of one mailbox; never fails."""
    records, errors = [], []
    for item in batch.items:
        try:
            records.append(
                _ENCODER.encode(
                    parse_message(read_message_ref(item), path=item.path, user=batch.user, folder=item.folder)
                )
            )
        except OSError as error:
            errors.append(ParseError(path=item.path, error=error.strerror or str(error)))
        except Exception as error:  # a hostile message must cost an entry, never the stage
            errors.append(ParseError(path=item.path, error=f"{type(error).__name__}: {error}"))
    return Parsed(batch.user, b",\n".join(records), len(records), errors)
