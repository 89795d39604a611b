"""The model behind the feature group ``text``: from a message's words to a score for each action.

A linear model over hashed words, weighted by inverse document frequency: a softmax regression whose
weights are an embedding bag (Joulin et al. 2017, without the hidden layer). Its scores are features of
the policy. See `text_fit` for how it is fitted.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor
from torch.nn import functional

from enron_triage.features.normalization import standardize
from enron_triage.features.token_bags import TokenBags
from enron_triage.records import ACTIONS

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
