"""The stage ``split``: labelled messages to train, val and test.

    triage split --set split.seed=7

By mailbox (the default), those of one person together, so that the policy is measured on people it has never seen; or
by time within each mailbox, for one person's own mail. A message that is also in a later split is dropped from the
earlier ones.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from enron_triage.config.paths import SPLITS
from enron_triage.config.schema import Config
from enron_triage.config.types import seconds
from enron_triage.errors import UsageError
from enron_triage.labels.assignment import LEFT_OUT, assign_mailboxes, cut_in_time, drop_copies
from enron_triage.labels.columns import UNDATED, Columns, IntArray, read_columns
from enron_triage.labels.owner_report import people_of
from enron_triage.labels.sample_size import FEW_MESSAGES, sample_note
from enron_triage.labels.split_metadata import SplitMetadata
from enron_triage.labels.time_cuts import LEAST
from enron_triage.pipeline import stage_run
from enron_triage.records import ACTIONS
from enron_triage.runtime import artifacts, provenance
from enron_triage.runtime.progress import progress
from enron_triage.stage_run import Result

logger = logging.getLogger(__name__)


def run(config: Config) -> Result:
    """Split ``emails_labeled.json``.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Returns
    -------
    Result
        Its data are the content of ``split_metadata.json``.

    Raises
    ------
    UsageError
        If the input is missing, damaged or labelled with another scheme, if there are fewer than three mailboxes to
        split by mailbox, or if a split would be empty.
    """
    stage = stage_run("split", config)
    source = stage.inputs["labeled"]
    with stage.track() as counts:
        columns = read_columns(source)
        if columns.scheme != config.label.scheme:
            raise UsageError(
                f"{source}: labelled with scheme {columns.scheme}, the configuration says {config.label.scheme}; "
                f"run `triage label` again, or use --set label.scheme={columns.scheme}"
            )
        assigned, until = _assign(columns, config, source)
        kept = drop_copies(columns.message, assigned)
        metadata = _metadata(config, columns, assigned, kept, until)
        for name, size in metadata.counts.items():
            if not size:
                raise UsageError(f"{source}: {_why_empty(name, metadata, columns)}")
        for index, path in enumerate(stage.outputs[name] for name in SPLITS):
            order = np.flatnonzero(kept == index)
            order = order[np.argsort(columns.timestamp[order], kind="stable")]
            _write_split(source, path, columns, order)
        artifacts.write_json(stage.outputs["metadata"], metadata)
        counts.update(metadata.counts)
    _warn_of_few_messages(metadata)
    return Result(stage="split", table=_table(metadata), data=msgspec.to_builtins(metadata))


def _assign(columns: Columns, config: Config, source: Path) -> tuple[IntArray, dict[str, list[int]] | None]:
    """The split of each record before copies are dropped, and the cuts in time if it is a split by time."""
    if config.split.by == "time":
        return cut_in_time(columns, config.split.ratios, seconds(config.label.link_window), LEAST)
    people = _people(columns.mailboxes, source)
    by_mailbox = assign_mailboxes(len(columns.mailboxes), config.split.ratios, config.split.seed, people)
    return by_mailbox[columns.mailbox], None


def _people(mailboxes: Sequence[str], source: Path) -> list[int]:
    """Whose each mailbox is, as the stage ``label`` found out; says which are one person's."""
    meta = provenance.read_meta(source)
    if meta is None:
        logger.warning("%s has no metadata: it is not known which mailboxes belong to the same person", source)
    people = people_of(mailboxes, meta.counts.get("owners", {}) if meta else {})
    together: dict[int, list[str]] = {}
    for mailbox, person in zip(mailboxes, people, strict=True):
        together.setdefault(person, []).append(mailbox)
    several = [" and ".join(names) for names in together.values() if len(names) > 1]
    if several:
        logger.info("mailboxes of one person go to one split: %s", "; ".join(several))
    return people


def _why_empty(name: str, metadata: SplitMetadata, columns: Columns) -> str:
    """Why a split would be empty, and what to do."""
    messages, mailboxes = len(columns.mailbox), len(columns.mailboxes)
    reasons = []
    advice = "give more mail, or other split.ratios"
    copies = sum(metadata.dropped[split]["in_a_later_split"] for split in SPLITS)
    if copies:
        reasons.append(f"{copies} are copies of messages in a later split")
    if metadata.until is not None:
        undated = metadata.dropped["undated"]["undated"]
        close = metadata.dropped["before_a_cut"]["outcome_beyond_the_cut"]
        moments = len(np.unique(columns.timestamp[columns.timestamp != UNDATED]))
        if undated:
            reasons.append(f"{undated} have no date")
        if close:
            reasons.append(f"{close} are too close before a cut in time (label.link_window)")
            advice = "give more mail, or a shorter label.link_window"
        if moments < messages - undated:
            reasons.append(f"the others came at {moments} different times")
            advice = "give more mail, with its dates of arrival"
    why = f", of which {'; '.join(reasons)}" if reasons else ""
    return f"the {name} split would be empty ({messages} labelled messages in {mailboxes} mailboxes){why}; {advice}"


def _write_split(source: Path, path: Path, columns: Columns, order: IntArray) -> None:
    """Copy lines of the labelled artifact, in the given order."""
    with source.open("rb", buffering=0) as file, artifacts.record_writer(path) as writer:
        for row in progress(order.tolist(), description=f"split: {path.name}", unit=" messages"):
            start, stop = int(columns.start[row]), int(columns.stop[row])
            writer.write(os.pread(file.fileno(), stop - start, start))


def _metadata(
    config: Config, columns: Columns, before: IntArray, kept: IntArray, until: dict[str, list[int]] | None
) -> SplitMetadata:
    mailboxes, counts, actions_before, actions, dropped = {}, {}, {}, {}, {}
    for index, name in enumerate(SPLITS):
        inside = before == index
        mailboxes[name] = [columns.mailboxes[i] for i in np.unique(columns.mailbox[inside])]
        counts[name] = int((kept == index).sum())
        actions_before[name] = _action_counts(columns.action[inside])
        actions[name] = _action_counts(columns.action[kept == index])
        dropped[name] = {"in_a_later_split": int(inside.sum()) - counts[name]}
    if until is not None:
        undated = int((columns.timestamp == UNDATED).sum())
        dropped["before_a_cut"] = {"outcome_beyond_the_cut": int((before == LEFT_OUT).sum()) - undated}
        dropped["undated"] = {"undated": undated}
    return SplitMetadata(
        seed=config.split.seed,
        by=config.split.by,
        scheme=columns.scheme,
        ratios=config.split.ratios,
        mailboxes=mailboxes,
        until=until,
        counts=counts,
        actions_before=actions_before,
        actions=actions,
        dropped=dropped,
    )


def _warn_of_few_messages(metadata: SplitMetadata) -> None:
    """Say in one line that validation or test is too small to measure by, and what to do."""
    few = {}
    for name in SPLITS[1:]:
        if metadata.counts[name] < FEW_MESSAGES:
            mailboxes = None if metadata.by == "time" else len(metadata.mailboxes[name])
            few[name] = sample_note(metadata.counts[name], mailboxes)
    if few:
        said = "; ".join(f"{name} has {note}" for name, note in few.items())
        logger.warning("%s. Give more mail, or a larger share of it in split.ratios", said)


def _action_counts(indices: IntArray) -> dict[str, int]:
    counts = Counter(indices.tolist())
    return {action: counts[index] for index, action in enumerate(ACTIONS)}


def _table(metadata: SplitMetadata) -> str:
    header = f"{'split':<6} {'mailboxes':>9} {'messages':>9} {'dropped':>7} {' '.join(ACTIONS)}"  # 79 columns
    lines = [header]
    for name in SPLITS:
        total = metadata.counts[name]
        shares = " ".join(f"{metadata.actions[name][action] / total:>{len(action)}.1%}" for action in ACTIONS)
        drops = sum(metadata.dropped[name].values())
        lines.append(f"{name:<6} {len(metadata.mailboxes[name]):>9} {total:>9,} {drops:>7,} {shares}")
    return "\n".join(lines)
