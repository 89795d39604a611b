"""Questions with their message and all answers, as exchanged with other annotation programs."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Sequence

import msgspec

from enron_triage.annotation.agreement import Question, question_of
from enron_triage.config.paths import SPLITS
from enron_triage.config.schema import Config
from enron_triage.labels.judgements import Judgement
from enron_triage.records import Action
from enron_triage.runtime import artifacts


class MessageText(msgspec.Struct, kw_only=True, gc=False):
    """What a person reads of a message.

    Attributes
    ----------
    user, fingerprint : str
        The mailbox and the message.
    date : str or None
        When it was sent.
    sender, subject, body : str
        Where it came from, and what it says.
    to, cc : list of str
        Who else it went to.
    """

    user: str
    fingerprint: str
    date: str | None = None
    sender: str = ""
    to: list[str] = []
    cc: list[str] = []
    subject: str = ""
    body: str = ""


class Task(msgspec.Struct, kw_only=True):
    """One question, and what people have answered.

    Attributes
    ----------
    user, fingerprint : str
        The mailbox and the message.
    first, second : Action or None
        The two actions of a pair, as they were shown to the first of the people; None if it was asked what should be
        done.
    judgements : list of Judgement
        The answers and the messages skipped, in the order of the file; empty if nobody has answered yet.
    policy : dict of Action to float, or None
        The policy's probabilities, where the first line about the question has them.
    strategy : str
        How the message was chosen, by the first line.
    message : MessageText or None
        What it says; None if it is in none of the splits.
    """

    user: str
    fingerprint: str
    first: Action | None
    second: Action | None
    judgements: list[Judgement]
    policy: dict[Action, float] | None
    strategy: str
    message: MessageText | None = None

    @property
    def is_pair(self) -> bool:
        """Whether it was asked which of two actions is better."""
        return self.first is not None and self.second is not None


def tasks_of(config: Config, judgements: Sequence[Judgement]) -> tuple[list[Task], int]:
    """The questions that some lines are about.

    Parameters
    ----------
    config : Config
        Where the splits are, which hold the messages.
    judgements : sequence of Judgement
        Those in force.

    Returns
    -------
    tasks : list of Task
        In the order of their first lines.
    left_out : int
        How many lines do not tell what was asked, such as a tie that was written by hand.
    """
    tasks: dict[Question, Task] = {}
    left_out = 0
    for judgement in judgements:
        question = question_of(judgement)
        if question is None or (question[2] and len(question[2]) != 2):
            left_out += 1
            continue
        task = tasks.setdefault(question, _task(judgement))
        if judgement.is_judged or judgement.skipped:
            task.judgements.append(judgement)
    texts = _texts(config, {task.fingerprint for task in tasks.values()})
    for task in tasks.values():
        task.message = texts.get((task.user, task.fingerprint))
    return list(tasks.values()), left_out


def _task(judgement: Judgement) -> Task:
    shown = [*judgement.candidates] or [judgement.chosen, judgement.rejected]
    first, second = shown if judgement.kind == "pair" else (None, None)
    policy = judgement.policy
    if policy is None and isinstance(judgement.candidates, dict):
        policy = judgement.candidates
    return Task(
        user=judgement.user,
        fingerprint=judgement.fingerprint,
        first=first,
        second=second,
        judgements=[],
        policy=policy,
        strategy=judgement.strategy,
    )


def _texts(config: Config, wanted: set[str]) -> dict[tuple[str, str], MessageText]:
    """The messages by mailbox and fingerprint, and the first of each fingerprint by that alone."""
    found: dict[tuple[str, str], MessageText] = {}
    for name in SPLITS if wanted else ():
        path = config.data / f"{name}.json"
        if path.exists():
            for record in artifacts.read_records(path, MessageText):
                if record.fingerprint in wanted:
                    found[record.user, record.fingerprint] = record
                    found.setdefault(("", record.fingerprint), record)
    return found


class Merged(msgspec.Struct, kw_only=True):
    """What becomes of judgements that come back.

    Attributes
    ----------
    lines : list of Judgement
        What is to be appended to the file.
    added, changed, known : int
        How many judgements are new, how many replace another answer of the same person to the same question, and how
        many stand in the file already.
    """

    lines: list[Judgement]
    added: int = 0
    changed: int = 0
    known: int = 0


def merge(standing: Sequence[Judgement], incoming: Iterable[Judgement]) -> Merged:
    """Put judgements that come back beside those in force.

    A person's other answer to a question takes the earlier one back, if that has an `id` to be named by.

    Parameters
    ----------
    standing : sequence of Judgement
        Those in force.
    incoming : iterable of Judgement
        Those that come back; they get ids.
    """
    merged = Merged(lines=[])
    last = {_asked(judgement): judgement for judgement in standing}
    for judgement in incoming:
        before = last.get(_asked(judgement))
        if before is not None and _said(before) == _said(judgement):
            merged.known += 1
            continue
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        if before is not None and before.id:
            merged.changed += 1
            merged.lines.append(
                Judgement(
                    fingerprint=before.fingerprint,
                    user=before.user,
                    annotator=before.annotator,
                    kind=before.kind,
                    undoes=before.id,
                    id=str(uuid.uuid4()),
                    time=now,
                )
            )
        else:
            merged.added += 1
        new = msgspec.structs.replace(judgement, id=str(uuid.uuid4()), time=judgement.time or now)
        merged.lines.append(new)
        last[_asked(new)] = new
    return merged


def _asked(judgement: Judgement) -> tuple[str, Question | None]:
    return judgement.annotator or "", question_of(judgement)


def _said(judgement: Judgement) -> tuple[object, ...]:
    better = (judgement.chosen, judgement.rejected)
    return (*better, judgement.tie, judgement.action, judgement.skipped, judgement.note)
