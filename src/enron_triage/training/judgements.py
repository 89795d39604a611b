"""Preferences judged by people: the lines of their files, and reading them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from enron_triage.errors import UsageError
from enron_triage.records import Action


class PreferenceRecord(msgspec.Struct, kw_only=True, forbid_unknown_fields=False):
    """One line of a file of preferences.

    Attributes
    ----------
    fingerprint : str
        The message that is judged.
    user : str
        The mailbox that holds it; empty for every mailbox that does.
    chosen, rejected : Action or None
        The better and the worse action; both None if nobody has judged the pair yet.
    tie : bool
        Whether the two actions were judged to be equally good.
    annotator, time : str or None
        Who judged, and when (ISO 8601).
    """

    fingerprint: str
    user: str = ""
    chosen: Action | None = None
    rejected: Action | None = None
    tie: bool = False
    annotator: str | None = None
    time: str | None = None


def read_judgements(path: Path) -> list[PreferenceRecord]:
    """Read a file of preferences: JSON Lines.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of PreferenceRecord
        One for each line that is not empty.

    Raises
    ------
    UsageError
        If the file is missing, or a line is not a judgement.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; `triage preferences` writes a template") from None
    decode = msgspec.json.Decoder(PreferenceRecord).decode
    judgements = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            judgements.append(decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}, line {number}: not a judgement ({error}); see `triage preferences`") from None
    return judgements
