"""Finding the messages that judgements refer to."""

from __future__ import annotations

from pathlib import Path

from enron_triage.records import Fingerprinted
from enron_triage.runtime import artifacts


def rows_by_fingerprint(path: Path) -> dict[str, list[int]]:
    """Where judgements find their messages among records.

    Parameters
    ----------
    path : Path
        The records.

    Returns
    -------
    dict of str to list of int
        The indices of the records by fingerprint, and by mailbox and fingerprint joined by a space.

    Raises
    ------
    UsageError
        If the records are missing or damaged.
    """
    rows: dict[str, list[int]] = {}
    for row, record in enumerate(artifacts.read_records(path, Fingerprinted)):
        for key in (record.fingerprint, f"{record.user} {record.fingerprint}"):
            rows.setdefault(key, []).append(row)
    return rows
