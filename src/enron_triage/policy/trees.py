"""Gradient-boosted trees as tensors: a member of the policy that is fitted, not trained by gradient.

They are fitted by scikit-learn (`HistGradientBoostingClassifier`: Ke et al. 2017) and taken apart into
tensors, so that a checkpoint holds tensors only and the policy runs as one module on any device.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from enron_triage.records import ACTIONS

_CACHED = 512  # messages at once: what lies between two steps then stays in the processor's cache
_ABSENT_CLASS_LOGIT = -20.0  # the logit of an action that train lacks


class Trees(nn.Module):
    """An ensemble of regression trees for each action; a zero-filled one until it is loaded or fitted.

    Parameters
    ----------
    trees, nodes : int
        How many, and how many nodes they have together.
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

    def forward(self, features: Tensor) -> Tensor:
        """Logits of the actions.

        Parameters
        ----------
        features : Tensor, shape (batch, inputs)

        Returns
        -------
        Tensor of float32, shape (batch, actions)
        """
        return torch.cat([self._few(batch) for batch in torch.split(features, _CACHED)])

    def _few(self, features: Tensor) -> Tensor:
        node = self.root.expand(len(features), -1)
        for _ in range(int(self.depth)):  # a leaf leads to itself
            goes_left = features.gather(1, self.feature[node]) <= self.threshold[node]
            node = torch.where(goes_left, self.left[node], self.right[node])
        logits = self.base.repeat(len(features), 1)
        return logits.index_add(1, self.action, self.value[node])


def fit_trees(
    features: npt.NDArray[np.float32],
    targets: npt.NDArray[np.int64],
    weights: npt.NDArray[np.floating],
    iterations: int,
    seed: int,
) -> Trees:
    """Fit gradient-boosted trees.

    Parameters
    ----------
    features : array, shape (messages, inputs)
    targets : array of int, shape (messages,)
    weights : array, shape (messages,)
    iterations : int
        Rounds of boosting, of a tree for each action.
    seed : int
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # a second to import, which prediction does without

    present = np.unique(targets)
    if len(present) < 2:
        return _constant(present)
    model = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=iterations,
        max_leaf_nodes=31,
        min_samples_leaf=40,
        l2_regularization=5.0,
        max_features=0.5,
        early_stopping=False,
        random_state=seed,
    ).fit(features, targets, sample_weight=weights)
    return _from_sklearn(model, present)


def _constant(present: npt.NDArray[np.int64]) -> Trees:
    trees = Trees(0, 0)
    trees.base += _ABSENT_CLASS_LOGIT
    trees.base[torch.from_numpy(present)] = 0.0
    return trees


def _from_sklearn(model: object, present: npt.NDArray[np.int64]) -> Trees:
    """Take a fitted classifier apart; scikit-learn has no public way to its trees."""
    rounds = model._predictors  # type: ignore[attr-defined]
    base = np.ravel(model._baseline_prediction)  # type: ignore[attr-defined]
    actions = [int(action) for action in present]
    if len(present) == 2:  # one tree a round, for the second action against the first
        actions, base = [int(present[1])], np.array([base[0]])
    found = [(predictor.nodes, action) for trees in rounds for predictor, action in zip(trees, actions, strict=True)]
    sizes = np.array([len(nodes) for nodes, _ in found], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    nodes = np.concatenate([nodes for nodes, _ in found])
    offset = np.repeat(starts, sizes)
    itself = np.arange(len(nodes))
    leaf = nodes["is_leaf"].astype(bool)
    result = Trees(len(found), len(nodes))
    result.root.copy_(torch.from_numpy(starts))
    result.action.copy_(torch.tensor([action for _, action in found]))
    result.feature.copy_(torch.from_numpy(np.where(leaf, 0, nodes["feature_idx"].astype(np.int64))))
    result.threshold.copy_(torch.from_numpy(np.where(leaf, 0.0, nodes["num_threshold"])))
    result.left.copy_(torch.from_numpy(np.where(leaf, itself, nodes["left"] + offset)))
    result.right.copy_(torch.from_numpy(np.where(leaf, itself, nodes["right"] + offset)))
    result.value.copy_(torch.from_numpy(np.where(leaf, nodes["value"], 0.0)))
    result.depth.fill_(int(nodes["depth"].max()))
    result.base += _ABSENT_CLASS_LOGIT
    result.base[torch.from_numpy(present)] = 0.0
    result.base[torch.tensor(actions)] = torch.from_numpy(base).float()
    return result
