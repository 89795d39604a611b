"""The template of a file of preferences, for people to judge.

    triage preferences --sample-uncertain 200

writes ``data/preferences.jsonl``, with a line for each of the train messages that the policy is least certain about. A
line says which message it is and which two actions are in question. Whoever judges it writes one of them into
``chosen`` and the other into ``rejected``, or ``true`` into ``tie``.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from enron_triage.config import paths
from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.labels.judgements import PreferenceRecord
from enron_triage.policy.inference import choose_device
from enron_triage.records import ACTION_NAMES, LabeledEmail
from enron_triage.runtime import artifacts
from enron_triage.stage_run import Result
from enron_triage.training.setup import load_setup


class Candidate(PreferenceRecord, kw_only=True):
    """A judgement to be made, with what a person needs to know for it.

    Attributes
    ----------
    path : str
        Where the message is in the archive; this and what follows is only for the reader.
    date : str or None
        When it was sent (ISO 8601), if that is known.
    sender : str
        The address that it came from.
    subject : str
        Its subject.
    candidates : dict of str to float
        The policy's two most probable actions, with their probabilities.
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
        The whole configuration; ``dpo.init`` names the policy.
    sample_uncertain : int >= 1
        The number of messages: those of train whose two most probable actions are closest.
    output : Path, optional
        The file to write, by default ``preferences.jsonl`` in the data folder.

    Raises
    ------
    UsageError
        If the file exists, as it may hold judgements, or the checkpoint or a split is missing.
    """
    path = output or config.data / "preferences.jsonl"
    if path.exists():
        raise UsageError(f"{path}: exists already, and may contain judgements; move it away or choose another --output")
    if output is not None:
        artifacts.refuse_missing_folder(output)
    pairs = least_certain(_train_log_probabilities(config), sample_uncertain)
    records = enumerate(artifacts.read_records(config.data / "train.json", LabeledEmail))
    wanted = {row: record for row, record in records if row in pairs}
    with artifacts.atomic_open(path) as file:
        for row, candidates in pairs.items():
            file.write(msgspec.json.encode(_candidate(wanted[row], candidates)) + b"\n")
    then = f"then `triage dpo --config dpo_judgements --set {shlex.quote(f'dpo.preferences={path}')}`"
    table = f"{len(pairs):,} messages to judge -> {path}"
    return Result(stage="preferences", table=table, data={"messages": len(pairs), "path": str(path)}, following=then)


def least_certain(log_probabilities: Tensor, count: int) -> dict[int, dict[str, float]]:
    """The messages whose two most probable actions are closest.

    Parameters
    ----------
    log_probabilities : Tensor, shape (messages, actions)
        The log-probability of each action.
    count : int >= 1
        How many messages to choose; all, if there are fewer.

    Returns
    -------
    dict of int to dict of str to float
        The two actions with their probabilities, rounded to 4 digits, by row, the closest first.
    """
    probabilities, actions = log_probabilities.exp().topk(2, dim=1)
    gaps = probabilities[:, 0] - probabilities[:, 1]
    rows = torch.argsort(gaps, stable=True)[:count].tolist()
    return {
        row: {
            ACTION_NAMES[action]: round(probability, 4)
            for action, probability in zip(actions[row].tolist(), probabilities[row].tolist(), strict=True)
        }
        for row in rows
    }


def _train_log_probabilities(config: Config) -> Tensor:
    """What the policy that ``dpo.init`` names says of the train messages, shape (messages, actions)."""
    init = paths.named_checkpoint(config, config.dpo.init)
    return load_setup(config, init, choose_device(config.device)).reference.cpu()


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
