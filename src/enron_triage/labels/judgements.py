"""Judgements by people: the lines of their files, and reading them.

A file is JSON Lines and is only ever appended to, so that a program that is killed loses at most the line in hand. To
take a judgement back is a line, too. What is read is what remains in force.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from enron_triage.errors import UsageError, cause_of
from enron_triage.records import ACTIONS, Action

logger = logging.getLogger(__name__)


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


class Judgement(PreferenceRecord, kw_only=True):
    """A preference with all that the page of ``triage annotate`` knows about it.

    A line holds one answer: ``chosen`` and ``rejected``, or ``tie``, or ``action``, or ``skipped``; or it takes another
    line back (``undoes``). A line of the template of ``triage preferences`` is one, too.

    Attributes
    ----------
    kind : {"pair", "action"}
        What was asked: which of two actions is better, or what should be done.
    action : Action or None
        What should be done: the answer of kind ``action``, and of a pair of which neither is right.
    candidates : tuple of Action, or dict of str to float
        The pair that was shown, in that order; the template's lines hold probabilities, too. Empty for no pair.
    skipped : bool
        Whether the annotator left the message unjudged; it is not shown to the same person again.
    note : str
        What the annotator wrote about it.
    policy : dict of Action to float, or None
        The policy's probabilities when the message was shown, on the page or not; None without a policy.
    policy_shown : bool
        Whether the annotator saw them, which draws answers towards them.
    strategy : str
        How the message was chosen.
    seconds : float or None
        From the message's appearance to the answer.
    id : str
        A UUID, by which another line can take this one back; empty in lines that were written by hand.
    undoes : str or None
        The `id` of the judgement that this line takes back, in place of a judgement of its own.
    """

    kind: Literal["pair", "action"] = "pair"
    action: Action | None = None
    candidates: tuple[Action, ...] | dict[Action, float] = ()
    skipped: bool = False
    note: str = ""
    policy: dict[Action, float] | None = None
    policy_shown: bool = False
    strategy: str = ""
    seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None
    id: str = ""
    undoes: str | None = None

    def __post_init__(self) -> None:
        """Refuse two answers in one line, of which one would be dropped without a word."""
        chosen = self.chosen is not None or self.rejected is not None
        answers = {"chosen/rejected": chosen, "action": self.action is not None, "skipped": self.skipped}
        given = [name for name, is_given in answers.items() if is_given]
        if len(given) > 1 or (self.tie and given and given != ["chosen/rejected"]):
            raise ValueError(f"two answers in one line: {' and '.join([*given, *['tie'] * self.tie])}")
        if self.undoes is not None and (given or self.tie):
            raise ValueError("a line that undoes another holds no answer")

    @property
    def is_judged(self) -> bool:
        """Whether it holds an answer: skipping is none."""
        return self.tie or self.action is not None or (self.chosen is not None and self.rejected is not None)

    def preferences(self) -> list[PreferenceRecord]:
        """What the judgement says of pairs of actions.

        The action that should be done was chosen out of all five, so that it is better than each of the other four; of
        those among each other nothing was said. (Such a choice is broken into pairs of the winner against each of the
        others, all of one weight: Azari Soufiani et al. 2013, "Generalized method-of-moments for rank aggregation",
        the top-1 breaking.) The same holds for a pair answered "neither: it is ...", as all five were on offer.

        Returns
        -------
        list of PreferenceRecord
            One for a pair, a tie or an unanswered line; four for an action.
        """
        base = {name: getattr(self, name) for name in PreferenceRecord.__struct_fields__}
        if self.action is None:
            return [PreferenceRecord(**base)]
        others = (other for other in ACTIONS if other != self.action)
        return [PreferenceRecord(**{**base, "chosen": self.action, "rejected": other}) for other in others]


def read_judgements(path: Path) -> list[PreferenceRecord]:
    """Read what a file of judgements says of pairs of actions.

    Parameters
    ----------
    path : Path
        The file, by hand, of ``triage preferences`` or of ``triage annotate``.

    Returns
    -------
    list of PreferenceRecord
        Those of each judgement in force, see `Judgement.preferences`.

    Raises
    ------
    UsageError
        As for `judgements_in_force`.
    """
    return [record for judgement in judgements_in_force(path) for record in judgement.preferences()]


def judgements_in_force(path: Path) -> list[Judgement]:
    """Read the judgements of a file that nobody has taken back.

    Parameters
    ----------
    path : Path
        The file: JSON Lines.

    Returns
    -------
    list of Judgement
        In the order of the file: without the lines that were undone, those that undo, and those that stand there twice.

    Raises
    ------
    UsageError
        If the file is missing, a line is not a judgement, or two lines share an `id` and nothing else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {cause_of(error)}; `triage annotate` or `triage preferences` writes one") from None
    return in_force(decode_judgements(content, path), path)


def decode_judgements(content: bytes, path: Path) -> list[Judgement]:
    """Every line of a file of judgements, those that undo others included.

    Parameters
    ----------
    content : bytes
        What the file holds. A last line without its end that breaks off is left out, with a warning: it is what a
        program that was killed leaves.
    path : Path
        The file, for the messages.

    Returns
    -------
    list of Judgement
        One for each line that is not empty.

    Raises
    ------
    UsageError
        If a line is not a judgement.
    """
    decode = msgspec.json.Decoder(Judgement).decode
    judgements = []
    lines = content.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            judgements.append(decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if number == len(lines) and breaks_off(line):
                logger.warning("%s, line %d: is cut off, as if the program had been killed; left out", path, number)
                continue
            raise UsageError(f"{path}, line {number}: not a judgement ({error}); see `triage preferences`") from None
    return judgements


def breaks_off(line: bytes) -> bool:
    """Whether a line is the beginning of a JSON object and no more.

    Parameters
    ----------
    line : bytes
        The line, without its end.
    """
    text = line.strip()
    if not text.startswith(b"{"):
        return False
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        return not text.endswith(b"}") or "truncated" in str(error)
    except UnicodeDecodeError:
        return not text.endswith(b"}")
    return False


def in_force(judgements: Sequence[Judgement], path: Path) -> list[Judgement]:
    """The judgements that no line takes back.

    The order of the lines does not matter, so that files can be put together in any way.

    Parameters
    ----------
    judgements : sequence of Judgement
        Every line of a file, or of several.
    path : Path
        The file, for the messages.

    Returns
    -------
    list of Judgement
        In their order; a line that stands there twice counts once.

    Raises
    ------
    UsageError
        If two different lines have the same `id`.
    """
    by_id: dict[str, Judgement] = {}
    distinct = []
    for judgement in judgements:
        if not judgement.id or by_id.setdefault(judgement.id, judgement) is judgement:
            distinct.append(judgement)
        elif by_id[judgement.id] != judgement:
            raise UsageError(f"{path}: two different judgements have the id {judgement.id!r}; give one a new id")
    undone = {judgement.undoes for judgement in distinct if judgement.undoes is not None}
    nothing = [name for name in undone if name not in by_id or by_id[name].undoes is not None]
    if nothing:
        logger.warning(
            "%s: %d lines undo a judgement that is not in this file, such as %r", path, len(nothing), min(nothing)
        )
    return [each for each in distinct if each.undoes is None and each.id not in undone]
