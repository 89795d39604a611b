"""The configuration: one schema for every file in ``configs/``, with the defaults.

`config_files` reads and merges the files and explains what is wrong with them; where a type bears a
description, it says that instead of the type.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from enron_triage.records import Scheme

Duration = Annotated[
    str, msgspec.Meta(pattern=r"^\d+(\.\d+)?[smhd]$", description="a duration such as 90s, 30m, 1h or 7d")
]
Dates = Annotated[
    tuple[datetime.date, datetime.date], msgspec.Meta(description="two dates such as [1997-01-01, 2003-01-01]")
]
Sha256 = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{64}$", description="64 hexadecimal digits, as sha256sum prints them")
]
RunName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][\w.-]*$",
        description="a name such as sft_weighted, of letters, digits, _, - and . (a bare number in quotes)",
    ),
]
PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
Workers = Annotated[Literal["auto"] | PositiveInt, msgspec.Meta(description="auto, or a number of processes from 1 on")]
SchedulerAddress = Annotated[
    str, msgspec.Meta(pattern=r"^(tcp|tls|ws|wss|ucx)://\S+$", description="an address such as tcp://host:8786")
]
NonNegativeInt = Annotated[int, msgspec.Meta(ge=0)]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
NonNegativeFloat = Annotated[float, msgspec.Meta(ge=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Stage = Literal["download", "parse", "label", "split", "sft", "reward", "dpo", "grpo", "evaluate"]
FeatureGroupName = Literal["metadata", "history", "text", "embedding"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
DecisionStages = Literal["one", "two"]
DecisionRule = Literal["argmax", "prior", "thresholds", "expected_reward"]
CostRow = tuple[float, float, float, float, float]
Costs = Annotated[
    tuple[CostRow, CostRow, CostRow, CostRow, CostRow],
    msgspec.Meta(description="5 rows of 5 numbers: what the owner did, by what is predicted"),
]
SelectionMetric = Literal["macro_f1", "accuracy", "balanced_accuracy", "loss", "mean_reward"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Section(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A part of the configuration; refuses keys that it does not know."""


class PipelineConfig(Section, frozen=True):
    """What ``triage run`` chains."""

    stages: Annotated[tuple[Stage, ...], msgspec.Meta(min_length=1)] = (
        "download",
        "parse",
        "label",
        "split",
        "sft",
        "evaluate",
    )


class DemoConfig(Section, frozen=True):
    """The synthetic corpus that ``download.source: demo`` writes."""

    mailboxes: Annotated[int, msgspec.Meta(ge=1, le=500)] = 24
    messages: Annotated[int, msgspec.Meta(ge=30)] = 12_000


class DownloadConfig(Section, frozen=True):
    """Where the raw archive comes from."""

    source: str = "cmu"  # cmu | demo | a URL | a local .tar, .tar.gz, .tar.xz
    sha256: Sha256 | None = None
    demo: DemoConfig = DemoConfig()


class ParseConfig(Section, frozen=True):
    """What is parsed."""

    source: str | None = None  # a folder or an mbox; none: <data_dir>/maildir
    format: Literal["auto", "enron", "maildir", "mbox"] = "auto"
    limit: PositiveInt | None = None  # only the first files, for a quick look


class FoldersConfig(Section, frozen=True):
    """Names of folders (and Gmail labels) by role, lower-case. Any other is a filing folder."""

    sent: tuple[str, ...] = (
        "sent",
        "sent_items",
        "_sent_mail",
        "_sent",
        "sent mail",
        "sent messages",
        "sent items",
    )
    deleted: tuple[str, ...] = (
        "deleted_items",
        "connect_deletes",
        "trash",
        "deleted items",
        "deleted messages",
        "bin",
    )
    junk: tuple[str, ...] = ("junk", "junk_file", "junk_e-mail", "junk e-mail", "spam", "bulk mail")
    inbox: tuple[str, ...] = ("inbox", "notes_inbox", "")  # "": a Maildir's own cur/new
    drafts: tuple[str, ...] = ("drafts", "_drafts", "draft")
    # Made by the mail system, or no mail: a copy there says nothing about what the owner did.
    system: tuple[str, ...] = (
        "all_documents",
        "discussion_threads",
        "calendar",
        "contacts",
        "tasks",
        "to_do",
        "notes",
        "journal",
        "outbox",
        "sync_issues",
        "conflicts",
    )


class LabelConfig(Section, frozen=True):
    """What counts as which action."""

    scheme: Scheme = "received"
    reply_now_within: Duration = "1h"  # the reference log's threshold
    link_window: Duration = "30d"
    action_lag: Duration = "7d"  # filing and deleting leave no time stamp: when they count as history
    dates: Dates = (datetime.date(1997, 1, 1), datetime.date(2003, 1, 1))
    folders: FoldersConfig = FoldersConfig()


class SplitConfig(Section, frozen=True):
    """How labelled messages become train, val and test."""

    by: Literal["user", "time"] = "user"
    ratios: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.75, 0.125, 0.125)  # sum to 1
    seed: int | None = None


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
    """The policy: see `models.policy.Policy`."""

    hidden: Annotated[tuple[PositiveInt, ...], msgspec.Meta(min_length=1)] = (512, 256)
    dropout: Fraction = 0.5
    stages: DecisionStages = "one"  # two: respond or not, then which
    ensemble: PositiveInt = 3  # networks, which differ in their initial weights
    boosting: NonNegativeInt = 150  # rounds of gradient-boosted trees, a further member; 0: none


class TrainingConfig(Section, frozen=True):
    """What every training stage has: see `training.loop.train`."""

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

    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: NonNegativeFloat = 2.0
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
    partial_credit: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0  # see `training.rewards.reward_table`
    confidence_penalty: NonNegativeFloat = 0.0  # times the policy's probability of a wrong action


class RefiningConfig(TrainingConfig, frozen=True):
    """What the stages have in common that begin with a trained policy."""

    epochs: PositiveInt = 5
    learning_rate: PositiveFloat = 1e-4
    init: str = "best_sft"  # NAME in the run's folder, RUN/NAME below checkpoint_dir, or a path that ends in .pt
    train: Literal["networks", "residual"] = "networks"  # residual: a small network on top; all below it is frozen
    residual_width: PositiveInt = 32
    dropout: Fraction = 0.0  # of what is trained; 0 keeps its probabilities the reference's at the start


class PairsConfig(RefiningConfig, frozen=True):
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

    loss: Literal["sigmoid", "ipo", "hinge"] = "sigmoid"
    beta: PositiveFloat = 0.1
    sft_weight: NonNegativeFloat = 0.0  # of a supervised term on the chosen actions (RPO)


class GrpoConfig(RefiningConfig, frozen=True):
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
    """From probabilities to an action: see `evaluation.decisions`."""

    rule: DecisionRule | None = None  # none: argmax for a new checkpoint, a checkpoint's own when it is used
    prior_strength: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5  # prior: how far train's prior is taken out
    objective: Literal["macro_f1", "cost"] = (
        "macro_f1"  # thresholds: what they are tuned for; the cost is rewards.costs
    )
    keep_class_weights: bool = False  # whether class weights and balanced sampling may move the probabilities


class EvaluateConfig(Section, frozen=True):
    """What is evaluated on what."""

    checkpoint: str = "best_sft"  # NAME, RUN/NAME or a path, as above
    split: str = "test"  # a split's name, or the path of labelled records
    bootstrap: PositiveInt = 1000  # resamples of the mailboxes, for the intervals


class Config(Section, frozen=True):
    """The whole configuration."""

    seed: int = 42
    device: DeviceName = "auto"
    data_dir: str = "data"
    checkpoint_dir: str = "checkpoints"
    run: RunName | None = None
    workers: Workers = "auto"
    scheduler: SchedulerAddress | None = None  # of a Dask cluster for the data stages, instead of processes here
    pipeline: PipelineConfig = PipelineConfig()
    download: DownloadConfig = DownloadConfig()
    parse: ParseConfig = ParseConfig()
    label: LabelConfig = LabelConfig()
    split: SplitConfig = SplitConfig()
    features: FeaturesConfig = FeaturesConfig()
    model: ModelConfig = ModelConfig()
    sft: SftConfig = SftConfig()
    rewards: RewardsConfig = RewardsConfig()
    reward_model: RewardModelConfig = RewardModelConfig()
    dpo: DpoConfig = DpoConfig()
    grpo: GrpoConfig = GrpoConfig()
    decision: DecisionConfig = DecisionConfig()
    evaluate: EvaluateConfig = EvaluateConfig()

    @property
    def data(self) -> Path:
        """The folder of the data artifacts; absolute where another machine shall find it, too."""
        return Path(self.data_dir) if self.scheduler is None else Path(self.data_dir).absolute()

    @property
    def mail(self) -> Path:
        """What is parsed: ``parse.source``, or what was downloaded."""
        if self.parse.source is None:
            return self.data / "maildir"
        return Path(self.parse.source) if self.scheduler is None else Path(self.parse.source).absolute()

    @property
    def checkpoints(self) -> Path:
        """The folder of this run's checkpoints."""
        return Path(self.checkpoint_dir, self.run or "")

    @property
    def evaluations(self) -> Path:
        """The folder of this run's evaluations."""
        return Path(self.data_dir, "eval", self.run or "")

    @property
    def split_seed(self) -> int:
        """``split.seed``, or the seed of the whole run."""
        return self.seed if self.split.seed is None else self.split.seed

    @property
    def sft_seed(self) -> int:
        """``sft.seed``, or the seed of the whole run."""
        return self.seed_of(self.sft)

    def seed_of(self, section: TrainingConfig) -> int:
        """The seed of a training section, or of the whole run."""
        return self.seed if section.seed is None else section.seed

    @property
    def pool(self) -> int | str:
        """Who does the data stages' work: so many processes, or the Dask cluster of this address."""
        if self.scheduler is not None:
            return self.scheduler
        if self.workers != "auto":
            return self.workers
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def seconds(duration: str) -> int:
    """Seconds of a duration such as ``90s``, ``5m``, ``1h`` or ``30d``.

    >>> seconds("1h"), seconds("30d"), seconds("1.5m")
    (3600, 2592000, 90)
    """
    return round(float(duration[:-1]) * _SECONDS[duration[-1]])
