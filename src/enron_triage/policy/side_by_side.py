"""Networks with the same architecture, computed together: one batched matrix product instead of one for each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


def side_by_side(networks: Sequence[nn.Sequential]) -> nn.Sequential:
    """One module that computes several networks at once.

    Parameters
    ----------
    networks : sequence of nn.Sequential
        At least one; of the same layers, of which linear maps and layer norms have weights: see `adapters.mlp`. Those
        are copied.

    Returns
    -------
    nn.Sequential
        From inputs of shape (networks, batch, inputs) to outputs of shape (networks, batch, outputs), each network
        with its own inputs.
    """
    return nn.Sequential(*[_layer(layers) for layers in zip(*networks, strict=True)])


def _layer(layers: tuple[nn.Module, ...]) -> nn.Module:
    """The layers of all networks in one place, as one; those without weights work on any shape, and the first does."""
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    norms = [layer for layer in layers if isinstance(layer, nn.LayerNorm)]
    return Linears(linear) if linear else LayerNorms(norms) if norms else layers[0]


class Linears(nn.Module):
    """Linear maps, one for each network.

    Parameters
    ----------
    layers : sequence of nn.Linear
        Those of the networks; all of the same shape.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]).contiguous())
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))

    def forward(self, values: Tensor) -> Tensor:
        """Map the values of each network.

        Parameters
        ----------
        values : Tensor, shape (networks, batch, inputs)
            The values.

        Returns
        -------
        Tensor, shape (networks, batch, outputs)
            The outputs.
        """
        return torch.baddbmm(self.bias[:, None], values, self.weight)


class LayerNorms(nn.Module):
    """Layer norms, one for each network.

    Parameters
    ----------
    layers : sequence of nn.LayerNorm
        Those of the networks; all of the same width.
    """

    def __init__(self, layers: Sequence[nn.LayerNorm]) -> None:
        super().__init__()
        self.eps = layers[0].eps
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))

    def forward(self, values: Tensor) -> Tensor:
        """Normalise the values of each network.

        torch's layer norm takes one weight and bias for all; its pass with them, once for each network, is faster than
        one without them and another to multiply and add.

        Parameters
        ----------
        values : Tensor, shape (networks, batch, width)
            The values.

        Returns
        -------
        Tensor of the same shape
            The normalised values.
        """
        each = zip(values, self.weight, self.bias, strict=True)
        normalised = [functional.layer_norm(one, one.shape[-1:], weight, bias, self.eps) for one, weight, bias in each]
        return torch.stack(normalised)
