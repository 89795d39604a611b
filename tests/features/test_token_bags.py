import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from enron_triage.features.feature_group import TokenArrays
from enron_triage.features.token_bags import TokenBags

Lists = st.lists(st.lists(st.integers(0, 63), unique=True, max_size=5).map(sorted), max_size=8)


def arrays_of(lists):
    buckets = np.array([bucket for one in lists for bucket in one], dtype=np.int32)
    return TokenArrays(buckets, np.array([len(one) for one in lists], dtype=np.int64), 64)


def lists_of(bags):
    bounds = bags.offsets.tolist()
    return [bags.buckets[start:stop].tolist() for start, stop in itertools.pairwise(bounds)]


@given(Lists, Lists)
def test_the_messages_of_several_parts_are_in_their_order(first, second):
    bags = TokenBags.concatenate([arrays_of(first), arrays_of(second)])
    assert lists_of(bags) == first + second
    assert len(bags) == len(first) + len(second)
    assert bags.num_buckets == 64


@pytest.mark.parametrize("rows", [[3, 1, 0], [2, 2], []])
def test_indexing_takes_the_tokens_of_the_messages(rows):
    lists = [[1, 2], [], [7], [3, 4, 5]]
    taken = TokenBags.concatenate([arrays_of(lists)])[torch.tensor(rows, dtype=torch.int64)]
    assert lists_of(taken) == [lists[row] for row in rows]
    assert taken.num_buckets == 64
