"""The tokens of messages as tensors: ragged raw features."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor

from enron_triage.features.feature_group import TokenArrays


class TokenBags(msgspec.Struct):
    """The tokens of messages, one message after the other: the rows of a sparse matrix of ones.

    Attributes
    ----------
    buckets : Tensor of int32, shape (tokens of all messages,)
        The bucket of each token, a column of that matrix.
    offsets : Tensor of int64, shape (messages + 1,)
        Where each message's tokens begin; the last entry is the number of all tokens.
    num_buckets : int
        The number of columns.
    """

    buckets: Tensor
    offsets: Tensor
    num_buckets: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: Tensor) -> TokenBags:
        """The tokens of some messages, by their indices; rows may come in any order and repeatedly."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        offsets = _offsets(lengths)
        places = torch.arange(int(offsets[-1])) + torch.repeat_interleave(starts - offsets[:-1], lengths)
        return TokenBags(self.buckets[places], offsets, self.num_buckets)

    def arrays(self) -> TokenArrays:
        """The same tokens as arrays, in the same memory."""
        return TokenArrays(self.buckets.numpy(), torch.diff(self.offsets).numpy(), self.num_buckets)

    @classmethod
    def concatenate(cls, parts: Sequence[TokenArrays]) -> TokenBags:
        """The tokens of several sets of messages, as extraction gives them.

        Parameters
        ----------
        parts : sequence of TokenArrays
            At least one; all with the same number of buckets.

        Returns
        -------
        TokenBags
            Those of all the messages, in order.
        """
        buckets = torch.cat([torch.from_numpy(part.buckets) for part in parts])
        lengths = torch.cat([torch.from_numpy(part.lengths) for part in parts])
        return cls(buckets, _offsets(lengths), parts[0].num_buckets)


def _offsets(lengths: Tensor) -> Tensor:
    return torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
