"""Judgements that contradict each other and should be checked."""

from __future__ import annotations

import graphlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import msgspec

from enron_triage.labels.judgements import Judgement
from enron_triage.records import ACTION_INDEX, Action

Message = tuple[str, str]  # mailbox and fingerprint
ActionPair = tuple[Action, Action]  # in class order
_Preferred = dict[ActionPair, set[Action]]


class Contradiction(msgspec.Struct, kw_only=True):
    """Judgements of one message that contradict each other.

    Attributes
    ----------
    kind : {"both ways", "cycle", "opposed"}
        One person preferred each of two actions to the other; one person's preferences go round in a circle; two people
        prefer opposite actions.
    annotators : list of str
        Whose judgements; where people are opposed, those who prefer the first of the actions. The empty string stands
        for whoever gave no name.
    opponents : list of str
        Where people are opposed, those who prefer the second action.
    user, fingerprint : str
        The mailbox and the message.
    actions : list of Action
        The two actions; for a circle, each is preferred to the next, and the last to the first.
    """

    kind: Literal["both ways", "cycle", "opposed"]
    annotators: list[str]
    user: str
    fingerprint: str
    actions: list[Action]
    opponents: list[str] = []


def contradictions(judgements: Sequence[Judgement]) -> list[Contradiction]:
    """What people should look at again.

    A judgement of what should be done prefers that action to every other one, see `Judgement.preferences`.

    Parameters
    ----------
    judgements : sequence of Judgement
        Those in force.

    Returns
    -------
    list of Contradiction
        First those of one person with themselves, then two people's. People who contradict themselves about a pair of
        actions are opposed to nobody about it.
    """
    preferred: dict[Message, dict[str, _Preferred]] = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    for judgement in judgements:
        for record in judgement.preferences():
            if record.tie or record.chosen is None or record.rejected is None or record.chosen == record.rejected:
                continue
            pair = _in_order(record.chosen, record.rejected)
            preferred[record.user, record.fingerprint][record.annotator or ""][pair].add(record.chosen)
    of_one: list[Contradiction] = []
    of_two: list[Contradiction] = []
    for message, by_person in preferred.items():
        for person, pairs in by_person.items():
            of_one += _of_one(message, person, pairs)
        of_two += _opposed(message, by_person)
    return of_one + of_two


def _of_one(message: Message, person: str, pairs: _Preferred) -> list[Contradiction]:
    """Where a person contradicts themselves: both ways, else in a circle."""
    user, fingerprint = message
    found = [
        Contradiction(kind="both ways", annotators=[person], user=user, fingerprint=fingerprint, actions=list(pair))
        for pair, chosen in pairs.items()
        if len(chosen) > 1
    ]
    better: dict[Action, set[Action]] = defaultdict(set)
    for pair, chosen in pairs.items():
        if len(chosen) == 1:
            (first,) = chosen
            better[pair[0] if first == pair[1] else pair[1]].add(first)
    try:
        graphlib.TopologicalSorter(better).prepare()
    except graphlib.CycleError as error:
        circle: list[Action] = list(error.args[1])[:-1]  # its last action is the first once more
        found.append(
            Contradiction(kind="cycle", annotators=[person], user=user, fingerprint=fingerprint, actions=circle)
        )
    return found


def _opposed(message: Message, by_person: dict[str, _Preferred]) -> list[Contradiction]:
    """Pairs of actions about which people are opposed: one line each, however many people."""
    user, fingerprint = message
    sides: dict[ActionPair, dict[Action, list[str]]] = defaultdict(lambda: defaultdict(list))
    for person, pairs in by_person.items():
        for pair, chosen in pairs.items():
            if len(chosen) == 1:
                (first,) = chosen
                sides[pair][first].append(person)
    return [
        Contradiction(
            kind="opposed",
            annotators=by[pair[0]],
            user=user,
            fingerprint=fingerprint,
            actions=list(pair),
            opponents=by[pair[1]],
        )
        for pair, by in sides.items()
        if len(by) > 1
    ]


def _in_order(first: Action, second: Action) -> ActionPair:
    return (first, second) if ACTION_INDEX[first] < ACTION_INDEX[second] else (second, first)
