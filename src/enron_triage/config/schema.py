"""The whole configuration: its top-level keys, its sections, and the paths and seeds that follow from them.

The sections are in `data` and `training`. `load` reads and merges the files, and explains what is wrong with them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.data import DownloadConfig, LabelConfig, ParseConfig, PipelineConfig, SplitConfig
from enron_triage.config.training import (
    DecisionConfig,
    DpoConfig,
    EvaluateConfig,
    FeaturesConfig,
    GrpoConfig,
    ModelConfig,
    RewardModelConfig,
    RewardsConfig,
    SftConfig,
    TrackerName,
    TrainingConfig,
)
from enron_triage.config.types import DeviceName, RunName, SchedulerAddress, Section, Workers

_SEEDED = ("sft", "reward_model", "dpo", "grpo")  # sections whose seed defaults to the top one
_NOT_DECISIVE = "resume"  # whether a run resumes an unfinished one does not change its result


def available_processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Config(Section, frozen=True):
    """The whole configuration.

    The comment above a key says what it does and its unit; its type says its range (see `types`). The other keys are
    sections, which their classes describe.
    """

    # The seed of every training stage without one of its own. Data (download.demo.seed, split.seed) and evaluations
    # (evaluate.seed) have theirs, so that runs with other seeds share one test set.
    seed: int = 42
    # Where training and prediction run; "auto" takes a GPU if there is one.
    device: DeviceName = "auto"
    # The folder of the mail, the data artifacts and the evaluations.
    data_dir: str = "data"
    # The folder of the checkpoints.
    checkpoint_dir: str = "checkpoints"
    # A name for this run, whose files are then in <checkpoint_dir>/<run>/ and <data_dir>/eval/<run>/.
    run: RunName | None = None
    # The number of processes of the data stages; "auto" takes as many as there are processors.
    workers: Workers = "auto"
    # Where the metrics of training go, besides the console and stage_N_metrics.jsonl; the names are also the extras to
    # install. Or module:function, your own function: see `training.trackers.functions`.
    tracking: tuple[TrackerName, ...] = ()
    # The address of a Dask scheduler that runs the data stages, instead of processes on this machine.
    scheduler: SchedulerAddress | None = None
    # Whether a stage may replace artifacts made from other mail, and a policy trained with other settings.
    overwrite: bool = False
    # Which stages `triage run` chains.
    pipeline: PipelineConfig = PipelineConfig()
    # Where the raw archive comes from.
    download: DownloadConfig = DownloadConfig()
    # Which mail is parsed.
    parse: ParseConfig = ParseConfig()
    # What counts as which action.
    label: LabelConfig = LabelConfig()
    # How labelled messages are divided into train, val and test.
    split: SplitConfig = SplitConfig()
    # What the policy sees of a message.
    features: FeaturesConfig = FeaturesConfig()
    # The size and architecture of the policy.
    model: ModelConfig = ModelConfig()
    # Supervised fine-tuning (stage 1).
    sft: SftConfig = SftConfig()
    # The costs of wrong decisions.
    rewards: RewardsConfig = RewardsConfig()
    # The reward model (stage 2).
    reward_model: RewardModelConfig = RewardModelConfig()
    # Direct preference optimisation (stage 4).
    dpo: DpoConfig = DpoConfig()
    # Group relative policy optimisation (stage 3).
    grpo: GrpoConfig = GrpoConfig()
    # From probabilities to an action.
    decision: DecisionConfig = DecisionConfig()
    # Which checkpoint is evaluated on which records.
    evaluate: EvaluateConfig = EvaluateConfig()

    @property
    def data(self) -> Path:
        """The folder of the data artifacts; absolute if the workers of a cluster must find it."""
        return Path(self.data_dir) if self.scheduler is None else Path(self.data_dir).absolute()

    @property
    def mail(self) -> Path:
        """The path of the mail to parse: ``parse.source``, or else what ``download`` unpacks."""
        if self.parse.source is None:
            return self.data / "maildir"
        source = Path(os.path.expanduser(self.parse.source))  # a shell leaves the ~ of --set parse.source=~/mail alone
        return source if self.scheduler is None else source.absolute()

    @property
    def checkpoints(self) -> Path:
        """The folder of this run's checkpoints."""
        return Path(self.checkpoint_dir, self.run or "")

    def seed_of(self, section: TrainingConfig) -> int:
        """The seed of a training stage.

        Parameters
        ----------
        section : TrainingConfig
            One of the sections `sft`, `reward_model`, `dpo` and `grpo`.

        Returns
        -------
        int
            The section's own seed, or else the top-level seed.
        """
        return self.seed if section.seed is None else section.seed

    @property
    def pool(self) -> int | str:
        """What the data stages run on, for `runtime.workers`: a number of processes, or a Dask scheduler's address."""
        if self.scheduler is not None:
            return self.scheduler
        if self.workers != "auto":
            return self.workers
        return available_processors()

    def settings(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of some keys, as the metadata of an artifact record them.

        A seed that is not set is replaced by the top-level one; ``resume`` and a GPU's number are left out.

        Parameters
        ----------
        keys : iterable of str
            Dotted paths, such as ``sft`` or ``label.scheme``; the path of a section means all of its keys.

        Returns
        -------
        dict
            Nested plain values.

        Examples
        --------
        >>> Config().settings(["seed", "label.scheme"])
        {'seed': 42, 'label': {'scheme': 'received'}}
        """
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        plain["device"] = self.device.partition(":")[0]  # which of several GPUs does not change a result
        for name in _SEEDED:
            if plain[name]["seed"] is None:
                plain[name]["seed"] = self.seed
            plain[name].pop(_NOT_DECISIVE, None)
        chosen: dict[str, Any] = {}
        for key in keys:
            source, target = plain, chosen
            *sections, last = key.split(".")
            for section in sections:
                source, target = source[section], target.setdefault(section, {})
            target[last] = source[last]
        return chosen
