"""The stage ``dpo``: direct preference optimisation, from a trained policy.

    triage dpo --config configs/dpo.yaml

Reads ``train.json``, ``val.json`` and the checkpoint ``dpo.init``; writes ``stage_4.pt``, ``best_dpo.pt``,
``dpo_epoch_N.pt`` and ``stage_4_metrics.jsonl``.

With the margin m = log pi(chosen) - log pi(rejected), less the same of the reference policy, the loss of a pair is
-log sigmoid(beta m) (Rafailov et al. 2023, eq. 7), or another of `preference_losses.PREFERENCE_LOSSES`. With
``dpo.reference_free`` the margin is the policy's own; with beta 1 the loss is then that of the logistic model in which
the policy's log odds of two actions are those of a person's choice between them (Bradley and Terry 1952), and is least
where the policy is as sure of each pair as people are. DPO asks for a gain on the reference even where that already
agrees: with pairs of which most are right before, it makes the policy surer than it should be.

Preference accuracy is relative to the reference: it counts the pairs whose chosen action has gained on the rejected
one, however little. 100% of it says nothing about how well the policy classifies; selection and the check for collapse
go by the classification of validation.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import torch
from torch import Tensor

from enron_triage.config.schema import Config
from enron_triage.policy.validation import ValidationMetrics
from enron_triage.stage_run import Result
from enron_triage.training.losses import weighted_mean
from enron_triage.training.post_training import PairsObjective, run_post_training
from enron_triage.training.preference_losses import preference_loss
from enron_triage.training.preferences import Pairs, preference_metrics, preference_pairs
from enron_triage.training.setup import PostTrainingSetup


def run(config: Config) -> Result:
    """Refine a policy by preference pairs.

    Parameters
    ----------
    config : Config
        The whole configuration; the section is ``dpo``.

    Raises
    ------
    UsageError
        If the checkpoint, a split or the preferences are missing or damaged, or there is no pair.
    TriageError
        If the loss became NaN or infinite.
    """

    def build(setup: PostTrainingSetup) -> DpoObjective:
        return DpoObjective(config, setup, *preference_pairs(config, config.dpo, setup))

    return run_post_training("dpo", config, config.dpo, build)


class DpoObjective(PairsObjective):
    """The loss of preference pairs against the reference policy.

    Parameters
    ----------
    config : Config
        The whole configuration.
    setup : PostTrainingSetup
        What the stage begins with.
    pairs, val_pairs : Pairs
        The pairs of actions on its train and validation messages.
    """

    def __init__(self, config: Config, setup: PostTrainingSetup, pairs: Pairs, val_pairs: Pairs) -> None:
        super().__init__("dpo", config, config.dpo, setup, pairs, val_pairs)
        self.settings = config.dpo

    def losses(self, batch: Tensor) -> Iterator[Tensor]:
        """The loss of the pairs, and the supervised term -sft_weight x log pi(chosen), if it is asked for."""
        pairs, settings = self.pairs.take(batch.to(self.device)), self.settings
        log_p = torch.log_softmax(self.setup.logits(pairs.message), dim=1)
        margin = pairs.margins(log_p)
        if not settings.reference_free:
            margin = margin - pairs.margins(self.setup.reference[pairs.message])
        loss = preference_loss(
            margin, pairs.weight, settings.loss, beta=settings.beta, label_smoothing=settings.label_smoothing
        )
        if settings.sft_weight:
            log_p_chosen = log_p.gather(1, pairs.chosen[:, None]).squeeze(1)
            loss = loss - settings.sft_weight * weighted_mean(log_p_chosen, pairs.weight)
        yield loss

    def validate(self) -> ValidationMetrics:
        """Of the policy's own probabilities, with the implicit rewards of the pairs.

        They are beta x (log pi - log reference), or beta x log pi without a reference.
        """
        logits = self.setup.val_logits()
        gained = torch.log_softmax(logits, dim=1)
        if not self.settings.reference_free:
            gained = gained - self.setup.val_reference.cpu()
        rewards = self.settings.beta * gained
        metrics = self.validation_of(logits)
        extra = {**metrics.extra, **preference_metrics(rewards, self.val_pairs)}
        return msgspec.structs.replace(metrics, extra=extra)
