#!/usr/bin/env python3
"""Train on increasing numbers of mailboxes of train, and evaluate each policy on the same val.

    python scripts/learning_curve.py --config configs/enron.yaml --mailboxes 5 10 20 40 81

Needs the splits. Each subset of mailboxes is contained in the next; its files are in ``<data-dir>/learning_curve/``.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from random import Random

import msgspec

from enron_triage.config.load import load_config
from enron_triage.config.schema import Config
from enron_triage.config.training import EvaluateConfig
from enron_triage.errors import TriageError
from enron_triage.evaluation import evaluate
from enron_triage.runtime import artifacts
from enron_triage.training import sft

LINKED = ("val.json", "test.json", "split_metadata.json", "emails_unacted.json")


class User(msgspec.Struct):
    """The owner of a record."""

    user: str


def main() -> None:
    """Read the options, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", type=Path, action="append", default=[])
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--data-dir")
    parser.add_argument("--checkpoint-dir")
    parser.add_argument("--mailboxes", type=int, nargs="+", default=[5, 10, 20, 40, 80])
    parser.add_argument("--split", default="val", choices=("val", "test"))
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    try:
        config = load_config(
            arguments.config,
            arguments.overrides,
            data_dir=arguments.data_dir,
            checkpoint_dir=arguments.checkpoint_dir,
        )
        print("| Train mailboxes | Messages | Accuracy | Macro-F1 | Macro-F1, tuned | Reply AUC |")
        print("|---" * 6 + "|")
        for count in arguments.mailboxes:
            print(_row(config, count, arguments.split), flush=True)
    except TriageError as error:
        print(f"learning_curve.py: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


def _row(config: Config, count: int, split: str) -> str:
    folder = config.data / "learning_curve" / str(count)
    mailboxes, messages = _write_subset(config.data, folder, count, config.split.seed)
    subset = msgspec.structs.replace(
        config,
        data_dir=str(folder),
        checkpoint_dir=str(folder / "checkpoints"),
        evaluate=EvaluateConfig(split=split),
    )
    sft.run(subset)
    result = evaluate.run(subset).data
    tuned = result["decisions"]["thresholds"]["macro_f1"]
    values = (result["accuracy"], result["macro_f1"], tuned, result["reply_auc"])
    return f"| {mailboxes} | {messages:,} | " + " | ".join(f"{value:.4f}" for value in values) + " |"


def _write_subset(source: Path, folder: Path, count: int, seed: int) -> tuple[int, int]:
    """Write the train split of some mailboxes, with links to the other files; return mailboxes and messages."""
    decode = msgspec.json.Decoder(User).decode
    train = source / "train.json"
    users = sorted({decode(line).user for _, line in artifacts.iterate_lines(train)})
    Random(seed).shuffle(users)
    chosen = set(users[:count])
    folder.mkdir(parents=True, exist_ok=True)
    with artifacts.record_writer(folder / "train.json") as writer:
        for _, line in artifacts.iterate_lines(train):
            if decode(line).user in chosen:
                writer.write(line)
    for name in (*LINKED, *(f"{name}.meta.json" for name in LINKED)):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to((source / name).resolve())
    return len(chosen), writer.count


if __name__ == "__main__":
    main()
