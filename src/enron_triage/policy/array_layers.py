"""The layers of a policy's networks on numpy arrays, each with its derivative: prediction needs no torch.

A function gives its value and its *pullback*: from the gradient of anything with respect to the value, the gradient
with respect to the input (reverse-mode differentiation: Griewank and Walther 2008, chapter 3). Arrays are of float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Pullback = Callable[[FloatArray], FloatArray]

_EPSILON = 1e-5  # added to the variance by layer norm, as torch's does by default

# erf(x) is near x p(x ** 2) / q(x ** 2): the coefficients of Eigen (generic_fast_erf_float), constant term last.
_ERF_LIMIT = 4.0  # beyond it erf is 1 in float32
_ERF_P: tuple[float, ...] = (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05)
_ERF_P += (-7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02)
_ERF_Q: tuple[float, ...] = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03)
_ERF_Q += (-1.42647390514189e-02,)
_ROOT_HALF = math.sqrt(0.5)


def erf(values: FloatArray) -> FloatArray:
    """The error function, to 4e-7; importing scipy's takes longer than a thousand predictions.

    Parameters
    ----------
    values : array of float32
        Any numbers.
    """
    cut = np.clip(values, -_ERF_LIMIT, _ERF_LIMIT)
    square = cut * cut
    cut *= _polynomial(_ERF_P, square)
    cut /= _polynomial(_ERF_Q, square)
    return cut


def _polynomial(coefficients: tuple[float, ...], values: FloatArray) -> FloatArray:
    """By Horner's rule."""
    total = values * np.float32(coefficients[0])
    for coefficient in coefficients[1:-1]:
        total += np.float32(coefficient)
        total *= values
    total += np.float32(coefficients[-1])
    return total


def gelu(values: FloatArray) -> tuple[FloatArray, Pullback]:
    """Gaussian error linear units: x times the normal distribution function of x (Hendrycks and Gimpel 2016).

    Parameters
    ----------
    values : array of float32
        The units' inputs.

    Returns
    -------
    outputs : array of the same shape
        The units' outputs.
    pullback : callable
        See the module.
    """
    share = erf(values * np.float32(_ROOT_HALF))
    share += np.float32(1)
    share *= np.float32(0.5)

    def pullback(gradient: FloatArray) -> FloatArray:
        slope = values * values
        slope *= np.float32(-0.5)
        np.exp(slope, out=slope)
        slope *= values
        slope *= np.float32(1 / math.sqrt(2 * math.pi))
        slope += share
        slope *= gradient
        return slope

    return values * share, pullback


def layer_norm(values: FloatArray, weight: FloatArray, bias: FloatArray) -> tuple[FloatArray, Pullback]:
    """Layer norm along the last axis (Ba et al. 2016).

    Parameters
    ----------
    values : array of float32, shape (..., width)
        What is to be normalised.
    weight, bias : array of float32, of a shape that broadcasts with `values`
        Multiplies and is added to the normalised values.

    Returns
    -------
    outputs : array of the same shape
        The normalised values.
    pullback : callable
        See the module.
    """
    normal = values - values.mean(axis=-1, keepdims=True)
    variance = np.einsum("...i,...i->...", normal, normal)[..., None] / np.float32(values.shape[-1])
    scale = 1 / np.sqrt(variance + np.float32(_EPSILON))
    normal *= scale

    def pullback(gradient: FloatArray) -> FloatArray:
        inner = gradient * weight
        along = np.einsum("...i,...i->...", inner, normal)[..., None] / np.float32(values.shape[-1])
        inner -= inner.mean(axis=-1, keepdims=True)
        inner -= normal * along
        inner *= scale
        return inner

    outputs = normal * weight
    outputs += bias
    return outputs, pullback


def log_softmax(values: FloatArray) -> tuple[FloatArray, Pullback]:
    """The logarithm of the softmax along the last axis.

    Parameters
    ----------
    values : array of float32, shape (..., classes)
        Logits.

    Returns
    -------
    log_probabilities : array of the same shape
        Their exponentials add up to 1.
    pullback : callable
        See the module.
    """
    below = values - values.max(axis=-1, keepdims=True)
    log_p: FloatArray = below - np.log(np.exp(below).sum(axis=-1, keepdims=True))

    def pullback(gradient: FloatArray) -> FloatArray:
        passed: FloatArray = gradient - np.exp(log_p) * gradient.sum(axis=-1, keepdims=True)
        return passed

    return log_p, pullback


def log_mean_exp(values: FloatArray) -> tuple[FloatArray, Pullback]:
    """The logarithm of the mean of exponentials along the first axis: the mean of members' probabilities.

    Parameters
    ----------
    values : array of float32, shape (members, ...)
        Log-probabilities by each member.

    Returns
    -------
    log_mean : array of float32, shape (...)
        Those of the members together.
    pullback : callable
        See the module.
    """
    most = values.max(axis=0)
    total: FloatArray = np.log(np.exp(values - most).sum(axis=0)) + most

    def pullback(gradient: FloatArray) -> FloatArray:
        passed: FloatArray = np.exp(values - total) * gradient
        return passed

    return total - np.float32(math.log(len(values))), pullback


def two_stages(outputs: FloatArray, responses: int) -> tuple[FloatArray, Pullback]:
    """Log-probabilities of the actions from three decisions: respond or not, which response, which other action.

    Parameters
    ----------
    outputs : array of float32, shape (..., 1 + actions)
        The logit of responding, then the logits of the actions, responses first.
    responses : int
        How many of the actions are responses.

    Returns
    -------
    log_probabilities : array of float32, shape (..., actions)
        Those of all actions.
    pullback : callable
        See the module.
    """
    respond = outputs[..., :1]
    response, pull_response = log_softmax(outputs[..., 1 : 1 + responses])
    aside, pull_aside = log_softmax(outputs[..., 1 + responses :])
    does, does_not = -np.logaddexp(0, -respond), -np.logaddexp(0, respond)

    def pullback(gradient: FloatArray) -> FloatArray:
        of_response, of_aside = gradient[..., :responses], gradient[..., responses:]
        slope = of_response.sum(axis=-1, keepdims=True) * np.exp(does_not)
        slope -= of_aside.sum(axis=-1, keepdims=True) * np.exp(does)
        return np.concatenate([slope, pull_response(of_response), pull_aside(of_aside)], axis=-1)

    return np.concatenate([does + response, does_not + aside], axis=-1), pullback


class HiddenLayer(NamedTuple):
    """What follows a linear map: its bias, layer norm and GELU, and the next linear map without its bias."""

    bias: FloatArray  # shape (networks, 1, width)
    norm_weight: FloatArray  # likewise
    norm_bias: FloatArray  # likewise
    following: FloatArray  # shape (networks, width, outputs)


class ArrayNetworks(NamedTuple):
    """Networks of one form, side by side: see `adapters.mlp` and `side_by_side`.

    Attributes
    ----------
    first : array of float32, shape (networks, inputs, width)
        The first linear map, without its bias. It is applied by the caller: along a line through the origin of the
        inputs, what it gives is proportional, and need be computed once only.
    hidden : list of HiddenLayer
        The hidden layers.
    bias : array of float32, shape (networks, 1, outputs)
        Added to the outputs.
    """

    first: FloatArray
    hidden: list[HiddenLayer]
    bias: FloatArray

    def outputs(self, mapped: FloatArray) -> tuple[FloatArray, Pullback]:
        """The networks' outputs.

        Parameters
        ----------
        mapped : array of float32, shape (networks, batch, width)
            What the first linear map gives.

        Returns
        -------
        outputs : array of float32, shape (networks, batch, outputs)
            Each network's own.
        pullback : callable
            See the module.
        """
        pullbacks: list[Pullback] = []
        values = mapped
        for layer in self.hidden:
            values, pull_norm = layer_norm(values + layer.bias, layer.norm_weight, layer.norm_bias)
            values, pull_gelu = gelu(values)
            pullbacks += [pull_norm, pull_gelu, _pull_linear(layer.following)]
            values = values @ layer.following

        def pullback(gradient: FloatArray) -> FloatArray:
            for pull in reversed(pullbacks):
                gradient = pull(gradient)
            return gradient

        return values + self.bias, pullback


def _pull_linear(weight: FloatArray) -> Pullback:
    return lambda gradient: gradient @ weight.swapaxes(-1, -2)
