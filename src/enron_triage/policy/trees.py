"""Gradient-boosted trees as tensors: a member of the policy that is fitted, not trained by gradient descent.

`boosting` fits them. Here they are evaluated, as one module on any device: all conditions of all trees are checked for
all messages, 64 messages in a word, and words follow the trees from level to level (the idea of QuickScorer: Lucchese
et al. 2015; in words over messages: Ye et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from enron_triage.records import ACTIONS
from enron_triage.runtime.progress import progress

_BATCH = 512  # messages at a time: enough for long rows, few enough for the processor's cache
_GPU_BATCH = 16_384  # a GPU is bound by how many operations it is given; some 0.5 GB
_WORD = 64  # messages in a word: a bit for each
_MAX_LEAVES = 256  # of a tree: a leaf's number fits a byte


class Trees(nn.Module):
    """An ensemble of regression trees for each action; all zeros until its tensors are loaded or fitted.

    Parameters
    ----------
    trees : int
        The number of trees.
    nodes : int
        The number of nodes of all trees together.

    Attributes
    ----------
    root, action : Tensor of int64, shape (trees,)
        Each tree's first node, and the action whose logit it adds to.
    feature, threshold : Tensor of int64 and of float32, shape (nodes,)
        A message goes left where this feature is at most this threshold.
    left, right : Tensor of int64, shape (nodes,)
        The node's children; a leaf is its own child.
    value : Tensor of float32, shape (nodes,)
        What a leaf adds to the logit.
    base : Tensor of float32, shape (actions,)
        The logits before the trees' values.
    depth : Tensor of int64, shape ()
        The length of the longest path from a root to a leaf.
    """

    def __init__(self, trees: int, nodes: int) -> None:
        super().__init__()
        for name, shape in (("root", trees), ("action", trees), ("feature", nodes), ("left", nodes), ("right", nodes)):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.int64))
        for name, shape in (("threshold", nodes), ("value", nodes), ("base", len(ACTIONS))):
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("depth", torch.zeros((), dtype=torch.int64))
        self.root: Tensor
        self.action: Tensor
        self.feature: Tensor
        self.left: Tensor
        self.right: Tensor
        self.threshold: Tensor
        self.value: Tensor
        self.base: Tensor
        self.depth: Tensor
        self._plan: _Plan | None = None
        self.register_load_state_dict_post_hook(_forget_plan)  # type: ignore[no-untyped-call]

    def forward(self, features: Tensor) -> Tensor:
        """Logits of the actions.

        Parameters
        ----------
        features : Tensor of float32, shape (batch, inputs)
            The features.

        Returns
        -------
        Tensor of float32, shape (batch, actions)
            The sum of the trees' values for each action, and its base value.

        Raises
        ------
        ValueError
            If the tensors hold no trees: a child of two nodes, for example.
        """
        if self._plan is None or self._plan.first.device != self.root.device:
            self._plan = _planned(self)
        size = _BATCH if features.device.type == "cpu" else _GPU_BATCH
        batches = progress(torch.split(features, size), description="boosted trees", unit=" batches")
        return torch.cat([self._logits(batch, self._plan) for batch in batches])

    def _logits(self, features: Tensor, plan: _Plan) -> Tensor:
        count = len(features)
        words = max(-(-count // _WORD), 1)
        columns = pad(features, (0, 0, 0, words * _WORD - count)).T.contiguous()
        goes_right = _packed(columns.index_select(0, plan.feature) > plan.threshold)
        trees = len(self.root)
        reached = goes_right.new_full((trees, words), -1)  # every message reaches the roots
        number = goes_right.new_zeros((plan.bits * trees, words))
        for level in plan.levels:
            number.index_add_(0, level.number_bit, reached.index_select(0, level.leaf))  # no bit twice: a sum is an or
            here = reached.index_select(0, level.branch)
            right = here & goes_right.index_select(0, level.condition)
            reached = torch.cat([here ^ right, right])
        leaf = _numbers(number.view(plan.bits, trees, words)) + plan.first
        values = plan.value.index_select(0, leaf.flatten()).view(leaf.shape)[:, :count]
        return self.base[:, None].repeat(1, count).index_add(0, self.action, values).T


class _Level(NamedTuple):
    """One level of all trees. Its rows are nodes: the left children of the level before, then its right children."""

    leaf: Tensor  # the rows of leaves: each as often as its number has bits that are set
    number_bit: Tensor  # for each of these, which row of the bits of leaf numbers it belongs to
    branch: Tensor  # the rows of the nodes that branch
    condition: Tensor  # the condition of each of these


class _Plan(NamedTuple):
    """What the evaluation of trees needs, in the order in which it needs it."""

    feature: Tensor  # of each condition: equal ones of several nodes are one
    threshold: Tensor  # likewise, as a column
    levels: list[_Level]
    bits: int  # in the number of a leaf
    first: Tensor  # the index of each tree's first leaf in `value`, as a column
    value: Tensor  # of all leaves, by tree and number


def _forget_plan(trees: Trees, _: object) -> None:
    trees._plan = None


def _planned(trees: Trees) -> _Plan:
    """Order what trees consist of by level; the leaves of a tree are numbered from 0."""
    levels = list(_levels(trees))
    nodes = torch.cat([trees.root[:0], *(nodes[leaf] for nodes, _, leaf in levels)])
    tree = torch.cat([trees.root[:0], *(tree[leaf] for _, tree, leaf in levels)])
    leaves = torch.bincount(tree, minlength=len(trees.root))
    first = leaves.cumsum(0) - leaves
    order = tree.argsort(stable=True)
    number = torch.empty_like(tree)
    number[order] = torch.arange(len(tree), device=tree.device) - first[tree[order]]
    most = int(leaves.max()) if len(leaves) else 0
    if most > _MAX_LEAVES:
        raise ValueError(f"a tree of {most} leaves, more than {_MAX_LEAVES}")
    bits = max(most - 1, 1).bit_length()
    feature, threshold, condition = _conditions(trees)
    plan = []
    for nodes_here, tree_here, leaf in levels:
        rows, branch = leaf.nonzero().flatten(), (~leaf).nonzero().flatten()
        numbers, number = number[: len(rows)], number[len(rows) :]
        bit, which = (numbers >> torch.arange(bits, device=leaf.device)[:, None] & 1).nonzero(as_tuple=True)
        number_bit = bit * len(trees.root) + tree_here[rows[which]]
        plan.append(_Level(rows[which], number_bit, branch, condition[nodes_here[branch]]))
    return _Plan(feature, threshold, plan, bits, first.int()[:, None], trees.value[nodes[order]])


def _levels(trees: Trees) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """For each level: its nodes, the trees that they belong to, and whether they are leaves."""
    nodes, tree = trees.root, torch.arange(len(trees.root), device=trees.root.device)
    seen = 0
    while len(nodes):
        seen += len(nodes)
        if seen > len(trees.left):
            raise ValueError("nodes that are no trees")
        leaf = trees.left[nodes] == nodes
        yield nodes, tree, leaf
        nodes = torch.cat([child[nodes[~leaf]] for child in (trees.left, trees.right)])
        tree = tree[~leaf].repeat(2)


def _conditions(trees: Trees) -> tuple[Tensor, Tensor, Tensor]:
    """The features and thresholds of the different conditions, and the condition of each node."""
    bits = trees.threshold.view(torch.int32).long() & 0xFFFFFFFF
    key, condition = torch.unique(trees.feature << 32 | bits, return_inverse=True)
    threshold = (key & 0xFFFFFFFF).to(torch.int32).view(torch.float32)
    return key >> 32, threshold[:, None], condition


def _packed(holds: Tensor) -> Tensor:
    """Bits of messages, shape (rows, 64 n), as words of 64, shape (rows, n): 8 slots of 8 n messages in each byte."""
    slots = holds.view(torch.int64).view(len(holds), 8, holds.shape[1] // _WORD)
    words = slots[:, 0].clone()
    for slot in range(1, 8):
        words |= slots[:, slot] << slot
    return words


def _numbers(words: Tensor) -> Tensor:
    """Numbers from words of their bits, shape (bits, rows, n): int32, shape (rows, 64 n), the messages as before."""
    planes = words.view(torch.uint8)
    slots = []
    for slot in range(8):
        bits = planes >> slot & 1
        number = bits[0]
        for place in range(1, len(bits)):
            number = number | bits[place] << place
        slots.append(number)
    return torch.cat(slots, dim=1).int()
