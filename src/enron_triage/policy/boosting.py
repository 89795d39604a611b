"""Fitting gradient-boosted trees, by LightGBM (Ke et al. 2017), and converting them to tensors.

A checkpoint so holds tensors only, and the policy runs as one module on any device, without LightGBM.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from enron_triage.errors import TriageError
from enron_triage.policy.trees import Trees
from enron_triage.records import ACTIONS

logger = logging.getLogger(__name__)

# Not configurable: set when the trees were added. TRAINING_LOG.md has what the trees gain with them.
_SETTINGS = {
    "objective": "multiclass",
    "num_class": len(ACTIONS),
    "learning_rate": 0.05,  # half of the default, for some 150 rounds (`model.boosting`) instead of 100
    "num_leaves": 31,  # of a tree: the default
    "min_data_in_leaf": 40,  # twice the default: a leaf should not be a single person's habit
    "lambda_l2": 5.0,  # of the leaves' values: rare actions have few messages in a leaf
    "feature_fraction_bynode": 0.5,  # drawn for each split: many are correlated, and fitting takes less time
    "use_missing": False,  # no feature is ever NaN
    "deterministic": True,
    "force_row_wise": True,  # LightGBM would measure which way is faster, and the last digits depend on it
    "verbosity": -1,
}


def fit_trees(
    features: npt.NDArray[np.float32],
    targets: npt.NDArray[np.int64],
    sample_weight: npt.NDArray[np.floating],
    iterations: int,
    seed: int,
) -> Trees:
    """Fit gradient-boosted trees.

    Parameters
    ----------
    features : array of float32, shape (messages, inputs)
        The features of the train messages.
    targets : array of int, shape (messages,)
        The index of each message's action.
    sample_weight : array of float, shape (messages,)
        How much each message counts in the loss.
    iterations : int
        The number of rounds of boosting; each adds a tree for every action.
    seed : int
        The seed of the features drawn for each split.

    Returns
    -------
    Trees
        The fitted trees. An action that `targets` lacks is never predicted; if they hold only one action, it always is.

    Raises
    ------
    TriageError
        If LightGBM lacks the library of OpenMP.
    """
    try:
        import lightgbm  # a second to import, which prediction does without
    except OSError as error:
        advice = "install OpenMP's library: `apt install libgomp1`, `dnf install libgomp`, `brew install libomp`"
        raise TriageError(f"LightGBM cannot be loaded ({error}); {advice}") from None

    logger.info("fitting %d rounds of boosted trees on %s messages", iterations, f"{len(targets):,}")
    settings = _SETTINGS | {"seed": seed % 2**31, "num_threads": torch.get_num_threads()}
    data = lightgbm.Dataset(features, targets, weight=sample_weight, params=settings)
    return trees_from_dump(lightgbm.train(settings, data, iterations).dump_model())


def trees_from_dump(model: dict[str, Any]) -> Trees:
    """Convert a multiclass model.

    Parameters
    ----------
    model : dict
        What LightGBM's `Booster.dump_model` gives. The first round's trees hold the classes' shares of the weight.

    Returns
    -------
    Trees
        The same decisions and values for every message; a tree that is a single leaf is part of the base value.
    """
    base = torch.zeros(len(ACTIONS), dtype=torch.float64)
    roots, nodes = [], _Nodes([], [], [], [], [], [])
    for number, tree in enumerate(model["tree_info"]):
        action, structure = number % model["num_tree_per_iteration"], tree["tree_structure"]
        if "left_child" in structure:
            roots.append((nodes.append_tree(structure), action))
        else:
            base[action] += structure["leaf_value"]
    if not roots:
        roots.append((nodes.append_tree({"leaf_value": 0.0}), 0))
    trees = Trees(len(roots), len(nodes.value))
    trees.base.copy_(base)
    trees.root.copy_(torch.tensor([root for root, _ in roots]))
    trees.action.copy_(torch.tensor([action for _, action in roots]))
    trees.threshold.copy_(_rounded_down(nodes.threshold))
    for name in ("feature", "left", "right", "value"):
        getattr(trees, name).copy_(torch.tensor(getattr(nodes, name)))
    trees.depth.fill_(max(nodes.depth))
    return trees


class _Nodes(NamedTuple):
    """The tensors of `Trees` in the making, and the depth of each node."""

    feature: list[Any]
    threshold: list[Any]
    left: list[Any]
    right: list[Any]
    value: list[Any]
    depth: list[Any]

    def append_tree(self, structure: dict[str, Any], depth: int = 0) -> int:
        """Append a node and what is below it, and give its index; a leaf is its own child."""
        index = len(self.value)
        leaf = (0, 0.0, index, index, structure.get("leaf_value", 0.0), depth)
        for column, value in zip(self, leaf, strict=True):
            column.append(value)
        if "left_child" in structure:
            self.feature[index], self.threshold[index] = structure["split_feature"], structure["threshold"]
            self.left[index] = self.append_tree(structure["left_child"], depth + 1)
            self.right[index] = self.append_tree(structure["right_child"], depth + 1)
        return index


def _rounded_down(thresholds: list[float]) -> Tensor:
    """The largest float32 that is no larger: it decides every float32 as the float64 does."""
    exact = torch.tensor(thresholds, dtype=torch.float64)
    near = exact.float()
    below = torch.nextafter(near, torch.full_like(near, -torch.inf))
    return torch.where(near.double() > exact, below, near)
