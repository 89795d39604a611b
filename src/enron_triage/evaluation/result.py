"""The result of an evaluation: the content of ``data/eval/<checkpoint>.<split>.json``.

The stage ``evaluate`` writes it; the table, the report and the plots read it. The order of the fields is the order of
the keys in the file. An undefined value (for an action without support, or a ROC curve with one class) is None here and
``null`` in the file.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from enron_triage.evaluation.judged_result import JudgedMetrics
from enron_triage.policy.metrics import Classification, ClassMetrics
from enron_triage.policy.probability_metrics import ReliabilityBin

Interval = list[float]  # [low, high]


class DecisionMetrics(Classification, kw_only=True):
    """The metrics of decisions, made by a policy with some decision rule or by a baseline.

    Attributes
    ----------
    mean_reward : float
        Minus the mean cost of the decisions, with the costs from the configuration.
    """

    mean_reward: float


class ClassMetricsWithAuc(ClassMetrics, kw_only=True):
    """The metrics of one action, for a policy that predicts probabilities.

    Attributes
    ----------
    auc : float or None
        Area under the ROC curve of the action's probability, against all other actions; None if all messages have
        this action, or none has.
    """

    auc: float | None


class HistoryBin(msgspec.Struct, kw_only=True):
    """The result on messages with about the same number of earlier actions by the owner.

    A bin without messages has only a count, also in the file.

    Attributes
    ----------
    count : int
        How many messages are in the bin.
    accuracy : float
        The share of right decisions.
    macro_f1 : float
        The mean F1 over the actions that occur among these messages.
    reply_auc : float or None
        Area under the ROC curve of P(reply); None if all or none of the messages were answered.
    """

    count: int
    accuracy: float | UnsetType = UNSET
    macro_f1: float | UnsetType = UNSET
    reply_auc: float | UnsetType | None = UNSET


class MailboxMetrics(msgspec.Struct, kw_only=True):
    """The result on one mailbox.

    Attributes
    ----------
    count : int
        How many messages of the mailbox were evaluated.
    accuracy : float
        The share of right decisions.
    macro_f1 : float
        The mean F1 over the actions that the owner took.
    """

    count: int
    accuracy: float
    macro_f1: float


class MailboxMean(msgspec.Struct, kw_only=True):
    """Means over mailboxes; every mailbox has the same weight, whatever its size.

    Attributes
    ----------
    accuracy : float
        The mean of the mailboxes' accuracies.
    macro_f1 : float
        The mean of the mailboxes' macro-F1.
    """

    accuracy: float
    macro_f1: float


class BayesBaseline(msgspec.Struct, kw_only=True):
    """The decisions of a policy compared with the simple alternative: see `bayes_baseline`.

    Attributes
    ----------
    checkpoint : str
        The name of the SFT policy whose probabilities the alternative uses.
    mean_reward : float
        The mean reward of the alternative's decisions.
    gain : float
        The policy's mean reward minus the alternative's.
    interval : [low, high] or None
        The 95% interval of the gain over mailboxes; None for fewer than 10 mailboxes.
    beats_baseline : bool
        Whether the gain is above 0; the key in the file is ``beaten``.
    """

    checkpoint: str
    mean_reward: float
    gain: float
    interval: Interval | None
    beats_baseline: bool = msgspec.field(name="beaten")


class PolicyScores(msgspec.Struct, kw_only=True):
    """The part of an evaluation that concerns the policy alone.

    Attributes
    ----------
    checkpoint : str
        The name of the checkpoint's file, without ``.pt``.
    stage : str
        The stage that trained it.
    split : str
        The split that it was evaluated on, or the path of the file of labelled records.
    scheme : str
        The label scheme.
    count : int
        The number of evaluated messages, which all have an action.
    mailboxes : int
        The number of mailboxes that they belong to.
    accuracy, balanced_accuracy, macro_f1, confusion_matrix, predicted_share, collapsed, mean_reward
        The metrics of the policy's decisions, as in `DecisionMetrics`.
    per_class : dict of str to ClassMetricsWithAuc
        The metrics of each action.
    reply_auc : float or None
        Area under the ROC curve of P(reply_now) + P(reply_later) among the messages with an action; None if all or
        none of them were answered.
    reply_average_precision : float or None
        Average precision of the same probability; None if no message was answered.
    reply_auc_received : float or None
        `reply_auc` among all received messages, where those without an action count as not answered; None if the
        split has no such messages.
    received : int
        The number of these received messages.
    ece : float
        Expected calibration error of the probabilities before calibration.
    ece_calibrated : float
        Expected calibration error of the calibrated probabilities.
    reliability : list of ReliabilityBin
        The reliability diagram of the calibrated probabilities, in order of confidence.
    temperature : float
        The temperature of the calibration.
    decision_rule : str
        The decision rule that the policy used.
    decisions : dict of str to DecisionMetrics
        The result with every decision rule.
    by_earlier_actions : dict of str to HistoryBin
        The result by the number of the owner's actions that were known when the message arrived, such as ``1-49``;
        empty if the records have no history.
    intervals : dict of str to [low, high] or None
        95% intervals of some metrics over mailboxes; None for fewer than 10 mailboxes.
    per_mailbox : dict of str to MailboxMetrics
        The result on each mailbox.
    mailbox_mean : MailboxMean
        Means over the mailboxes.
    mailbox_confusion : dict of str to list of list of int
        The confusion matrix of each mailbox, with a row for each action of the owner, so that two policies can be
        compared mailbox by mailbox.
    """

    checkpoint: str
    stage: str
    split: str
    scheme: str
    count: int
    mailboxes: int
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    per_class: dict[str, ClassMetricsWithAuc]
    confusion_matrix: list[list[int]]
    predicted_share: dict[str, float]
    collapsed: bool
    mean_reward: float
    reply_auc: float | None
    reply_average_precision: float | None
    reply_auc_received: float | None
    received: int
    ece: float
    ece_calibrated: float
    reliability: list[ReliabilityBin]
    temperature: float
    decision_rule: str
    decisions: dict[str, DecisionMetrics]
    by_earlier_actions: dict[str, HistoryBin]
    intervals: dict[str, Interval | None]
    per_mailbox: dict[str, MailboxMetrics]
    mailbox_mean: MailboxMean
    mailbox_confusion: dict[str, list[list[int]]]


class EvaluationSource(msgspec.Struct, kw_only=True):
    """The files and settings that an evaluation was made from.

    Attributes
    ----------
    checkpoint : str
        The path of the checkpoint, relative to the data folder, so that it stays valid if both are moved together.
    checkpoint_sha256 : str
        The SHA-256 of the checkpoint's file.
    run : str or None
        The name of the run whose folder contains the checkpoint; None if there is no such run.
    records : str
        The path of the labelled records, relative to the data folder.
    records_sha256 : str
        The SHA-256 of the records; only evaluations with the same value can be compared.
    settings : dict
        The settings that affect the evaluation in addition to the checkpoint and the records, as nested plain values.
    training : dict
        The settings that the policy was trained with, as nested plain values; empty if they are not known.
    extended_from : list of int
        The numbers of epochs before each extension of the training, in order; empty if it was not extended.
    members : list of str
        The policies of an ensemble, as in ``evaluate.checkpoint``; empty for a single policy. For an ensemble, the
        paths in `checkpoint` are joined by ``+``, and `checkpoint_sha256` is the digest of all their digests.
    command : str
        The command that trained the policy; empty if it is not known.
    versions : dict of str to str
        The versions of the program and of the libraries that trained the policy; empty if they are not known.
    """

    checkpoint: str
    checkpoint_sha256: str
    run: str | None
    records: str
    records_sha256: str
    settings: dict[str, Any]
    training: dict[str, Any]
    extended_from: list[int] = []
    members: list[str] = []
    command: str = ""
    versions: dict[str, str] = {}

    @property
    def costs(self) -> list[list[float]] | None:
        """The costs of wrong decisions that the mean rewards are computed with; None if the settings lack them."""
        costs: list[list[float]] | None = self.settings.get("rewards", {}).get("costs")
        return costs


class Evaluation(PolicyScores, kw_only=True):
    """The result of an evaluation: the policy, and what it is compared with.

    Attributes
    ----------
    source : EvaluationSource
        The checkpoint, data and settings that it was made from.
    bayes_baseline : BayesBaseline or None
        The comparison with the simple alternative; None if the SFT policy no longer exists. The key in the file is
        ``alternative``.
    baselines : dict of str to DecisionMetrics
        The results of the untrained policy, of rules that need no training, and of rules that reveal a leak.
    messages_per_second : int
        The number of messages per second that the policy decides, not counting feature extraction.
    notes : list of str
        Remarks on how to interpret the figures, for example that there are few messages; may be empty.
    judgements : JudgedMetrics or UNSET
        The comparison with judgements by people, if ``evaluate.judgements`` is set.
    """

    source: EvaluationSource
    bayes_baseline: BayesBaseline | None = msgspec.field(name="alternative")
    baselines: dict[str, DecisionMetrics]
    messages_per_second: int
    notes: list[str] = []
    judgements: JudgedMetrics | UnsetType = UNSET
