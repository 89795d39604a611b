#!/usr/bin/env python3
"""Measure how many judgements DPO needs to learn a wish that contradicts the labels, and what it costs elsewhere.

    python scripts/simulate_annotator.py --config configs/dpo_judgements.yaml --data-dir data

A simulated person is asked which of the policy's two most probable actions is better for a message in train. The
person answers according to the owner's label (if neither action is the label: the cheaper one by ``rewards.costs``),
with one exception, the wish: the person never wants to delete a message that another person wrote only to the owner.
One answer in ten is the wrong way round. The messages are drawn at random, or are those about which the policy is least
certain, from a random half of train for each seed. ``dpo`` is trained on the first 25, 50, 100 and 200 answers, and
measured on mailboxes that it has never seen.

Needs the splits and the policy ``dpo.init``. Prints a Markdown table, row by row, with means and standard deviations
over the seeds. The columns are: the share of the messages affected by the wish that is deleted; accuracy by the wish,
where a label that it contradicts is replaced by its cheapest alternative; macro-F1 by the labels for all messages; and,
for the messages that the wish does not affect, accuracy and macro-F1 by the labels, and the share of unchanged
decisions.
"""

from __future__ import annotations

import argparse
import copy
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor

from enron_triage.config.load import load_config
from enron_triage.config.paths import named_checkpoint
from enron_triage.config.schema import Config
from enron_triage.errors import TriageError
from enron_triage.features.dataset import load_dataset
from enron_triage.features.metadata_words import AUTOMATED
from enron_triage.policy import metrics
from enron_triage.policy.inference import predict_logits
from enron_triage.records import ACTION_INDEX, Action, LabeledEmail
from enron_triage.runtime import adamw, artifacts
from enron_triage.training.dpo import DpoObjective
from enron_triage.training.preferences import Pairs
from enron_triage.training.setup import PostTrainingSetup, load_setup
from enron_triage.training.trainer import learning_rate_factor

DELETE = ACTION_INDEX[Action.DELETE]
COLUMNS = (
    *("wish: deleted", "accuracy by the wish", "macro-F1 by the labels"),
    *("elsewhere: accuracy", "macro-F1", "as before"),
)
NONE = torch.zeros(0, dtype=torch.int64)


class Messages(msgspec.Struct):
    """The messages of a split as the simulation uses them; every tensor has one row per message."""

    targets: Tensor
    reference: Tensor  # log-probabilities before any judgement
    in_wish: Tensor  # whether a person wrote to the owner alone


class Evaluated(msgspec.Struct):
    """The data that the policies are measured on."""

    messages: Messages
    features: Tensor
    trees: Tensor | None


def is_in_wish(record: LabeledEmail) -> bool:
    """Whether a person wrote a message only to the owner, according to its headers.

    Parameters
    ----------
    record : LabeledEmail
        The message.
    """
    local = record.sender.rpartition("@")[0]
    to_owner = record.history is not None and record.history.recipient_field == "to"
    alone = len(record.to) == 1 and not record.cc and not record.bcc
    return to_owner and alone and bool(local) and not record.automatic and AUTOMATED.search(local) is None


def preferred(messages: Messages, rows: Tensor, first: Tensor, second: Tensor, costs: Tensor) -> Tensor:
    """Whether the person prefers the first of two actions, before any error.

    Parameters
    ----------
    messages : Messages
        A split.
    rows : LongTensor, shape (pairs,)
        Which of its messages.
    first, second : LongTensor, shape (pairs,)
        The two actions.
    costs : Tensor, shape (actions, actions)
        ``rewards.costs``.
    """
    return wished_costs(messages, rows, costs).gather(1, torch.stack([first, second], dim=1)).diff()[:, 0] > 0


def wished_costs(messages: Messages, rows: Tensor, costs: Tensor) -> Tensor:
    """The cost of each action for this person: by the label, but infinite for an action that contradicts the wish.

    Parameters
    ----------
    messages, rows, costs
        As for `preferred`.
    """
    values = costs[messages.targets[rows]].clone()
    values[messages.in_wish[rows], DELETE] = torch.inf
    return values


def draw(messages: Messages, strategy: str, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The messages that are asked about, in order, and the two actions for each.

    Parameters
    ----------
    messages : Messages
        Train.
    strategy : {"random", "uncertain"}
        How.
    count : int >= 1
        How many.
    generator : torch.Generator
        What draws.
    """
    top = messages.reference.topk(2, dim=1)
    rows = torch.randperm(len(messages.targets), generator=generator)
    if strategy == "uncertain":
        half = rows[: len(rows) // 2]
        rows = half[torch.argsort(top.values[half].diff()[:, 0], descending=True, stable=True)]
    rows = rows[:count]
    return rows[torch.randperm(len(rows), generator=generator)], top.indices[rows]


def answers(
    messages: Messages, strategy: str, count: int, error: float, costs: Tensor, generator: torch.Generator
) -> Pairs:
    """The person's answers, in the order of the questions.

    Parameters
    ----------
    messages, strategy, count, costs, generator
        As for `draw` and `preferred`.
    error : float, 0 <= error < 0.5
        The share of answers that are the wrong way round.
    """
    rows, _ = draw(messages, strategy, count, generator)
    first, second = messages.reference[rows].topk(2, dim=1).indices.unbind(dim=1)
    is_first = preferred(messages, rows, first, second, costs)
    is_first ^= torch.rand(len(rows), generator=generator) < error
    chosen, rejected = torch.where(is_first, first, second), torch.where(is_first, second, first)
    return Pairs(rows, chosen, rejected, torch.ones(len(rows)))


def train(config: Config, start: PostTrainingSetup, pairs: Pairs, seed: int) -> PostTrainingSetup:
    """Train the policy with ``dpo`` on some pairs: the stage's own objective, without validation and checkpoints.

    Parameters
    ----------
    config : Config
        The section is ``dpo``.
    start : PostTrainingSetup
        What every training begins with; it is left as it is.
    pairs : Pairs
        The judgements.
    seed : int
        Of the residual's initial weights and of the order of the pairs.
    """
    settings = config.dpo
    policy, residual = copy.deepcopy(start.policy), None
    torch.manual_seed(seed)
    if settings.train == "residual":
        residual = policy.add_residual(settings.residual_width, settings.dropout)
    setup = msgspec.structs.replace(start, policy=policy, residual=residual)
    objective = DpoObjective(config, setup, pairs, Pairs(NONE, NONE, NONE, torch.zeros(0)))
    trained = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    optimizer = adamw.AdamW(trained, weight_decay=settings.weight_decay, fused=True)
    generator = torch.Generator().manual_seed(seed)
    steps = settings.epochs * -(-len(pairs) // settings.batch_size)
    step = 0
    policy.train()
    for _ in range(settings.epochs):
        for batch in torch.split(objective.indices(generator), settings.batch_size):
            for loss in objective.losses(batch):
                factor = learning_rate_factor(step, steps, settings.warmup)
                optimizer.param_groups[0]["lr"] = settings.learning_rate * factor
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(trained, settings.gradient_clip)
                optimizer.step()
                step += 1
    return setup


def measure(evaluated: Evaluated, log_p: Tensor, costs: Tensor) -> tuple[list[float], bool]:
    """The values of the table's columns, and whether the policy has collapsed.

    Parameters
    ----------
    evaluated : Evaluated
        What is measured on.
    log_p : Tensor, shape (messages, actions)
        Log-probabilities.
    costs : Tensor, shape (actions, actions)
        ``rewards.costs``.
    """
    messages, decided = evaluated.messages, log_p.argmax(dim=1)
    before, elsewhere = messages.reference.argmax(dim=1), ~messages.in_wish
    wished = wished_costs(messages, torch.arange(len(decided)), costs).argmin(dim=1)
    of_all = metrics.classification(messages.targets.numpy(), decided.numpy())
    rest = metrics.classification(messages.targets[elsewhere].numpy(), decided[elsewhere].numpy())
    values = [
        float((decided[messages.in_wish] == DELETE).float().mean()),
        float((decided == wished).float().mean()),
        of_all.macro_f1,
        rest.accuracy,
        rest.macro_f1,
        float((decided == before)[elsewhere].float().mean()),
    ]
    return values, of_all.collapsed


def read(config: Config, split: str) -> tuple[PostTrainingSetup, Messages, Evaluated]:
    """The initial policy, train, and the split to measure on.

    Parameters
    ----------
    config : Config
        The whole configuration.
    split : {"val", "test"}
        What is measured on.
    """
    networks = msgspec.structs.replace(config.dpo, train="networks")  # `train` adds the residual, one for each seed
    start = load_setup(config, named_checkpoint(config, config.dpo.init), torch.device("cpu"), networks)
    data = start.val
    if split != "val":
        settings = start.checkpoint.features.settings
        data = load_dataset(
            config.data / f"{split}.json", settings, cache=config.data / "features", workers=config.pool
        )
    features = start.checkpoint.features.transform(data)
    trees = start.policy.tree_log_probs(features)
    reference = torch.log_softmax(predict_logits(start.policy, features, trees), dim=1)
    seen, judged = (
        torch.tensor([is_in_wish(record) for record in artifacts.read_records(path, LabeledEmail)])
        for path in (config.data / f"{split}.json", config.data / "train.json")
    )
    evaluated = Evaluated(Messages(data.targets, reference, seen), features, trees)
    return start, Messages(start.train.targets, start.reference, judged), evaluated


def table(arguments: argparse.Namespace) -> Iterator[str]:
    """The lines of the table, each as soon as it is available.

    Parameters
    ----------
    arguments : argparse.Namespace
        The options.
    """
    config = load_config(
        arguments.config,
        arguments.overrides,
        data_dir=arguments.data_dir,
        checkpoint_dir=arguments.checkpoint_dir,
        device="cpu",
    )
    costs = torch.tensor(config.rewards.costs)
    start, messages, evaluated = read(config, arguments.split)
    yield f"| Drawn | Judgements | {' | '.join(name[0].upper() + name[1:] for name in COLUMNS)} | Collapsed |"
    yield "|---" * (len(COLUMNS) + 3) + "|"
    yield row("none", 0, [measure(evaluated, evaluated.messages.reference, costs)])
    for strategy in arguments.strategies:
        for count in arguments.judgements:
            found = []
            for seed in range(arguments.seeds):
                generator = torch.Generator().manual_seed(seed)
                asked = answers(messages, strategy, max(arguments.judgements), arguments.error, costs, generator)
                after = train(config, start, asked.take(torch.arange(min(count, len(asked)))), seed)
                logits = predict_logits(after.policy, evaluated.features, evaluated.trees)
                found.append(measure(evaluated, torch.log_softmax(logits, dim=1), costs))
            yield row(strategy, count, found)


def row(name: str, count: int, found: list[tuple[list[float], bool]]) -> str:
    """One row: means over the seeds, with the standard deviation if there are several.

    Parameters
    ----------
    name : str
        How the messages were drawn.
    count : int
        How many judgements there were.
    found : list
        What `measure` gives, for each seed.
    """
    values = np.array([values for values, _ in found])
    spread = values.std(axis=0, ddof=1) if len(values) > 1 else None
    cells = [
        f"{mean:.3f}" + (f" ± {spread[index]:.3f}" if spread is not None else "")
        for index, mean in enumerate(values.mean(axis=0))
    ]
    return f"| {name} | {count} | {' | '.join(cells)} | {sum(collapsed for _, collapsed in found)} of {len(found)} |"


def main() -> None:
    """Read the options, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", type=Path, action="append", default=[], help="configuration of dpo; repeatable")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--data-dir")
    parser.add_argument("--checkpoint-dir")
    parser.add_argument("--split", default="test", choices=("val", "test"), help="the split to measure on")
    parser.add_argument("--judgements", type=int, nargs="+", default=[25, 50, 100, 200])
    parser.add_argument("--strategies", nargs="+", default=["uncertain", "random"], choices=("uncertain", "random"))
    parser.add_argument("--error", type=float, default=0.1, help="the share of answers that are the wrong way round")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.ERROR)
    try:
        for line in table(arguments):
            print(line, flush=True)
    except TriageError as error:
        print(f"simulate_annotator.py: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
