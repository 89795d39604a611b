#!/usr/bin/env python3
"""Measure what a few preferences of a new person gain, compared with none and with the labels of the same messages.

    python scripts/adapt_mailbox.py --data-dir data --checkpoint checkpoints/best_sft.pt

In every mailbox of a split, the first N messages are judged: for each, the owner's action is better than the most
probable other action by the policy. A residual network on the frozen policy is trained on these pairs (DPO), or on the
labels of the same messages (cross-entropy), and measured on all later messages. Prints a Markdown table with the means
over mailboxes and the number of mailboxes that gained.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor

from enron_triage.config.load import load_config
from enron_triage.config.training import PostTrainingConfig, RewardsConfig
from enron_triage.errors import TriageError
from enron_triage.features.dataset import load_dataset
from enron_triage.policy import metrics
from enron_triage.policy.adapters import ResidualAdapter
from enron_triage.policy.checkpoint import load_checkpoint
from enron_triage.policy.inference import predict_logits
from enron_triage.runtime import artifacts
from enron_triage.training.losses import cross_entropy
from enron_triage.training.preference_losses import preference_loss
from enron_triage.training.preferences import Pairs

BATCH = 32


class _When(msgspec.Struct):
    timestamp: int


class Mailbox(msgspec.Struct):
    """A mailbox in chronological order: features, reference log-probabilities, targets."""

    features: Tensor
    reference: Tensor
    targets: Tensor

    def cut(self, rows: slice) -> Mailbox:
        """A subset of its messages."""
        return Mailbox(self.features[rows], self.reference[rows], self.targets[rows])


def read_mailboxes(data: Path, split: str, checkpoint_path: Path, workers: int | str) -> list[Mailbox]:
    """The mailboxes of a split as the policy sees them."""
    checkpoint = load_checkpoint(checkpoint_path)
    transform = checkpoint.features
    path = data / f"{split}.json"
    dataset = load_dataset(path, transform.settings, cache=data / "features", workers=workers)
    when = torch.tensor([record.timestamp for record in artifacts.read_records(path, _When)])
    policy = checkpoint.policy(torch.device("cpu"))
    calibration = checkpoint.calibration
    policy.fold_calibration(calibration.shift, calibration.temperature)
    features = transform.transform(dataset)
    reference = torch.log_softmax(predict_logits(policy, features), dim=1)
    mailboxes = []
    for index in range(len(dataset.mailboxes)):
        rows = (dataset.mailbox == index).nonzero().flatten()
        rows = rows[torch.argsort(when[rows], stable=True)]
        mailboxes.append(Mailbox(features[rows], reference[rows], dataset.targets[rows]))
    return mailboxes


def adapt(mailbox: Mailbox, loss: Callable[[Tensor, Tensor], Tensor], arguments: argparse.Namespace) -> ResidualAdapter:
    """A residual network trained on a mailbox's messages; `loss` takes log-probabilities and rows."""
    torch.manual_seed(arguments.seed)
    width = PostTrainingConfig().residual_width
    residual = ResidualAdapter(mailbox.features.shape[1], width, dropout=0.0)
    optimizer = torch.optim.AdamW(residual.parameters(), lr=arguments.learning_rate, weight_decay=1e-2)
    for _ in range(arguments.steps):
        rows = torch.randint(len(mailbox.targets), (BATCH,))
        log_p = torch.log_softmax(residual(mailbox.features[rows], mailbox.reference[rows]), dim=1)
        optimizer.zero_grad()
        loss(log_p, rows).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return residual.eval()


def by_pairs(mailbox: Mailbox, beta: float) -> Callable[[Tensor, Tensor], Tensor]:
    """DPO: the owner's action compared with the most probable other action by the policy."""
    own = torch.nn.functional.one_hot(mailbox.targets, mailbox.reference.shape[1]).bool()
    other = mailbox.reference.masked_fill(own, -torch.inf).argmax(dim=1)
    pairs = Pairs(torch.arange(len(other)), mailbox.targets, other, torch.ones(len(other)))

    def loss(log_p: Tensor, rows: Tensor) -> Tensor:
        taken = pairs.take(rows)
        margin = taken.margins(log_p) - taken.margins(mailbox.reference[rows])
        return preference_loss(margin, taken.weight, "sigmoid", beta=beta)

    return loss


def by_labels(mailbox: Mailbox) -> Callable[[Tensor, Tensor], Tensor]:
    """Fine-tuning on the labels of the same messages."""
    return lambda log_p, rows: cross_entropy(log_p, mailbox.targets[rows])


def measure(log_p: Tensor, targets: Tensor) -> dict[str, float]:
    """Accuracy, macro-F1, log loss and mean reward on the later messages."""
    truth, decided = targets.numpy(), log_p.argmax(dim=1).numpy()
    confusion = metrics.confusion_matrix(truth, decided)
    return {
        "accuracy": float(metrics.accuracy(confusion)),
        "macro_f1": float(metrics.macro_f1(confusion)),
        "log_loss": float(-log_p[torch.arange(len(truth)), targets].mean()),
        "mean_reward": float(metrics.mean_reward(confusion, RewardsConfig().costs)),
    }


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoints/best_sft.pt"))
    parser.add_argument("--split", default="test", choices=("val", "test"))
    parser.add_argument("--pairs", type=int, nargs="+", default=[50, 100, 200, 500])
    parser.add_argument("--later", type=int, default=100, help="the least number of later messages to measure on")
    parser.add_argument("--beta", type=float, default=2.0)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    try:
        print_table(arguments)
    except TriageError as error:
        print(f"adapt_mailbox.py: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


def print_table(arguments: argparse.Namespace) -> None:
    """Adapt to each mailbox, and print the means."""
    workers = load_config([], []).pool
    mailboxes = read_mailboxes(Path(arguments.data_dir), arguments.split, arguments.checkpoint, workers)
    names = ("accuracy", "macro_f1", "log_loss", "mean_reward")
    print("| Pairs | Mailboxes | Method | Accuracy | Macro-F1 | Log loss | Mean reward | Gained: accuracy, log loss |")
    print("|---|---|---|---|---|---|---|---|")
    for count in arguments.pairs:
        results: dict[str, list[dict[str, float]]] = {"none": [], "preferences (DPO)": [], "labels (SFT)": []}
        for mailbox in mailboxes:
            if len(mailbox.targets) < count + arguments.later:
                continue
            early, later = mailbox.cut(slice(count)), mailbox.cut(slice(count, None))
            results["none"].append(measure(later.reference, later.targets))
            losses = {"preferences (DPO)": by_pairs(early, arguments.beta), "labels (SFT)": by_labels(early)}
            for method, loss in losses.items():
                residual = adapt(early, loss, arguments)
                with torch.no_grad():
                    log_p = torch.log_softmax(residual(later.features, later.reference), dim=1)
                results[method].append(measure(log_p, later.targets))
        for method, found in results.items():
            means = " | ".join(f"{np.mean([values[name] for values in found]):.4f}" for name in names)
            pairs = list(zip(found, results["none"], strict=True))
            more = sum(one["accuracy"] > none["accuracy"] for one, none in pairs)
            less = sum(one["log_loss"] < none["log_loss"] for one, none in pairs)
            gained = "" if method == "none" else f"{more}, {less}"
            print(f"| {count} | {len(found)} | {method} | {means} | {gained} |", flush=True)


if __name__ == "__main__":
    main()
