"""The model behind the feature group ``text``: from a message's words to a score for each action.

A linear model over hashed words, weighted by inverse document frequency: a softmax regression whose
weights are an embedding bag (Joulin et al. 2017, without the hidden layer). Its scores are features of
the policy. The scores of train's own messages come from models fitted on the other mailboxes (stacked
generalisation, Wolpert 1992): a model has seen its own training messages, and a policy that learned
from such scores would trust them too far on new people.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec
import torch
from torch import Tensor
from torch.nn import functional

from enron_triage.features.feature_group import TrainContext
from enron_triage.features.normalization import fit_standardization, standardize
from enron_triage.features.token_bags import TokenBags
from enron_triage.records import ACTIONS
from enron_triage.runtime.progress import progress_bar

if TYPE_CHECKING:
    from enron_triage.features.text_fit import TextFits

logger = logging.getLogger(__name__)

_BATCH = 4096  # messages scored at once: bounds the memory
MIN_LENGTH = 1e-6  # of a message without a known word, so as not to divide by 0


class TextModel(msgspec.Struct):
    """What is fitted on train.

    Attributes
    ----------
    idf : Tensor of float32, shape (buckets,)
        The inverse document frequency of each bucket; 0 for words that too few messages hold.
    table : Tensor of float32, shape (buckets, actions)
        What each word adds to the score of each action.
    bias : Tensor of float32, shape (actions,)
        The scores of a message without words.
    mean, std : Tensor of float32, shape (actions,)
        The mean and the standard deviation of the scores, on messages that the table has not seen.
    """

    idf: Tensor
    table: Tensor
    bias: Tensor
    mean: Tensor
    std: Tensor

    def features(self, bags: TokenBags) -> Tensor:
        """Normalised scores of the actions.

        Parameters
        ----------
        bags : TokenBags
            The words of the messages.

        Returns
        -------
        Tensor of float32, shape (messages, actions)
            See `normalization.standardize`.
        """
        return self.normalised(self.scores(bags))

    def normalised(self, scores: Tensor) -> Tensor:
        """Scores with mean 0 and standard deviation 1 on train.

        Parameters
        ----------
        scores : Tensor of float32, shape (messages, actions)
            Scores by this model, or by one fitted on a part of train.

        Returns
        -------
        Tensor of float32, shape (messages, actions)
            See `normalization.standardize`.
        """
        return standardize(scores, self.mean, self.std)

    @torch.no_grad()
    def contributions(self, buckets: Tensor) -> Tensor:
        """What each of one message's words adds to its features, before they are cut.

        Parameters
        ----------
        buckets : Tensor of int, shape (words,)
            The buckets of all words of the message, each once.

        Returns
        -------
        Tensor of float32, shape (words, actions)
            In the order of the buckets.
        """
        weight = self.idf[buckets]
        weight = weight / weight.square().sum().sqrt().clamp_min(MIN_LENGTH)
        return weight[:, None] * self.table[buckets] / self.std

    @torch.no_grad()
    def scores(self, bags: TokenBags) -> Tensor:
        """Logits of the actions.

        Parameters
        ----------
        bags : TokenBags
            The words of the messages.

        Returns
        -------
        Tensor of float32, shape (messages, actions)
            Not normalised.
        """
        parts = [
            _logits(bags[rows], self.idf, self.table, self.bias)
            for rows in torch.split(torch.arange(len(bags)), _BATCH)
        ]
        return torch.cat(parts) if parts else torch.empty(0, len(ACTIONS))


def fit_text_model(bags: TokenBags, context: TrainContext) -> tuple[TextModel, Tensor]:
    """Fit the model on train.

    Parameters
    ----------
    bags : TokenBags
        The words of the train messages.
    context : TrainContext
        Their targets, mailboxes and weights; the settings ``text``; the seed of the folds and of the order in which
        the messages are visited.

    Returns
    -------
    model : TextModel
        Fitted on all of train.
    features : Tensor of float32, shape (messages, actions)
        The normalised scores of the train messages themselves: see `cross_fitted_scores`.
    """
    fits, fold = _fits(bags, context)
    scores = _unseen(fits, fold)
    idf, table = torch.zeros(bags.num_buckets), torch.zeros(bags.num_buckets, len(ACTIONS))
    idf[fits.words], table[fits.words] = fits.idf[:, -1], fits.table[:, -1]
    model = TextModel(idf, table, fits.bias[-1].clone(), *fit_standardization(scores))
    return model, model.normalised(scores)


def cross_fitted_scores(bags: TokenBags, context: TrainContext) -> Tensor:
    """Scores of train's own messages, each by a model that has not seen the message's mailbox.

    Parameters
    ----------
    bags : TokenBags
        The words of the train messages.
    context : TrainContext
        As for `fit_text_model`.

    Returns
    -------
    Tensor of float32, shape (messages, actions)
        Not normalised.
    """
    return _unseen(*_fits(bags, context))


def _fits(bags: TokenBags, context: TrainContext) -> tuple[TextFits, Tensor]:
    """The models of all folds and of all messages, and the fold of each message."""
    from enron_triage.features.text_fit import fit_all  # not needed to predict, and neither is SciPy

    settings = context.settings.text
    generator = torch.Generator().manual_seed(context.seed)
    fold = _folds(context.mailbox, settings.folds, generator)
    seen = context.sample_weight[:, None] * (fold[:, None] != torch.arange(settings.folds + 1))
    logger.info("fitting the text model on %s messages and %d folds of them", f"{len(bags):,}", settings.folds)
    with progress_bar(description="text model", total=len(bags) * settings.epochs, unit=" messages") as bar:
        return fit_all(bags, context.targets, seen, settings, generator, bar.update), fold


def _unseen(fits: TextFits, fold: Tensor) -> Tensor:
    """The scores of each message by the model that leaves its fold out."""
    return fits.scores[torch.arange(len(fold)), fold]


def _folds(mailbox: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """The fold of each message: whole mailboxes, or runs of successive messages where those are too few."""
    mailboxes = int(mailbox.max()) + 1 if len(mailbox) else 0
    if mailboxes < count:
        return torch.arange(len(mailbox)) * count // max(len(mailbox), 1)
    return (torch.randperm(mailboxes, generator=generator) % count)[mailbox]


def _logits(bags: TokenBags, idf: Tensor, table: Tensor, bias: Tensor) -> Tensor:
    """Scores of messages whose words' weights have length 1."""
    message = torch.repeat_interleave(torch.arange(len(bags)), torch.diff(bags.offsets))
    weight = idf[bags.buckets]
    length = torch.zeros(len(bags)).index_add(0, message, weight * weight).sqrt().clamp_min(MIN_LENGTH)
    weight = weight / length[message]
    summed = functional.embedding_bag(
        bags.buckets, table, bags.offsets[:-1].to(bags.buckets.dtype), mode="sum", per_sample_weights=weight
    )
    return summed + bias
