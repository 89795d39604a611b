"""The policy: networks, and boosted trees beside them, from a message's features to the logits of the actions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, logsigmoid

from enron_triage.config.types import DecisionStages, DeviceName
from enron_triage.errors import UsageError
from enron_triage.policy.trees import Trees
from enron_triage.records import ACTIONS, Action

_RESPONSES = (Action.REPLY_NOW, Action.REPLY_LATER, Action.FORWARD)  # the first in class order


class Policy(nn.Module):
    """One or more members that look at the same features; together they give the mean of their probabilities.

    Each has hidden layers of linear map, layer norm, GELU and dropout, then a linear map.

    Parameters
    ----------
    inputs : int
        The number of features.
    hidden : sequence of int
        The widths of the hidden layers.
    dropout : float, 0 <= dropout < 1
    stages : {"one", "two"}
        ``one``: a softmax over the actions. ``two``: whether to respond (reply or forward), then which
        response, or which way to put the message aside.
    ensemble : int
        The number of members, which differ in their initial weights and dropout.
    trees, nodes : int
        The size of a further member of gradient-boosted trees, see `set_trees`; it has half of the say.
    residuals : sequence of int
        The widths of what refining stages put on top, see `ResidualAdapter`.
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        dropout: float,
        stages: DecisionStages = "one",
        ensemble: int = 1,
        trees: int = 0,
        nodes: int = 0,
        residuals: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.stages = stages
        outputs = len(ACTIONS) + (stages == "two")
        self.members = nn.ModuleList(_member(inputs, hidden, dropout, outputs) for _ in range(ensemble))
        self.trees = Trees(trees, nodes) if trees else None
        self.calibration = CalibrationLayer()
        self.residuals = nn.ModuleList(ResidualAdapter(inputs, width, dropout) for width in residuals)

    def forward(self, features: Tensor, fitted: Tensor | None = None) -> Tensor:
        """Logits of the actions.

        Parameters
        ----------
        features : Tensor of float32, shape (batch, inputs)
        fitted : Tensor, shape (batch, actions), optional
            What `tree_log_probabilities` gives for these features, if it is at hand.

        Returns
        -------
        Tensor of float32, shape (batch, actions)
        """
        joint = self.network_logits(features)
        fitted = self.tree_log_probabilities(features) if fitted is None else fitted
        if fitted is not None:
            joint = torch.logaddexp(log_softmax(joint, dim=-1), fitted) - math.log(2)
        return self._refined(features, joint)

    def differentiable_logits(self, features: Tensor) -> Tensor:
        """Logits without the trees, shape (batch, actions): smooth in the features, as trees are not."""
        return self._refined(features, self.network_logits(features))

    @torch.no_grad()
    def tree_log_probabilities(self, features: Tensor) -> Tensor | None:
        """Log-probabilities by the trees, shape (batch, actions): they never change, and cost most; None without."""
        return None if self.trees is None else log_softmax(self.trees(features), dim=-1)

    def network_logits(self, features: Tensor) -> Tensor:
        """Logits by the networks alone, shape (batch, actions)."""
        logits = self.member_logits(features)
        if len(logits) == 1:
            return logits[0]
        return torch.logsumexp(log_softmax(logits, dim=-1), dim=0) - math.log(len(logits))

    def _refined(self, features: Tensor, logits: Tensor) -> Tensor:
        """What calibration and residuals make of the members' logits."""
        logits = self.calibration(logits)
        for residual in self.residuals:
            logits = residual(features, logits)
        return logits

    def set_trees(self, trees: Trees) -> None:
        """Take fitted trees as a member."""
        self.trees = trees

    def fold_calibration(self, shift: Sequence[float], temperature: float) -> None:
        """Make a calibration part of the policy, so that its own probabilities are the calibrated ones."""
        last = self.residuals[-1].calibration if len(self.residuals) else self.calibration
        assert isinstance(last, CalibrationLayer)
        last.fold_calibration(shift, temperature)

    def add_residual(self, width: int, dropout: float) -> ResidualAdapter:
        """Put a residual on top, which changes nothing until it is trained; all else is frozen."""
        self.requires_grad_(requires_grad=False)
        device = next(self.parameters()).device
        residual = ResidualAdapter(self.inputs, width, dropout).to(device)
        self.residuals.append(residual)
        return residual

    def member_logits(self, features: Tensor) -> Tensor:
        """Logits by each member for itself, shape (members, batch, actions): what training optimises."""
        logits = torch.stack([member(features) for member in self.members])
        return logits if self.stages == "one" else _two_stages(logits)


class CalibrationLayer(nn.Module):
    """A calibration that has become part of a policy: logits are shifted, then scaled."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(len(ACTIONS)))
        self.register_buffer("scale", torch.ones(()))
        self.shift: Tensor
        self.scale: Tensor

    def forward(self, logits: Tensor) -> Tensor:
        """Calibrated logits, shape (batch, actions)."""
        return (logits + self.shift) * self.scale

    def fold_calibration(self, shift: Sequence[float], temperature: float) -> None:
        """Take a further calibration in, after what is there already."""
        self.shift += torch.tensor(shift, dtype=torch.float32, device=self.shift.device) / self.scale
        self.scale /= temperature


class ResidualAdapter(nn.Module):
    """A small network on top of a policy, which adds to its logits: nothing at first.

    It sees the features and the policy's probabilities. Training it alone refines a policy without losing what
    trees and networks know together (adapters: Houlsby et al. 2019).

    Parameters
    ----------
    inputs : int
        The number of features.
    width : int
        Of the hidden layer.
    dropout : float, 0 <= dropout < 1
    """

    def __init__(self, inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.network = _member(inputs + len(ACTIONS), [width], dropout, len(ACTIONS))
        last = self.network[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.calibration = CalibrationLayer()

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """The policy's logits, refined.

        Parameters
        ----------
        features : Tensor, shape (batch, inputs)
        logits : Tensor, shape (batch, actions)

        Returns
        -------
        Tensor, shape (batch, actions)
        """
        refined: Tensor = self.calibration(
            logits + self.network(torch.cat([features, torch.softmax(logits, dim=-1)], dim=-1))
        )
        return refined


def _member(inputs: int, hidden: Sequence[int], dropout: float, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def _two_stages(outputs: Tensor) -> Tensor:
    """Log-probabilities of the actions from: respond or not, which response, which way aside."""
    respond, which = outputs[..., :1], outputs[..., 1:]
    response, aside = which[..., : len(_RESPONSES)], which[..., len(_RESPONSES) :]
    return torch.cat(
        [logsigmoid(respond) + log_softmax(response, dim=-1), logsigmoid(-respond) + log_softmax(aside, dim=-1)],
        dim=-1,
    )


def new_policy(
    inputs: int,
    hidden: Sequence[int],
    dropout: float,
    stages: DecisionStages = "one",
    ensemble: int = 1,
    trees: int = 0,
    nodes: int = 0,
    residuals: Sequence[int] = (),
    *,
    seed: int,
) -> Policy:
    """A freshly initialised policy: the same weights for the same seed, on any device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Policy(inputs, hidden, dropout, stages, ensemble, trees, nodes, residuals)


@torch.no_grad()
def predict_logits(policy: Policy, features: Tensor, fitted: Tensor | None = None, batch_size: int = 8192) -> Tensor:
    """Logits for all features, in batches, without dropout.

    Parameters
    ----------
    policy : Policy
    features : Tensor, shape (messages, inputs)
        On the policy's device.
    fitted : Tensor, shape (messages, actions), optional
        See `Policy.forward`.
    batch_size : int
        Bounds the memory of the hidden layers.

    Returns
    -------
    Tensor of float32, shape (messages, actions)
        On the CPU.
    """
    was_training = policy.training
    policy.eval()
    logits = [
        policy(features[rows], None if fitted is None else fitted[rows]).float().cpu()
        for rows in torch.split(torch.arange(len(features), device=features.device), batch_size)
    ]
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
