"""An answer in the form that other annotation programs use: a few fields with one word each."""

from __future__ import annotations

import msgspec

from enron_triage.errors import UsageError
from enron_triage.labels.judgements import Judgement
from enron_triage.records import ACTION_NAMES, Action

BETTER = ("first", "second", "tie", "neither")


class Unclear(Exception):  # noqa: N818 - it is caught, counted and told
    """An annotation does not say one thing."""


class Answers(msgspec.Struct, kw_only=True):
    """The fields of a form.

    Attributes
    ----------
    better : str
        One of `BETTER`, or empty.
    action : str
        The name of the action that should be done, or empty.
    note, annotator : str
        What the annotator wrote, and who it is.
    skipped : bool
        Whether the message was left unjudged.
    """

    better: str = ""
    action: str = ""
    note: str = ""
    annotator: str = ""
    skipped: bool = False

    @classmethod
    def of(cls, judgement: Judgement, first: Action | None, second: Action | None) -> Answers:
        """The fields that a judgement fills in.

        Parameters
        ----------
        judgement : Judgement
            An answer, or a message skipped.
        first, second : Action or None
            The two actions of a pair, in the order of the form.
        """
        better = ""
        if judgement.tie:
            better = "tie"
        elif judgement.action is not None:  # of no pair, too: Argilla wants an answer to some question in any case
            better = "neither"
        elif judgement.chosen is not None:
            better = "first" if judgement.chosen == first else "second"
        return cls(
            better=better,
            action=str(judgement.action or ""),
            note=judgement.note,
            annotator=judgement.annotator or "",
            skipped=judgement.skipped,
        )


def answered(answers: Answers, question: Judgement, pair: tuple[Action | None, Action | None], where: str) -> Judgement:
    """The judgement that the fields of a form make.

    Parameters
    ----------
    answers : Answers
        The fields.
    question : Judgement
        What is known of the question, without an answer.
    pair : tuple of Action or None
        The first and the second action; None if it was asked what should be done.
    where : str
        The file and the place in it, for the message.

    Raises
    ------
    Unclear
        If the fields hold no answer, or two.
    UsageError
        If a field holds a word that the form does not offer, or the pair is none.
    """
    first, second = pair
    if (first is None) != (second is None) or (first is not None and first == second):
        raise UsageError(f"{where}: first and second must be two actions; export the tasks again")
    _check(answers.better, BETTER, f"{where}: better")
    _check(answers.action, ACTION_NAMES, f"{where}: action")
    base = msgspec.structs.replace(
        question,
        kind="pair" if first is not None else "action",
        candidates=(first, second) if first is not None and second is not None else (),
        annotator=answers.annotator or None,
        note=answers.note,
    )
    if answers.skipped:
        return msgspec.structs.replace(base, skipped=True)
    if answers.better in ("first", "second", "tie") and answers.action:
        raise Unclear(f"both {answers.better} and {answers.action}")
    if answers.action:
        return msgspec.structs.replace(base, action=Action(answers.action))
    if answers.better and first is None:
        raise Unclear(f"{answers.better}, but there is no pair")
    if answers.better == "tie":
        return msgspec.structs.replace(base, tie=True)
    if answers.better in ("first", "second"):
        chosen, rejected = (first, second) if answers.better == "first" else (second, first)
        return msgspec.structs.replace(base, chosen=chosen, rejected=rejected)
    raise Unclear("neither, but not what should be done" if answers.better else "no answer")


def _check(word: str, offered: tuple[str, ...], where: str) -> None:
    if word and word not in offered:
        raise UsageError(
            f"{where}: {word!r} is not one of {', '.join(offered)}; use the interface of docs/judgement_exchange.md"
        )
