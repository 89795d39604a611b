"""Preference pairs: which of two actions is the better one for a message, and by how much it counts.

They come from the labels, from the reference log's fixed order of the actions, or from people: see
`from_labels`, `synthetic` and `from_people`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import torch
from torch import Tensor

from enron_triage.actions import ACTION_INDEX, ACTIONS, Action
from enron_triage.config import Costs
from enron_triage.errors import UsageError

_LEAST_PROBABILITY = 1e-6


class Pairs(msgspec.Struct):
    """Preference pairs.

    Attributes
    ----------
    message : LongTensor, shape (pairs,)
        Index of the message.
    chosen, rejected : LongTensor, shape (pairs,)
        Class indices.
    weight : Tensor of float32, shape (pairs,)
        Mean 1.
    """

    message: Tensor
    chosen: Tensor
    rejected: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.message)


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


def synthetic(targets: Tensor, actions: Literal["present", "all"]) -> Pairs:
    """The reference log's pairs: a message's label against every other action, the higher in the order wins.

    The order is reply_now > reply_later > forward > archive > delete, whatever the owner did: for an
    archived message every reply is "chosen". Kept to reproduce what comes of that.

    Parameters
    ----------
    targets : LongTensor, shape (messages,)
    actions : {"present", "all"}
        Whether actions that no message has take part.
    """
    message, label, other = _against_others(targets, actions)
    return Pairs(message, torch.minimum(label, other), torch.maximum(label, other), torch.ones(len(message)))


def from_labels(
    targets: Tensor, reference: Tensor, *, hard_negatives: float = 0.0, costs: Costs | None = None
) -> Pairs:
    """What the owner did against every other action that occurs.

    Parameters
    ----------
    targets : LongTensor, shape (messages,)
    reference : Tensor, shape (messages, actions)
        Log-probabilities of the reference policy.
    hard_negatives : float >= 0
        A pair weighs the reference's probability of the rejected action to this power: 0 weighs all
        alike, 1 asks most where the policy errs most.
    costs : 5 rows of 5 numbers, optional
        Weigh a pair by the cost of the rejected action, too.
    """
    message, label, other = _against_others(targets, "present")
    weight = reference[message, other].exp().clamp_min(_LEAST_PROBABILITY) ** hard_negatives
    if costs is not None:
        weight = weight * torch.tensor(costs, dtype=torch.float32)[label, other]
    return Pairs(message, label, other, _mean_one(weight))


def _against_others(targets: Tensor, actions: Literal["present", "all"]) -> tuple[Tensor, Tensor, Tensor]:
    """Every message with every action that it has not: message, label, other."""
    counts = torch.bincount(targets, minlength=len(ACTIONS))
    taking_part = torch.arange(len(ACTIONS)) if actions == "all" else counts.nonzero().flatten()
    message = torch.arange(len(targets)).repeat_interleave(len(taking_part))
    other = taking_part.repeat(len(targets))
    label = targets[message]
    different = label != other
    return message[different], label[different], other[different]


def from_people(judgements: Sequence[Judgement], messages: Mapping[str, Sequence[int]]) -> tuple[Pairs, dict[str, int]]:
    """Pairs judged by people.

    Of several judgements of the same two actions of a message, the majority decides, and weighs by its
    lead; where they are even, the pair is left out, as ties are.

    Parameters
    ----------
    judgements : sequence of Judgement
    messages : mapping of str to sequence of int
        Indices of the messages by fingerprint, and by user and fingerprint joined by a space.

    Returns
    -------
    pairs : Pairs
    counts : dict of str to int
        ``judged``, ``ties``, ``contradictions`` (pairs judged both ways), ``undecided`` (evenly so),
        ``not_judged`` and ``unknown`` (no such message).
    """
    counts = Counter(dict.fromkeys(("judged", "ties", "contradictions", "undecided", "not_judged", "unknown"), 0))
    votes: dict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0, 0])
    for judgement in judgements:
        if judgement.tie:
            counts["ties"] += 1
            continue
        if judgement.chosen is None or judgement.rejected is None or judgement.chosen == judgement.rejected:
            counts["not_judged"] += 1
            continue
        rows = messages.get(f"{judgement.user} {judgement.fingerprint}" if judgement.user else judgement.fingerprint)
        if not rows:
            counts["unknown"] += 1
            continue
        counts["judged"] += 1
        chosen, rejected = ACTION_INDEX[judgement.chosen], ACTION_INDEX[judgement.rejected]
        for row in rows:
            votes[row, min(chosen, rejected), max(chosen, rejected)][chosen > rejected] += 1
    decided = []
    for (row, low, high), (for_low, for_high) in votes.items():
        counts["contradictions"] += bool(for_low and for_high)
        if for_low == for_high:
            counts["undecided"] += 1
            continue
        first, second = (low, high) if for_low > for_high else (high, low)
        decided.append((row, first, second, abs(for_low - for_high)))
    columns = torch.tensor(decided, dtype=torch.int64).reshape(-1, 4)
    return Pairs(columns[:, 0], columns[:, 1], columns[:, 2], _mean_one(columns[:, 3].float())), dict(counts)


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
        except msgspec.DecodeError as error:
            raise UsageError(f"{path}, line {number}: not a judgement ({error}); see `triage preferences`") from None
    return judgements


def _mean_one(weight: Tensor) -> Tensor:
    return weight / weight.mean() if len(weight) else weight
