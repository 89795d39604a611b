"""The stage ``evaluate``: any checkpoint, on any split or labelled file.

    triage evaluate --set evaluate.checkpoint=best_sft --set evaluate.split=val

Writes ``data/eval/<checkpoint>.<split>.json`` and a picture of the confusion matrix beside it.
"""

from __future__ import annotations

import functools
import itertools
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import log_softmax

from enron_triage import artifacts, provenance
from enron_triage.actions import ACTION_NAMES
from enron_triage.config import Config, DecisionRule
from enron_triage.errors import UsageError
from enron_triage.evaluation import baselines, metrics, report
from enron_triage.evaluation.calibration import Calibration
from enron_triage.evaluation.decisions import Decision
from enron_triage.features.dataset import Dataset, load_dataset
from enron_triage.features.extract import UNACTED
from enron_triage.features.history import earlier_actions
from enron_triage.features.transform import Transform
from enron_triage.labels.split_metadata import belongs_to, read_metadata
from enron_triage.models.checkpoint import Checkpoint, check_fit, load_checkpoint
from enron_triage.models.policy import Policy, choose_device, new_policy, predict_logits
from enron_triage.records import LabeledEmail
from enron_triage.stages import (
    Result,
    checkpoint_path,
    evaluated_records,
    evaluated_split,
    evaluation_path,
    plan,
)

logger = logging.getLogger(__name__)

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_EARLIER_ACTIONS = (0, 1, 50, 500, np.inf)  # bounds: a new user's first day to a year


def run(config: Config) -> Result:
    """Evaluate ``evaluate.checkpoint`` on ``evaluate.split``.

    Raises
    ------
    UsageError
        If the checkpoint or the records are missing or damaged, or do not fit each other.
    """
    stage = plan("evaluate", config)
    path, source = checkpoint_path(config), evaluated_records(config)
    device = choose_device(config.device)
    with stage.recorded() as counts:
        checkpoint = load_checkpoint(path)
        transform = Transform.from_plain(checkpoint.features)
        dataset = load_dataset(
            source,
            transform.groups,
            cache=config.data / "features",
            workers=config.worker_count,
            embedding_model=transform.embedding_model,
        )
        acted = dataset.targets != UNACTED
        if not acted.any():
            raise UsageError(f"{source}: holds no labelled message; run `triage split` with other ratios")
        check_fit(path, checkpoint, dataset.scheme, len(transform.columns), source)
        policy = checkpoint.policy(device)
        features = transform.apply(dataset).to(device)
        started = time.perf_counter()
        logits = predict_logits(policy, features).numpy()
        seconds = time.perf_counter() - started
        unacted = _unacted_logits(config, policy, transform, device)
        unacted = np.concatenate([logits[~acted.numpy()], unacted])
        evaluation = {
            "checkpoint": path.stem,
            "split": evaluated_split(config) or str(source),
            "scheme": dataset.scheme,
            **score(checkpoint, dataset, logits, unacted, config.decision.rule, config.evaluate.bootstrap, config.seed),
            "baselines": _baselines(config, checkpoint, dataset, features, source),
            "messages_per_second": round(len(dataset) / seconds),
        }
        output = evaluation_path(config)
        artifacts.write_json(output, evaluation)
        with artifacts.atomic_open(output.with_suffix(".png")) as file:
            report.draw_confusion(np.array(evaluation["confusion_matrix"]), f"{path.stem} on {source.stem}", file)
        counts.update(count=evaluation["count"], accuracy=evaluation["accuracy"])
    if evaluation["collapsed"]:
        logger.warning("the policy has collapsed: nearly all its predictions are one action")
    return Result(stage="evaluate", table=report.evaluation_table(evaluation), data=evaluation)


def score(
    checkpoint: Checkpoint,
    dataset: Dataset,
    logits: npt.NDArray[np.float32],
    unacted: npt.NDArray[np.float32],
    rule: DecisionRule | None,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Everything that an evaluation says of the policy itself.

    Parameters
    ----------
    checkpoint : Checkpoint
        Gives the calibration and the decision rules.
    dataset : Dataset
    logits : array, shape (messages, actions)
        Of every message of `dataset`.
    unacted : array, shape (unacted messages, actions)
        Logits of the received messages that got no action.
    rule : str, optional
        The decision rule, by default the checkpoint's own.
    resamples : int
        Of the bootstrap.
    seed : int
        Of the bootstrap.
    """
    acted = dataset.targets.numpy() != UNACTED
    targets, mailbox = dataset.targets.numpy()[acted], dataset.mailbox.numpy()[acted]
    calibration, decision = Calibration(**checkpoint.calibration), Decision(**checkpoint.decision)
    log_p = calibration.log_probabilities(logits[acted])
    probabilities = np.exp(log_p)
    predictions = decision.decide(log_p, rule)
    result = metrics.classification(targets, predictions)
    for index, name in enumerate(ACTION_NAMES):
        result["per_class"][name]["auc"] = metrics.area_under_curve(targets == index, probabilities[:, index])
    positive, reply = metrics.needs_reply(targets), metrics.reply_probability(probabilities)
    unacted_reply = metrics.reply_probability(calibration.probabilities(unacted))
    received = np.concatenate([positive, np.zeros(len(unacted_reply), dtype=bool)])
    per_mailbox = _per_mailbox(dataset.mailboxes, mailbox, targets, predictions)
    return {
        "count": len(targets),
        "mailboxes": len(per_mailbox),
        **result,
        "reply_auc": metrics.area_under_curve(positive, reply),
        "reply_average_precision": metrics.average_precision(positive, reply),
        # Without the messages that got no action, "all received" would be something else.
        "reply_auc_received": metrics.area_under_curve(received, np.concatenate([reply, unacted_reply]))
        if len(unacted)
        else None,
        "received": len(received),
        "ece": metrics.expected_calibration_error(np.exp(log_softmax(logits[acted].astype(float), axis=1)), targets),
        "ece_calibrated": metrics.expected_calibration_error(probabilities, targets),
        "temperature": calibration.temperature,
        "decision_rule": rule or decision.rule,
        "decisions": {name: _decision(targets, decision.decide(log_p, name)) for name in decision.offsets},
        "by_earlier_actions": _by_earlier_actions(dataset, acted, targets, predictions, reply),
        "intervals": _intervals(mailbox, targets, predictions, reply, resamples, seed),
        "per_mailbox": per_mailbox,
        "mailbox_mean": {
            name: float(np.mean([values[name] for values in per_mailbox.values()])) for name in ("accuracy", "macro_f1")
        },
    }


def _by_earlier_actions(
    dataset: Dataset,
    acted: npt.NDArray[np.bool_],
    targets: IntArray,
    predictions: IntArray,
    reply: FloatArray,
) -> dict[str, Any]:
    """How good the policy is for a new user, and how good once it knows them; empty without history."""
    if "history" not in dataset.raw:
        return {}
    known = earlier_actions(dataset.raw["history"].numpy())[acted]
    result: dict[str, dict[str, Any]] = {}
    for first, last in itertools.pairwise(_EARLIER_ACTIONS):
        rows = (known >= first) & (known < last)
        name = f"{first}+" if last == np.inf else str(first) if last == first + 1 else f"{first}-{int(last) - 1}"
        result[name] = {"count": int(rows.sum())}
        if rows.any():
            confusion = metrics.confusion_matrix(targets[rows], predictions[rows])
            result[name] |= {
                "accuracy": float(metrics.accuracy(confusion)),
                "macro_f1": float(metrics.macro_f1(confusion)),
                "reply_auc": metrics.area_under_curve(metrics.needs_reply(targets[rows]), reply[rows]),
            }
    return result


def _decision(targets: IntArray, predictions: IntArray) -> dict[str, Any]:
    """What one decision rule gives, in short."""
    result = metrics.classification(targets, predictions)
    return {
        name: result[name] for name in ("accuracy", "balanced_accuracy", "macro_f1", "predicted_share", "collapsed")
    }


def _unacted_logits(
    config: Config, policy: Policy, transform: Transform, device: torch.device
) -> npt.NDArray[np.float32]:
    """Logits of the received messages of this split's mailboxes that got no action."""
    split = evaluated_split(config)
    if split is None:
        return np.empty((0, len(ACTION_NAMES)), dtype=np.float32)
    metadata_path = config.data / "split_metadata.json"
    metadata = read_metadata(metadata_path)
    dataset = load_dataset(
        config.data / "emails_unacted.json",
        transform.groups,
        cache=config.data / "features",
        workers=config.worker_count,
        embedding_model=transform.embedding_model,
        keep=functools.partial(belongs_to, metadata, split),
        keep_key=f"{split} {provenance.file_state(metadata_path).sha256}",
    )
    if not len(dataset):
        return np.empty((0, len(ACTION_NAMES)), dtype=np.float32)
    return predict_logits(policy, transform.apply(dataset).to(device)).numpy()


def _baselines(
    config: Config, checkpoint: Checkpoint, dataset: Dataset, features: torch.Tensor, source: Path
) -> dict[str, Any]:
    """What the policy is to be compared with; under the leaking scheme, the rule that shows the leak."""
    acted = dataset.targets != UNACTED
    targets = dataset.targets[acted].numpy()
    shares = checkpoint.features["population"].double().numpy()
    untrained = new_policy(**checkpoint.model, seed=checkpoint.seed).to(features.device)
    predictions = {
        "untrained": predict_logits(untrained, features[acted.to(features.device)]).argmax(dim=1).numpy(),
        "majority": baselines.majority_prediction(shares, len(targets)),
        "prior": baselines.prior_prediction(shares, len(targets), np.random.default_rng(config.seed)),
    }
    if dataset.scheme == "folder":
        predictions["subject_rule"] = baselines.subject_rule(artifacts.read_records(source, LabeledEmail))
    return {name: metrics.classification(targets, predicted) for name, predicted in predictions.items()}


def _per_mailbox(names: list[str], mailbox: IntArray, targets: IntArray, predictions: IntArray) -> dict[str, Any]:
    result = {}
    for index, name in enumerate(names):
        rows = mailbox == index
        if rows.any():
            confusion = metrics.confusion_matrix(targets[rows], predictions[rows])
            result[name] = {
                "count": int(rows.sum()),
                "accuracy": float(metrics.accuracy(confusion)),
                "macro_f1": float(metrics.macro_f1(confusion)),
            }
    return result


def _intervals(
    mailbox: IntArray, targets: IntArray, predictions: IntArray, reply: FloatArray, resamples: int, seed: int
) -> dict[str, list[float] | None]:
    """95% intervals over mailboxes: the people are the sample, not their messages."""
    _, group = np.unique(mailbox, return_inverse=True)
    confusions = np.stack(
        [metrics.confusion_matrix(targets[group == g], predictions[group == g]) for g in range(group.max() + 1)]
    )

    def of_confusion(statistic: Callable[[Any], FloatArray]) -> Callable[[IntArray], FloatArray]:
        return lambda drawn: statistic(np.tensordot(drawn, confusions, axes=1))

    positive = metrics.needs_reply(targets)
    statistics: dict[str, Callable[[IntArray], FloatArray]] = {
        "accuracy": of_confusion(metrics.accuracy),
        "balanced_accuracy": of_confusion(metrics.balanced_accuracy),
        "macro_f1": of_confusion(metrics.macro_f1),
        "reply_auc": lambda drawn: metrics.weighted_areas(positive, reply, drawn[:, group]),
    }
    return metrics.bootstrap_intervals(group, statistics, resamples=resamples, generator=np.random.default_rng(seed))
