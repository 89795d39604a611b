"""Calibration: from logits to probabilities that match how often the actions occur."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.records import ACTIONS

FloatArray = npt.NDArray[np.float64]

_LOG_RANGE = (-4.0, 4.0)  # bounds of the log temperature: far beyond what any policy here has needed


class Calibration(msgspec.Struct, kw_only=True, frozen=True):
    """A shift of the logits that is known from training, and a temperature that is fitted on validation.

    Attributes
    ----------
    temperature : float > 0
        Divides the shifted logits (Guo et al. 2017, section 4.2).
    shift : list of float, length 5
        Added to the logits, in class order. A policy trained with class weights w learns probabilities
        in proportion to w x p; the shift -log w gives p back (Menon et al. 2021, section 3).
    """

    temperature: float = 1.0
    shift: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(ACTIONS))

    @classmethod
    def fit(
        cls, logits: npt.NDArray[np.floating], targets: npt.NDArray[np.int64], shift: npt.ArrayLike | None = None
    ) -> Calibration:
        """Find the temperature of least negative log-likelihood.

        Parameters
        ----------
        logits : array, shape (messages, actions)
            The policy's logits for the validation messages.
        targets : array of int, shape (messages,)
            The index of each message's action; without any message the temperature is 1.
        shift : array-like, shape (actions,), optional
            The shift; by default zeros.

        Returns
        -------
        Calibration
            The shift, with the temperature found.
        """
        known = np.zeros(len(ACTIONS)) if shift is None else np.asarray(shift, dtype=np.float64)
        if not len(targets):
            return cls(shift=known.tolist())
        from scipy.optimize import minimize_scalar  # takes a while to import, and prediction does without

        rows = np.arange(len(targets))
        values = np.asarray(logits, dtype=np.float64) + known

        def loss(log_temperature: float) -> float:
            return float(-_log_softmax(values / np.exp(log_temperature))[rows, targets].mean())

        temperature = np.exp(minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded").x)
        return cls(temperature=float(temperature), shift=known.tolist())

    def log_probabilities(self, logits: npt.NDArray[np.floating]) -> FloatArray:
        """Calibrated log-probabilities of the actions.

        Parameters
        ----------
        logits : array, shape (messages, actions)
            The policy's logits.

        Returns
        -------
        array of float, shape (messages, actions)
            The log-probabilities.
        """
        values = (np.asarray(logits, dtype=np.float64) + np.asarray(self.shift)) / self.temperature
        return _log_softmax(values)

    def probabilities(self, logits: npt.NDArray[np.floating]) -> FloatArray:
        """Calibrated probabilities of the actions.

        Parameters
        ----------
        logits : array, shape (messages, actions)
            The policy's logits.

        Returns
        -------
        array of float, shape (messages, actions)
            The probabilities.
        """
        return np.exp(self.log_probabilities(logits))


def _log_softmax(values: FloatArray) -> FloatArray:
    """As `scipy.special.log_softmax` along the rows, whose import takes longer than a thousand predictions."""
    below = values - values.max(axis=1, keepdims=True)
    return np.asarray(below - np.log(np.exp(below).sum(axis=1, keepdims=True)))
