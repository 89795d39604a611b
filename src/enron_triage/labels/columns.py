"""The columns of the labelled messages that the split needs, read without holding any text in memory."""

from __future__ import annotations

from array import array
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.errors import UsageError
from enron_triage.records import ACTION_INDEX, Action, Scheme
from enron_triage.runtime import artifacts
from enron_triage.runtime.progress import progress

IntArray = npt.NDArray[np.int64]

UNDATED = -(2**62)  # in place of a timestamp; sorts before every date


class Columns(msgspec.Struct):
    """What the split needs of each record, in the order of the file.

    Attributes
    ----------
    mailboxes : list of str
        The names of the mailboxes, in order of appearance.
    mailbox : array of int, shape (records,)
        The index of each record's mailbox.
    message : array of int, shape (records,)
        Equal for records with equal fingerprints, which are copies of one message.
    timestamp : array of int, shape (records,)
        The time of arrival in seconds UTC; `UNDATED` if there is none.
    action : array of int, shape (records,)
        The class index.
    start, stop : array of int, shape (records,)
        The bytes of the file between which the record's line is.
    scheme : str
        The label scheme of all records.
    answered : array of int, shape (records,), or None
        When the owner answered, in seconds UTC; `UNDATED` for a message that was not answered, or when is not known.
        None if none of them was.
    """

    mailboxes: list[str]
    mailbox: IntArray
    message: IntArray
    timestamp: IntArray
    action: IntArray
    start: IntArray
    stop: IntArray
    scheme: Scheme
    answered: IntArray | None = None


def read_columns(source: Path) -> Columns:
    """Read the columns of a labelled artifact.

    Parameters
    ----------
    source : Path
        An artifact of `LabeledEmail` records, such as ``emails_labeled.json``.

    Raises
    ------
    UsageError
        If it is missing, damaged or empty, or mixes schemes.
    """
    decode = msgspec.json.Decoder(_Record).decode
    mailboxes: dict[str, int] = {}
    messages: dict[str, int] = {}
    schemes: set[Scheme] = set()
    rows = array("q")  # seven numbers a record: tuples of them would take five times the memory
    lines = progress(artifacts.iterate_lines(source), description=f"look through {source.name}", unit=" messages")
    for number, (offset, line) in enumerate(lines, 2):
        record = artifacts.decode_line(decode, line, source, number)
        schemes.add(record.scheme)
        rows.extend(
            (
                mailboxes.setdefault(record.user, len(mailboxes)),
                messages.setdefault(record.fingerprint, len(messages)),
                UNDATED if record.timestamp is None else record.timestamp,
                ACTION_INDEX[record.action],
                offset,
                offset + len(line),
                UNDATED if record.answered is None else record.answered,
            )
        )
    if not rows:
        raise UsageError(f"{source}: holds no labelled message; run `triage label`")
    if len(schemes) > 1:
        raise UsageError(f"{source}: mixes label schemes; run `triage label`")
    mailbox, message, timestamp, action, start, stop, answered = np.frombuffer(rows, dtype=np.int64).reshape(-1, 7).T
    return Columns(list(mailboxes), mailbox, message, timestamp, action, start, stop, schemes.pop(), answered)


class _Record(msgspec.Struct):
    user: str
    fingerprint: str
    timestamp: int | None
    action: Action
    scheme: Scheme
    response_seconds: int | None = None

    @property
    def answered(self) -> int | None:
        if self.timestamp is None or self.response_seconds is None:
            return None
        return self.timestamp + self.response_seconds
