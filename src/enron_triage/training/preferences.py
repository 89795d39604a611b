"""Preference pairs: which of two actions is the better one for a message, and by how much it counts.

They come from the labels, from the reference log's fixed order of the actions, or from people: see
`from_labels`, `synthetic` and `from_annotations`.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import torch
from torch import Tensor

from enron_triage.config.judgements import preference_file
from enron_triage.config.schema import Config
from enron_triage.config.training import PairsConfig
from enron_triage.config.types import Costs
from enron_triage.errors import UsageError
from enron_triage.labels.judged_messages import rows_by_fingerprint
from enron_triage.labels.judgements import PreferenceRecord, read_judgements
from enron_triage.records import ACTION_INDEX, ACTIONS
from enron_triage.training.setup import PostTrainingSetup

logger = logging.getLogger(__name__)

_MIN_PROBABILITY = 1e-6
_FEW_STEPS = 20


class Pairs(msgspec.Struct):
    """Preference pairs.

    Attributes
    ----------
    message : LongTensor, shape (pairs,)
        The index of each pair's message.
    chosen, rejected : LongTensor, shape (pairs,)
        The class indices of the better and of the worse action.
    weight : Tensor of float32, shape (pairs,)
        How much each pair counts; with mean 1.
    """

    message: Tensor
    chosen: Tensor
    rejected: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.message)

    def take(self, rows: Tensor) -> Pairs:
        """Some of the pairs.

        Parameters
        ----------
        rows : LongTensor, shape (rows,)
            Indices of pairs.
        """
        return Pairs(self.message[rows], self.chosen[rows], self.rejected[rows], self.weight[rows])

    def to(self, device: torch.device) -> Pairs:
        """The pairs on a device.

        Parameters
        ----------
        device : torch.device
            Where to.
        """
        return Pairs(*(values.to(device) for values in (self.message, self.chosen, self.rejected, self.weight)))

    def margins(self, values: Tensor) -> Tensor:
        """The chosen action's value less the rejected one's, shape (pairs,).

        Parameters
        ----------
        values : Tensor, shape (pairs, actions)
            The values of the actions for each pair's message.
        """
        return (values.gather(1, self.chosen[:, None]) - values.gather(1, self.rejected[:, None])).squeeze(1)


def preference_pairs(config: Config, settings: PairsConfig, setup: PostTrainingSetup) -> tuple[Pairs, Pairs]:
    """The pairs that a stage's settings ask for, on train and on validation.

    Parameters
    ----------
    config : Config
        Where the splits are, and what errors cost.
    settings : PairsConfig
        The stage's section.
    setup : PostTrainingSetup
        The messages, and the reference policy.

    Raises
    ------
    UsageError
        If a file of judgements is missing or damaged, or gives no pair on train.
    """
    data = {"train": (setup.train, setup.reference), "val": (setup.val, setup.val_reference)}
    pairs = []
    if settings.preferences == "synthetic":
        pairs = [synthetic(dataset.targets, settings.synthetic_actions) for dataset, _ in data.values()]
    elif settings.preferences == "labels":
        costs = config.rewards.costs if settings.scale_by_costs else None
        for dataset, reference in data.values():
            weights = setup.message_weights(dataset)
            pairs.append(from_labels(dataset.targets, reference.cpu(), weights, settings.hard_negatives, costs))
    else:
        path = preference_file(config, settings) or Path(settings.preferences)
        judgements = read_judgements(path)
        for name in data:
            found, counts = from_annotations(judgements, rows_by_fingerprint(config.data / f"{name}.json"))
            pairs.append(found)
            logger.info("%s: %s", path, _in_words(name, len(found), counts))
        _warn_of_few_steps(path, len(pairs[0]), settings)
    if not len(pairs[0]):
        remedy = "judge some with `triage annotate`"
        source = preference_file(config, settings) or settings.preferences
        raise UsageError(f"{source}: no pair of actions on a message of train; {remedy}")
    return pairs[0], pairs[1]


def _in_words(split: str, pairs: int, counts: dict[str, int]) -> str:
    """How many pairs the judgements give on a split, and what is left out."""
    left_out = {
        "about messages outside of it": counts["unknown"],
        "ties": counts["ties"],
        "skipped or not judged yet": counts["not_judged"],
    }
    listed = ", ".join(f"{count:,} {what}" for what, count in left_out.items() if count)
    words = f"{counts['judged']:,} judgements of {split} give {pairs:,} pairs"
    if counts["contradictions"]:
        words += f", {counts['contradictions']:,} were judged both ways ({counts['undecided']:,} evenly: left out)"
    return f"{words}; not used: {listed}" if listed else words


def _warn_of_few_steps(path: Path, pairs: int, settings: PairsConfig) -> None:
    """Say that a training on judgements will do next to nothing, which its result does not show."""
    steps = -(-pairs // settings.batch_size) * settings.epochs
    if pairs and steps < _FEW_STEPS:
        logger.warning(
            "%s: %d pairs make %d steps of training in all, which hardly move the policy: give --config "
            "dpo_judgements, or a smaller batch_size and more epochs",
            *(path, pairs, steps),
        )


def synthetic(targets: Tensor, actions: Literal["present", "all"]) -> Pairs:
    """The reference log's pairs: a message's label against every other action, the higher in the order wins.

    The order is reply_now > reply_later > forward > archive > delete, whatever the owner did: for an
    archived message every reply is "chosen". Kept to reproduce the collapse that follows.

    Parameters
    ----------
    targets : LongTensor, shape (messages,)
        What the owner did with each message.
    actions : {"present", "all"}
        Whether actions that no message has take part.
    """
    message, label, other = _against_others(targets, actions)
    return Pairs(message, torch.minimum(label, other), torch.maximum(label, other), torch.ones(len(message)))


def from_labels(
    targets: Tensor, reference: Tensor, weights: Tensor, hard_negatives: float = 0.0, costs: Costs | None = None
) -> Pairs:
    """What the owner did against every other action that occurs.

    Parameters
    ----------
    targets : LongTensor, shape (messages,)
        What the owner did with each message.
    reference : Tensor, shape (messages, actions)
        Log-probabilities of the reference policy.
    weights : Tensor, shape (messages,)
        How much each message counts.
    hard_negatives : float >= 0
        A pair weighs the reference's probability of the rejected action to this power: 0 weighs all
        the same, 1 puts most weight where the policy is most wrong.
    costs : 5 rows of 5 numbers, optional
        Weigh a pair by the cost of the rejected action, too.
    """
    message, label, other = _against_others(targets, "present")
    weight = weights[message] * reference[message, other].exp().clamp_min(_MIN_PROBABILITY) ** hard_negatives
    if costs is not None:
        weight = weight * torch.tensor(costs, dtype=torch.float32)[label, other]
    counts = weight > 0  # an error that costs nothing is not one
    return Pairs(message[counts], label[counts], other[counts], _mean_one(weight[counts]))


def preference_metrics(rewards: Tensor, pairs: Pairs) -> dict[str, float | None]:
    """How rewards fit preference pairs, by the names that TRL uses; None without pairs.

    Parameters
    ----------
    rewards : Tensor, shape (messages, actions)
        A reward model's, or the implicit ones of a policy: beta x (log pi - log reference).
    pairs : Pairs
        Pairs on these messages.
    """
    names = ("chosen_reward", "rejected_reward", "reward_margin", "preference_accuracy")
    if not len(pairs):
        return dict.fromkeys(names)
    chosen = rewards[pairs.message, pairs.chosen]
    rejected = rewards[pairs.message, pairs.rejected]
    values = (chosen.mean(), rejected.mean(), (chosen - rejected).mean(), (chosen > rejected).float().mean())
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _against_others(targets: Tensor, actions: Literal["present", "all"]) -> tuple[Tensor, Tensor, Tensor]:
    """Every message with every action that was not taken: the message, its label, the other action."""
    counts = torch.bincount(targets, minlength=len(ACTIONS))
    taking_part = torch.arange(len(ACTIONS)) if actions == "all" else counts.nonzero().flatten()
    message = torch.arange(len(targets)).repeat_interleave(len(taking_part))
    other = taking_part.repeat(len(targets))
    label = targets[message]
    different = label != other
    return message[different], label[different], other[different]


def from_annotations(
    judgements: Sequence[PreferenceRecord], messages: Mapping[str, Sequence[int]]
) -> tuple[Pairs, dict[str, int]]:
    """Pairs judged by people.

    Of several judgements of the same two actions of a message, the majority decides, and weighs by its
    lead; where they are even, the pair is left out, as ties are.

    Parameters
    ----------
    judgements : sequence of PreferenceRecord
        Who judged what; ties on these messages, and lines that nobody has judged, are counted and left out.
    messages : mapping of str to sequence of int
        The indices of the messages by fingerprint, and by user and fingerprint joined by a space.

    Returns
    -------
    pairs : Pairs
        Those that are decided.
    counts : dict of str to int
        ``judged``, ``ties``, ``contradictions`` (pairs judged both ways), ``undecided`` (evenly so),
        ``not_judged`` and ``unknown`` (of no message of these).
    """
    counts = Counter(dict.fromkeys(("judged", "ties", "contradictions", "undecided", "not_judged", "unknown"), 0))
    votes: dict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0, 0])
    for judgement in judgements:
        rows = messages.get(f"{judgement.user} {judgement.fingerprint}" if judgement.user else judgement.fingerprint)
        if not rows:
            counts["unknown"] += 1
            continue
        if judgement.tie:
            counts["ties"] += 1
            continue
        if judgement.chosen is None or judgement.rejected is None or judgement.chosen == judgement.rejected:
            counts["not_judged"] += 1
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


def _mean_one(weight: Tensor) -> Tensor:
    return weight / weight.mean() if len(weight) else weight
