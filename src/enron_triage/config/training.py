"""The sections of training, evaluation and prediction, with their defaults.

The comment above a key says what it does and its unit; its type says its range (see `types`).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from enron_triage.config.types import (
    CheckpointNames,
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
TrackerName = Annotated[str, Choices("enron_triage.training.trackers:TRACKERS", functions=True)]


class TextConfig(Section, frozen=True):
    """Section ``features.text``: the text model that the feature group ``text`` trains; see `features.text_model`."""

    # Passes over the training messages.
    epochs: PositiveInt = 3
    # Messages per step.
    batch_size: PositiveInt = 512
    # The learning rate of the first step; it then falls to 0 along a cosine.
    learning_rate: PositiveFloat = 2e-2
    # Words that occur in fewer messages are left out.
    min_messages: PositiveInt = 10
    # Text scores for messages in train come from models fitted on the other folds; a fold consists of whole mailboxes.
    folds: Annotated[int, msgspec.Meta(ge=2)] = 4


class FeaturesConfig(Section, frozen=True):
    """Section ``features``: what the policy sees of a message."""

    # The feature groups; by default, those of the default list for which the label scheme provides data.
    groups: Annotated[tuple[FeatureGroupName, ...], msgspec.Meta(min_length=1)] = ("metadata", "history", "text")
    # How the group "text" is trained.
    text: TextConfig = TextConfig()
    # For the group "embedding": the path of a sentence-transformers model; it needs the extra "embed".
    embedding_model: str | None = None


class ModelConfig(Section, frozen=True):
    """Section ``model``: the policy; see `policy.network.Policy`."""

    # The widths of each network's hidden layers.
    hidden: Annotated[tuple[PositiveInt, ...], msgspec.Meta(min_length=1)] = (512, 256)
    # The dropout probability after each hidden layer.
    dropout: Fraction = 0.5
    # "one" is a softmax over the actions; "two" decides whether to respond, then which action of that kind to take.
    stages: DecisionStages = "one"
    # The number of networks, which differ in their initial weights and their dropout.
    ensemble: PositiveInt = 3
    # Rounds of gradient-boosted trees, which get half of the ensemble weight; 0 uses the networks alone.
    boosting: NonNegativeInt = 150


class TrainingConfig(Section, frozen=True):
    """The keys that every training stage has; see `training.trainer`."""

    # The largest number of passes over the training examples.
    epochs: PositiveInt = 8
    # Examples per step.
    batch_size: PositiveInt = 512
    # The largest learning rate of AdamW, at the end of the warm-up; from there it falls to 0 along a cosine.
    learning_rate: PositiveFloat = 1e-3
    # The decoupled weight decay of AdamW.
    weight_decay: NonNegativeFloat = 1e-2
    # The share of all steps in which the learning rate rises linearly.
    warmup: Fraction = 0.05
    # The largest L2 norm of the gradient; a longer one is scaled down.
    gradient_clip: PositiveFloat = 1.0
    # Training stops after this many epochs without an improvement.
    patience: PositiveInt = 6
    # The validation metric that selects the best epoch: the lowest "loss", or the highest value of any other. "last"
    # takes the last epoch: for preferences that contradict the labels of validation.
    select_by: SelectionMetric = "loss"
    # How many of the latest epoch checkpoints are kept; the best one is kept in any case.
    keep_checkpoints: PositiveInt = 3
    # Whether an interrupted run continues after its last complete epoch; false starts over.
    resume: bool = True
    # The seed of the stage; without it, the top-level `seed`.
    seed: int | None = None


class SftConfig(TrainingConfig, frozen=True):
    """Section ``sft``: supervised fine-tuning (stage 1).

    The policy is corrected for the known effect of class weights and of balanced sampling on its probabilities before
    it decides, so they hardly move the decisions. With ``decision.keep_class_weights: true`` they do, as in the
    reference log.
    """

    # A policy to start from (warm start): NAME in the run's folder, RUN/NAME below checkpoint_dir, or a path that ends
    # in .pt. Its features, architecture and trees stay as they are, and features.* and model.* are not used. By
    # default, training starts from random weights.
    init: str | None = None
    # The loss.
    loss: Annotated[str, Choices("enron_triage.training.losses:LOSSES")] = "cross_entropy"
    # For the focal loss: the exponent that discounts examples already predicted well; 0 gives cross-entropy.
    focal_gamma: NonNegativeFloat = 2.0
    # How the classes are weighted in the loss; see `training.weighting.class_weights`.
    class_weights: Literal["none", "inverse", "power", "effective"] = "power"
    # For "power": a class has the weight 1 / count ** this.
    class_weights_power: PositiveFloat = 0.5
    # For "effective": a class has the weight (1 - beta) / (1 - beta ** count), where beta is this.
    class_weights_beta: Fraction = 0.999
    # "balanced" draws examples, with replacement, so that all classes are equally frequent.
    sampler: Literal["none", "balanced"] = "none"
    # A message has the weight 1 / (messages of its mailbox) ** this: 0 counts messages, 1 counts mailboxes.
    mailbox_weights_power: NonNegativeFloat = 0.5
    # The number format of the networks' passes; weights and optimizer stay float32. "bfloat16" takes about 0.7 of the
    # time on hardware that supports it (AMX, AVX512-BF16, a GPU since Ampere), and may take longer elsewhere.
    precision: Literal["float32", "bfloat16"] = "float32"


class RewardsConfig(Section, frozen=True):
    """Section ``rewards``: the reward of an action is minus its cost."""

    # The cost of each decision: one row for each action of the owner, one column for each predicted action, both in
    # class order. A missed reply costs most, because somebody is waiting and the owner does not know. Deleting is worse
    # than archiving, because it hides more. Asking for a reply that is not needed costs a moment's attention: a fifth
    # of a missed reply.
    costs: Costs = (
        (0.0, 1.0, 2.0, 4.0, 5.0),  # reply_now
        (0.5, 0.0, 1.5, 3.0, 4.0),  # reply_later
        (1.0, 1.0, 0.0, 3.0, 4.0),  # forward
        (1.0, 0.8, 0.8, 0.0, 1.0),  # archive
        (1.0, 0.8, 0.8, 0.3, 0.0),  # delete
    )
    # How much less it costs to confuse reply_now and reply_later when the reply came close to the boundary between
    # them; see `training.rewards.reward_table`. For training only: evaluations use the plain costs.
    partial_credit: Share = 0.0
    # The extra cost of a wrong action, times the policy's probability of it. For training only, as above.
    confidence_penalty: NonNegativeFloat = 0.0


class PostTrainingConfig(TrainingConfig, frozen=True):
    """The keys of the stages that begin with a trained policy."""

    # As in every training stage.
    epochs: PositiveInt = 5
    # As in every training stage; lower, because the policy is already trained.
    learning_rate: PositiveFloat = 1e-4
    # The policy to start from: NAME in the run's folder, RUN/NAME below checkpoint_dir, or a path that ends in .pt.
    init: str = "best_sft"
    # "networks" trains the networks; "residual" freezes the policy and trains a small network on top of it.
    train: Literal["networks", "residual"] = "networks"
    # For "residual": the width of that network's hidden layer.
    residual_width: PositiveInt = 32
    # The dropout of the trained networks; with 0, training starts at exactly the reference policy's probabilities.
    dropout: Fraction = 0.0


class PairsConfig(PostTrainingConfig, frozen=True):
    """The keys of the stages that train on preference pairs."""

    # Pairs per step.
    batch_size: PositiveInt = 2048
    # "labels" (what the owner did is preferred), "synthetic" (the reference log's pairs), "judgements" (the file
    # judgements.jsonl in the data folder, which `triage annotate` writes), or the path of judged pairs.
    preferences: str = "labels"
    # For "synthetic": whether pairs are made from the actions that occur in the data, or from all five.
    synthetic_actions: Literal["present", "all"] = "present"
    # For "labels": a pair has the weight (probability of the rejected action) ** this, so that hard pairs count more.
    hard_negatives: NonNegativeFloat = 1.0
    # For "labels": whether the weight of a pair is also multiplied by the cost of the rejected action.
    scale_by_costs: bool = False
    # The assumed probability that a preference is the wrong way round.
    label_smoothing: Annotated[float, msgspec.Meta(ge=0, lt=0.5)] = 0.0


class RewardModelConfig(PairsConfig, frozen=True):
    """Section ``reward_model``: the reward model (stage 2)."""


class DpoConfig(PairsConfig, frozen=True):
    """Section ``dpo``: direct preference optimisation (stage 4)."""

    # The loss.
    loss: Annotated[str, Choices("enron_triage.training.preference_losses:PREFERENCE_LOSSES")] = "sigmoid"
    # How strongly the policy is kept close to the reference policy; larger values keep it closer.
    beta: PositiveFloat = 0.1
    # Whether the loss uses the policy's own log odds of the two actions instead of their change from the reference
    # policy. Pairs that the policy already gets right then cause no change. Better for few judgements.
    reference_free: bool = False
    # The weight of an added cross-entropy on the chosen actions (RPO).
    sft_weight: NonNegativeFloat = 0.0


class GrpoConfig(PostTrainingConfig, frozen=True):
    """Section ``grpo``: group relative policy optimisation (stage 3)."""

    # As in every training stage.
    select_by: SelectionMetric = "mean_reward"
    # "costs" (rewards.costs with their shaping), or a reward model: its name, such as best_reward, or its path.
    reward: str = "costs"
    # "sampled" samples actions from the policy; "exact" computes the expectation over all five.
    estimator: Literal["sampled", "exact"] = "sampled"
    # For "sampled": how many actions are sampled for each message.
    num_generations: Annotated[int, msgspec.Meta(ge=2)] = 8
    # Whether advantages are divided by the standard deviation of their group's rewards.
    scale_rewards: bool = True
    # The probability ratio is clipped at 1 - epsilon_low.
    epsilon_low: Fraction = 0.2
    # The probability ratio is clipped at 1 + epsilon_high.
    epsilon_high: NonNegativeFloat = 0.2
    # Steps on the same groups of actions.
    num_iterations: PositiveInt = 1
    # The weight of the KL divergence from the reference policy.
    beta: NonNegativeFloat = 0.04
    # The weight of the policy's entropy, which is added to the objective.
    entropy_bonus: NonNegativeFloat = 0.0


class DecisionConfig(Section, frozen=True):
    """Section ``decision``: from probabilities to an action; see `policy.decisions`."""

    # The decision rule; by default, a new checkpoint gets "argmax", and an existing checkpoint keeps its own.
    rule: RuleName | None = None
    # For the rule "prior": the share of train's log class prior that is subtracted.
    prior_strength: Share = 0.5
    # For the rule "thresholds": the objective for tuning on validation; the costs are rewards.costs.
    objective: Literal["macro_f1", "cost"] = "macro_f1"
    # Whether the effect of class weights and balanced sampling stays in the probabilities; see `SftConfig`.
    keep_class_weights: bool = False


class EvaluateConfig(Section, frozen=True):
    """Section ``evaluate``: which checkpoint is evaluated on which records."""

    # NAME in the run's folder, RUN/NAME below checkpoint_dir, or a path that ends in .pt. Several in a list form an
    # ensemble: their mean probabilities, calibrated on val.json.
    checkpoint: CheckpointNames = "best_sft"
    # The name of a split, or the path of labelled records.
    split: str = "test"
    # Judgements by people: how often the policy agrees with them is measured, too. "judgements" is the file
    # judgements.jsonl in the data folder, which `triage annotate` writes; or the path of another.
    judgements: str | None = None
    # The seed of the random baseline; the top-level `seed` does not affect it.
    seed: int = 42
