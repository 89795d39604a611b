"""Temperature scaling: one number, fitted on validation, that makes probabilities honest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

FloatArray = npt.NDArray[np.float64]

_LOG_RANGE = (-4.0, 4.0)  # of log temperature: far beyond what any policy here has needed


def fit_temperature(logits: npt.NDArray[np.floating], targets: npt.NDArray[np.int64]) -> float:
    """The temperature of least negative log-likelihood (Guo et al. 2017, section 4.2).

    Parameters
    ----------
    logits : array, shape (messages, classes)
    targets : array of int, shape (messages,)

    Returns
    -------
    float > 0
        1 where there is nothing to fit on.
    """
    if not len(targets):
        return 1.0
    rows = np.arange(len(targets))
    values = np.asarray(logits, dtype=np.float64)

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(values / np.exp(log_temperature), axis=1)[rows, targets].mean())

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded").x))


def calibrated(logits: npt.NDArray[np.floating], temperature: float) -> FloatArray:
    """Probabilities at a temperature, shape (messages, classes)."""
    return np.asarray(softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1))
