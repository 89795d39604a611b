"""How features are brought to one scale: quantile normalisation for dense columns, standard scores for text.

Every feature that a policy sees comes out of one of these functions, bounded and centred at 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

_QUANTILES = 65  # 64 steps between them: a value is known to 1.6 % of train
_MAX_FOR_QUANTILES = 100_000  # messages that the quantiles are computed from: torch.quantile refuses large tensors
_UNIT = 3**0.5  # uniform on [-3 ** 0.5, 3 ** 0.5] has standard deviation 1
_MIN_STD = 1e-6  # a score that is the same for all messages becomes 0, not NaN
_MAX_STANDARD_SCORE = 5.0  # bounds what hostile text can do; less than one in a million of a normal distribution is cut


def fit_quantiles(values: Tensor) -> Tensor:
    """Evenly spaced quantiles of each feature.

    Parameters
    ----------
    values : Tensor of float32, shape (messages, features)
        The features of the train messages. Of very many messages, evenly spaced ones are used.

    Returns
    -------
    Tensor of float32, shape (quantiles, features)
        From the least to the greatest value of each feature.
    """
    step = -(-len(values) // _MAX_FOR_QUANTILES)
    return torch.quantile(values[::step], torch.linspace(0, 1, _QUANTILES), dim=0)


def quantile_transform(values: Tensor, quantiles: Tensor) -> Tensor:
    """The position of each value among train's, from -3 ** 0.5 (below all) to 3 ** 0.5 (above all).

    The median becomes 0. This bounds what a single hostile value can do, and copes with counts and times of any
    distribution (quantile normalisation, as in Gorishniy et al. 2021, section 4.2).

    Parameters
    ----------
    values : Tensor of float32, shape (messages, features)
        The features to normalise.
    quantiles : Tensor of float32, shape (quantiles, features)
        As `fit_quantiles` gives them: ascending in each feature.

    Returns
    -------
    Tensor of float32, shape (messages, features)
        A value that equals several quantiles is put in the middle of them.
    """
    bounds, sought = quantiles.T.contiguous(), values.T.contiguous()
    below = torch.searchsorted(bounds, sought)
    not_above = torch.searchsorted(bounds, sought, right=True)
    return ((below + not_above).T / len(quantiles) - 1) * _UNIT


def fit_standardization(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the standard deviation of each score over the train messages.

    Parameters
    ----------
    scores : Tensor of float32, shape (messages, scores)
        The scores of the train messages, by a model that has not seen them.

    Returns
    -------
    mean : Tensor of float32, shape (scores,)
        The mean of each score.
    std : Tensor of float32, shape (scores,)
        Its standard deviation, at least 1e-6.
    """
    return scores.mean(dim=0), scores.std(dim=0, unbiased=False).clamp_min(_MIN_STD)


def standardize(scores: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Scores with mean 0 and standard deviation 1 on train, cut at 5 standard deviations.

    Parameters
    ----------
    scores : Tensor of float32, shape (messages, scores)
        The scores to normalise.
    mean : Tensor of float32, shape (scores,)
        The mean of each score on train.
    std : Tensor of float32, shape (scores,)
        Its standard deviation on train.

    Returns
    -------
    Tensor of float32, shape (messages, scores)
        The standard scores.
    """
    return ((scores - mean) / std).clamp(-_MAX_STANDARD_SCORE, _MAX_STANDARD_SCORE)
