"""Calibration: from logits to probabilities that match how often the actions occur."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.records import ACTIONS

FloatArray = npt.NDArray[np.float64]

_LOG_RANGE = (-4.0, 4.0)  # bounds of the log temperature: far beyond what any policy here has needed
# How sure it is, before any message is seen, that the temperature is about 1: the log temperature is normal with mean 0
# and variance 1 / this. It takes some dozen messages to move it, and makes no difference to thousands. A policy that
# was calibrated before is surer of its temperature. Both from small samples of real mailboxes: see TRAINING_LOG.md.
_PRECISION, _PRECISION_OF_START = 16.0, 64.0
# So many further messages, each with an action drawn by the class prior, are reckoned with besides those that were
# seen: the rule of succession.
_PSEUDO_MESSAGES = 1.0


class Calibration(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A shift of the logits that is known from training, a temperature, and how far not to trust the result.

    The temperature is fitted on validation. A few messages that happen to be predicted well would make it so small
    that everything is certain; hence `Evidence`, with which it is the most probable one given a prior distribution
    that is centred at 1, and with which no probability is further from the class prior than so few messages can show.

    Attributes
    ----------
    temperature : float > 0
        Divides the shifted logits (Guo et al. 2017, section 4.2).
    shift : list of float, length 5
        Added to the logits, in class order. A policy trained with class weights w learns probabilities
        in proportion to w x p; the shift -log w gives p back (Menon et al. 2021, section 3).
    prior_weight : float, 0 <= prior_weight <= 1
        The share of the class prior in the probabilities; 0 leaves them as they are.
    prior : list of float, length 5
        The class prior, in class order: positive, with the sum 1; empty where it has no share.
    """

    temperature: float = 1.0
    shift: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(ACTIONS))
    prior_weight: float = 0.0
    prior: list[float] = []

    @classmethod
    def fit(
        cls,
        logits: npt.NDArray[np.floating],
        targets: npt.NDArray[np.int64],
        shift: npt.ArrayLike | None = None,
        evidence: Evidence | None = None,
    ) -> Calibration:
        """Find the most probable temperature.

        Parameters
        ----------
        logits : array, shape (messages, actions)
            The policy's logits for the validation messages.
        targets : array of int, shape (messages,)
            The index of each message's action; without any message the temperature is that of the evidence, or 1.
        shift : array-like, shape (actions,), optional
            The shift; by default zeros.
        evidence : Evidence, optional
            What is known besides these messages. Without it, the temperature is that of the greatest likelihood, and
            the probabilities are not mixed with the class prior.

        Returns
        -------
        Calibration
            The shift, with the temperature found, and the class prior with its share.
        """
        known = np.zeros(len(ACTIONS)) if shift is None else np.asarray(shift, dtype=np.float64)
        mean, precision = (0.0, 0.0) if evidence is None else (np.log(evidence.temperature), evidence.precision)
        log_temperature = float(mean)
        if len(targets):
            from scipy.optimize import minimize_scalar  # takes a while to import, and prediction does without

            rows = np.arange(len(targets))
            values = np.asarray(logits, dtype=np.float64) + known

            def loss(log_temperature: float) -> float:
                likelihood = _log_softmax(values / np.exp(log_temperature))[rows, targets].sum()
                return float(precision * (log_temperature - mean) ** 2 / 2 - likelihood) / len(targets)

            log_temperature = float(minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded").x)
        mixed = {} if evidence is None else evidence.mixture(len(targets))
        return cls(temperature=float(np.exp(log_temperature)), shift=known.tolist(), **mixed)

    @property
    def has_possible_prior(self) -> bool:
        """Whether the class prior can be mixed in: a distribution with no action left out, if it has a share."""
        if not self.prior_weight:
            return True
        possible = len(self.prior) == len(ACTIONS) and min(self.prior) > 0 and abs(sum(self.prior) - 1) < 1e-6
        return possible and 0 < self.prior_weight <= 1

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
        found = _log_softmax(values)
        if not self.prior_weight:
            return found
        share = self.prior_weight
        return np.asarray(np.log((1 - share) * np.exp(found) + share * np.asarray(self.prior)))

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


class Evidence(msgspec.Struct, kw_only=True, frozen=True):
    """What is known of a policy before it is calibrated.

    Attributes
    ----------
    class_counts : list of float, length 5
        How many train messages have each action. Their shares, each action counted once more (Laplace's rule of
        succession), are the class prior.
    temperature : float > 0
        What the temperature would be without any message: 1, or that of the policy that training went on from.
    precision : float >= 0
        How sure that is: 1 / the variance of the log temperature.
    messages : float >= 0
        How many messages that policy was calibrated on.
    """

    class_counts: list[float]
    temperature: float = 1.0
    precision: float = _PRECISION
    messages: float = 0.0

    def mixture(self, messages: int) -> dict[str, Any]:
        """The class prior and its share in the probabilities.

        Parameters
        ----------
        messages : int >= 0
            How many messages the policy is calibrated on.

        Returns
        -------
        dict
            ``prior_weight`` and ``prior`` of `Calibration`.
        """
        counts = np.asarray(self.class_counts, dtype=np.float64) + 1
        weight = _PSEUDO_MESSAGES / (_PSEUDO_MESSAGES + self.messages + messages)
        return {"prior_weight": weight, "prior": (counts / counts.sum()).tolist()}

    @classmethod
    def of_start(cls, calibration: Calibration, class_counts: list[float]) -> Evidence:
        """What is known of a policy that training goes on from.

        Parameters
        ----------
        calibration : Calibration
            Of that policy.
        class_counts : list of float, length 5
            How many train messages have each action.
        """
        share = calibration.prior_weight
        messages = _PSEUDO_MESSAGES * (1 - share) / share if share else 0.0
        return cls(
            class_counts=class_counts,
            temperature=calibration.temperature,
            precision=_PRECISION_OF_START,
            messages=messages,
        )


def _log_softmax(values: FloatArray) -> FloatArray:
    """As `scipy.special.log_softmax` along the rows, whose import takes longer than a thousand predictions."""
    below = values - values.max(axis=1, keepdims=True)
    return np.asarray(below - np.log(np.exp(below).sum(axis=1, keepdims=True)))
