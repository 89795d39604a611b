"""The JSON messages that the page and the program exchange."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from enron_triage.annotation.view import MessageView
from enron_triage.records import Action

Kind = Literal["pair", "action"]


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """What the page sends: one answer.

    Attributes
    ----------
    annotator : str
        Who answers.
    user, fingerprint : str
        The message.
    kind : {"pair", "action"}
        What was asked.
    chosen : Action or None
        The better action of the pair.
    tie : bool
        Whether the two are equally good.
    action : Action or None
        What should be done.
    skipped : bool
        Whether the message is left unjudged.
    note : str
        What the person wrote.
    seconds : float or None
        From the message's appearance to the answer.
    """

    annotator: str
    user: str
    fingerprint: str
    kind: Kind
    chosen: Action | None = None
    tie: bool = False
    action: Action | None = None
    skipped: bool = False
    note: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None


class Item(msgspec.Struct, frozen=True):
    """A message that is asked about.

    Attributes
    ----------
    user, fingerprint : str
        The message, for the answer.
    message : MessageView
        What is shown of it.
    candidates : tuple of Action
        The pair, in the order in which it is shown.
    policy : dict of Action to float, or None
        The policy's probabilities; None where they are hidden or there are none.
    """

    user: str
    fingerprint: str
    message: MessageView
    candidates: tuple[Action, Action]
    policy: dict[Action, float] | None


class Progress(msgspec.Struct, frozen=True):
    """How far one person is.

    Attributes
    ----------
    judged, skipped : int
        How many messages.
    target : int
        How many are to be judged.
    pace : float or None
        The median of the seconds that the latest judgements took.
    can_undo : bool
        Whether there is a judgement to take back.
    """

    judged: int
    skipped: int
    target: int
    pace: float | None
    can_undo: bool


class State(msgspec.Struct, frozen=True):
    """What the page shows one person now.

    Attributes
    ----------
    annotator : str
        The person.
    item : Item or None
        The message; None if there is no further one.
    progress : Progress
        How far the person is.
    notice : str
        A sentence on what just happened; empty if there is nothing to say.
    """

    annotator: str
    item: Item | None
    progress: Progress
    notice: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the page is set to.

    Attributes
    ----------
    kind : {"pair", "action"}
        What is asked at first.
    target : int
        How many messages each person is to judge.
    annotator : str
        The person, if one was named for all; else empty.
    show_policy : bool
        Whether the policy's probabilities are shown.
    """

    kind: Kind
    target: int
    annotator: str
    show_policy: bool
