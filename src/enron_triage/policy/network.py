"""The policy: networks and gradient-boosted trees that map a message's features to the logits of the actions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, logsigmoid

from enron_triage.policy.adapters import CalibrationLayer, ResidualAdapter, mlp
from enron_triage.policy.side_by_side import side_by_side
from enron_triage.policy.spec import RESPONSES, PolicySpec
from enron_triage.policy.trees import Trees
from enron_triage.records import ACTIONS


class Policy(nn.Module):
    """One or more members that see the same features; the policy gives the mean of their probabilities.

    The members are networks of one form (see `mlp`). Gradient-boosted trees may be a further member; they have as much
    weight as all networks together.

    Parameters
    ----------
    spec : PolicySpec
        The form of the policy.

    Attributes
    ----------
    spec : PolicySpec
        The form of the policy as it is now: `set_trees` and `add_residual` change it.
    """

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__()
        self.spec = spec
        outputs = len(ACTIONS) + (spec.stages == "two")
        networks = [mlp(spec.inputs, spec.hidden, spec.dropout, outputs) for _ in range(spec.ensemble)]
        self.members = side_by_side(networks)
        self.trees = Trees(spec.trees, spec.nodes) if spec.trees else None
        self.calibration = CalibrationLayer()
        adapters = (ResidualAdapter(spec.inputs, width, spec.dropout) for width in spec.residuals)
        self.residuals = nn.ModuleList(adapters)

    def forward(self, features: Tensor, tree_log_probs: Tensor | None = None) -> Tensor:
        """Logits of the actions.

        Parameters
        ----------
        features : Tensor of float32, shape (batch, inputs)
            The features.
        tree_log_probs : Tensor, shape (batch, actions), optional
            What the method `tree_log_probs` gives for these features, where it was computed before.

        Returns
        -------
        Tensor of float32, shape (batch, actions)
            The logits.
        """
        joint = self.network_logits(features)
        tree_log_probs = self.tree_log_probs(features) if tree_log_probs is None else tree_log_probs
        if tree_log_probs is not None:
            joint = torch.logaddexp(log_softmax(joint, dim=-1), tree_log_probs) - math.log(2)
        return self._refined(features, joint)

    def differentiable_logits(self, features: Tensor) -> Tensor:
        """Logits without the trees, which are piecewise constant and have no gradient.

        Parameters
        ----------
        features : Tensor of float32, shape (batch, inputs)
            The features.

        Returns
        -------
        Tensor of float32, shape (batch, actions)
            The logits of the networks, with calibration and residuals.
        """
        return self._refined(features, self.network_logits(features))

    @torch.no_grad()
    def tree_log_probs(self, features: Tensor) -> Tensor | None:
        """Log-probabilities by the trees: they never change in training, and are the most expensive part.

        Parameters
        ----------
        features : Tensor of float32, shape (batch, inputs)
            The features.

        Returns
        -------
        Tensor of float32, shape (batch, actions), or None
            The log-probabilities; None for a policy without trees.
        """
        return None if self.trees is None else log_softmax(self.trees(features), dim=-1)

    def network_logits(self, features: Tensor) -> Tensor:
        """Logits by the networks alone, before calibration and residuals.

        Parameters
        ----------
        features : Tensor of float32, shape (batch, inputs)
            The features.

        Returns
        -------
        Tensor of float32, shape (batch, actions)
            The log of the networks' mean probabilities; for a single network, its logits.
        """
        logits = self.member_logits(features)
        if len(logits) == 1:
            return logits[0]
        return torch.logsumexp(log_softmax(logits, dim=-1), dim=0) - math.log(len(logits))

    def member_logits(self, features: Tensor) -> Tensor:
        """Logits by each network separately: what supervised training optimises.

        Parameters
        ----------
        features : Tensor of float32, shape (batch, inputs)
            The features.

        Returns
        -------
        Tensor of float32, shape (ensemble, batch, actions)
            The logits of each network.
        """
        logits: Tensor = self.members(features.expand(self.spec.ensemble, *features.shape))
        return logits if self.spec.stages == "one" else _two_stages(logits)

    def _refined(self, features: Tensor, logits: Tensor) -> Tensor:
        """What calibration and residuals make of the members' logits."""
        logits = self.calibration(logits)
        for residual in self.residuals:
            logits = residual(features, logits)
        return logits

    def set_trees(self, trees: Trees) -> None:
        """Add fitted trees as a member, in place of any that are there.

        Parameters
        ----------
        trees : Trees
            The trees, on the policy's device.
        """
        self.trees = trees
        self.spec = msgspec.structs.replace(self.spec, trees=len(trees.root), nodes=len(trees.feature))

    def fold_calibration(self, shift: Sequence[float], temperature: float) -> None:
        """Make a calibration part of the policy, so that its own probabilities are the calibrated ones.

        Parameters
        ----------
        shift : sequence of float, length 5
            Added to the logits: see `Calibration`.
        temperature : float > 0
            Divides the shifted logits: see `Calibration`.
        """
        last = self.residuals[-1].calibration if len(self.residuals) else self.calibration
        assert isinstance(last, CalibrationLayer)
        last.fold_calibration(shift, temperature)

    def detached_weights(self) -> dict[str, Tensor]:
        """A copy of the parameters and buffers on the CPU, as a checkpoint holds them; by name."""
        return {name: weight.detach().cpu().clone() for name, weight in self.state_dict().items()}

    def add_residual(self, width: int, dropout: float) -> ResidualAdapter:
        """Put a residual on top, which changes nothing until it is trained, and freeze everything else.

        Parameters
        ----------
        width : int
            The width of its hidden layer.
        dropout : float, 0 <= dropout < 1
            The probability with which one of its hidden units is dropped in training.

        Returns
        -------
        ResidualAdapter
            The residual, on the policy's device.
        """
        self.requires_grad_(requires_grad=False)
        device = next(self.parameters()).device
        residual = ResidualAdapter(self.spec.inputs, width, dropout).to(device)
        self.residuals.append(residual)
        self.spec = msgspec.structs.replace(self.spec, residuals=(*self.spec.residuals, width))
        return residual


def _two_stages(outputs: Tensor) -> Tensor:
    """Log-probabilities of the actions from three decisions: respond or not, which response, archive or delete."""
    respond, which = outputs[..., :1], outputs[..., 1:]
    response, aside = which[..., : len(RESPONSES)], which[..., len(RESPONSES) :]
    return torch.cat(
        [logsigmoid(respond) + log_softmax(response, dim=-1), logsigmoid(-respond) + log_softmax(aside, dim=-1)],
        dim=-1,
    )


def new_policy(spec: PolicySpec, *, seed: int) -> Policy:
    """A freshly initialised policy: the same weights for the same seed, on any device.

    Parameters
    ----------
    spec : PolicySpec
        The form of the policy.
    seed : int
        The seed of the initial weights; the global random state is left as it was.

    Returns
    -------
    Policy
        The policy, on the CPU.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Policy(spec)
