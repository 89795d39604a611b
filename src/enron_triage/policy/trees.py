"""Gradient-boosted trees as tensors: a member of the policy that is fitted, not trained by gradient descent.

`boosting` fits them. Here they are evaluated, as one module on any device, in the order that `tree_plan` gives: all
conditions of all trees are checked for all messages, 64 messages in a word, and words follow the trees from level to
level.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from enron_triage.policy.tree_plan import BATCH, WORD, plan_trees
from enron_triage.records import ACTIONS
from enron_triage.runtime.progress import progress

_GPU_BATCH = 16_384  # a GPU is bound by how many operations it is given; some 0.5 GB


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
        size = BATCH if features.device.type == "cpu" else _GPU_BATCH
        batches = progress(torch.split(features, size), description="boosted trees", unit=" batches")
        return torch.cat([self._logits(batch, self._plan) for batch in batches])

    def _logits(self, features: Tensor, plan: _Plan) -> Tensor:
        count = len(features)
        words = max(-(-count // WORD), 1)
        columns = pad(features, (0, 0, 0, words * WORD - count)).T.contiguous()
        goes_right = _packed(columns.index_select(0, plan.feature) > plan.threshold)
        trees = len(self.root)
        reached = goes_right.new_full((trees, words), -1)  # every message reaches the roots
        number = goes_right.new_zeros((plan.bits * trees, words))
        for leaf, number_bit, branch, condition in plan.levels:
            number.index_add_(0, number_bit, reached.index_select(0, leaf))  # no bit twice: a sum is an or
            here = reached.index_select(0, branch)
            right = here & goes_right.index_select(0, condition)
            reached = torch.cat([here ^ right, right])
        leaf = _numbers(number.view(plan.bits, trees, words)) + plan.first
        values = plan.value.index_select(0, leaf.flatten()).view(leaf.shape)[:, :count]
        return self.base[:, None].repeat(1, count).index_add(0, self.action, values).T


class _Plan(NamedTuple):
    """A `TreePlan` on the trees' device."""

    feature: Tensor
    threshold: Tensor
    levels: list[tuple[Tensor, ...]]
    bits: int
    first: Tensor
    value: Tensor


def _forget_plan(trees: Trees, _: object) -> None:
    trees._plan = None


def _planned(trees: Trees) -> _Plan:
    plan = plan_trees({name: tensor.detach().cpu().numpy() for name, tensor in trees.state_dict().items()})

    def here(array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(trees.root.device)

    levels = [tuple(here(part) for part in level) for level in plan.levels]
    feature, threshold, first, value = (here(part) for part in (plan.feature, plan.threshold, plan.first, plan.value))
    return _Plan(feature, threshold, levels, plan.bits, first, value)


def _packed(holds: Tensor) -> Tensor:
    """Bits of messages, shape (rows, 64 n), as words of 64, shape (rows, n): 8 slots of 8 n messages in each byte."""
    slots = holds.view(torch.int64).view(len(holds), 8, holds.shape[1] // WORD)
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
