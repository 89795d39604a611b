"""A trained policy on numpy arrays: what `network.Policy` computes, for prediction without torch.

The layers are in `array_layers`, the trees in `tree_plan`. A test compares logits and gradients with `network.Policy`
for every form that a policy can have.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from enron_triage.policy.array_layers import (
    ArrayNetworks,
    FloatArray,
    HiddenLayer,
    Pullback,
    log_mean_exp,
    log_softmax,
    two_stages,
)
from enron_triage.policy.gauss_legendre import path_points
from enron_triage.policy.spec import RESPONSES, PolicySpec
from enron_triage.policy.tree_plan import ArrayTrees
from enron_triage.records import ACTIONS
from enron_triage.runtime.threads import one_blas_thread

_ROWS = 128  # evaluated at a time: enough for matrix products, few enough for the processor's cache
_TREE_TENSORS = ("root", "action", "feature", "threshold", "left", "right", "value", "base", "depth")

# OpenBLAS may set the flag of an invalid value for lanes of a vector that it does not use (OpenBLAS#1924, numpy#24067).
_OF_BLAS: Literal["ignore"] = "ignore"

IntArray = npt.NDArray[np.int64]


class _Calibration(NamedTuple):
    shift: FloatArray
    scale: FloatArray


class _Residual(NamedTuple):
    networks: ArrayNetworks  # its first linear map is that of the features alone
    of_probabilities: FloatArray  # the first linear map of the probabilities below, shape (actions, width)
    calibration: _Calibration


class ArrayPolicy:
    """A policy that can predict and explain, but not be trained.

    Parameters
    ----------
    spec : PolicySpec
        The form of the policy.
    weights : mapping of str to array
        Its parameters and buffers: the ``state_dict`` of `network.Policy`.

    Raises
    ------
    ValueError
        If the weights do not fit the form.
    """

    def __init__(self, spec: PolicySpec, weights: Mapping[str, npt.NDArray[np.generic]]) -> None:
        loading = _Weights(weights)
        outputs = len(ACTIONS) + (spec.stages == "two")
        self._stages = spec.stages
        self._members = loading.networks("members", spec.ensemble, (spec.inputs, *spec.hidden, outputs))
        self._trees = ArrayTrees(loading.trees(spec.trees, spec.nodes), spec.inputs) if spec.trees else None
        self._calibration = loading.calibration("calibration")
        self._residuals = [
            loading.residual(f"residuals.{number}", spec.inputs, width) for number, width in enumerate(spec.residuals)
        ]
        loading.finish()
        self._first = [self._members.first, *(residual.networks.first for residual in self._residuals)]

    def logits(self, features: FloatArray) -> FloatArray:
        """Logits of the actions.

        Parameters
        ----------
        features : array of float32, shape (messages, inputs)
            The features.

        Returns
        -------
        array of float32, shape (messages, actions)
            The logits.
        """
        of_trees = None if self._trees is None else log_softmax(self._trees.logits(features))[0]
        with one_blas_thread(), np.errstate(invalid=_OF_BLAS):
            parts = [
                self._logits(features[rows], None if of_trees is None else of_trees[rows])
                for rows in (slice(start, start + _ROWS) for start in range(0, len(features), _ROWS))
            ]
        return np.concatenate(parts) if parts else np.empty((0, len(ACTIONS)), dtype=np.float32)

    def integrated_gradients(self, features: FloatArray, actions: IntArray) -> tuple[FloatArray, FloatArray]:
        """What each feature adds to the log-probability of an action: see `attribution.integrated_gradients`.

        Parameters
        ----------
        features : array of float32, shape (messages, inputs)
            The features.
        actions : array of int, shape (messages,)
            For each message the class index of the action to explain.

        Returns
        -------
        attributions : array of float32, shape (messages, inputs)
            What each feature adds.
        gradients : array of float32, shape (messages, inputs)
            The mean gradients along the path.
        """
        rows = max(_ROWS // len(path_points()[0]), 1)
        with one_blas_thread(), np.errstate(invalid=_OF_BLAS):
            parts = [
                self._mean_gradients(features[start : start + rows], actions[start : start + rows])
                for start in range(0, len(features), rows)
            ]
        gradients = np.concatenate(parts) if parts else np.zeros_like(features)
        return gradients * features, gradients

    def _logits(self, features: FloatArray, of_trees: FloatArray | None) -> FloatArray:
        mapped = [features @ first for first in self._first]
        joint, _ = self._member_logits(mapped[0])
        if of_trees is not None:
            joint = np.logaddexp(log_softmax(joint)[0], of_trees) - np.float32(math.log(2))
        return self._refined(joint, mapped[1:])[0]

    def _mean_gradients(self, features: FloatArray, actions: IntArray) -> FloatArray:
        """Of the log-probabilities of the actions, along the straight path from 0, for the networks alone.

        The path's points are rows beside each other. Along it, what a first linear map gives is proportional to the
        place, and the gradients are added before they go back through it: it costs as much as for one point.
        """
        points, shares = path_points()
        where = points[:, None, None]
        mapped = [_rows((features @ first)[:, None] * where) for first in self._first]
        joint, pull_members = self._member_logits(mapped[0])
        logits, pull_refined = self._refined(joint, mapped[1:])
        log_p, pull_log_p = log_softmax(logits)
        chosen = np.zeros_like(log_p)
        chosen[np.arange(len(log_p)), np.tile(actions, len(points))] = np.repeat(shares, len(features))
        of_joint, of_mapped = pull_refined(pull_log_p(chosen))
        total = np.zeros_like(features)
        for first, gradient in zip(self._first, [pull_members(of_joint), *of_mapped], strict=True):
            added = gradient.reshape(len(first), len(points), len(features), -1).sum(axis=1)
            total += (added @ first.swapaxes(-1, -2)).sum(axis=0)
        return total

    def _member_logits(self, mapped: FloatArray) -> tuple[FloatArray, Pullback]:
        """Logits by the networks together, from what their first linear maps give."""
        outputs, pull_networks = self._members.outputs(mapped)
        pullbacks = [pull_networks]
        if self._stages == "two":
            outputs, pull = two_stages(outputs, len(RESPONSES))
            pullbacks.append(pull)
        if len(outputs) > 1:
            log_p, pull_log_p = log_softmax(outputs)
            outputs, pull_mean = log_mean_exp(log_p)
            pullbacks += [pull_log_p, pull_mean]
        else:
            outputs = outputs[0]
            pullbacks.append(lambda gradient: gradient[None])

        def pullback(gradient: FloatArray) -> FloatArray:
            for pull in reversed(pullbacks):
                gradient = pull(gradient)
            return gradient

        return outputs, pullback

    def _refined(self, logits: FloatArray, mapped: list[FloatArray]) -> tuple[FloatArray, _PullRefined]:
        """What calibration and residuals make of the members' logits; the residuals' first maps are given."""
        logits = (logits + self._calibration.shift) * self._calibration.scale
        pullbacks = []
        for residual, of_features in zip(self._residuals, mapped, strict=True):
            log_p, pull_log_p = log_softmax(logits)
            probabilities: FloatArray = np.exp(log_p)
            added, pull_network = residual.networks.outputs(of_features + probabilities @ residual.of_probabilities)
            logits = (logits + added[0] + residual.calibration.shift) * residual.calibration.scale
            pullbacks.append(_PullResidual(residual, probabilities, pull_log_p, pull_network))
        return logits, _PullRefined(self._calibration.scale, pullbacks)


def _rows(values: FloatArray) -> FloatArray:
    """Points of a path and messages, shape (networks, points, messages, width), as rows."""
    return values.reshape(len(values), -1, values.shape[-1])


class _PullResidual(NamedTuple):
    residual: _Residual
    probabilities: FloatArray
    pull_log_p: Pullback
    pull_network: Pullback

    def __call__(self, gradient: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The gradients of the logits below, and of what the first linear map gives for the features."""
        gradient = gradient * self.residual.calibration.scale
        of_mapped = self.pull_network(gradient[None])
        of_probabilities = of_mapped[0] @ self.residual.of_probabilities.T
        return gradient + self.pull_log_p(of_probabilities * self.probabilities), of_mapped


class _PullRefined(NamedTuple):
    scale: FloatArray
    residuals: list[_PullResidual]

    def __call__(self, gradient: FloatArray) -> tuple[FloatArray, list[FloatArray]]:
        """The gradients of the members' logits, and of what each residual's first linear map gives."""
        of_mapped = []
        for pull in reversed(self.residuals):
            gradient, of_features = pull(gradient)
            of_mapped.append(of_features)
        return gradient * self.scale, of_mapped[::-1]


class _Weights:
    """Takes weights by name, checks their shapes, and in the end that none is left over."""

    def __init__(self, weights: Mapping[str, npt.NDArray[np.generic]]) -> None:
        self._left = dict(weights)

    def take(self, name: str, shape: tuple[int, ...]) -> FloatArray:
        return self._any(name, shape).astype(np.float32)

    def _any(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
        if name not in self._left:
            raise ValueError(f"the weights lack {name}")
        weight = self._left.pop(name)
        if weight.shape != shape:
            raise ValueError(f"the weights {name} have shape {weight.shape} in place of {shape}")
        return weight

    def finish(self) -> None:
        if self._left:
            raise ValueError(f"the weights {min(self._left)} do not belong to the policy")

    def calibration(self, prefix: str) -> _Calibration:
        return _Calibration(self.take(f"{prefix}.shift", (len(ACTIONS),)), self.take(f"{prefix}.scale", ()))

    def trees(self, trees: int, nodes: int) -> dict[str, npt.NDArray[np.generic]]:
        shapes = {"root": (trees,), "action": (trees,), "base": (len(ACTIONS),), "depth": ()}
        return {name: self._any(f"trees.{name}", shapes.get(name, (nodes,))) for name in _TREE_TENSORS}

    def networks(self, prefix: str, count: int, widths: tuple[int, ...]) -> ArrayNetworks:
        """Networks side by side: a layer in four places, with a linear map, a layer norm, GELU and dropout."""
        maps = [
            (
                self.take(f"{prefix}.{4 * place}.weight", (count, inputs, outputs)),
                self.take(f"{prefix}.{4 * place}.bias", (count, outputs))[:, None],
            )
            for place, (inputs, outputs) in enumerate(itertools.pairwise(widths))
        ]
        norms = [
            [self.take(f"{prefix}.{4 * place + 1}.{part}", (count, width))[:, None] for part in ("weight", "bias")]
            for place, width in enumerate(widths[1:-1])
        ]
        hidden = [
            HiddenLayer(bias, norm_weight, norm_bias, following)
            for (_, bias), (norm_weight, norm_bias), (following, _) in zip(maps, norms, maps[1:], strict=False)
        ]
        return ArrayNetworks(maps[0][0], hidden, maps[-1][1])

    def residual(self, prefix: str, inputs: int, width: int) -> _Residual:
        """A residual adapter: its network stands alone, with linear maps as torch stores them."""
        actions = len(ACTIONS)
        network = f"{prefix}.network"
        first = self.take(f"{network}.0.weight", (width, inputs + actions)).T
        last = self.take(f"{network}.4.weight", (actions, width)).T
        bias, last_bias = self.take(f"{network}.0.bias", (width,)), self.take(f"{network}.4.bias", (actions,))
        norm_weight, norm_bias = (self.take(f"{network}.1.{part}", (width,)) for part in ("weight", "bias"))
        hidden = HiddenLayer(bias[None, None], norm_weight[None, None], norm_bias[None, None], last[None])
        networks = ArrayNetworks(first[None, :inputs], [hidden], last_bias[None, None])
        return _Residual(networks, first[inputs:], self.calibration(f"{prefix}.calibration"))
