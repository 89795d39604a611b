"""What an evaluation says of a policy, from its logits."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from enron_triage.config.schema import Config
from enron_triage.config.types import Costs
from enron_triage.features.dataset import Dataset
from enron_triage.features.extract import UNACTED
from enron_triage.features.history import num_prior_actions
from enron_triage.policy import metrics
from enron_triage.policy.calibration import Calibration
from enron_triage.policy.checkpoint import Checkpoint
from enron_triage.policy.decisions import RULES, Decision
from enron_triage.records import ACTION_NAMES

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_EARLIER_ACTIONS = (0, 1, 50, 500, np.inf)  # bounds: a new user's first day to a year


def score(
    checkpoint: Checkpoint,
    dataset: Dataset,
    logits: npt.NDArray[np.float32],
    unacted: npt.NDArray[np.float32],
    config: Config,
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
    config : Config
        The decision rule (by default, the checkpoint's own), the costs, the bootstrap.
    """
    acted = dataset.targets.numpy() != UNACTED
    targets, mailbox = dataset.targets.numpy()[acted], dataset.mailbox.numpy()[acted]
    calibration, decision = Calibration(**checkpoint.calibration), decision_of(checkpoint, config)
    log_p = calibration.log_probabilities(logits[acted])
    probabilities = np.exp(log_p)
    predictions = decision.decide(log_p)
    result = decision_metrics(targets, predictions, decision.costs)
    for index, name in enumerate(ACTION_NAMES):
        result["per_class"][name]["auc"] = metrics.roc_auc(targets == index, probabilities[:, index])
    positive, reply = metrics.needs_reply(targets), metrics.reply_probability(probabilities)
    unacted_reply = metrics.reply_probability(calibration.probabilities(unacted))
    received = np.concatenate([positive, np.zeros(len(unacted_reply), dtype=bool)])
    per_mailbox = _per_mailbox(dataset.mailboxes, mailbox, targets, predictions)
    return {
        "count": len(targets),
        "mailboxes": len(per_mailbox),
        **result,
        "reply_auc": metrics.roc_auc(positive, reply),
        "reply_average_precision": metrics.average_precision(positive, reply),
        # Without the messages that got no action, "all received" would be something else.
        "reply_auc_received": metrics.roc_auc(received, np.concatenate([reply, unacted_reply]))
        if len(unacted)
        else None,
        "received": len(received),
        "ece": metrics.expected_calibration_error(np.exp(log_softmax(logits[acted].astype(float), axis=1)), targets),
        "ece_calibrated": metrics.expected_calibration_error(probabilities, targets),
        "reliability": metrics.reliability(probabilities, targets),
        "temperature": calibration.temperature,
        "decision_rule": decision.rule,
        "decisions": {name: decision_metrics(targets, decision.decide(log_p, name), decision.costs) for name in RULES},
        "by_earlier_actions": _by_earlier_actions(dataset, acted, targets, predictions, reply),
        "intervals": _intervals(mailbox, targets, predictions, reply, config),
        "per_mailbox": per_mailbox,
        "mailbox_mean": {
            name: float(np.mean([values[name] for values in per_mailbox.values()])) for name in ("accuracy", "macro_f1")
        },
    }


def decision_of(checkpoint: Checkpoint, config: Config) -> Decision:
    """The checkpoint's decision rules, with the configured rule and costs."""
    decision = Decision(**checkpoint.decision)
    return msgspec.structs.replace(decision, rule=config.decision.rule or decision.rule, costs=config.rewards.costs)


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
    known = num_prior_actions(dataset.raw["history"].numpy())[acted]
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
                "reply_auc": metrics.roc_auc(metrics.needs_reply(targets[rows]), reply[rows]),
            }
    return result


def decision_metrics(targets: IntArray, predictions: IntArray, costs: Costs) -> dict[str, Any]:
    """The metrics of some decisions that need no probabilities, the mean reward among them."""
    result = msgspec.to_builtins(metrics.classification(targets, predictions))
    reward = metrics.mean_reward(np.array(result["confusion_matrix"]), costs)
    return {**result, "mean_reward": float(reward)}


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
    mailbox: IntArray, targets: IntArray, predictions: IntArray, reply: FloatArray, config: Config
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
        "mean_reward": of_confusion(lambda confusions: metrics.mean_reward(confusions, config.rewards.costs)),
        "reply_auc": lambda drawn: metrics.weighted_roc_auc(positive, reply, drawn[:, group]),
    }
    generator = np.random.default_rng(config.seed)
    return metrics.bootstrap_intervals(group, statistics, resamples=config.evaluate.bootstrap, generator=generator)
