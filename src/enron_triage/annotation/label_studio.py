"""Judgements as tasks of Label Studio, in its own JSON (https://labelstud.io/guide/task_format).

``docs/judgement_exchange.md`` has the labelling interface that shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.annotation.answers import Answers, Unclear, answered
from enron_triage.annotation.tasks import Task
from enron_triage.errors import UsageError
from enron_triage.labels.judgements import Judgement
from enron_triage.records import Action

_CHOICES = ("better", "action")
_TEXTS = ("note", "annotator")


class _Data(msgspec.Struct):
    """What a task is about; the message's own fields are not needed to read it back."""

    fingerprint: str
    user: str = ""
    first: Action | None = None
    second: Action | None = None
    policy: dict[Action, float] | None = None
    strategy: str = ""


class _Value(msgspec.Struct):
    choices: list[str] = []
    text: list[str] | str = []


class _Result(msgspec.Struct):
    from_name: str = ""
    value: _Value = msgspec.field(default_factory=_Value)


class _Person(msgspec.Struct):
    email: str = ""
    id: int | str | None = None


class _Annotation(msgspec.Struct):
    result: list[_Result] = []
    was_cancelled: bool = False
    lead_time: float | None = None
    created_at: str | None = None
    completed_by: _Person | int | str | None = None


class _Task(msgspec.Struct):
    data: _Data
    annotations: list[_Annotation] = []


def encode(tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """Tasks for Label Studio, with the annotations there are.

    The policy's probabilities go into the task's data and not into ``predictions``, which Label Studio would show.

    Parameters
    ----------
    tasks : sequence of Task
        The questions.

    Returns
    -------
    list of dict
        What its import takes.
    """
    return [
        {"id": number, "data": _data(task), "annotations": [_annotation(task, each) for each in task.judgements]}
        for number, task in enumerate(tasks, 1)
    ]


def decode(content: bytes, path: Path) -> tuple[list[Judgement], list[str]]:
    """Read the annotations of an export.

    Parameters
    ----------
    content : bytes
        The file that Label Studio has exported as JSON.
    path : Path
        Its name, for the messages.

    Returns
    -------
    judgements : list of Judgement
        One for each annotation.
    unclear : list of str
        What is wrong with each annotation that is left out.

    Raises
    ------
    UsageError
        If the file is not such an export, or an annotation has a value that the interface does not offer.
    """
    try:
        tasks = msgspec.json.decode(content, type=list[_Task])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: not what Label Studio exports of the tasks of `triage annotate --export label-studio` "
            f"({error}); export them as JSON, not JSON-MIN"
        ) from None
    judgements: list[Judgement] = []
    unclear: list[str] = []
    for number, task in enumerate(tasks, 1):
        for annotation in task.annotations:
            where = f"{path}, task {number}"
            try:
                judgements.append(_judgement(task.data, annotation, where))
            except Unclear as error:
                unclear.append(f"task {number}: {error}")
    return judgements, unclear


def _data(task: Task) -> dict[str, Any]:
    message = task.message
    data: dict[str, Any] = {"fingerprint": task.fingerprint, "user": task.user, "strategy": task.strategy}
    if task.is_pair:
        data |= {"first": task.first, "second": task.second}
    if task.policy is not None:
        data["policy"] = task.policy
    return data | {
        "from": message.sender if message else "",
        "to": ", ".join([*message.to, *message.cc]) if message else "",
        "date": (message.date if message else None) or "",
        "subject": message.subject if message else "",
        "text": message.body if message else "",
    }


def _annotation(task: Task, judgement: Judgement) -> dict[str, Any]:
    given = Answers.of(judgement, task.first, task.second)
    values = {"better": given.better, "action": given.action, "note": given.note, "annotator": given.annotator}
    result = [
        {
            "from_name": name,
            "to_name": "text",
            "type": "choices" if name in _CHOICES else "textarea",
            "value": {"choices": [value]} if name in _CHOICES else {"text": [value]},
        }
        for name, value in values.items()
        if value
    ]
    times = {"lead_time": judgement.seconds, "created_at": judgement.time}
    return {
        "result": result,
        "was_cancelled": judgement.skipped,
        **{name: value for name, value in times.items() if value is not None},
    }


def _judgement(data: _Data, annotation: _Annotation, where: str) -> Judgement:
    values = dict.fromkeys((*_CHOICES, *_TEXTS), "")
    for result in annotation.result:
        name = result.from_name
        if name in _CHOICES:
            if len(result.value.choices) > 1:
                raise Unclear(f"{len(result.value.choices)} choices of {name}")
            values[name] = "".join(result.value.choices)
        elif name in _TEXTS:
            text = result.value.text
            values[name] = text if isinstance(text, str) else "\n".join(text)
    annotator = values["annotator"] or _name_of(annotation.completed_by)
    return answered(
        Answers(
            better=values["better"],
            action=values["action"],
            note=values["note"],
            annotator=annotator,
            skipped=annotation.was_cancelled,
        ),
        Judgement(
            fingerprint=data.fingerprint,
            user=data.user,
            policy=data.policy,
            strategy=data.strategy,
            seconds=annotation.lead_time if annotation.lead_time and annotation.lead_time > 0 else None,
            time=annotation.created_at,
        ),
        (data.first, data.second),
        where,
    )


def _name_of(person: _Person | int | str | None) -> str:
    """Who annotated, where the interface's own field does not tell."""
    if isinstance(person, _Person):
        return person.email or _name_of(person.id)
    return "" if person is None else f"label-studio {person}" if isinstance(person, int) else person
