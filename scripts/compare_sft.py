#!/usr/bin/env python3
"""Train every SFT variant in ``configs/`` over several seeds, and print a table like that of the reference log.

    python scripts/compare_sft.py --config configs/enron.yaml --seeds 3

Needs the splits (``triage run --set 'pipeline.stages=[download, parse, label, split]'``). There is one split, so
the spread shows only the variation of training. Rules that need no training are listed below the policies.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.config.load import load_config
from enron_triage.config.schema import Config
from enron_triage.config.training import EvaluateConfig
from enron_triage.errors import TriageError
from enron_triage.evaluation import baselines, evaluate
from enron_triage.labels.by_folder import subject_rule
from enron_triage.policy import metrics
from enron_triage.records import ACTION_INDEX, ACTION_NAMES, LabeledEmail
from enron_triage.runtime import artifacts
from enron_triage.training import sft

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
VARIANTS = {
    "SFT vanilla": "sft_vanilla",
    "SFT class weights": "sft_weighted",
    "SFT focal": "sft_focal",
    "SFT balanced sampling": "sft_balanced",
    "SFT focal + balanced": "sft_focal_balanced",
}
Evaluations = tuple[dict[str, Any], dict[str, Any]]  # on val and on test
IntArray = npt.NDArray[np.int64]
COLUMNS = ("accuracy", "macro_f1")


def main() -> None:
    """Read the options, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--config", type=Path, action="append", default=[], help="configuration shared by all variants; repeatable"
    )
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--data-dir")
    parser.add_argument("--checkpoint-dir")
    parser.add_argument("--seeds", type=int, default=3, help="number of training seeds for each variant")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    try:
        print("\n".join(table(arguments)))
    except TriageError as error:
        print(f"compare_sft.py: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


def table(arguments: argparse.Namespace) -> Iterator[str]:
    """The lines of the table, each as soon as it is available."""
    f1 = " | ".join(f"{action} F1" for action in ACTION_NAMES)
    yield f"| Stage | Val accuracy | Val macro-F1 | Test accuracy | Test macro-F1 | {f1} | Notes |"
    yield "|---" * (len(ACTION_NAMES) + 6) + "|"
    seeds = range(arguments.seeds)
    config = _config(arguments, "sft_vanilla", 0)
    results: dict[str, list[Evaluations]] = {}
    for name, variant in VARIANTS.items():
        results[name] = [_train(_config(arguments, variant, seed)) for seed in seeds]
    first_val, first_test = results["SFT vanilla"][0]
    for name in ("untrained", "majority", "prior"):
        yield _row(name, [(first_val["baselines"][name], first_test["baselines"][name])])
    for name, runs in results.items():
        yield _row(name, runs)
    for name, scores in _rules(config):
        yield _row(name, [scores])


def _config(arguments: argparse.Namespace, variant: str, seed: int) -> Config:
    overrides = [f"sft.seed={seed}", *arguments.overrides, f"run={variant}_{seed}"]
    return load_config(
        [*arguments.config, CONFIGS / f"{variant}.yaml"],
        overrides,
        data_dir=arguments.data_dir,
        checkpoint_dir=arguments.checkpoint_dir,
    )


def _train(config: Config) -> Evaluations:
    """Evaluations of one training, on val and on test."""
    sft.run(config)
    on_val, on_test = (
        msgspec.structs.replace(config, evaluate=EvaluateConfig(checkpoint="best_sft", split=split))
        for split in ("val", "test")
    )
    return evaluate.run(on_val).data, evaluate.run(on_test).data


def _rules(config: Config) -> Iterator[tuple[str, Evaluations]]:
    """The rules that need no training; any parameters are fitted on train."""
    val, test = (config.data / f"{name}.json" for name in ("val", "test"))
    if config.label.scheme == "folder":
        yield "rule: subject prefix if sent by the owner, else delete", _score(subject_rule, val, test)
        return
    train = [(record.timestamp, record.action) for record in _read(config.data / "train.json")]
    cut = baselines.fit_calendar_rule([(time, action) for time, action in train if time is not None and action])
    majority = Counter(action for _, action in train if action).most_common(1)[0][0]
    yield (
        f"rule: delete from {datetime.fromtimestamp(cut, UTC):%Y-%m-%d} on, archive before",
        _score(lambda records: baselines.calendar_rule([r.timestamp or 0 for r in records], cut), val, test),
    )
    yield (
        "rule: what the owner last did with this sender",
        _score(lambda records: baselines.last_action_rule(records, majority), val, test),
    )


def _score(rule: Callable[[Iterable[LabeledEmail]], IntArray], val: Path, test: Path) -> Evaluations:
    """A rule's metrics on val and on test."""
    on_val, on_test = (
        msgspec.to_builtins(
            metrics.classification(
                np.array([ACTION_INDEX[record.action] for record in _read(path) if record.action]), rule(_read(path))
            )
        )
        for path in (val, test)
    )
    return on_val, on_test


def _read(path: Path) -> Iterator[LabeledEmail]:
    return artifacts.read_records(path, LabeledEmail)


def _row(name: str, runs: list[Evaluations]) -> str:
    """One row: the mean over the runs, with the standard deviation if there are several."""
    cells = [_cell([pair[split][column] for pair in runs]) for split in (0, 1) for column in COLUMNS]
    cells += [_cell([test["per_class"][action]["f1"] for _, test in runs]) for action in ACTION_NAMES]
    collapsed = sum(test["collapsed"] for _, test in runs)
    note = f"collapsed in {collapsed} of {len(runs)}" if collapsed else ""
    return f"| {name} | {' | '.join(cells)} | {note} |"


def _cell(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    spread = f" ± {np.std(known, ddof=1):.4f}" if len(known) > 1 else ""
    return f"{np.mean(known):.4f}{spread}"


if __name__ == "__main__":
    main()
