"""What reward, grpo and dpo share: they start from a trained policy.

`setup.load_setup` loads the policy, a frozen reference and the data; `PostTrainingObjective` is the base of the three
objectives; `run_post_training` runs a stage and compares the result with its beginning.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec
import torch
from torch import Tensor

from enron_triage.config.schema import Config
from enron_triage.config.training import PostTrainingConfig, TrainingConfig
from enron_triage.policy.calibration import Evidence
from enron_triage.policy.checkpoint import Checkpoint
from enron_triage.policy.origin import Origin
from enron_triage.policy.validation import EpochMetrics, ValidationMetrics, validate
from enron_triage.records import ACTIONS
from enron_triage.stage_run import Result, StageRun
from enron_triage.training.policy_gradient import entropy, kl_divergence
from enron_triage.training.preferences import Pairs
from enron_triage.training.setup import PostTrainingSetup, load_setup
from enron_triage.training.trainer import Objective, selection_score
from enron_triage.training.training_run import TrainingOutcome, run_training, warn_of_few_messages

logger = logging.getLogger(__name__)

# What the result of a stage shows, before and after: metrics of validation, with their names for people.
_SHOWN = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "mean_reward": "mean reward",
    "val_loss": "loss",
    "kl": "KL",
    "preference_accuracy": "preference accuracy",
}


class PostTrainingObjective(Objective):
    """The part of an objective that reward, grpo and dpo share: validation and the checkpoint.

    Parameters
    ----------
    name : str
        The stage.
    config : Config
        The whole configuration.
    settings : PostTrainingConfig
        The stage's section of it.
    setup : PostTrainingSetup
        What the stage begins with.
    """

    def __init__(self, name: str, config: Config, settings: PostTrainingConfig, setup: PostTrainingSetup) -> None:
        self.name = name
        self.config = config
        self.seed = config.seed_of(settings)
        self.init = settings.init
        self.setup = setup
        self.train, self.val = setup.train, setup.val
        self.policy = setup.policy
        self.device = setup.features.device

    def validate(self) -> ValidationMetrics:
        """Of the policy's own probabilities, with the mean KL divergence to the reference and the mean entropy."""
        return self.validation_of(self.setup.val_logits())

    def validation_of(self, logits: Tensor) -> ValidationMetrics:
        """What `validate` says of some logits.

        Parameters
        ----------
        logits : Tensor, shape (messages, actions)
            For validation, on the CPU. KL divergence and entropy, exact over the actions, are of these logits before
            any calibration.
        """
        metrics = validate(
            logits,
            self.setup.val.targets,
            None,
            self.config.decision,
            self.config.rewards.costs,
            self.setup.checkpoint.features.class_prior,
            self._evidence(),
        )
        log_p = torch.log_softmax(logits, dim=1)
        kl, entropies = kl_divergence(log_p, self.setup.val_reference.cpu()), entropy(log_p)
        extra = {"kl": float(kl.mean()), "entropy": float(entropies.mean())}
        return msgspec.structs.replace(metrics, extra={**metrics.extra, **extra})

    def _evidence(self) -> Evidence:
        """What is known of the policy before it is calibrated on validation."""
        start = msgspec.structs.replace(self.setup.checkpoint.calibration, temperature=1.0)  # that is a layer of it now
        return Evidence.of_start(start, torch.bincount(self.train.targets, minlength=len(ACTIONS)).tolist())

    def checkpoint(self, metrics: EpochMetrics) -> Checkpoint:
        """A policy that sees its messages as the one did that it began with."""
        return msgspec.structs.replace(
            self.setup.checkpoint,
            stage=self.name,
            init=self.init,
            init_digest=self.setup.init_digest,
            epoch=metrics.epoch,
            seed=self.seed,
            model=self.policy.spec,
            weights=self.policy.detached_weights(),
            calibration=metrics.validation.calibration,
            decision=metrics.validation.decision,
            metrics=metrics,
            origin=Origin(),
            resume={},
        )


class PairsObjective(PostTrainingObjective):
    """The part of an objective that reward and dpo share: an epoch is every preference pair once.

    Parameters
    ----------
    name : str
        The stage.
    config : Config
        The whole configuration.
    settings : PostTrainingConfig
        The stage's section of it.
    setup : PostTrainingSetup
        What the stage begins with.
    pairs, val_pairs : Pairs
        The pairs of actions on its train and validation messages.
    """

    def __init__(
        self,
        name: str,
        config: Config,
        settings: PostTrainingConfig,
        setup: PostTrainingSetup,
        pairs: Pairs,
        val_pairs: Pairs,
    ) -> None:
        super().__init__(name, config, settings, setup)
        self.sizes = {"pairs": len(pairs), "val_pairs": len(val_pairs), "val": len(setup.val)}
        self.sample_weights = pairs.weight
        self.pairs, self.val_pairs = pairs.to(self.device), val_pairs

    def indices(self, generator: torch.Generator) -> Tensor:
        """Every pair once."""
        return torch.randperm(len(self.pairs), generator=generator)


def run_post_training(
    name: str,
    config: Config,
    settings: PostTrainingConfig,
    build: Callable[[PostTrainingSetup], Objective],
) -> Result:
    """Run a stage that begins with a trained policy.

    Parameters
    ----------
    name : str
        A stage of the table in `pipeline`.
    config : Config
        The whole configuration.
    settings : PostTrainingConfig
        The stage's section of it.
    build : callable
        Takes what the stage begins with; gives what is optimised.

    Raises
    ------
    UsageError
        If an input is missing or damaged, or does not fit the others.
    TriageError
        If the loss became NaN or infinite.
    """

    def build_objective(stage: StageRun, device: torch.device) -> Objective:
        setup = load_setup(config, stage.inputs["init"], device, settings)
        warn_of_few_messages(name, len(setup.val))
        return build(setup)

    outcome = run_training(name, config, settings, build_objective, starts_trained=True)
    return compared_result(name, settings, outcome)


def compared_result(name: str, settings: TrainingConfig, outcome: TrainingOutcome) -> Result:
    """The result of a stage beside that of the policy that it began with.

    Parameters
    ----------
    name : str
        The stage.
    settings : TrainingConfig
        Its section of the configuration.
    outcome : TrainingOutcome
        What it came to; with the metrics from before the first epoch.
    """
    assert outcome.before is not None
    best, select_by = outcome.best, settings.select_by
    improved = None  # validation does not say
    if select_by != "last":
        improved = selection_score(best.validation, select_by) > selection_score(outcome.before, select_by)
    if improved is False:
        logger.warning(
            "%s: no epoch is better on validation, by %s, than the policy that it began with: use that one instead",
            name,
            select_by,
        )
    collapsed = [metrics.epoch for metrics in outcome.history if metrics.validation.collapsed]
    data = {
        **outcome.counts,
        "before": outcome.before.flat(),
        "validation": best.flat(),
        "improved": improved,
        "collapsed_epochs": collapsed,
        "checkpoint": str(outcome.checkpoint),
        "notes": outcome.notes,
    }
    return Result(stage=name, table=_table(data), data=data)


def _table(data: dict[str, Any]) -> str:
    before, best = data["before"], data["validation"]
    shown = [
        f"{words} {before[key]:.4f} -> {best[key]:.4f}"
        for key, words in _SHOWN.items()
        if before.get(key) is not None and best.get(key) is not None
    ]
    collapsed = len(data["collapsed_epochs"])
    line = (
        f"best of {data['epochs']} epochs: {data['best_epoch']}, "
        f"on validation ({data['val']:,} messages): {', '.join(shown)}"
        f"{f'; collapsed in {collapsed} of the epochs' if collapsed else ''}"
        f"{'; no better than at the start' if data['improved'] is False else ''} -> {data['checkpoint']}"
    )
    return "\n".join([line, *data["notes"]])
