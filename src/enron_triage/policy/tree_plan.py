"""The order in which trees are evaluated, and their evaluation on numpy arrays: see `trees` for the method.

All conditions of all trees are checked for all messages, 64 messages in a word, and words follow the trees from level
to level (the idea of QuickScorer: Lucchese et al. 2015; in words over messages: Ye et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from enron_triage.records import ACTIONS

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

BATCH = 512  # messages at a time: enough for long rows, few enough for the processor's cache
WORD = 64  # messages in a word: a bit for each
_MAX_LEAVES = 256  # of a tree: a leaf's number fits a byte


class Level(NamedTuple):
    """One level of all trees. Its rows are nodes: the left children of the level before, then its right children."""

    leaf: IntArray  # the rows of leaves: each as often as its number has bits that are set
    number_bit: IntArray  # for each of these, which row of the bits of leaf numbers it belongs to
    branch: IntArray  # the rows of the nodes that branch
    condition: IntArray  # the condition of each of these


class TreePlan(NamedTuple):
    """What the evaluation of trees needs, in the order in which it needs it."""

    feature: IntArray  # of each condition: equal ones of several nodes are one
    threshold: FloatArray  # likewise, as a column
    levels: list[Level]
    bits: int  # in the number of a leaf
    first: npt.NDArray[np.int32]  # the index of each tree's first leaf in `value`, as a column
    value: FloatArray  # of all leaves, by tree and number


def plan_trees(trees: Mapping[str, npt.NDArray[np.generic]]) -> TreePlan:
    """Order what trees consist of by level; the leaves of a tree are numbered from 0.

    Parameters
    ----------
    trees : mapping of str to array
        The tensors of `trees.Trees` by name.

    Raises
    ------
    ValueError
        If they hold no trees: a child of two nodes, for example.
    """
    root, left, right, feature, action = (
        trees[name].astype(np.int64) for name in ("root", "left", "right", "feature", "action")
    )
    _check_indices(root, len(left), "a root")
    _check_indices(np.concatenate([left, right]), len(left), "a child")
    _check_indices(action, len(ACTIONS), "an action")
    levels = list(_levels(root, left, right))
    nodes = np.concatenate([root[:0], *(nodes[leaf] for nodes, _, leaf in levels)])
    tree = np.concatenate([root[:0], *(tree[leaf] for _, tree, leaf in levels)])
    leaves = np.bincount(tree, minlength=len(root))
    first = leaves.cumsum() - leaves
    order = tree.argsort(kind="stable")
    number = np.empty_like(tree)
    number[order] = np.arange(len(tree)) - first[tree[order]]
    most = int(leaves.max()) if len(leaves) else 0
    if most > _MAX_LEAVES:
        raise ValueError(f"a tree of {most} leaves, more than {_MAX_LEAVES}")
    bits = max(most - 1, 1).bit_length()
    of_condition, threshold, condition = _conditions(feature, trees["threshold"].astype(np.float32))
    plan = []
    for nodes_here, tree_here, leaf in levels:
        rows, branch = np.flatnonzero(leaf), np.flatnonzero(~leaf)
        numbers, number = number[: len(rows)], number[len(rows) :]
        bit, which = (numbers >> np.arange(bits)[:, None] & 1).nonzero()
        number_bit = bit * len(root) + tree_here[rows[which]]
        plan.append(Level(rows[which], number_bit, branch, condition[nodes_here[branch]]))
    value = trees["value"].astype(np.float32)[nodes[order]]
    return TreePlan(of_condition, threshold, plan, bits, first.astype(np.int32)[:, None], value)


def _check_indices(indices: IntArray, count: int, what: str) -> None:
    if len(indices) and not 0 <= indices.min() <= indices.max() < count:
        raise ValueError(f"trees with {what} that does not exist")


def _levels(root: IntArray, left: IntArray, right: IntArray) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """For each level: its nodes, the trees that they belong to, and whether they are leaves."""
    nodes, tree = root, np.arange(len(root))
    seen = 0
    while len(nodes):
        seen += len(nodes)
        if seen > len(left):
            raise ValueError("nodes that do not form trees")
        leaf = left[nodes] == nodes
        yield nodes, tree, leaf
        nodes = np.concatenate([child[nodes[~leaf]] for child in (left, right)])
        tree = np.tile(tree[~leaf], 2)


def _conditions(feature: IntArray, threshold: FloatArray) -> tuple[IntArray, FloatArray, IntArray]:
    """The features and thresholds of the different conditions, and the condition of each node."""
    key, condition = np.unique(feature << 32 | threshold.view(np.uint32).astype(np.int64), return_inverse=True)
    return key >> 32, (key & 0xFFFFFFFF).astype(np.uint32).view(np.float32)[:, None], condition


class ArrayTrees:
    """Trees that are evaluated on numpy arrays.

    Parameters
    ----------
    trees : mapping of str to array
        The tensors of `trees.Trees` by name.
    inputs : int
        The number of features.

    Raises
    ------
    ValueError
        If they hold no trees, or trees for other features.
    """

    def __init__(self, trees: Mapping[str, npt.NDArray[np.generic]], inputs: int) -> None:
        self._plan = plan_trees(trees)
        _check_indices(self._plan.feature, inputs, "a feature")
        self._base = trees["base"].astype(np.float32)
        action = trees["action"].astype(np.int64)
        self._by_action = action.argsort(kind="stable")
        self._actions, self._first_of_action = np.unique(action[self._by_action], return_index=True)
        number_bits = np.concatenate([action[:0], *(level.number_bit for level in self._plan.levels)])
        self._by_bit = number_bits.argsort(kind="stable")
        self._bits, self._first_of_bit = np.unique(number_bits[self._by_bit], return_index=True)

    def logits(self, features: FloatArray) -> FloatArray:
        """Logits of the actions.

        Parameters
        ----------
        features : array of float32, shape (batch, inputs)
            The features.

        Returns
        -------
        array of float32, shape (batch, actions)
            The sum of the trees' values for each action, and its base value.
        """
        parts = [self._logits(features[start : start + BATCH]) for start in range(0, len(features), BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, len(ACTIONS)), dtype=np.float32)

    def _logits(self, features: FloatArray) -> FloatArray:
        plan, count = self._plan, len(features)
        logits = np.repeat(self._base[:, None], count, axis=1)
        trees = len(plan.first)
        if not trees:
            return logits.T
        words = -(-count // WORD)
        columns = np.zeros((features.shape[1], words * WORD), dtype=np.float32)
        columns[:, :count] = features.T
        goes_right = packed(columns[plan.feature] > plan.threshold)
        reached = np.full((trees, words), -1, dtype=np.int64)  # every message reaches the roots
        ends = []
        for level in plan.levels:
            ends.append(reached[level.leaf])
            here = reached[level.branch]
            right = here & goes_right[level.condition]
            reached = np.concatenate([here ^ right, right])
        number = np.zeros((plan.bits * trees, words), dtype=np.int64)
        if len(self._by_bit):
            number[self._bits] = np.bitwise_or.reduceat(np.concatenate(ends)[self._by_bit], self._first_of_bit, axis=0)
        leaf = numbers(number.reshape(plan.bits, trees, words)) + plan.first
        values = plan.value[leaf[self._by_action, :count]]
        logits[self._actions] += np.add.reduceat(values, self._first_of_action, axis=0)
        return logits.T


def packed(holds: npt.NDArray[np.bool_]) -> IntArray:
    """Bits of messages as words of 64: 8 slots of 8 n messages in each byte.

    Parameters
    ----------
    holds : array of bool, shape (rows, 64 n)
        The bits.

    Returns
    -------
    array of int64, shape (rows, n)
        The words.
    """
    slots = holds.view(np.int64).reshape(len(holds), 8, holds.shape[1] // WORD)
    words = slots[:, 0].copy()
    for slot in range(1, 8):
        words |= slots[:, slot] << slot
    return words


def numbers(words: IntArray) -> npt.NDArray[np.int32]:
    """Numbers from words of their bits.

    Parameters
    ----------
    words : array of int64, shape (bits, rows, n)
        As `packed` gives them, the lowest bits first.

    Returns
    -------
    array of int32, shape (rows, 64 n)
        The numbers, the messages as before.
    """
    planes = words.view(np.uint8)
    slots = []
    for slot in range(8):
        bits = planes >> np.uint8(slot) & np.uint8(1)
        number = bits[0]
        for place in range(1, len(bits)):
            number = number | bits[place] << np.uint8(place)
        slots.append(number)
    return np.concatenate(slots, axis=1).astype(np.int32)
