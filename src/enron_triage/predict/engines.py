"""The engines that compute a policy for prediction: numpy on the CPU, torch on any other device."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from enron_triage.config.types import DeviceName
from enron_triage.features.feature_group import FloatArray
from enron_triage.policy.array_policy import ArrayPolicy
from enron_triage.policy.trained import TrainedPolicy, damaged, read_trained


class Engine(Protocol):
    """A policy that predicts and explains; see `array_policy.ArrayPolicy` and `inference.DevicePolicy`."""

    def logits(self, features: FloatArray) -> FloatArray:
        """Logits of the actions, shape (messages, actions).

        Parameters
        ----------
        features : array of float32, shape (messages, inputs)
            The features.
        """

    def integrated_gradients(
        self, features: FloatArray, actions: npt.NDArray[np.int64]
    ) -> tuple[FloatArray, FloatArray]:
        """What each feature adds to the log-probability of an action: see `attribution.integrated_gradients`.

        Parameters
        ----------
        features : array of float32, shape (messages, inputs)
            The features.
        actions : array of int, shape (messages,)
            For each message the class index of the action to explain.
        """


def load_policy(path: Path, device: DeviceName) -> tuple[TrainedPolicy, Engine]:
    """Read a checkpoint, and make ready what computes its policy.

    Parameters
    ----------
    path : Path
        The checkpoint's file.
    device : str
        ``cpu`` and ``auto`` compute with numpy. Other devices need torch, which takes seconds to import.

    Raises
    ------
    UsageError
        If the file is missing or damaged, or the device is not available.
    """
    if device in ("cpu", "auto"):
        trained = read_trained(path)
        try:
            return trained, ArrayPolicy(trained.model, trained.weights)
        except ValueError as error:
            raise damaged(path, error) from None
    from enron_triage.policy.checkpoint import load_checkpoint
    from enron_triage.policy.inference import DevicePolicy, choose_device

    chosen, checkpoint = choose_device(device), load_checkpoint(path)
    return checkpoint.trained, DevicePolicy(checkpoint.policy(chosen), chosen)
