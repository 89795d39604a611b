"""Dropout whose masks are drawn 64 units at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_RESOLUTION = 16  # bits of a probability: it is off by 8e-6 at most, and the scale is that of the rounded one


class Dropout(nn.Module):
    """As `torch.nn.Dropout`: in training, units are dropped at random, and the others scaled so that the mean stays.

    On a CPU, torch draws a random number for every unit, on one core, which took as long as the matrix products. Here
    one bit a unit decides where the probability is a half, and one for each binary digit of it otherwise.

    Parameters
    ----------
    p : float, 0 <= p < 1
        The probability with which a unit is dropped.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, values: Tensor) -> Tensor:
        """Drop units, in training; change nothing otherwise.

        Parameters
        ----------
        values : Tensor of float32 or bfloat16
            The units, of any shape.

        Returns
        -------
        Tensor, of the same shape and type
            Zeros, and the units that are kept, each divided by the probability of that.
        """
        if values.is_cuda or not self.training:  # on a GPU, torch's own is one pass
            return functional.dropout(values, self.p, self.training)
        kept = max(round((1 - self.p) * 2**_RESOLUTION), 1)
        if kept == 2**_RESOLUTION:
            return values
        return values * _mask(values.numel(), kept).to(values.dtype).view_as(values)


def _mask(count: int, kept: int) -> Tensor:
    """Independent units of float32 that are `1 / p` with probability `p = kept / 2 ** _RESOLUTION`, otherwise 0."""
    words = _random_bits(-(-count // 64), kept).view(torch.int32)
    value = torch.tensor(2**_RESOLUTION / kept).view(torch.int32).item()  # its bits, or none of them
    sign_first = words << torch.arange(32, dtype=torch.int32)[:, None]  # each row has another bit in the sign's place
    return sign_first.bitwise_right_shift_(31).bitwise_and_(value).view(torch.float32).flatten()[:count]


def _random_bits(words: int, kept: int) -> Tensor:
    """Words of 64 independent bits, each set with probability `kept / 2 ** _RESOLUTION`, by torch's global generator.

    A bit is set if a random binary fraction is below the probability. Seen from the last digit on: where the
    probability's digit is 1, a digit 0 decides for it and a digit 1 leaves it to those after; where it is 0, a digit 1
    decides against it. (A random digit is as good as its complement.)
    """
    last_digit = (kept & -kept).bit_length() - 1
    bits = torch.zeros(words, dtype=torch.int64)
    for digit in range(last_digit, _RESOLUTION):
        drawn = torch.empty(words, dtype=torch.int64).random_(-(2**63), None)
        bits = drawn | bits if kept >> digit & 1 else drawn & bits
    return bits
