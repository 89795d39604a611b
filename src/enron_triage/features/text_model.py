"""The model behind the feature group ``text``: from a message's words to a score for each action.

A linear model over hashed words, weighted by inverse document frequency: a softmax regression whose
weights are an embedding bag (Joulin et al. 2017, without the hidden layer). Its scores are features of
the policy. See `text_fit` for how it is fitted, and `text_scores` for how it scores.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor

from enron_triage.features.normalization import standardize
from enron_triage.features.text_scores import text_scores
from enron_triage.features.token_bags import TokenBags


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
        return torch.from_numpy(standardize(scores.numpy(), self.mean.numpy(), self.std.numpy()))

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
        fitted = (values.numpy() for values in (self.idf, self.table, self.bias))
        return torch.from_numpy(text_scores(bags.arrays(), *fitted))
