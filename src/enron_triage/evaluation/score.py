"""Computing the evaluation of a policy from its logits."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from torch import Tensor

from enron_triage.config.schema import Config
from enron_triage.config.types import Costs
from enron_triage.evaluation.result import (
    ClassMetricsWithAuc,
    DecisionMetrics,
    HistoryBin,
    Interval,
    MailboxMean,
    MailboxMetrics,
    PolicyScores,
)
from enron_triage.features.dataset import UNACTED, Dataset
from enron_triage.features.history import num_prior_actions
from enron_triage.policy import intervals, metrics, probability_metrics
from enron_triage.policy.checkpoint import Checkpoint
from enron_triage.policy.decisions import Decision
from enron_triage.policy.metrics import FloatArray, IntArray
from enron_triage.records import ACTION_NAMES

LogitArray = npt.NDArray[np.float32]

_EARLIER_ACTIONS = (0, 1, 50, 500, np.inf)  # bounds: from a new user's first day to a year of use


class _Decided(msgspec.Struct, kw_only=True, frozen=True):
    """The messages with an action, and what the policy says of them; every array has a row per message."""

    targets: IntArray
    mailbox: IntArray
    probabilities: FloatArray  # calibrated, shape (messages, actions)
    predictions: IntArray

    @property
    def is_reply(self) -> npt.NDArray[np.bool_]:
        return probability_metrics.needs_reply(self.targets)

    @property
    def reply_probability(self) -> FloatArray:
        return probability_metrics.reply_probability(self.probabilities)


def score(
    checkpoint: Checkpoint,
    dataset: Dataset,
    logits: LogitArray,
    unacted_logits: LogitArray,
    config: Config,
    *,
    name: str,
    split: str,
) -> PolicyScores:
    """Everything that an evaluation says of the policy itself.

    Parameters
    ----------
    checkpoint : Checkpoint
        The policy's checkpoint, for its calibration and its decision rules.
    dataset : Dataset
        The messages that the policy is evaluated on.
    logits : array, shape (messages, actions)
        The policy's logits for every message of `dataset`.
    unacted_logits : array, shape (unacted messages, actions)
        Its logits for the received messages that got no action.
    config : Config
        The whole configuration: the decision rule (by default, the checkpoint's own), the costs.
    name, split : str
        The names of the checkpoint and of the split, as the evaluation gives them.

    Returns
    -------
    PolicyScores
        The metrics of the messages that have an action.
    """
    acted = dataset.targets.numpy() != UNACTED
    calibration, decision = checkpoint.calibration, decision_of(checkpoint, config)
    log_p = calibration.log_probabilities(logits[acted])
    decided = _Decided(
        targets=dataset.targets.numpy()[acted],
        mailbox=dataset.mailbox.numpy()[acted],
        probabilities=np.exp(log_p),
        predictions=decision.decide(log_p),
    )
    confusions = _confusion_by_mailbox(decided, dataset.mailboxes)
    per_mailbox = {name: _mailbox_metrics(confusion) for name, confusion in confusions.items()}
    return PolicyScores(
        checkpoint=name,
        stage=checkpoint.stage,
        split=split,
        scheme=dataset.scheme,
        count=len(decided.targets),
        mailboxes=len(per_mailbox),
        **_own_decisions(decided, decision.costs),
        **_reply_detection(decided, calibration.probabilities(unacted_logits)),
        **_calibration_quality(decided, logits[acted]),
        temperature=calibration.temperature,
        decision_rule=decision.rule,
        decisions=_by_rule(decided.targets, log_p, decision),
        by_earlier_actions=_by_earlier_actions(decided, dataset, acted),
        intervals=_intervals(decided, config.rewards.costs),
        per_mailbox=per_mailbox,
        mailbox_mean=_mailbox_mean(list(per_mailbox.values())),
        mailbox_confusion={name: confusion.tolist() for name, confusion in confusions.items()},
    )


def decision_of(checkpoint: Checkpoint, config: Config) -> Decision:
    """The decision rules of a checkpoint, with the configuration's rule and costs.

    Parameters
    ----------
    checkpoint : Checkpoint
        Any checkpoint.
    config : Config
        The whole configuration: ``decision.rule`` (by default, the checkpoint's own) and ``rewards.costs``.
    """
    decision = checkpoint.decision.with_rule(config.decision.rule)
    return msgspec.structs.replace(decision, costs=config.rewards.costs)


def decision_metrics(targets: IntArray, predictions: IntArray, costs: Costs) -> DecisionMetrics:
    """The metrics of some decisions that need no probabilities.

    Parameters
    ----------
    targets : array of int, shape (messages,)
        What the owner did: class indices.
    predictions : array of int, shape (messages,)
        What was decided.
    costs : 5 rows of 5 numbers
        Rows are what the owner did, columns what is decided.
    """
    classification = metrics.classification(targets, predictions)
    reward = metrics.mean_reward(np.array(classification.confusion_matrix), costs)
    return DecisionMetrics(**msgspec.structs.asdict(classification), mean_reward=float(reward))


def _by_rule(targets: IntArray, log_probabilities: FloatArray, decision: Decision) -> dict[str, DecisionMetrics]:
    """The decisions of every rule that the policy has."""
    return {
        rule: decision_metrics(targets, decision.decide(log_probabilities, rule), decision.costs)
        for rule in decision.available
    }


def _own_decisions(decided: _Decided, costs: Costs) -> dict[str, Any]:
    """The fields of `PolicyScores` that are the metrics of the policy's decisions."""
    decisions = decision_metrics(decided.targets, decided.predictions, costs)
    per_class = {
        name: ClassMetricsWithAuc(
            **msgspec.structs.asdict(decisions.per_class[name]),
            auc=probability_metrics.roc_auc(decided.targets == index, decided.probabilities[:, index]),
        )
        for index, name in enumerate(ACTION_NAMES)
    }
    return msgspec.structs.asdict(decisions) | {"per_class": per_class}


def _reply_detection(decided: _Decided, unacted_probabilities: FloatArray) -> dict[str, Any]:
    """The fields of `PolicyScores` that say how well the policy tells what needs a reply."""
    is_reply, reply = decided.is_reply, decided.reply_probability
    unacted_reply = probability_metrics.reply_probability(unacted_probabilities)
    received = np.concatenate([is_reply, np.zeros(len(unacted_reply), dtype=bool)])
    return {
        "reply_auc": probability_metrics.roc_auc(is_reply, reply),
        "reply_average_precision": probability_metrics.average_precision(is_reply, reply),
        # Without the messages that got no action, "all received" would mean something else.
        "reply_auc_received": probability_metrics.roc_auc(received, np.concatenate([reply, unacted_reply]))
        if len(unacted_reply)
        else None,
        "received": len(received),
    }


def _calibration_quality(decided: _Decided, logits: LogitArray) -> dict[str, Any]:
    """The fields of `PolicyScores` that say how honest the probabilities are, without and with calibration."""
    uncalibrated, targets = np.exp(log_softmax(logits.astype(float), axis=1)), decided.targets
    return {
        "ece": probability_metrics.expected_calibration_error(uncalibrated, targets),
        "ece_calibrated": probability_metrics.expected_calibration_error(decided.probabilities, targets),
        "reliability": probability_metrics.reliability(decided.probabilities, targets),
    }


def _by_earlier_actions(decided: _Decided, dataset: Dataset, acted: npt.NDArray[np.bool_]) -> dict[str, HistoryBin]:
    """How good the policy is for a new user, and how good once it knows them; empty without history."""
    history = dataset.raw.get("history")
    if not isinstance(history, Tensor):
        return {}
    known = num_prior_actions(history.numpy())[acted]
    bins = {}
    for first, last in itertools.pairwise(_EARLIER_ACTIONS):
        rows = (known >= first) & (known < last)
        name = f"{first}+" if last == np.inf else str(first) if last == first + 1 else f"{first}-{int(last) - 1}"
        bins[name] = _history_bin(decided, rows) if rows.any() else HistoryBin(count=0)
    return bins


def _history_bin(decided: _Decided, rows: npt.NDArray[np.bool_]) -> HistoryBin:
    confusion = metrics.confusion_matrix(decided.targets[rows], decided.predictions[rows])
    return HistoryBin(
        count=int(rows.sum()),
        accuracy=float(metrics.accuracy(confusion)),
        macro_f1=float(metrics.macro_f1(confusion)),
        reply_auc=probability_metrics.roc_auc(decided.is_reply[rows], decided.reply_probability[rows]),
    )


def _confusion_by_mailbox(decided: _Decided, names: Sequence[str]) -> dict[str, IntArray]:
    """The confusion matrix of each mailbox that has a message with an action."""
    result = {}
    for index, name in enumerate(names):
        rows = decided.mailbox == index
        if rows.any():
            result[name] = metrics.confusion_matrix(decided.targets[rows], decided.predictions[rows])
    return result


def _mailbox_metrics(confusion: IntArray) -> MailboxMetrics:
    return MailboxMetrics(
        count=int(confusion.sum()),
        accuracy=float(metrics.accuracy(confusion)),
        macro_f1=float(metrics.macro_f1(confusion)),
    )


def _mailbox_mean(mailboxes: Sequence[MailboxMetrics]) -> MailboxMean:
    return MailboxMean(
        accuracy=float(np.mean([mailbox.accuracy for mailbox in mailboxes])),
        macro_f1=float(np.mean([mailbox.macro_f1 for mailbox in mailboxes])),
    )


def _intervals(decided: _Decided, costs: Costs) -> dict[str, Interval | None]:
    """95% intervals over mailboxes: the people are the sample, not their messages."""
    _, group = np.unique(decided.mailbox, return_inverse=True)
    confusions = np.stack(
        [
            metrics.confusion_matrix(decided.targets[group == g], decided.predictions[group == g])
            for g in range(group.max() + 1)
        ]
    )

    def interval(statistic: Callable[[Any], FloatArray], *, share: bool = True) -> Interval | None:
        return intervals.jackknife_interval(
            confusions.sum(axis=(1, 2)), lambda counts: statistic(np.tensordot(counts, confusions, axes=1)), share=share
        )

    is_reply, reply = decided.is_reply, decided.reply_probability
    return {
        "accuracy": interval(metrics.accuracy),
        "balanced_accuracy": interval(metrics.balanced_accuracy),
        "macro_f1": interval(metrics.macro_f1),
        "mean_reward": interval(lambda drawn: metrics.mean_reward(drawn, costs), share=False),
        "reply_auc": intervals.jackknife_interval(
            confusions.sum(axis=(1, 2)),
            lambda counts: intervals.weighted_roc_auc(is_reply, reply, counts[:, group]),
            share=True,
        ),
    }
