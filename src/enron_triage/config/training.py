"""The sections of training, evaluation and prediction, with their defaults."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from enron_triage.config.types import (
    Choices,
    Costs,
    DecisionStages,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Section,
    SelectionMetric,
    Share,
)

FeatureGroupName = Annotated[str, Choices("enron_triage.features.groups:GROUPS")]
RuleName = Annotated[str, Choices("enron_triage.policy.decisions:RULES")]


class TextConfig(Section, frozen=True):
    """How the group ``text`` learns what words say: see `features.text_model`."""

    epochs: PositiveInt = 3
    batch_size: PositiveInt = 512
    learning_rate: PositiveFloat = 2e-2
    min_messages: PositiveInt = 10  # words that fewer messages hold are left out
    folds: Annotated[int, msgspec.Meta(ge=2)] = 4  # train's own scores come from the other folds' mailboxes


class FeaturesConfig(Section, frozen=True):
    """What the policy sees of a message."""

    groups: Annotated[tuple[FeatureGroupName, ...], msgspec.Meta(min_length=1)] = ("metadata", "history", "text")
    text: TextConfig = TextConfig()
    embedding_model: str | None = None  # embedding: the path of a sentence-transformers model; needs the extra embed


class ModelConfig(Section, frozen=True):
    """The policy: see `policy.network.Policy`."""

    hidden: Annotated[tuple[PositiveInt, ...], msgspec.Meta(min_length=1)] = (512, 256)
    dropout: Fraction = 0.5
    stages: DecisionStages = "one"  # two: respond or not, then which
    ensemble: PositiveInt = 3  # networks, which differ in their initial weights
    boosting: NonNegativeInt = 150  # rounds of gradient-boosted trees, a further member; 0: none


class TrainingConfig(Section, frozen=True):
    """What every training stage has: see `training.trainer`."""

    epochs: PositiveInt = 8
    batch_size: PositiveInt = 512
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 1e-2
    warmup: Fraction = 0.05  # the share of all steps
    gradient_clip: PositiveFloat = 1.0
    patience: PositiveInt = 6  # epochs without improvement before stopping
    select_by: SelectionMetric = "loss"
    keep_checkpoints: PositiveInt = 3
    resume: bool = True  # continue a run that was killed; false starts over
    seed: int | None = None


class SftConfig(TrainingConfig, frozen=True):
    """Supervised fine-tuning (stage 1)."""

    loss: Annotated[str, Choices("enron_triage.training.losses:LOSSES")] = "cross_entropy"
    focal_gamma: NonNegativeFloat = 2.0
    # What class weights and balanced sampling do to the probabilities is known, and taken back before a decision;
    # `decision.keep_class_weights: true` leaves it in, so that they move the decisions, as in the reference log.
    class_weights: Literal["none", "inverse", "power", "effective"] = "power"
    class_weights_power: PositiveFloat = 0.5  # power: 1 / count ** this
    class_weights_beta: Fraction = 0.999  # effective: (1 - beta) / (1 - beta ** count)
    sampler: Literal["none", "balanced"] = "none"
    mailbox_weights_power: NonNegativeFloat = 0.5  # a message weighs 1 / messages of its mailbox ** this


class RewardsConfig(Section, frozen=True):
    """What a decision is worth: minus its cost."""

    # Rows: what the owner did; columns: what is predicted; both in class order. A missed reply costs most: somebody
    # waits, and the owner does not know. Deleting is worse than archiving, as it hides more. Asking for a reply
    # that is not due costs a moment's attention, a fifth of that.
    costs: Costs = (
        (0.0, 1.0, 2.0, 4.0, 5.0),  # reply_now
        (0.5, 0.0, 1.5, 3.0, 4.0),  # reply_later
        (1.0, 1.0, 0.0, 3.0, 4.0),  # forward
        (1.0, 0.8, 0.8, 0.0, 1.0),  # archive
        (1.0, 0.8, 0.8, 0.3, 0.0),  # delete
    )
    # Shaping, for the stages that train on rewards; an evaluation counts the plain costs.
    partial_credit: Share = 0.0  # see `training.rewards.reward_table`
    confidence_penalty: NonNegativeFloat = 0.0  # times the policy's probability of a wrong action


class PostTrainingConfig(TrainingConfig, frozen=True):
    """What the stages have in common that begin with a trained policy."""

    epochs: PositiveInt = 5
    learning_rate: PositiveFloat = 1e-4
    init: str = "best_sft"  # NAME in the run's folder, RUN/NAME below checkpoint_dir, or a path that ends in .pt
    train: Literal["networks", "residual"] = "networks"  # residual: a small network on top; all below it is frozen
    residual_width: PositiveInt = 32
    dropout: Fraction = 0.0  # of what is trained; 0 keeps its probabilities the reference's at the start


class PairsConfig(PostTrainingConfig, frozen=True):
    """Training on preference pairs."""

    batch_size: PositiveInt = 2048  # pairs
    preferences: str = "labels"  # labels | synthetic | the path of judged pairs
    synthetic_actions: Literal["present", "all"] = "present"
    hard_negatives: NonNegativeFloat = 1.0  # labels: a pair weighs the probability of the rejected action ** this
    scale_by_costs: bool = False  # labels: and its cost
    label_smoothing: Annotated[float, msgspec.Meta(ge=0, lt=0.5)] = 0.0


class RewardModelConfig(PairsConfig, frozen=True):
    """The reward model (stage 2)."""


class DpoConfig(PairsConfig, frozen=True):
    """Direct preference optimisation (stage 4)."""

    loss: Annotated[str, Choices("enron_triage.training.losses:PREFERENCE_LOSSES")] = "sigmoid"
    beta: PositiveFloat = 0.1
    sft_weight: NonNegativeFloat = 0.0  # of a supervised term on the chosen actions (RPO)


class GrpoConfig(PostTrainingConfig, frozen=True):
    """Group relative policy optimisation (stage 3)."""

    select_by: SelectionMetric = "mean_reward"
    reward: str = "costs"  # costs: rewards.costs and their shaping | a reward model's name or path, such as best_reward
    estimator: Literal["sampled", "exact"] = "sampled"  # exact: the expectation over the five actions
    num_generations: Annotated[int, msgspec.Meta(ge=2)] = 8  # actions drawn for each message
    scale_rewards: bool = True  # by the group's standard deviation
    epsilon_low: Fraction = 0.2  # the ratio is clipped at 1 - epsilon_low and 1 + epsilon_high
    epsilon_high: NonNegativeFloat = 0.2
    num_iterations: PositiveInt = 1  # steps on the same groups
    beta: NonNegativeFloat = 0.04  # of the KL divergence to the reference
    entropy_bonus: NonNegativeFloat = 0.0


class DecisionConfig(Section, frozen=True):
    """From probabilities to an action: see `policy.decisions`."""

    rule: RuleName | None = None  # none: argmax for a new checkpoint, a checkpoint's own when it is used
    prior_strength: Share = 0.5  # prior: how far train's prior is taken out
    objective: Literal["macro_f1", "cost"] = (
        "macro_f1"  # thresholds: what they are tuned for; the cost is rewards.costs
    )
    keep_class_weights: bool = False  # whether class weights and balanced sampling may move the probabilities


class EvaluateConfig(Section, frozen=True):
    """What is evaluated on what."""

    checkpoint: str = "best_sft"  # NAME, RUN/NAME or a path, as above
    split: str = "test"  # a split's name, or the path of labelled records
    bootstrap: PositiveInt = 1000  # resamples of the mailboxes, for the intervals
