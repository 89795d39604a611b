"""The template of a file of preferences, for people to judge.

    triage preferences --sample-uncertain 200

writes ``data/preferences.jsonl``, a line for each train message of which the policy is least certain. For whoever
judges it, a line says what the message is and which two actions are in question; they write one of them into
``chosen``, the other into ``rejected``, or ``true`` into ``tie``.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch

from enron_triage.config import paths
from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.pipeline import Result
from enron_triage.policy.network import choose_device
from enron_triage.records import ACTION_NAMES, LabeledEmail
from enron_triage.runtime import artifacts
from enron_triage.training.judgements import PreferenceRecord
from enron_triage.training.setup import begin


class Candidate(PreferenceRecord, kw_only=True):
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
    init = paths.named_checkpoint(config, config.dpo.init)
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
