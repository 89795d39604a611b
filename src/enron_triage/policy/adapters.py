"""Layers that post-training adds to a policy: a calibration that becomes part of it, and residual networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from enron_triage.policy.dropout import Dropout
from enron_triage.records import ACTIONS


def mlp(inputs: int, hidden: Sequence[int], dropout: float, outputs: int) -> nn.Sequential:
    """A multilayer perceptron: hidden layers of linear map, layer norm, GELU and dropout, then a linear map.

    Parameters
    ----------
    inputs : int
        The number of inputs.
    hidden : sequence of int
        The widths of the hidden layers.
    dropout : float, 0 <= dropout < 1
        The probability with which a hidden unit is dropped in training.
    outputs : int
        The number of outputs.

    Returns
    -------
    nn.Sequential
        The network, freshly initialised.
    """
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.LayerNorm(width), nn.GELU(), Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class CalibrationLayer(nn.Module):
    """A calibration that has become part of a policy: logits are shifted, then scaled."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(len(ACTIONS)))
        self.register_buffer("scale", torch.ones(()))
        self.shift: Tensor
        self.scale: Tensor

    def forward(self, logits: Tensor) -> Tensor:
        """Calibrate logits.

        Parameters
        ----------
        logits : Tensor, shape (batch, actions)
            The logits below this layer.

        Returns
        -------
        Tensor, shape (batch, actions)
            The calibrated logits.
        """
        return (logits + self.shift) * self.scale

    def fold_calibration(self, shift: Sequence[float], temperature: float) -> None:
        """Take in a further calibration, which is applied after what is there already.

        Parameters
        ----------
        shift : sequence of float, length 5
            Added to the logits: see `Calibration`.
        temperature : float > 0
            Divides the shifted logits: see `Calibration`.
        """
        self.shift += torch.tensor(shift, dtype=torch.float32, device=self.shift.device) / self.scale
        self.scale /= temperature


class ResidualAdapter(nn.Module):
    """A small network on top of a policy, which adds to its logits; at first it adds zero.

    It sees the features and the policy's probabilities. Training it alone refines a policy without losing what trees
    and networks know together (adapters: Houlsby et al. 2019).

    Parameters
    ----------
    inputs : int
        The number of features.
    width : int
        The width of the hidden layer.
    dropout : float, 0 <= dropout < 1
        The probability with which a hidden unit is dropped in training.
    """

    def __init__(self, inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.network = mlp(inputs + len(ACTIONS), [width], dropout, len(ACTIONS))
        last = self.network[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.calibration = CalibrationLayer()

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """Refine a policy's logits.

        Parameters
        ----------
        features : Tensor, shape (batch, inputs)
            The policy's features.
        logits : Tensor, shape (batch, actions)
            The logits below this adapter.

        Returns
        -------
        Tensor, shape (batch, actions)
            The refined logits.
        """
        refined: Tensor = self.calibration(
            logits + self.network(torch.cat([features, torch.softmax(logits, dim=-1)], dim=-1))
        )
        return refined
