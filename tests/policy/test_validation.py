"""What is logged of an epoch, against metrics computed another way; and its line of JSON."""

import msgspec
import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn

from enron_triage.config.training import DecisionConfig, RewardsConfig
from enron_triage.policy.validation import EpochMetrics, validate

COSTS = RewardsConfig().costs
VALIDATION_KEYS = (
    *("val_loss", "accuracy", "balanced_accuracy", "macro_f1", "predicted_share", "collapsed", "mean_reward"),
    *("reply_auc", "calibration", "decision"),
)


@pytest.fixture
def sample():
    """Logits that know something of their targets."""
    generator = torch.Generator().manual_seed(2)
    targets = torch.randint(5, (400,), generator=generator)
    logits = torch.randn(400, 5, generator=generator)
    logits[torch.arange(400), targets] += 1.0
    return logits, targets


def measured(sample, adjustment=None, **settings):
    return validate(*sample, adjustment, DecisionConfig(**settings), COSTS, torch.full((5,), 0.2))


def epoch_of(sample, **fields):
    validation = msgspec.structs.replace(measured(sample), extra={"kl": 0.25, "preference_accuracy": None})
    values = {"epoch": 3, "train_loss": 0.5, "learning_rate": 1e-3, "best_epoch": 2, "seconds": 1.25}
    return EpochMetrics(**{**values, "train_extra": {"clip_fraction": 0.125}, "validation": validation, **fields})


def test_the_metrics_are_those_of_the_calibrated_decisions(sample):
    logits, targets = sample
    found = measured(sample, rule="prior")
    log_p = torch.log_softmax(logits.double() / found.calibration.temperature, dim=1)
    assert found.val_loss == pytest.approx(float(torch.nn.functional.nll_loss(log_p, targets)))
    predicted = log_p.argmax(dim=1)  # with equal shares in train, the prior changes nothing
    assert found.accuracy == pytest.approx(sklearn.accuracy_score(targets, predicted))
    assert found.macro_f1 == pytest.approx(sklearn.f1_score(targets, predicted, average="macro"))
    assert found.balanced_accuracy == pytest.approx(sklearn.balanced_accuracy_score(targets, predicted))
    assert found.mean_reward == pytest.approx(-np.array(COSTS)[targets, predicted].mean())
    assert found.reply_auc == pytest.approx(sklearn.roc_auc_score(targets < 2, log_p.exp()[:, :2].sum(dim=1)))
    assert (found.decision.rule, found.collapsed, found.extra) == ("prior", False, {})


def test_an_adjustment_of_the_logits_becomes_the_shift(sample):
    logits, targets = sample
    shift = [1.0, 0.0, -1.0, 0.0, 0.5]
    adjusted = measured((logits - torch.tensor(shift), targets), np.array(shift))
    assert adjusted.calibration.shift == shift
    assert adjusted.val_loss == pytest.approx(measured(sample).val_loss, rel=1e-5)


def test_a_line_holds_training_then_validation_then_the_best_epoch_and_the_seconds(sample):
    line = epoch_of(sample).flat()
    assert list(line) == [
        *("epoch", "train_loss", "learning_rate", "clip_fraction"),
        *VALIDATION_KEYS,
        *("kl", "preference_accuracy", "best_epoch", "seconds"),
    ]
    assert line["calibration"].keys() == {"temperature", "shift"}
    assert list(line["decision"]) == ["rule", "offsets", "costs"]
    assert list(line["decision"]["offsets"]) == ["argmax", "prior", "thresholds"]
    assert "seconds" not in epoch_of(sample, seconds=None).flat()
