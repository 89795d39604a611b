"""Exchanging judgements with other annotation programs: ``triage annotate --export`` and ``--import``.

To add a program, write its `encode` and `decode` and add its row to `FORMATS`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.annotation import argilla, label_studio
from enron_triage.annotation.tasks import Merged, Task, merge, tasks_of
from enron_triage.config.paths import SPLITS
from enron_triage.config.schema import Config
from enron_triage.errors import UsageError, cause_of
from enron_triage.labels.judged_messages import rows_by_fingerprint
from enron_triage.labels.judgements import Judgement, breaks_off, decode_judgements, in_force, judgements_in_force
from enron_triage.runtime import artifacts
from enron_triage.runtime.locks import locked
from enron_triage.stage_run import Result

logger = logging.getLogger(__name__)

_SHOWN = 5  # annotations that are left out
_OTHER_MAIL = "they may belong to other mail: give its folder with --config or --data-dir"


class Format(msgspec.Struct, frozen=True):
    """What a program takes and gives.

    Attributes
    ----------
    encode : callable
        From tasks to what the program's own JSON holds.
    decode : callable
        From a file of the program's, and its path for messages, to judgements and what is wrong with the rest.
    """

    encode: Callable[[Sequence[Task]], list[dict[str, Any]]]
    decode: Callable[[bytes, Path], tuple[list[Judgement], list[str]]]


FORMATS: dict[str, Format] = {
    "label-studio": Format(label_studio.encode, label_studio.decode),
    "argilla": Format(argilla.encode, argilla.decode),
}


def export_file(config: Config, judgements: Path, name: str, target: Path) -> Result:
    """Write judgements, and the messages that a template asks about, for another program.

    Parameters
    ----------
    config : Config
        Where the splits are, which hold the messages.
    judgements : Path
        The file of judgements, or a template of ``triage preferences``.
    name : str
        A key of `FORMATS`.
    target : Path
        The file to write, which holds the text of the messages.

    Raises
    ------
    UsageError
        If the format is unknown, the file exists, there is nothing to export, the splits hold none of the messages, or
        the judgements are missing or damaged.
    """
    form = _format(name)
    if target.exists():
        raise UsageError(f"{target}: exists; move it away or give another name")
    artifacts.refuse_missing_folder(target)
    tasks, left_out = tasks_of(config, judgements_in_force(judgements))
    if not tasks:
        raise UsageError(f"{judgements}: contains no questions; `triage annotate` and `triage preferences` write them")
    without_text = sum(task.message is None for task in tasks)
    if without_text == len(tasks):
        raise UsageError(f"{judgements}: none of its messages is in a split of {config.data}; {_OTHER_MAIL}")
    artifacts.write_json(target, form.encode(tasks))
    answers = sum(len(task.judgements) for task in tasks)
    notes = [f"{len(tasks):,} tasks, {answers:,} answers -> {target}; it contains the text of the messages"]
    if without_text:
        notes.append(f"without text, as they are in no split of {config.data}: {without_text:,}")
    if left_out:
        notes.append(f"left out, as they do not say what was asked: {left_out:,} lines")
    data = {"tasks": len(tasks), "answers": answers, "without_text": without_text, "left_out": left_out}
    return Result(stage="annotate", table="\n".join(notes), data={**data, "path": str(target)})


def import_file(config: Config, judgements: Path, name: str, source: Path) -> Result:
    """Append what people judged in another program.

    Parameters
    ----------
    config : Config
        Where the splits are: the result says how many judgements are of messages that they do not hold.
    judgements : Path
        The file of judgements; it is made if it is missing.
    name : str
        A key of `FORMATS`.
    source : Path
        What the program has exported.

    Raises
    ------
    UsageError
        If the format is unknown, a file is missing or damaged, or another process has the judgements open.
    TriageError
        If they cannot be written.
    """
    form = _format(name)
    try:
        content = source.read_bytes()
    except OSError as error:
        raise UsageError(f"{source}: {cause_of(error)}; give the file that {name} has exported") from None
    found, unclear = form.decode(content, source)
    for each in unclear[:_SHOWN]:
        logger.warning("%s, %s; left out", source, each)
    with locked(judgements.with_name(f".{judgements.name}.lock"), judgements, "stop it first"):
        merged = _append(judgements, found)
    table = (
        f"judgements: {merged.added:,} added, {merged.changed:,} changed, {merged.known:,} known already, "
        f"{len(unclear):,} unclear and left out -> {judgements}"
    )
    splits = [path for path in (config.data / f"{split}.json" for split in SPLITS) if path.exists()]
    held = {fingerprint for path in splits for fingerprint in rows_by_fingerprint(path)}
    elsewhere = sum(each.fingerprint not in held for each in found)
    if elsewhere:
        table += (
            f"\nof messages in no split of {config.data}: {elsewhere:,} of {len(found):,}; dpo learns nothing from them"
        )
        table += f"; {_OTHER_MAIL}" if elsewhere == len(found) else ""
    data = {"added": merged.added, "changed": merged.changed, "known": merged.known, "unclear": unclear}
    data["in_no_split"] = elsewhere
    return Result(stage="annotate", table=table, data={**data, "path": str(judgements)})


def _append(path: Path, found: Sequence[Judgement]) -> Merged:
    """Append what is new of some judgements, on the disk when this returns; a broken last line is removed."""
    try:
        before = path.read_bytes()
    except FileNotFoundError:
        before = b""
    except OSError as error:
        raise UsageError(f"{path}: {cause_of(error)}") from None
    merged = merge(in_force(decode_judgements(before, path), path), found)
    if not merged.lines:
        return merged
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if before and not before.endswith(b"\n"):
                start = before.rfind(b"\n") + 1
                if breaks_off(before[start:]):
                    file.truncate(start)
                else:
                    file.write(b"\n")
            file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in merged.lines))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise artifacts.not_written(path, error) from error
    return merged


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise UsageError(f"{name}: unknown format; allowed: {', '.join(FORMATS)}")
    return FORMATS[name]
