"""Parts that are fitted once for many runs: the feature transform and the boosted trees, cached by their inputs.

Variants of a run that differ in, say, the loss share them. The files are ``transform-*.pt``, ``train_features-*.pt``
and ``trees-*.pt`` in ``<data_dir>/features``; the last `_KEPT` of each kind stay. With and without them, the results
are the same bytes.
"""

from __future__ import annotations

import hashlib
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from enron_triage import __version__
from enron_triage.config.training import FeaturesConfig
from enron_triage.features import transform as transforms
from enron_triage.features.dataset import Dataset
from enron_triage.features.transform import FeatureTransform, dataset_digest
from enron_triage.policy import boosting
from enron_triage.policy.boosting import fit_trees
from enron_triage.policy.trees import Trees
from enron_triage.runtime import tensor_cache
from enron_triage.runtime.code_digest import code_digest
from enron_triage.runtime.invocation import LIBRARIES

_KEPT = 20  # of a kind: a transform is some 10 MB, and 0.4 kB a message more


def fitted_transform(
    train: Dataset, settings: FeaturesConfig, *, mailbox_weights_power: float, seed: int, cache: Path
) -> tuple[FeatureTransform, Tensor]:
    """`FeatureTransform.fit_transform`, or its result from the cache.

    Parameters
    ----------
    train : Dataset
        Messages that all have an action, with the raw features of the configured groups.
    settings : FeaturesConfig
        The groups, and how they are fitted.
    mailbox_weights_power : float >= 0
        How the messages are weighted: see `Dataset.sample_weight`.
    seed : int
        Seeds what fitting draws at random.
    cache : Path
        The folder of cached tensors.
    """
    empty = FeatureTransform.unfitted(train, settings, mailbox_weights_power=mailbox_weights_power, seed=seed)

    def make() -> dict[str, Any]:
        transform, features = FeatureTransform.fit_transform(
            train, settings, mailbox_weights_power=mailbox_weights_power, seed=seed
        )
        return {"states": transform.states, "features": features}

    return tensor_cache.cached(
        _transform_path(empty, cache),
        make,
        lambda content: _restored_transform(content, empty, len(train)),
        what="the transform of the features, fitted on train",
        keep=_KEPT,
    )


def train_features(transform: FeatureTransform, train: Dataset, *, cache: Path) -> Tensor:
    """`FeatureTransform.transform_train`, or its result from the cache.

    Parameters
    ----------
    transform : FeatureTransform
        A fitted transform, for example a checkpoint's.
    train : Dataset
        The messages, with raw features extracted by the transform's own settings.
    cache : Path
        The folder of cached tensors.
    """
    if transform.fitted_on != dataset_digest(train):
        return transform.transform_train(train)  # which fits nothing then
    what = "the features of train"
    found = tensor_cache.read(
        _transform_path(transform, cache),
        lambda content: _restored_transform(content, transform, len(train)),
        what=what,
    )
    if found is not None and found[0].is_same_as(transform):
        return found[1]
    digest = _digest(
        transforms.__name__,
        *_identity(transform),
        *(value for state in transform.states.values() for value in state.values()),
    )
    return tensor_cache.cached(
        cache / f"train_features-{digest}.pt",
        lambda: {"features": transform.transform_train(train)},
        lambda content: _restored_features(content, transform, len(train)),
        what=what,
        keep=_KEPT,
    )


def fitted_trees(
    features: npt.NDArray[np.float32],
    targets: npt.NDArray[np.int64],
    sample_weight: npt.NDArray[np.floating],
    *,
    iterations: int,
    seed: int,
    cache: Path,
) -> Trees:
    """`boosting.fit_trees`, or its result from the cache.

    Parameters
    ----------
    features, targets, sample_weight, iterations, seed
        As for `boosting.fit_trees`.
    cache : Path
        The folder of cached tensors.
    """
    digest = _digest(boosting.__name__, iterations, seed, features, targets, sample_weight)
    return tensor_cache.cached(
        cache / f"trees-{digest}.pt",
        lambda: dict(fit_trees(features, targets, sample_weight, iterations=iterations, seed=seed).state_dict()),
        _restored_trees,
        what="the boosted trees",
        keep=_KEPT,
    )


def _transform_path(transform: FeatureTransform, cache: Path) -> Path:
    return cache / f"transform-{_digest(transforms.__name__, *_identity(transform))}.pt"


def _identity(transform: FeatureTransform) -> tuple[Any, ...]:
    """What decides a transform, apart from the code that fits it."""
    settings = msgspec.json.encode(transform.settings).decode()
    return transform.fitted_on, settings, transform.seed, transform.mailbox_weights_power, transform.class_prior


def _digest(module: str, *values: Any) -> str:
    """A digest of values, of the code that makes something of them, and of what that code computes with.

    Sums of floating-point numbers depend on the number of threads in their last digits.
    """
    versions = [__version__, *(metadata.version(name) for name in LIBRARIES)]
    digest = hashlib.sha256(repr([code_digest(module), versions, torch.get_num_threads()]).encode())
    for value in values:
        array = value.numpy() if isinstance(value, Tensor) else value
        if isinstance(array, np.ndarray):
            digest.update(repr((array.shape, array.dtype.str)).encode() + np.ascontiguousarray(array).tobytes())
        else:
            digest.update(f"{value!r};".encode())
    return digest.hexdigest()[:24]


def _restored_transform(
    content: dict[str, Any], transform: FeatureTransform, messages: int
) -> tuple[FeatureTransform, Tensor]:
    # Equal names become the same object, as they are in what was fitted: the bytes of a checkpoint depend on it.
    states = {
        sys.intern(group): {sys.intern(name): value for name, value in state.items()}
        for group, state in content["states"].items()
    }
    restored = msgspec.structs.replace(transform, states=states)
    return restored, _restored_features(content, restored, messages)


def _restored_features(content: dict[str, Any], transform: FeatureTransform, messages: int) -> Tensor:
    features: Tensor = content["features"]
    if features.shape != (messages, transform.num_features):
        raise ValueError("features of another shape")
    return features


def _restored_trees(content: dict[str, Any]) -> Trees:
    trees = Trees(len(content["root"]), len(content["feature"]))
    trees.load_state_dict(content)
    return trees
