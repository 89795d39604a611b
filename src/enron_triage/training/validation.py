"""How a policy does on validation: what every training stage logs and selects by."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from torch import Tensor

from enron_triage.config import Config
from enron_triage.evaluation import metrics
from enron_triage.evaluation.calibration import Calibration
from enron_triage.evaluation.decisions import Decision
from enron_triage.models.policy import Policy, predict_logits

FloatArray = npt.NDArray[np.float64]


def validate(
    policy: Policy,
    features: Tensor,
    targets: Tensor,
    shift: FloatArray | None,
    config: Config,
    train_shares: npt.NDArray[np.floating],
) -> dict[str, Any]:
    """The policy's metrics on validation, and the calibration and decision rules that fit it.

    Parameters
    ----------
    policy : Policy
    features : Tensor, shape (messages, features)
        On the policy's device.
    targets : LongTensor, shape (messages,)
        On the CPU.
    shift : array, shape (actions,), or None
        See `Calibration`.
    config : Config
    train_shares : array, shape (actions,)
        Of the actions in train.
    """
    logits, actions = predict_logits(policy, features).numpy(), targets.numpy()
    calibration = Calibration.fit(logits, actions, shift)
    log_p = calibration.log_probabilities(logits)
    decision = Decision.fit(
        config.decision, config.rewards.costs, np.asarray(train_shares, dtype=np.float64), log_p, actions
    )
    report = metrics.classification(actions, decision.decide(log_p))
    names = ("accuracy", "balanced_accuracy", "macro_f1", "predicted_share", "collapsed")
    return {
        "val_loss": float(-log_p[np.arange(len(actions)), actions].mean()),
        **{name: report[name] for name in names},
        "reply_auc": metrics.area_under_curve(metrics.needs_reply(actions), metrics.reply_probability(np.exp(log_p))),
        "calibration": msgspec.structs.asdict(calibration),
        "decision": msgspec.structs.asdict(decision),
    }
