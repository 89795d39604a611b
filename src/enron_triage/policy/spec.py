"""The architecture of a policy, without its weights; does not import torch."""

from __future__ import annotations

import msgspec

from enron_triage.config.types import DecisionStages, Fraction, NonNegativeInt, PositiveInt
from enron_triage.records import Action

RESPONSES = (Action.REPLY_NOW, Action.REPLY_LATER, Action.FORWARD)  # the first actions, in class order


class PolicySpec(msgspec.Struct, kw_only=True, frozen=True):
    """The form of a policy: what its weights must fit.

    Attributes
    ----------
    inputs : int
        The number of features.
    hidden : tuple of int
        The widths of the hidden layers of each network.
    dropout : float, 0 <= dropout < 1
        The probability with which a hidden unit is dropped in training.
    stages : {"one", "two"}
        ``one``: a softmax over the actions. ``two``: whether to respond (reply or forward), then which response, or
        whether to archive or delete.
    ensemble : int
        The number of networks, which differ in their initial weights and dropout.
    trees : int
        The number of gradient-boosted trees, a further member; 0 for none. See `Policy.set_trees`.
    nodes : int
        The number of nodes of all trees together.
    residuals : tuple of int
        The widths of the residuals that post-training put on top: see `ResidualAdapter`.
    """

    inputs: PositiveInt
    hidden: tuple[PositiveInt, ...]
    dropout: Fraction
    stages: DecisionStages = "one"
    ensemble: PositiveInt = 1
    trees: NonNegativeInt = 0
    nodes: NonNegativeInt = 0
    residuals: tuple[PositiveInt, ...] = ()
