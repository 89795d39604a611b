"""The performance of a policy on validation: what every training stage logs and selects epochs by."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from enron_triage.config.training import DecisionConfig
from enron_triage.config.types import Costs
from enron_triage.errors import TriageError
from enron_triage.policy import metrics, probability_metrics
from enron_triage.policy.calibration import Calibration, Evidence
from enron_triage.policy.decisions import Decision


class ValidationMetrics(msgspec.Struct, kw_only=True):
    """The metrics of a policy on validation, with the calibration and the decision rules fitted there.

    Attributes
    ----------
    val_loss : float
        The mean negative log-likelihood of the labels, calibrated, unless an objective has a loss of its own.
    accuracy : float
        The share of right decisions.
    balanced_accuracy : float
        The mean recall of the actions that have support.
    macro_f1 : float
        The mean F1 of the actions that have support.
    predicted_share : dict of str to float
        The share of the decisions that each action takes.
    collapsed : bool
        Whether one action takes nearly all decisions: see `metrics.collapsed`.
    mean_reward : float
        Minus the mean cost of the decisions.
    reply_auc : float or None
        The area under the ROC curve of P(reply) for messages that were answered; None if all or none were.
    calibration : Calibration
        Fitted on validation.
    decision : Decision
        The decision rules, fitted on validation.
    extra : dict of str to float or None
        What one objective adds, such as ``kl``, ``entropy`` or ``chosen_reward``.
    """

    val_loss: float
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    predicted_share: dict[str, float]
    collapsed: bool
    mean_reward: float
    reply_auc: float | None
    calibration: Calibration
    decision: Decision
    extra: dict[str, float | None] = {}

    def flat(self) -> dict[str, Any]:
        """The metrics as plain values for JSON.

        Returns
        -------
        dict
            The attributes by name, in their order; the entries of `extra` come last, on the same level.
        """
        values: dict[str, Any] = msgspec.to_builtins(self)
        values.update(values.pop("extra"))
        return values


class EpochMetrics(msgspec.Struct, kw_only=True):
    """What is logged of an epoch.

    Attributes
    ----------
    epoch : int
        The number of the epoch, from 1.
    train_loss : float
        The mean loss over the epoch's batches, while they were trained on.
    learning_rate : float
        The learning rate of the last step.
    train_extra : dict of str to float
        What one objective adds about training, such as ``clip_fraction``.
    validation : ValidationMetrics
        The metrics on validation after the epoch.
    best_epoch : int
        The best epoch so far.
    seconds : float or None
        How long the epoch took. None in a checkpoint, so that equal runs write equal files.
    """

    epoch: int
    train_loss: float
    learning_rate: float
    train_extra: dict[str, float] = {}
    validation: ValidationMetrics
    best_epoch: int
    seconds: float | None = None

    def flat(self) -> dict[str, Any]:
        """A line of ``stage_N_metrics.jsonl``.

        Returns
        -------
        dict
            All values by name on one level: first those of training, then those of validation, then the best epoch
            and the seconds, which are left out where they are None.
        """
        seconds = {} if self.seconds is None else {"seconds": self.seconds}
        return {
            "epoch": self.epoch,
            "train_loss": self.train_loss,
            "learning_rate": self.learning_rate,
            **self.train_extra,
            **self.validation.flat(),
            "best_epoch": self.best_epoch,
            **seconds,
        }


def validate(
    logits: Tensor,
    targets: Tensor,
    logit_adjustment: npt.ArrayLike | None,
    decision_config: DecisionConfig,
    costs: Costs,
    class_prior: Tensor,
    evidence: Evidence | None = None,
) -> ValidationMetrics:
    """Fit the calibration and the decision rules on validation, and measure the policy with them.

    Parameters
    ----------
    logits : Tensor, shape (messages, actions)
        The policy's logits for the validation messages, on the CPU.
    targets : LongTensor, shape (messages,)
        The index of each message's action, on the CPU.
    logit_adjustment : array-like, shape (actions,), or None
        What takes class weights and balanced sampling back out of the logits: the shift of `Calibration`. None: zeros.
    decision_config : DecisionConfig
        The policy's own decision rule, and the settings of the rules.
    costs : 5 rows of 5 numbers
        The cost of each decision: rows are what the owner did, columns what is predicted.
    class_prior : Tensor, shape (actions,)
        The share of each action in train.
    evidence : Evidence, optional
        What is known of the policy besides these messages: see `Calibration.fit`.

    Returns
    -------
    ValidationMetrics
        The metrics, without `extra`.

    Raises
    ------
    TriageError
        If the logits are NaN or infinite.
    """
    if not bool(torch.isfinite(logits).all()):
        raise TriageError("the policy's logits became NaN or infinite; lower learning_rate")
    actions = targets.numpy()
    calibration = Calibration.fit(logits.numpy(), actions, logit_adjustment, evidence)
    log_p = calibration.log_probabilities(logits.numpy())
    decision = Decision.fit(decision_config, costs, class_prior.double().numpy(), log_p, actions)
    predictions = decision.decide(log_p)
    report = metrics.classification(actions, predictions)
    return ValidationMetrics(
        val_loss=float(-log_p[np.arange(len(actions)), actions].mean()),
        accuracy=report.accuracy,
        balanced_accuracy=report.balanced_accuracy,
        macro_f1=report.macro_f1,
        predicted_share=report.predicted_share,
        collapsed=report.collapsed,
        mean_reward=float(metrics.mean_reward(np.array(report.confusion_matrix), costs)),
        reply_auc=probability_metrics.roc_auc(
            probability_metrics.needs_reply(actions), probability_metrics.reply_probability(np.exp(log_p))
        ),
        calibration=calibration,
        decision=decision,
    )
