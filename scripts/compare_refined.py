#!/usr/bin/env python3
"""Refine SFT policies with DPO and GRPO over several seeds, and print what each stage adds.

    python scripts/compare_refined.py --config configs/enron.yaml --seeds 3

Needs the splits (``triage run --set 'pipeline.stages=[download, parse, label, split]'``). Every stage starts from the
SFT policy of the same seed, both the default policy and the one with focal loss and balanced sampling. There is one
split, so the spread shows only the variation of training. The last columns compare the mean reward with that of the
simple alternative: the SFT policy's calibrated probabilities, with the action of highest expected reward.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from enron_triage.config.load import load_config
from enron_triage.config.schema import Config
from enron_triage.config.training import EvaluateConfig
from enron_triage.errors import TriageError
from enron_triage.evaluation import evaluate
from enron_triage.pipeline import run_stage

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
STARTS = {"SFT": [], "SFT focal + balanced": ["sft_focal_balanced"]}
LABELS_ALONE = ["dpo.scale_by_costs=false", "dpo.sft_weight=0", "dpo.select_by=loss"]
REFINED = {  # what is refined: stage, file in configs/, settings
    "DPO (dpo.yaml)": ("dpo", "dpo", []),
    "DPO without costs": ("dpo", "dpo", LABELS_ALONE),
    "GRPO (grpo.yaml)": ("grpo", "grpo", []),
    "GRPO exact": ("grpo", "grpo", ["grpo.estimator=exact"]),
    "GRPO exact, networks": (
        "grpo",
        "grpo",
        ["grpo.estimator=exact", "grpo.train=networks", "grpo.learning_rate=3e-4"],
    ),
    "GRPO, rewards scaled": ("grpo", "grpo", ["grpo.scale_rewards=true"]),
}
Evaluations = dict[str, dict[str, Any]]  # by split
COLUMNS = (
    *(("val", name) for name in ("accuracy", "macro_f1", "mean_reward")),
    *(("test", name) for name in ("accuracy", "macro_f1", "reply_auc", "ece_calibrated", "mean_reward")),
)


def main() -> None:
    """Read the options, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--config", type=Path, action="append", default=[], help="configuration shared by all policies; repeatable"
    )
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--data-dir")
    parser.add_argument("--checkpoint-dir")
    parser.add_argument("--seeds", type=int, default=3, help="number of training seeds for each policy")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.ERROR)
    try:
        for line in table(arguments):
            print(line, flush=True)
    except TriageError as error:
        print(f"compare_refined.py: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


def table(arguments: argparse.Namespace) -> Iterator[str]:
    """The lines of the table, each as soon as it is available."""
    names = [f"{split.capitalize()} {name.replace('_', ' ')}" for split, name in COLUMNS]
    yield f"| Policy | {' | '.join(names)} | Test: alternative's | Gain on it | Notes |"
    yield "|---" * (len(COLUMNS) + 4) + "|"
    for start, files in STARTS.items():
        configs = [_config(arguments, files, seed, []) for seed in range(arguments.seeds)]
        yield _row(start, [_train("sft", config) for config in configs])
        for name, (stage, file, settings) in REFINED.items():
            configs = [_config(arguments, [*files, file], seed, settings) for seed in range(arguments.seeds)]
            yield _row(f"{start} + {name}", [_train(stage, config) for config in configs])


def _config(arguments: argparse.Namespace, files: list[str], seed: int, settings: list[str]) -> Config:
    start = "_".join([*(name for name in files if name.startswith("sft")), f"refined_{seed}"])
    return load_config(
        [*arguments.config, *(CONFIGS / f"{name}.yaml" for name in files)],
        [f"seed={seed}", "overwrite=true", *arguments.overrides, *settings, f"run={start}"],
        data_dir=arguments.data_dir,
        checkpoint_dir=arguments.checkpoint_dir,
    )


def _train(stage: str, config: Config) -> Evaluations:
    """Evaluations of one training, on val and on test."""
    run_stage(stage, config)
    evaluations = {}
    for split in ("val", "test"):
        chosen = EvaluateConfig(checkpoint=f"best_{stage}", split=split)
        evaluations[split] = evaluate.run(msgspec.structs.replace(config, evaluate=chosen)).data
    return evaluations


def _row(name: str, runs: list[Evaluations]) -> str:
    """One row: the mean over the runs, with the standard deviation if there are several."""
    cells = [_cell([run[split][column] for run in runs]) for split, column in COLUMNS]
    alternatives = [run["test"]["alternative"] for run in runs]
    cells += [_cell([alternative[column] for alternative in alternatives]) for column in ("mean_reward", "gain")]
    collapsed = sum(run["test"]["collapsed"] for run in runs)
    beaten = sum(alternative["beaten"] for alternative in alternatives)
    notes = [f"beats the alternative in {beaten} of {len(runs)}"] + [f"collapsed in {collapsed}"] * bool(collapsed)
    return f"| {name} | {' | '.join(cells)} | {'; '.join(notes)} |"


def _cell(values: list[float]) -> str:
    spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{spread}"


if __name__ == "__main__":
    main()
