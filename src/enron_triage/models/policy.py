"""The policy: networks, and boosted trees beside them, from a message's features to the logits of the actions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, logsigmoid

from enron_triage.actions import ACTIONS, Action
from enron_triage.config import DecisionStages, DeviceName
from enron_triage.errors import UsageError
from enron_triage.models.trees import Trees

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
    ) -> None:
        super().__init__()
        self.stages = stages
        outputs = len(ACTIONS) + (stages == "two")
        self.members = nn.ModuleList(_member(inputs, hidden, dropout, outputs) for _ in range(ensemble))
        self.trees = Trees(trees, nodes) if trees else None
        # A calibration that has become part of the policy: see `absorb`.
        self.register_buffer("shift", torch.zeros(len(ACTIONS)))
        self.register_buffer("scale", torch.ones(()))
        self.shift: Tensor
        self.scale: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """Logits of the actions.

        Parameters
        ----------
        features : Tensor of float32, shape (batch, inputs)

        Returns
        -------
        Tensor of float32, shape (batch, actions)
        """
        joint = self.network_logits(features)
        if self.trees is not None:
            with torch.no_grad():
                fitted = log_softmax(self.trees(features), dim=-1)
            joint = torch.logaddexp(log_softmax(joint, dim=-1), fitted) - math.log(2)
        return (joint + self.shift) * self.scale

    def network_logits(self, features: Tensor) -> Tensor:
        """Logits by the networks alone, shape (batch, actions): smooth in the features, as trees are not."""
        logits = self.member_logits(features)
        if len(logits) == 1:
            return logits[0]
        return torch.logsumexp(log_softmax(logits, dim=-1), dim=0) - math.log(len(logits))

    def set_trees(self, trees: Trees) -> None:
        """Take fitted trees as a member."""
        self.trees = trees

    def absorb(self, shift: Sequence[float], temperature: float) -> None:
        """Make a calibration part of the policy, so that its own probabilities are the calibrated ones."""
        self.shift += torch.tensor(shift, dtype=torch.float32, device=self.shift.device) / self.scale
        self.scale /= temperature

    def member_logits(self, features: Tensor) -> Tensor:
        """Logits by each member for itself, shape (members, batch, actions): what training optimises."""
        logits = torch.stack([member(features) for member in self.members])
        return logits if self.stages == "one" else _two_stages(logits)


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
    *,
    seed: int,
) -> Policy:
    """A freshly initialised policy: the same weights for the same seed, on any device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Policy(inputs, hidden, dropout, stages, ensemble, trees, nodes)


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
