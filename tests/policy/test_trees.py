"""Trees as tensors, 64 messages in a word, decide as a walk from the root does."""

import copy
import pickle

import numpy as np
import pytest
import torch

from enron_triage.policy.trees import Trees

INPUTS = 7


def random_trees(leaves, seed=0):
    """Trees of these numbers of leaves, of random form: a random leaf branches until there are enough."""
    generator = np.random.default_rng(seed)
    trees = Trees(len(leaves), sum(2 * count - 1 for count in leaves))
    start = 0
    for tree, count in enumerate(leaves):
        ends = [start]
        free = start + 1
        for _ in range(count - 1):
            node = ends.pop(generator.integers(len(ends)))
            trees.feature[node] = int(generator.integers(INPUTS))
            trees.threshold[node] = round(generator.normal(), 1)
            trees.left[node], trees.right[node] = free, free + 1
            ends += [free, free + 1]
            free += 2
        for node in ends:
            trees.left[node] = trees.right[node] = node
            trees.value[node] = generator.normal()
        trees.root[tree], trees.action[tree] = start, int(generator.integers(5))
        start = free
    trees.base.copy_(torch.from_numpy(generator.normal(size=5)))
    return trees


def random_features(count, seed=1):
    """Often equal to a threshold."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(count, INPUTS)).round(1).astype(np.float32))


def walked(trees, features):
    """The logits by a plain walk from each root."""
    logits = trees.base.double().repeat(len(features), 1)
    for message, row in enumerate(features.tolist()):
        for root, action in zip(trees.root.tolist(), trees.action.tolist(), strict=True):
            node = root
            while int(trees.left[node]) != node:
                goes_left = row[int(trees.feature[node])] <= float(trees.threshold[node])
                node = int(trees.left[node] if goes_left else trees.right[node])
            logits[message, action] += float(trees.value[node])
    return logits


@pytest.mark.parametrize("count", [1, 63, 64, 65, 150])
@pytest.mark.parametrize("leaves", [[1], [2], [1, 31, 2, 3, 17, 31, 32, 33, 1], [256]])
def test_words_of_messages_decide_as_a_walk_does(leaves, count):
    trees, features = random_trees(leaves), random_features(count)
    torch.testing.assert_close(trees(features).double(), walked(trees, features), atol=1e-5, rtol=0)


def test_neither_the_number_of_messages_nor_their_order_changes_a_logit():
    trees, features = random_trees([31] * 40), random_features(1200)
    expected = trees(features)
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(0))
    assert torch.equal(trees(features[order]), expected[order])
    assert torch.equal(trees(features[600:601]), expected[600:601])


def test_tensors_that_are_loaded_replace_those_that_were_evaluated():
    features = random_features(70)
    trees, other = random_trees([5, 9], seed=1), random_trees([5, 9], seed=2)
    before = trees(features)
    copies = copy.deepcopy(trees), pickle.loads(pickle.dumps(trees))
    trees.load_state_dict(other.state_dict())
    assert torch.equal(trees(features), other(features))
    assert all(torch.equal(copied(features), before) for copied in copies)
    assert trees.state_dict().keys() == Trees(2, 26).state_dict().keys()


def test_an_empty_batch_and_empty_trees_are_no_special_case():
    assert Trees(0, 0)(torch.zeros(3, INPUTS)).shape == (3, 5)
    assert random_trees([3, 1])(torch.zeros(0, INPUTS)).shape == (0, 5)


def test_nodes_that_are_no_trees_are_refused():
    trees = random_trees([3])
    trees.left[1] = trees.right[1] = 0  # back to the root
    with pytest.raises(ValueError, match="do not form trees"):
        trees(random_features(2))
    with pytest.raises(ValueError, match="257 leaves"):
        random_trees([257])(random_features(2))
