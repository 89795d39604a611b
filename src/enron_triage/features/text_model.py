"""The table behind the feature group ``text``: from a message's words to a score for each action.

A linear model over hashed words, weighted by inverse document frequency: a softmax regression whose
weights are an embedding bag (Joulin et al. 2017, without the hidden layer). Its scores are features of
the policy. The scores of train's own messages come from models fitted on the other mailboxes (stacked
generalisation, Wolpert 1992): a table has seen its own training messages, and a policy that learned
from such scores would trust them too far on new people.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor
from torch.nn import functional

from enron_triage.config.training import TextConfig
from enron_triage.features.text import BUCKETS
from enron_triage.records import ACTIONS

_BATCH = 4096  # messages scored at once: bounds the memory
_MIN_SPREAD = 1e-6
_MIN_LENGTH = 1e-6  # of a message without a known word


class TokenBags(msgspec.Struct):
    """The words of messages, one after the other.

    Attributes
    ----------
    buckets : Tensor of int32, shape (words,)
    offsets : Tensor of int64, shape (messages + 1,)
        Where each message's words begin; at last, the number of all.
    """

    buckets: Tensor
    offsets: Tensor

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: Tensor) -> TokenBags:
        """The words of some messages, by their indices."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        offsets = _offsets(lengths)
        places = torch.arange(int(offsets[-1])) + torch.repeat_interleave(starts - offsets[:-1], lengths)
        return TokenBags(self.buckets[places], offsets)

    @classmethod
    def joined(cls, parts: Sequence[tuple[Tensor, Tensor]]) -> TokenBags:
        """The words of several sets of messages, each given as buckets and lengths (see `text.extract`)."""
        buckets, lengths = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
        return cls(buckets, _offsets(lengths))


class TextModel(msgspec.Struct):
    """What is fitted on train.

    Attributes
    ----------
    idf : Tensor of float32, shape (buckets,)
        0 for words that too few messages hold.
    table : Tensor of float32, shape (buckets, actions)
    bias : Tensor of float32, shape (actions,)
    mean, spread : Tensor of float32, shape (actions,)
        Of the scores, on messages that the table has not seen.
    """

    idf: Tensor
    table: Tensor
    bias: Tensor
    mean: Tensor
    std: Tensor

    def features(self, bags: TokenBags) -> Tensor:
        """Normalised scores of the actions, shape (messages, actions)."""
        return self.normalised(self.scores(bags))

    def normalised(self, scores: Tensor) -> Tensor:
        """Scores with mean 0 and spread 1 on train, cut at 5 spreads."""
        return ((scores - self.mean) / self.std).clamp(-5, 5)

    @torch.no_grad()
    def contributions(self, buckets: Tensor) -> Tensor:
        """What each of one message's words adds to its features, shape (words, actions).

        Parameters
        ----------
        buckets : Tensor of int, shape (words,)
            All of the message's, each once.
        """
        weight = self.idf[buckets]
        weight = weight / weight.square().sum().sqrt().clamp_min(_MIN_LENGTH)
        return weight[:, None] * self.table[buckets] / self.std

    @torch.no_grad()
    def scores(self, bags: TokenBags) -> Tensor:
        """Logits of the actions, shape (messages, actions)."""
        parts = [
            _logits(bags.take(rows), self.idf, self.table, self.bias)
            for rows in torch.split(torch.arange(len(bags)), _BATCH)
        ]
        return torch.cat(parts) if parts else torch.empty(0, len(ACTIONS))


def fit_text_model(
    bags: TokenBags, targets: Tensor, weights: Tensor, mailbox: Tensor, settings: TextConfig, seed: int
) -> tuple[TextModel, Tensor]:
    """Fit the table on train.

    Parameters
    ----------
    bags : TokenBags
    targets : LongTensor, shape (messages,)
    weights : Tensor, shape (messages,)
        How much each message counts.
    mailbox : LongTensor, shape (messages,)
    settings : TextConfig
    seed : int
        Of the folds and of the order of the messages.

    Returns
    -------
    model : TextModel
    features : Tensor of float32, shape (messages, actions)
        Of the train messages themselves: see `cross_fitted_scores`.
    """
    scores = cross_fitted_scores(bags, targets, weights, mailbox, settings, seed)
    model = _fit(bags, targets, weights, settings, torch.Generator().manual_seed(seed))
    model.mean = scores.mean(dim=0)
    model.std = scores.std(dim=0, unbiased=False).clamp_min(_MIN_SPREAD)
    return model, model.normalised(scores)


def cross_fitted_scores(
    bags: TokenBags, targets: Tensor, weights: Tensor, mailbox: Tensor, settings: TextConfig, seed: int
) -> Tensor:
    """Scores of train's own messages, each by a table that has not seen its mailbox.

    Parameters are those of `fit_text_model`.

    Returns
    -------
    Tensor of float32, shape (messages, actions)
    """
    generator = torch.Generator().manual_seed(seed)
    fold = _folds(mailbox, settings.folds, generator)
    scores = torch.zeros(len(bags), len(ACTIONS))
    for number in range(settings.folds):
        unseen, seen = (fold == number).nonzero().flatten(), (fold != number).nonzero().flatten()
        if len(unseen) and len(seen):
            partial = _fit(bags.take(seen), targets[seen], weights[seen], settings, generator)
            scores[unseen] = partial.scores(bags.take(unseen))
    return scores


def _folds(mailbox: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """The fold of each message: whole mailboxes, or stretches of the messages where those are too few."""
    mailboxes = int(mailbox.max()) + 1 if len(mailbox) else 0
    if mailboxes < count:
        return torch.arange(len(mailbox)) * count // max(len(mailbox), 1)
    return (torch.randperm(mailboxes, generator=generator) % count)[mailbox]


def _fit(
    bags: TokenBags, targets: Tensor, weights: Tensor, settings: TextConfig, generator: torch.Generator
) -> TextModel:
    """AdamW with a cosine decay to zero; the first steps matter less than in a deep network."""
    frequency = torch.bincount(bags.buckets, minlength=BUCKETS)
    inverse = torch.log((len(bags) + 1) / (frequency + 1)) + 1
    inverse = torch.where(frequency < settings.min_messages, 0.0, inverse)
    table = torch.zeros(BUCKETS, len(ACTIONS), requires_grad=True)
    bias = torch.zeros(len(ACTIONS), requires_grad=True)
    optimizer = torch.optim.AdamW([table, bias], lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    steps = settings.epochs * -(-len(bags) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for _ in range(settings.epochs):
        for rows in torch.split(torch.randperm(len(bags), generator=generator), settings.batch_size):
            logits = _logits(bags.take(rows), inverse, table, bias)
            losses = functional.cross_entropy(logits, targets[rows], reduction="none")
            optimizer.zero_grad(set_to_none=True)
            (losses * weights[rows]).mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    unknown = torch.zeros(len(ACTIONS))
    return TextModel(inverse, table.detach(), bias.detach(), unknown, unknown + 1)


def _logits(bags: TokenBags, idf: Tensor, table: Tensor, bias: Tensor) -> Tensor:
    """Scores of messages whose words' weights have length 1."""
    message = torch.repeat_interleave(torch.arange(len(bags)), torch.diff(bags.offsets))
    weight = idf[bags.buckets]
    length = torch.zeros(len(bags)).index_add(0, message, weight * weight).sqrt().clamp_min(_MIN_LENGTH)
    weight = weight / length[message]
    summed = functional.embedding_bag(
        bags.buckets, table, bags.offsets[:-1].to(bags.buckets.dtype), mode="sum", per_sample_weights=weight
    )
    return summed + bias


def _offsets(lengths: Tensor) -> Tensor:
    return torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
