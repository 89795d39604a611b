"""Judgements as records of Argilla 2, in the JSON that its ``records.to_json`` writes and ``from_json`` reads.

``docs/judgement_exchange.md`` has the settings of the dataset. A file of Argilla's holds neither when somebody answered
nor what they left unanswered.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.annotation.answers import Answers, Unclear, answered
from enron_triage.annotation.tasks import Task
from enron_triage.errors import UsageError
from enron_triage.labels.judgements import Judgement
from enron_triage.records import Action

_QUESTIONS = ("better", "action", "note")


class _Response(msgspec.Struct):
    value: str | None = None
    user_id: str = ""


class _Metadata(msgspec.Struct):
    fingerprint: str
    user: str = ""
    first: Action | None = None
    second: Action | None = None
    strategy: str = ""
    annotators: list[str] = []
    policy_reply_now: float | None = None
    policy_reply_later: float | None = None
    policy_forward: float | None = None
    policy_archive: float | None = None
    policy_delete: float | None = None

    @property
    def policy(self) -> dict[Action, float] | None:
        """The policy's probabilities, as far as they are there."""
        found = {action: getattr(self, f"policy_{action}") for action in Action}
        return {action: value for action, value in found.items() if value is not None} or None


class _Record(msgspec.Struct):
    metadata: _Metadata
    responses: dict[str, list[_Response]] = {}


def encode(tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """Records for Argilla, with the responses there are.

    Its users are known by UUIDs: an annotator gets one that follows from the name, which the record's metadata tell.
    The policy's probabilities go into the metadata and not into ``suggestions``, which Argilla would show.

    Parameters
    ----------
    tasks : sequence of Task
        The questions.

    Returns
    -------
    list of dict
        What ``from_json`` takes.
    """
    return [_record(task) for task in tasks]


def decode(content: bytes, path: Path) -> tuple[list[Judgement], list[str]]:
    """Read the responses of an export.

    Parameters
    ----------
    content : bytes
        The file that ``records.to_json`` has written.
    path : Path
        Its name, for the messages.

    Returns
    -------
    judgements : list of Judgement
        One for each person and record.
    unclear : list of str
        What is wrong with each person's responses that are left out.

    Raises
    ------
    UsageError
        If the file is not such an export, or a response has a value that the questions do not offer.
    """
    try:
        records = msgspec.json.decode(content, type=list[_Record])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: not what Argilla exports of the records of `triage annotate --export argilla` ({error})"
        ) from None
    judgements: list[Judgement] = []
    unclear: list[str] = []
    for number, record in enumerate(records, 1):
        for user_id in dict.fromkeys(each.user_id for name in _QUESTIONS for each in record.responses.get(name, [])):
            try:
                judgements.append(_judgement(record, user_id, f"{path}, record {number}"))
            except Unclear as error:
                unclear.append(f"record {number}: {error}")
    return judgements, unclear


def annotator_id(name: str) -> str:
    """The UUID that stands for an annotator.

    Parameters
    ----------
    name : str
        The name, or nothing.
    """
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"enron-triage:annotator:{name}"))


def _record(task: Task) -> dict[str, Any]:
    message = task.message
    metadata: dict[str, Any] = {"fingerprint": task.fingerprint, "user": task.user, "strategy": task.strategy}
    if task.is_pair:
        metadata |= {"first": task.first, "second": task.second}
    metadata |= {f"policy_{action}": value for action, value in (task.policy or {}).items()}
    judged = [judgement for judgement in task.judgements if judgement.is_judged]
    names = list(dict.fromkeys(judgement.annotator or "" for judgement in judged))
    metadata["annotators"] = [f"{annotator_id(name)} {name}" for name in names]
    responses: dict[str, list[dict[str, str]]] = {}
    last = {judgement.annotator or "": judgement for judgement in judged}  # one response of a user to a question
    for name, judgement in last.items():
        given = Answers.of(judgement, task.first, task.second)
        for question, value in (("better", given.better), ("action", given.action), ("note", given.note)):
            if value:
                responses.setdefault(question, []).append({"value": value, "user_id": annotator_id(name)})
    actions = f"{task.first} {task.second}" if task.is_pair else "action"
    fields = {
        "from": message.sender if message else "",
        "to": ", ".join([*message.to, *message.cc]) if message else "",
        "date": (message.date if message else None) or "",
        "subject": message.subject if message else "",
        "text": message.body if message else "",
        "first": str(task.first or ""),
        "second": str(task.second or ""),
    }
    return {
        "id": f"{task.user} {task.fingerprint} {actions}".strip(),
        "fields": fields,
        "metadata": metadata,
        "suggestions": {},
        "responses": responses,
        "vectors": {},
    }


def _judgement(record: _Record, user_id: str, where: str) -> Judgement:
    metadata = record.metadata
    names = dict(each.split(" ", 1) for each in metadata.annotators if " " in each)
    values = dict.fromkeys(_QUESTIONS, "")
    for question in _QUESTIONS:
        for response in record.responses.get(question, []):
            if response.user_id == user_id and response.value is not None:
                values[question] = response.value
    return answered(
        Answers(
            better=values["better"],
            action=values["action"],
            note=values["note"],
            annotator=names.get(user_id, user_id),
        ),
        Judgement(
            fingerprint=metadata.fingerprint,
            user=metadata.user,
            policy=metadata.policy,
            strategy=metadata.strategy,
        ),
        (metadata.first, metadata.second),
        where,
    )
