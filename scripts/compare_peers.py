#!/usr/bin/env python3
"""Compare the policy with common alternatives (its peers), on the same splits with the same metrics.

    pip install -e '.[peers]' -c constraints.txt
    python scripts/compare_peers.py --config configs/enron.yaml --split-seeds 0 1 2 3 4

Needs ``emails_labeled.json`` and ``emails_unacted.json`` in the data folder; every split seed gets a folder
``<data-dir>/peers/<seed>/``. The probabilities of all models are calibrated in the same way on validation. Every model
is evaluated with argmax decisions and with thresholds tuned on validation.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from peers import PEERS, Mail, Peer, check_packages, read_mail
from scipy.stats import t as student

from enron_triage.config.load import load_config
from enron_triage.config.schema import Config
from enron_triage.config.training import EvaluateConfig
from enron_triage.errors import TriageError
from enron_triage.evaluation import evaluate
from enron_triage.labels import split
from enron_triage.policy import metrics, probability_metrics
from enron_triage.policy.calibration import Calibration
from enron_triage.policy.decisions import Decision
from enron_triage.records import ACTION_NAMES
from enron_triage.runtime import artifacts
from enron_triage.training import sft

FloatArray = npt.NDArray[np.float64]
Scores = dict[str, float | None]
POLICY = "policy"
LABELLED = ("emails_labeled.json", "emails_unacted.json")
COLUMNS = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro-F1",
    "accuracy_tuned": "Accuracy, tuned",
    "macro_f1_tuned": "Macro-F1, tuned",
    **{f"f1_{action}": f"{action} F1, tuned" for action in ACTION_NAMES},
    "reply_auc": "Reply AUC",
    "reply_average_precision": "Reply AP",
    "reply_auc_received": "Reply AUC, all received",
    "reply_average_precision_received": "Reply AP, all received",
    "ece": "Calibration error",
    "seconds": "Training s",
    "messages_per_second": "Messages/s",
}
COMPARED = ("macro_f1_tuned", "reply_auc", "ece")


def main() -> None:
    """Read the options, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", type=Path, action="append", default=[])
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--data-dir")
    parser.add_argument("--split-seeds", type=int, nargs="+", default=[42])
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    try:
        results: dict[str, list[Scores]] = defaultdict(list)
        for seed in arguments.split_seeds:
            for name, scores in _compare(arguments, seed):
                results[name].append(scores)
                print(f"split seed {seed}: {name}", file=sys.stderr)
        if arguments.json:
            artifacts.write_json(arguments.json, {"split_seeds": arguments.split_seeds, "results": results})
        print("\n".join([*_table(results), "", *_differences(results)]))
    except ImportError as error:
        _fail(f"needs {error.name}; run `pip install -e '.[peers]' -c constraints.txt`", 2)
    except TriageError as error:
        _fail(str(error), error.exit_status)


def _fail(message: str, status: int) -> None:
    print(f"compare_peers.py: {message}", file=sys.stderr)
    sys.exit(status)


def _compare(arguments: argparse.Namespace, seed: int) -> Iterator[tuple[str, Scores]]:
    """The scores of the policy and of every peer on one split."""
    whole = load_config(arguments.config, arguments.overrides, data_dir=arguments.data_dir)
    folder = whole.data / "peers" / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*LABELLED, *(f"{name}.meta.json" for name in LABELLED)):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to((whole.data / name).resolve())
    overrides = [*arguments.overrides, f"split.seed={seed}"]
    config = load_config(arguments.config, overrides, data_dir=str(folder), checkpoint_dir=str(folder / "checkpoints"))
    split.run(config)
    check_packages(PEERS[name] for name in arguments.peers)
    yield POLICY, _policy(config)
    mail = {name: read_mail(config, name) for name in ("train", "val", "test", "unacted")}
    for name in arguments.peers:
        yield name, _peer(config, PEERS[name], mail)


def _policy(config: Config) -> Scores:
    """The policy's scores, computed with its own stages; features are extracted before timing starts."""
    mail = {name: read_mail(config, name) for name in ("train", "val", "test", "unacted")}
    started = time.perf_counter()
    sft.run(config)
    seconds = time.perf_counter() - started
    result = evaluate.run(msgspec.structs.replace(config, evaluate=EvaluateConfig())).data
    tuned = evaluate.run(
        msgspec.structs.replace(
            config,
            evaluate=EvaluateConfig(),
            decision=msgspec.structs.replace(config.decision, rule="thresholds"),
        )
    ).data
    from enron_triage.predict import Triage  # for its probabilities, which an evaluation does not hold

    triage = Triage.load(config.checkpoints / "best_sft.pt")
    probabilities = {
        name: np.concatenate([np.exp(triage.log_probabilities(part)) for part in _batches(mail[name].records)])
        for name in ("test", "unacted")
    }
    return {
        "accuracy": result["accuracy"],
        "macro_f1": result["macro_f1"],
        "accuracy_tuned": tuned["accuracy"],
        "macro_f1_tuned": tuned["macro_f1"],
        **{f"f1_{action}": tuned["per_class"][action]["f1"] for action in ACTION_NAMES},
        **_reply_scores(mail["test"].targets, probabilities["test"], probabilities["unacted"]),
        "ece": result["ece_calibrated"],
        "seconds": seconds,
        "messages_per_second": result["messages_per_second"],
    }


def _batches(records: Sequence[Any], size: int = 5000) -> Iterator[Sequence[Any]]:
    for start in range(0, max(len(records), 1), size):
        yield records[start : start + size]


def _peer(config: Config, make: type[Peer], mail: dict[str, Mail]) -> Scores:
    """Train a peer, calibrate it on validation, and score it on test."""
    train, val, test = mail["train"], mail["val"], mail["test"]
    started = time.perf_counter()
    peer = make(train, val, config.seed)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    logits = peer.logits(test)
    rate = len(test.targets) / (time.perf_counter() - started)
    val_logits = peer.logits(val)
    calibration = Calibration.fit(val_logits, val.targets, peer.shift)
    shares = np.bincount(train.targets, minlength=len(ACTION_NAMES)) / len(train.targets)
    decision = Decision.fit(
        config.decision, config.rewards.costs, shares, calibration.log_probabilities(val_logits), val.targets
    )
    log_p = calibration.log_probabilities(logits)
    plain, tuned = (
        metrics.classification(test.targets, decision.decide(log_p, rule)) for rule in ("argmax", "thresholds")
    )
    return {
        "accuracy": plain.accuracy,
        "macro_f1": plain.macro_f1,
        "accuracy_tuned": tuned.accuracy,
        "macro_f1_tuned": tuned.macro_f1,
        **{f"f1_{action}": tuned.per_class[action].f1 for action in ACTION_NAMES},
        **_reply_scores(test.targets, np.exp(log_p), calibration.probabilities(peer.logits(mail["unacted"]))),
        "ece": probability_metrics.expected_calibration_error(np.exp(log_p), test.targets),
        "seconds": seconds,
        "messages_per_second": rate,
    }


def _reply_scores(targets: npt.NDArray[np.int64], test: FloatArray, unacted: FloatArray) -> Scores:
    """How well "needs a reply" is ranked, among the messages with an action and among all received messages."""
    positive, score = probability_metrics.needs_reply(targets), probability_metrics.reply_probability(test)
    received = np.concatenate([positive, np.zeros(len(unacted), dtype=bool)])
    all_scores = np.concatenate([score, probability_metrics.reply_probability(unacted)])
    return {
        "reply_auc": probability_metrics.roc_auc(positive, score),
        "reply_average_precision": probability_metrics.average_precision(positive, score),
        "reply_auc_received": probability_metrics.roc_auc(received, all_scores),
        "reply_average_precision_received": probability_metrics.average_precision(received, all_scores),
    }


def _table(results: dict[str, list[Scores]]) -> Iterator[str]:
    yield "| Model | " + " | ".join(COLUMNS.values()) + " |"
    yield "|---" * (len(COLUMNS) + 1) + "|"
    for name, runs in results.items():
        yield f"| {name} | " + " | ".join(_cell(column, [run[column] for run in runs]) for column in COLUMNS) + " |"


def _cell(column: str, values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    if column in ("seconds", "messages_per_second"):
        return f"{np.mean(known):,.0f}"
    return f"{np.mean(known):.4f}" + (f" ± {np.std(known, ddof=1):.4f}" if len(known) > 1 else "")


def _differences(results: dict[str, list[Scores]]) -> Iterator[str]:
    """Policy minus peer, paired by split, with 95% intervals (Student's t)."""
    count = len(results[POLICY])
    if count < 2:
        return
    yield "| Policy minus | " + " | ".join(f"{COLUMNS[name]} [95%] (splits won)" for name in COMPARED) + " |"
    yield "|---" * (len(COMPARED) + 1) + "|"
    for name, runs in results.items():
        if name == POLICY:
            continue
        cells = []
        for column in COMPARED:
            pairs = [(a[column], b[column]) for a, b in zip(results[POLICY], runs, strict=True)]
            values = np.array([a - b for a, b in pairs if a is not None and b is not None])
            half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
            won = int((values < 0).sum() if column == "ece" else (values > 0).sum())
            cells.append(f"{values.mean():+.4f} [{values.mean() - half:+.4f}, {values.mean() + half:+.4f}] ({won})")
        yield f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
