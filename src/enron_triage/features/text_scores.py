"""The scores of the text model, on arrays: see `text_model`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from enron_triage.features.feature_group import FloatArray, TokenArrays

_BATCH = 4096  # messages scored at once: bounds the memory
MIN_LENGTH = 1e-6  # of a message without a known word, so as not to divide by 0


def text_scores(tokens: TokenArrays, idf: FloatArray, table: FloatArray, bias: FloatArray) -> FloatArray:
    """Scores of messages whose words' weights have length 1.

    Parameters
    ----------
    tokens : TokenArrays
        The words of the messages.
    idf : array of float32, shape (buckets,)
        The inverse document frequency of each bucket; 0 for words that too few messages hold.
    table : array of float32, shape (buckets, actions)
        What each word adds to the score of each action.
    bias : array of float32, shape (actions,)
        The scores of a message without words.

    Returns
    -------
    array of float32, shape (messages, actions)
        Not normalised.
    """
    ends = np.concatenate([[0], tokens.lengths.cumsum()])
    scores = np.empty((len(tokens.lengths), table.shape[1]), dtype=np.float32)
    for start in range(0, len(scores), _BATCH):
        rows = slice(start, start + _BATCH)
        stop = min(start + _BATCH, len(scores))
        scores[rows] = _scores(tokens.buckets[ends[start] : ends[stop]], tokens.lengths[rows], idf, table)
    return scores + bias


def _scores(
    buckets: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64], idf: FloatArray, table: FloatArray
) -> npt.NDArray[np.float64]:
    weight = idf[buckets]
    message = np.repeat(np.arange(len(lengths)), lengths)
    length = np.sqrt(np.bincount(message, weight * weight, minlength=len(lengths)))
    weighted = table[buckets] * weight[:, None]
    sums = [np.bincount(message, column, minlength=len(lengths)) for column in weighted.T]
    return np.stack(sums, axis=1) / np.maximum(length, MIN_LENGTH)[:, None]


def word_contributions(
    buckets: npt.NDArray[np.int32], idf: FloatArray, table: FloatArray, std: FloatArray
) -> FloatArray:
    """What each of one message's words adds to its features, before they are cut.

    Parameters
    ----------
    buckets : array of int, shape (words,)
        The buckets of all words of the message, each once.
    idf, table : array of float32
        As for `text_scores`.
    std : array of float32, shape (actions,)
        The standard deviation of the scores.

    Returns
    -------
    array of float32, shape (words, actions)
        In the order of the buckets.
    """
    weight = idf[buckets]
    weight = weight / np.maximum(np.sqrt(np.square(weight).sum()), np.float32(MIN_LENGTH))
    contributions: FloatArray = weight[:, None] * table[buckets] / std
    return contributions
