"""The policy: a multilayer perceptron from a message's features to the logits of the actions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from enron_triage.actions import ACTIONS
from enron_triage.config import DeviceName
from enron_triage.errors import UsageError


class Policy(nn.Module):
    """Hidden layers of linear map, layer norm, GELU and dropout, then a linear map to the logits.

    Parameters
    ----------
    inputs : int
        The number of features.
    hidden : sequence of int
        The widths of the hidden layers.
    dropout : float, 0 <= dropout < 1
    """

    def __init__(self, inputs: int, hidden: Sequence[int], dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(inputs, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout)]
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, len(ACTIONS)))

    def forward(self, features: Tensor) -> Tensor:
        """Logits of the actions.

        Parameters
        ----------
        features : Tensor of float32, shape (batch, inputs)

        Returns
        -------
        Tensor of float32, shape (batch, actions)
        """
        logits: Tensor = self.layers(features)
        return logits


def new_policy(inputs: int, hidden: Sequence[int], dropout: float, seed: int) -> Policy:
    """A freshly initialised policy: the same weights for the same seed, on any device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Policy(inputs, hidden, dropout)


@torch.no_grad()
def predict_logits(policy: Policy, features: Tensor, batch_size: int = 8192) -> Tensor:
    """Logits for all features, in batches, without dropout.

    Parameters
    ----------
    policy : Policy
    features : Tensor, shape (messages, inputs)
        On the policy's device.
    batch_size : int
        Bounds the memory of the hidden layers.

    Returns
    -------
    Tensor of float32, shape (messages, actions)
        On the CPU.
    """
    was_training = policy.training
    policy.eval()
    logits = [policy(batch).float().cpu() for batch in torch.split(features, batch_size)]
    policy.train(was_training)
    return torch.cat(logits)


def choose_device(name: DeviceName) -> torch.device:
    """The device to compute on; ``auto`` takes a GPU where there is one.

    Raises
    ------
    UsageError
        If the named device is not there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, there in available.items() if there))
    if not available[name]:
        raise UsageError(f"--device {name}: not available on this machine; use --device auto")
    return torch.device(name)
