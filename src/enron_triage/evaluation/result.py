"""What an evaluation says: the content of ``data/eval/<checkpoint>.<split>.json``.

The stage ``evaluate`` writes it; the table, the report and the plots read it. The order of the fields is the order of
the keys in the file. What is undefined (an action without support, a ROC curve through one class) is None here and
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
    """The metrics of some decisions, whoever made them: a policy under some rule, or a baseline.

    Attributes
    ----------
    mean_reward : float
        Minus the mean cost of the decisions, by the costs of the configuration.
    """

    mean_reward: float


class ClassMetricsWithAuc(ClassMetrics, kw_only=True):
    """The metrics of one action, for a policy that gives it a probability.

    Attributes
    ----------
    auc : float or None
        Area under the ROC curve of the action's probability, against all other actions; None if every message has
        the action, or none has it.
    """

    auc: float | None


class HistoryBin(msgspec.Struct, kw_only=True):
    """The result on messages before which the owner had taken about the same number of actions.

    A bin without messages has a count and nothing else, also in the file.

    Attributes
    ----------
    count : int
        How many messages are in the bin.
    accuracy : float
        The share of right decisions.
    macro_f1 : float
        The mean F1 of the actions that these messages have.
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
        The mean F1 of the actions that the owner took.
    """

    count: int
    accuracy: float
    macro_f1: float


class MailboxMean(msgspec.Struct, kw_only=True):
    """Means over mailboxes, in which each mailbox counts once, however large it is.

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
    """The decisions of a policy against the simple alternative to them: see `bayes_baseline`.

    Attributes
    ----------
    checkpoint : str
        The name of the SFT policy whose probabilities the alternative uses.
    mean_reward : float
        The mean reward of the alternative's decisions.
    gain : float
        The policy's mean reward less the alternative's.
    interval : [low, high] or None
        The 95% interval of the gain over mailboxes; None under 10 mailboxes.
    beats_baseline : bool
        Whether the gain is above 0; the key ``beaten`` in the file.
    """

    checkpoint: str
    mean_reward: float
    gain: float
    interval: Interval | None
    beats_baseline: bool = msgspec.field(name="beaten")


class PolicyScores(msgspec.Struct, kw_only=True):
    """What an evaluation says of the policy by itself.

    Attributes
    ----------
    checkpoint : str
        The name of the checkpoint's file, without ``.pt``.
    stage : str
        The stage that trained it.
    split : str
        The split, or the path of the file of labelled records, that it was evaluated on.
    scheme : str
        The label scheme.
    count : int
        How many messages with an action were evaluated.
    mailboxes : int
        How many mailboxes they belong to.
    accuracy, balanced_accuracy, macro_f1, confusion_matrix, predicted_share, collapsed, mean_reward
        Of the policy's decisions, as in `DecisionMetrics`.
    per_class : dict of str to ClassMetricsWithAuc
        The metrics of each action.
    reply_auc : float or None
        Area under the ROC curve of P(reply_now) + P(reply_later) among the messages with an action; None if all or
        none of them were answered.
    reply_average_precision : float or None
        Average precision of the same probability; None if no message was answered.
    reply_auc_received : float or None
        `reply_auc` among all received messages, which counts those without an action as not answered; None if the
        split has no such messages.
    received : int
        How many received messages that is.
    ece : float
        Expected calibration error of the network's own probabilities.
    ece_calibrated : float
        Expected calibration error of the calibrated probabilities.
    reliability : list of ReliabilityBin
        The reliability diagram of the calibrated probabilities, in order of confidence.
    temperature : float
        The temperature of the calibration.
    decision_rule : str
        The rule by which the policy decided.
    decisions : dict of str to DecisionMetrics
        The result under every decision rule.
    by_earlier_actions : dict of str to HistoryBin
        The result by how many actions of the owner were known when the message arrived, such as ``1-49``; empty
        where records have no history.
    intervals : dict of str to [low, high] or None
        95% intervals of some metrics over mailboxes; None under 10 mailboxes.
    per_mailbox : dict of str to MailboxMetrics
        The result on each mailbox.
    mailbox_mean : MailboxMean
        Means over the mailboxes.
    mailbox_confusion : dict of str to list of list of int
        The confusion matrix of each mailbox, a row for each action of the owner: two policies can be compared by them,
        mailbox by mailbox.
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
    """Of which files, and by which settings, an evaluation is.

    Attributes
    ----------
    checkpoint : str
        The path of the checkpoint, relative to the data folder: it holds also after both were moved together.
    checkpoint_sha256 : str
        The SHA-256 of the checkpoint's file.
    run : str or None
        The name of the run, whose folder the checkpoint is in; None if it is in none.
    records : str
        The path of the labelled records, relative to the data folder.
    records_sha256 : str
        The SHA-256 of the records: evaluations can be compared only if it is the same.
    settings : dict
        The settings that decide the evaluation besides the checkpoint and the records, as nested plain values.
    training : dict
        The settings by which the policy was trained, as nested plain values; empty if they are not known.
    extended_from : list of int
        For how many epochs the training was before it was extended, in order; empty if it was not.
    members : list of str
        The policies of an ensemble, as ``evaluate.checkpoint`` names them; empty for a single policy. The paths in
        `checkpoint` are then joined by ``+``, and `checkpoint_sha256` is of the digests of all.
    command : str
        The command that trained the policy; empty if it is not known.
    versions : dict of str to str
        The versions of the program and its libraries that trained the policy; empty if they are not known.
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
        """The costs of wrong decisions that the mean rewards are by; None if the settings lack them."""
        costs: list[list[float]] | None = self.settings.get("rewards", {}).get("costs")
        return costs


class Evaluation(PolicyScores, kw_only=True):
    """What an evaluation says of a policy and of what it is compared with.

    Attributes
    ----------
    source : EvaluationSource
        Of which checkpoint, data and settings it is.
    bayes_baseline : BayesBaseline or None
        The comparison with the simple alternative, None if the SFT policy is not there any more; the key
        ``alternative`` in the file.
    baselines : dict of str to DecisionMetrics
        The result of the untrained policy, of rules that need no training, and of those that show a leak.
    messages_per_second : int
        How many messages the policy decides in a second, once their features are extracted.
    notes : list of str
        What to keep in mind of the figures, such as that they are from few messages; empty if nothing.
    judgements : JudgedMetrics or UNSET
        The comparison with judgements by people, if ``evaluate.judgements`` names some.
    """

    source: EvaluationSource
    bayes_baseline: BayesBaseline | None = msgspec.field(name="alternative")
    baselines: dict[str, DecisionMetrics]
    messages_per_second: int
    notes: list[str] = []
    judgements: JudgedMetrics | UnsetType = UNSET
