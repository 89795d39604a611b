"""How a policy does on validation: what every training stage logs and selects by."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from torch import Tensor

from enron_triage.config.schema import Config
from enron_triage.policy import metrics
from enron_triage.policy.calibration import Calibration
from enron_triage.policy.decisions import Decision

FloatArray = npt.NDArray[np.float64]


def validate(
    logits: Tensor,
    targets: Tensor,
    shift: FloatArray | None,
    config: Config,
    train_shares: npt.NDArray[np.floating],
) -> dict[str, Any]:
    """The policy's metrics on validation, and the calibration and decision rules that fit it.

    Parameters
    ----------
    logits : Tensor, shape (messages, actions)
    targets : LongTensor, shape (messages,)
        Both on the CPU.
    shift : array, shape (actions,), or None
        See `Calibration`.
    config : Config
    train_shares : array, shape (actions,)
        Of the actions in train.
    """
    actions = targets.numpy()
    calibration = Calibration.fit(logits.numpy(), actions, shift)
    log_p = calibration.log_probabilities(logits.numpy())
    decision = Decision.fit(
        config.decision, config.rewards.costs, np.asarray(train_shares, dtype=np.float64), log_p, actions
    )
    predictions = decision.decide(log_p)
    report = metrics.classification(actions, predictions)
    confusion = metrics.confusion_matrix(actions, predictions)
    names = ("accuracy", "balanced_accuracy", "macro_f1", "predicted_share", "collapsed")
    return {
        "val_loss": float(-log_p[np.arange(len(actions)), actions].mean()),
        **{name: getattr(report, name) for name in names},
        "mean_reward": float(metrics.mean_reward(confusion, config.rewards.costs)),
        "reply_auc": metrics.roc_auc(metrics.needs_reply(actions), metrics.reply_probability(np.exp(log_p))),
        "calibration": msgspec.structs.asdict(calibration),
        "decision": msgspec.structs.asdict(decision),
    }
