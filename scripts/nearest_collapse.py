#!/usr/bin/env python3
"""Compute how far a policy must move at least to predict one action for every message: a lower bound for any collapse.

    python scripts/nearest_collapse.py --config configs/log_2026_01.yaml --data-dir folder --action reply_later

Starts from ``--checkpoint`` (default: ``checkpoints/best_sft.pt``).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from enron_triage.config.load import load_config
from enron_triage.errors import TriageError
from enron_triage.records import ACTION_INDEX, ACTION_NAMES, Action
from enron_triage.training.setup import load_setup


def least_divergence(log_p: Tensor, action: int) -> Tensor:
    """The smallest KL(q || p) of any q whose most probable action is the given one, for each message.

    The nearest q (the I-projection, Csiszar 1975) gives that action and those that p ranks above what it comes
    to their common geometric mean, leaves the rest in proportion, and is scaled to sum to 1; its divergence is
    minus the logarithm of the sum before scaling.

    Parameters
    ----------
    log_p : Tensor, shape (messages, actions)
    action : int

    Returns
    -------
    Tensor, shape (messages,)
    """
    own = log_p[:, [action]]
    others = torch.cat([log_p[:, :action], log_p[:, action + 1 :]], dim=1).sort(dim=1, descending=True).values
    candidates = []
    for tied in range(others.shape[1] + 1):  # the action and the `tied` most probable others
        mean = torch.cat([own, others[:, :tied]], dim=1).mean(dim=1)
        rest = others[:, tied:].exp().sum(dim=1)
        feasible = mean >= others[:, tied] if tied < others.shape[1] else torch.ones_like(mean, dtype=torch.bool)
        candidates.append(torch.where(feasible, -torch.log((tied + 1) * mean.exp() + rest), torch.inf))
    return torch.stack(candidates).min(dim=0).values.clamp_min(0)


def main() -> None:
    """Read the options, print the bound on validation."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", type=Path, action="append", default=[])
    parser.add_argument("--data-dir")
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoints/best_sft.pt"))
    parser.add_argument("--action", choices=ACTION_NAMES, default="reply_later")
    arguments = parser.parse_args()
    try:
        config = load_config(arguments.config, [], data_dir=arguments.data_dir)
        setup = load_setup(config, arguments.checkpoint, torch.device("cpu"))
    except TriageError as error:
        print(f"nearest_collapse.py: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    divergence = least_divergence(setup.val_reference.double(), ACTION_INDEX[Action(arguments.action)])
    print(f"mean KL of the nearest policy that always predicts {arguments.action}: {float(divergence.mean()):.4f}")


if __name__ == "__main__":
    main()
