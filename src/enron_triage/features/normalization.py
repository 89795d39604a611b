"""How features are brought to one scale: quantile normalisation for dense columns, standard scores for text.

Every feature that a policy sees comes out of one of these functions, bounded and centred at 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from enron_triage.features.feature_group import FloatArray

if TYPE_CHECKING:
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
    import torch

    step = -(-len(values) // _MAX_FOR_QUANTILES)
    return torch.quantile(values[::step], torch.linspace(0, 1, _QUANTILES), dim=0)


def quantile_transform(values: FloatArray, quantiles: FloatArray) -> FloatArray:
    """The position of each value among train's, from -3 ** 0.5 (below all) to 3 ** 0.5 (above all).

    The median becomes 0. This bounds what a single hostile value can do, and copes with counts and times of any
    distribution (quantile normalisation, as in Gorishniy et al. 2021, section 4.2).

    Parameters
    ----------
    values : array of float32, shape (messages, features)
        The features to normalise.
    quantiles : array of float32, shape (quantiles, features)
        As `fit_quantiles` gives them: ascending in each feature.

    Returns
    -------
    array of float32, shape (messages, features)
        A value that equals several quantiles is put in the middle of them.
    """
    places = np.empty(values.shape, dtype=np.int64)
    for column, (bounds, sought) in enumerate(zip(quantiles.T.copy(), values.T.copy(), strict=True)):
        places[:, column] = bounds.searchsorted(sought) + bounds.searchsorted(sought, side="right")
    of_place = (np.arange(2 * len(quantiles) + 1, dtype=np.float32) / np.float32(len(quantiles)) - 1) * np.float32(
        _UNIT
    )
    return of_place[places]


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


def standardize(scores: FloatArray, mean: FloatArray, std: FloatArray) -> FloatArray:
    """Scores with mean 0 and standard deviation 1 on train, cut at 5 standard deviations.

    Parameters
    ----------
    scores : array of float32, shape (messages, scores)
        The scores to normalise.
    mean : array of float32, shape (scores,)
        The mean of each score on train.
    std : array of float32, shape (scores,)
        Its standard deviation on train.

    Returns
    -------
    array of float32, shape (messages, scores)
        The standard scores.
    """
    return ((scores - mean) / std).clip(np.float32(-_MAX_STANDARD_SCORE), np.float32(_MAX_STANDARD_SCORE))
