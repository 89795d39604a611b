"""Running a policy: its logits for many messages, and the device to compute them on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from enron_triage.config.types import DeviceName
from enron_triage.errors import UsageError
from enron_triage.policy.array_layers import FloatArray
from enron_triage.policy.attribution import integrated_gradients
from enron_triage.policy.network import Policy

# Messages at a time. On a processor, the hidden layers of more do not fit into its cache, and the memory for them is
# taken from the system and given back for every layer.
_BATCH_ON_CPU, _BATCH = 1024, 8192


@torch.no_grad()
def predict_logits(
    policy: Policy, features: Tensor, tree_log_probs: Tensor | None = None, batch_size: int | None = None
) -> Tensor:
    """Logits for all features, in batches, without dropout.

    Parameters
    ----------
    policy : Policy
        The policy; it is left in the mode (training or evaluation) that it was in.
    features : Tensor, shape (messages, inputs)
        The features, on the policy's device.
    tree_log_probs : Tensor, shape (messages, actions), optional
        What `Policy.tree_log_probs` gives for these features, where it was computed before.
    batch_size : int, optional
        The number of messages at a time, which bounds the memory of the hidden layers; by default 1,024 on a CPU, 8,192
        on a GPU.

    Returns
    -------
    Tensor of float32, shape (messages, actions)
        The logits, on the CPU.
    """
    was_training = policy.training
    policy.eval()
    batch_size = batch_size or (_BATCH_ON_CPU if features.device.type == "cpu" else _BATCH)
    logits = [
        policy(features[rows], None if tree_log_probs is None else tree_log_probs[rows]).float().cpu()
        for rows in torch.split(torch.arange(len(features), device=features.device), batch_size)
    ]
    policy.train(was_training)
    return torch.cat(logits)


class DevicePolicy:
    """A policy on a device, with the methods of `array_policy.ArrayPolicy`.

    Parameters
    ----------
    policy : Policy
        The policy, in evaluation mode.
    device : torch.device
        Where it is.
    """

    def __init__(self, policy: Policy, device: torch.device) -> None:
        self._policy = policy
        self._device = device

    def logits(self, features: FloatArray) -> FloatArray:
        """Logits of the actions: see `predict_logits`.

        Parameters
        ----------
        features : array of float32, shape (messages, inputs)
            The features.
        """
        logits: FloatArray = predict_logits(self._policy, torch.from_numpy(features).to(self._device)).numpy()
        return logits

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
        there = (torch.from_numpy(values).to(self._device) for values in (features, actions))
        attributions, gradients = integrated_gradients(self._policy, *there)
        return attributions.cpu().numpy(), gradients.cpu().numpy()


def choose_device(name: DeviceName) -> torch.device:
    """The device to compute on.

    Parameters
    ----------
    name : str
        ``cpu``, ``cuda``, ``mps``, or one of several GPUs by its number (``cuda:1``); ``auto`` takes a GPU where there
        is one.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    UsageError
        If the named device is not available.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, there in available.items() if there))
    kind, colon, number = name.partition(":")
    if kind not in available or (colon and not (kind == "cuda" and number.isdecimal())):
        raise UsageError(f"--device {name}: no such device; use auto, cpu, cuda, cuda:1 (a GPU's number) or mps")
    if not available[kind]:
        raise UsageError(f"--device {name}: not available on this machine; use --device auto")
    if number and int(number) >= torch.cuda.device_count():
        there = ", ".join(f"cuda:{index}" for index in range(torch.cuda.device_count()))
        raise UsageError(f"--device {name}: no such GPU on this machine; there are: {there}")
    return torch.device(name)
