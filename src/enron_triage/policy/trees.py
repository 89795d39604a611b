"""Gradient-boosted trees as tensors: a member of the policy that is fitted, not trained by gradient descent.

They are fitted by scikit-learn (`HistGradientBoostingClassifier`: Ke et al. 2017) and converted to tensors, so that a
checkpoint holds tensors only and the policy runs as one module on any device.
"""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from enron_triage.records import ACTIONS
from enron_triage.runtime.progress import progress

logger = logging.getLogger(__name__)

_BATCH = 512  # messages at a time: the intermediate tensors then stay in the processor's cache
_ABSENT_CLASS_LOGIT = -20.0  # the logit of an action that train lacks: a probability of some 1e-9

# Not configurable: set when the trees were added. TRAINING_LOG.md has what the trees gain with them.
_LEARNING_RATE = 0.05  # half of scikit-learn's default, for some 150 rounds (`model.boosting`) instead of 100
_MAX_LEAVES = 31  # of a tree: the default of scikit-learn and LightGBM
_MIN_MESSAGES_PER_LEAF = 40  # twice the default: a leaf should not be a single person's habit
_L2_REGULARIZATION = 5.0  # of the leaves' values: rare actions have few messages in a leaf
_FEATURE_FRACTION = 0.5  # of the features, drawn for each split: many are correlated, and fitting takes less time


class Trees(nn.Module):
    """An ensemble of regression trees for each action; all zeros until its tensors are loaded or fitted.

    Parameters
    ----------
    trees : int
        The number of trees.
    nodes : int
        The number of nodes of all trees together.
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
        features : Tensor of float32, shape (batch, inputs)
            The features.

        Returns
        -------
        Tensor of float32, shape (batch, actions)
            The sum of the trees' values for each action, and its base value.
        """
        batches = progress(torch.split(features, _BATCH), description="boosted trees", unit=" batches")
        return torch.cat([self._logits(batch) for batch in batches])

    def _logits(self, features: Tensor) -> Tensor:
        node = self.root.expand(len(features), -1)
        for _ in range(int(self.depth)):  # a leaf leads to itself
            goes_left = features.gather(1, self.feature[node]) <= self.threshold[node]
            node = torch.where(goes_left, self.left[node], self.right[node])
        logits = self.base.repeat(len(features), 1)
        return logits.index_add(1, self.action, self.value[node])


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
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # a second to import, which prediction does without

    present = np.unique(targets)
    if len(present) < 2:
        return _constant(present)
    logger.info("fitting %d rounds of boosted trees on %s messages", iterations, f"{len(targets):,}")
    model = HistGradientBoostingClassifier(
        learning_rate=_LEARNING_RATE,
        max_iter=iterations,
        max_leaf_nodes=_MAX_LEAVES,
        min_samples_leaf=_MIN_MESSAGES_PER_LEAF,
        l2_regularization=_L2_REGULARIZATION,
        max_features=_FEATURE_FRACTION,
        early_stopping=False,
        random_state=seed,
    ).fit(features, targets, sample_weight=sample_weight)
    return _from_sklearn(model, present)


def _constant(present: npt.NDArray[np.int64]) -> Trees:
    """A single leaf that adds nothing, over the base values of an action that is always right."""
    trees = Trees(1, 1)
    trees.base += _ABSENT_CLASS_LOGIT
    trees.base[torch.from_numpy(present)] = 0.0
    return trees


def _from_sklearn(model: object, present: npt.NDArray[np.int64]) -> Trees:
    """Convert a fitted classifier to tensors; scikit-learn has no public access to its trees."""
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
