"""The stage ``split``: labelled messages to train, val and test.

    triage split --set split.seed=7

By mailbox (the default), so that the policy is measured on people it has never seen; or by time
within each mailbox, for one person's own mail. A message that also stands in a later split is
dropped from the earlier ones, so that test keeps its natural mix.
"""

from __future__ import annotations

import os
import random
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.config.paths import SPLITS
from enron_triage.config.schema import Config
from enron_triage.config.types import seconds
from enron_triage.errors import UsageError
from enron_triage.labels.split_metadata import SplitMetadata
from enron_triage.pipeline import Result, StageRun
from enron_triage.records import ACTION_INDEX, ACTIONS, Action, Scheme
from enron_triage.runtime import artifacts
from enron_triage.runtime.progress import progress

IntArray = npt.NDArray[np.int64]

_UNDATED = -(2**62)  # sorts before every date
_LEFT_OUT = -1
_TRAIN, _VAL, _TEST = range(3)


class Columns(msgspec.Struct):
    """What the split needs of each record, in the order of the file.

    Attributes
    ----------
    mailboxes : list of str
        The mailboxes, in order.
    mailbox : array of int, shape (records,)
        Index of each record's mailbox.
    message : array of int, shape (records,)
        Equal for records of equal fingerprint.
    timestamp, action, start, stop : array of int, shape (records,)
        Time of arrival; class index; the bytes of its line.
    scheme : str
    """

    mailboxes: list[str]
    mailbox: IntArray
    message: IntArray
    timestamp: IntArray
    action: IntArray
    start: IntArray
    stop: IntArray
    scheme: Scheme


def run(config: Config) -> Result:
    """Split ``emails_labeled.json``.

    Raises
    ------
    UsageError
        If the input is missing, damaged or of another scheme, a split by mailbox has fewer than
        three, or a split would be empty.
    """
    stage = StageRun("split", config)
    source = stage.inputs["labeled"]
    with stage.track() as counts:
        columns = read_columns(source)
        if columns.scheme != config.label.scheme:
            raise UsageError(
                f"{source}: labelled with scheme {columns.scheme}, the configuration says {config.label.scheme}; "
                f"run `triage label` again, or use --set label.scheme={columns.scheme}"
            )
        until: dict[str, list[int]] | None = None
        if config.split.by == "user":
            by_mailbox = assign_mailboxes(len(columns.mailboxes), config.split.ratios, config.split_seed)
            assigned = by_mailbox[columns.mailbox]
        else:
            assigned, until = cut_in_time(columns, config.split.ratios, seconds(config.label.link_window))
        before = assigned.copy()
        kept = drop_copies(columns.message, assigned)
        metadata = _metadata(config, columns, before, kept, until)
        for name, size in metadata.counts.items():
            if not size:
                raise UsageError(
                    f"{source}: the {name} split would be empty ({len(kept)} labelled messages in "
                    f"{len(columns.mailboxes)} mailboxes); give more mail, or other split.ratios"
                )
        for index, path in enumerate(stage.outputs[name] for name in SPLITS):
            order = np.flatnonzero(kept == index)
            order = order[np.argsort(columns.timestamp[order], kind="stable")]
            _write_split(source, path, columns, order)
        artifacts.write_json(stage.outputs["metadata"], metadata)
        counts.update(metadata.counts)
    data = msgspec.to_builtins(metadata)
    return Result(stage="split", table=_table(metadata), data=data)


def read_columns(source: Path) -> Columns:
    """Read the columns of a labelled artifact, without holding its texts.

    Raises
    ------
    UsageError
        If it is missing or damaged, or mixes schemes.
    """
    decode = msgspec.json.Decoder(_Record).decode
    mailboxes: dict[str, int] = {}
    messages: dict[str, int] = {}
    schemes: set[Scheme] = set()
    rows = array("q")  # six numbers a record: tuples of them would take five times the memory
    lines = progress(artifacts.iterate_lines(source), description=f"look through {source.name}", unit=" messages")
    for number, (offset, line) in enumerate(lines, 2):
        record = artifacts.decode_line(decode, line, source, number)
        schemes.add(record.scheme)
        rows.extend(
            (
                mailboxes.setdefault(record.user, len(mailboxes)),
                messages.setdefault(record.fingerprint, len(messages)),
                _UNDATED if record.timestamp is None else record.timestamp,
                ACTION_INDEX[record.action],
                offset,
                offset + len(line),
            )
        )
    if not rows:
        raise UsageError(f"{source}: holds no labelled message; run `triage label`")
    if len(schemes) > 1:
        raise UsageError(f"{source}: mixes label schemes; run `triage label`")
    mailbox, message, timestamp, action, start, stop = np.frombuffer(rows, dtype=np.int64).reshape(-1, 6).T
    return Columns(list(mailboxes), mailbox, message, timestamp, action, start, stop, schemes.pop())


def assign_mailboxes(count: int, ratios: Sequence[float], seed: int) -> IntArray:
    """Assign mailboxes to train (0), val (1) and test (2).

    Train takes the whole part of its ratio; the rest is shared between val and test by theirs,
    the odd one to test; every split gets at least one.

    Parameters
    ----------
    count : int
        The number of mailboxes.
    ratios : sequence of float, length 3
        Need not sum to 1.
    seed : int

    Returns
    -------
    array of int, shape (count,)

    Raises
    ------
    UsageError
        With fewer than three mailboxes.
    """
    if count < 3:
        raise UsageError(f"a split by mailbox needs at least three mailboxes, found {count}; use --set split.by=time")
    # A whole part that floating point puts just below it must not lose a mailbox.
    train = min(max(int(count * ratios[0] / sum(ratios) + 1e-9), 1), count - 2)
    rest = count - train
    val = min(max(int(rest * ratios[1] / (ratios[1] + ratios[2]) + 1e-9), 1), rest - 1)
    order = list(range(count))
    random.Random(seed).shuffle(order)
    assigned = np.full(count, _TEST, dtype=np.int64)
    assigned[order[:train]] = _TRAIN
    assigned[order[train : train + val]] = _VAL
    return assigned


def cut_in_time(columns: Columns, ratios: Sequence[float], window: int) -> tuple[IntArray, dict[str, list[int]]]:
    """Cut each mailbox at its ratios in time.

    A message within `window` seconds before a cut is left out: whether it was answered is only
    known beyond the cut.

    Returns
    -------
    assigned : array of int, shape (records,)
        0, 1, 2 for train, val, test; -1 for a message left out.
    until : dict of str to list of int
        Each mailbox's two cuts, in seconds UTC.
    """
    assigned = np.full(len(columns.mailbox), _LEFT_OUT, dtype=np.int64)
    until = {}
    shares = np.cumsum(ratios)[:2] / sum(ratios)
    for index, name in enumerate(columns.mailboxes):
        rows = np.flatnonzero((columns.mailbox == index) & (columns.timestamp != _UNDATED))
        if not len(rows):
            continue
        times = np.sort(columns.timestamp[rows])
        cuts = [int(times[min(int(len(times) * share), len(times) - 1)]) for share in shares]
        until[name] = cuts
        for row in rows:
            time = int(columns.timestamp[row])
            split = bisect_right(cuts, time)
            if split == _TEST or time < cuts[split] - window:
                assigned[row] = split
    return assigned, until


def drop_copies(message: IntArray, assigned: IntArray) -> IntArray:
    """Leave out of train and val what is also in test, and of train what is also in val.

    Parameters
    ----------
    message : array of int, shape (records,)
        Equal for copies of one message.
    assigned : array of int, shape (records,)

    Returns
    -------
    array of int, shape (records,)
        `assigned`, with -1 for the copies left out.
    """
    latest = np.full(message.max() + 1, _LEFT_OUT, dtype=np.int64)
    np.maximum.at(latest, message, assigned)
    return np.where(assigned == latest[message], assigned, _LEFT_OUT)


class _Record(msgspec.Struct):
    user: str
    fingerprint: str
    timestamp: int | None
    action: Action
    scheme: Scheme


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
        undated = int((columns.timestamp == _UNDATED).sum())
        dropped["before_a_cut"] = {"outcome_beyond_the_cut": int((before == _LEFT_OUT).sum()) - undated}
        dropped["undated"] = {"undated": undated}
    return SplitMetadata(
        seed=config.split_seed,
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


def _action_counts(indices: IntArray) -> dict[str, int]:
    counts = Counter(indices.tolist())
    return {action: counts[index] for index, action in enumerate(ACTIONS)}


def _table(metadata: SplitMetadata) -> str:
    header = f"{'split':<6} {'mailboxes':>9} {'messages':>9} {'dropped':>8}  " + " ".join(
        f"{action:>11}" for action in ACTIONS
    )
    lines = [header]
    for name in SPLITS:
        total = metadata.counts[name]
        shares = " ".join(f"{metadata.actions[name][action] / total:>11.1%}" for action in ACTIONS)
        drops = sum(metadata.dropped[name].values())
        lines.append(f"{name:<6} {len(metadata.mailboxes[name]):>9} {total:>9,} {drops:>8,}  {shares}")
    return "\n".join(lines)
