"""Preferences judged by people: the file that they fill in, and reading it.

    triage preferences --sample-uncertain 200

writes ``data/preferences.jsonl``, a line for each train message of which the policy is least certain. For whoever
judges it, a line says what the message is and which two actions are in question; they write one of them into
``chosen``, the other into ``rejected``, or ``true`` into ``tie``.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch

from enron_triage import artifacts
from enron_triage.actions import ACTION_NAMES, Action
from enron_triage.config import Config
from enron_triage.errors import UsageError
from enron_triage.models.policy import choose_device
from enron_triage.records import LabeledEmail
from enron_triage.stages import Result, named_checkpoint
from enron_triage.training.start import begin


class Judgement(msgspec.Struct, kw_only=True, forbid_unknown_fields=False):
    """One line of a file of preferences.

    Attributes
    ----------
    fingerprint : str
        Of the message.
    user : str
        Whose mailbox; empty for every mailbox that holds the message.
    chosen, rejected : Action or None
        None on both sides: not judged yet.
    tie : bool
        Judged to be equally good.
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


class Candidate(Judgement, kw_only=True):
    """A judgement to be made, with what a person needs for it.

    Attributes
    ----------
    path, date, sender, subject : str
        Of the message; for reading only.
    candidates : dict of str to float
        The two most probable actions, with their probabilities.
    """

    path: str
    date: str | None
    sender: str
    subject: str
    candidates: dict[str, float]


def run(config: Config, sample_uncertain: int, output: Path | None = None) -> Result:
    """Write the template of a file of preferences.

    Parameters
    ----------
    config : Config
        ``dpo.init`` names the policy.
    sample_uncertain : int >= 1
        The number of messages: those of train whose two most probable actions are closest.
    output : Path, optional
        By default ``preferences.jsonl`` in the data folder.

    Raises
    ------
    UsageError
        If the file exists, as it may hold judgements, or the checkpoint or a split is missing.
    """
    path = output or config.data / "preferences.jsonl"
    if path.exists():
        raise UsageError(f"{path}: exists, and may hold judgements; move it away or give another --output")
    init = named_checkpoint(config, config.dpo.init)
    start = begin(config, init, choose_device(config.device))
    probabilities, actions = start.reference.exp().cpu().topk(2, dim=1)
    gaps = probabilities[:, 0] - probabilities[:, 1]
    rows = torch.argsort(gaps, stable=True)[:sample_uncertain].tolist()
    wanted = set(rows)
    records = enumerate(artifacts.read_records(config.data / "train.json", LabeledEmail))
    kept = {row: record for row, record in records if row in wanted}
    with artifacts.atomic_open(path) as file:
        for row in rows:
            names = [ACTION_NAMES[action] for action in actions[row].tolist()]
            shares = [round(value, 4) for value in probabilities[row].tolist()]
            line = _candidate(kept[row], dict(zip(names, shares, strict=True)))
            file.write(msgspec.json.encode(line) + b"\n")
    table = f"{len(rows):,} messages to judge -> {path}; then `triage dpo --set dpo.preferences={path}`"
    return Result(stage="preferences", table=table, data={"messages": len(rows), "path": str(path)})


def _candidate(record: LabeledEmail, candidates: dict[str, float]) -> Candidate:
    return Candidate(
        fingerprint=record.fingerprint,
        user=record.user,
        path=record.path,
        date=record.date,
        sender=record.sender,
        subject=record.subject,
        candidates=candidates,
    )


def read_judgements(path: Path) -> list[Judgement]:
    """Read a file of preferences: JSON Lines.

    Raises
    ------
    UsageError
        If it is missing, or a line is no judgement.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; `triage preferences` writes a template") from None
    decode = msgspec.json.Decoder(Judgement).decode
    judgements = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            judgements.append(decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}, line {number}: not a judgement ({error}); see `triage preferences`") from None
    return judgements
