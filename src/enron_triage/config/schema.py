"""The configuration as a whole: every section, and what follows from them.

`load` reads and merges the files and explains what is wrong with them. The sections are in `data` and `training`.
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
    TrainingConfig,
)
from enron_triage.config.types import DeviceName, RunName, SchedulerAddress, Section, Workers

_SEEDED = ("split", "sft", "reward_model", "dpo", "grpo")  # sections whose seed defaults to the top one
_DECIDES_NOTHING = "resume"  # whether a run continues an unfinished one does not change its result


class Config(Section, frozen=True):
    """The whole configuration."""

    seed: int = 42  # of everything that is drawn, unless a section has its own
    device: DeviceName = "auto"  # auto takes a GPU where there is one
    data_dir: str = "data"
    checkpoint_dir: str = "checkpoints"
    run: RunName | None = None  # a name: checkpoints/<run>/, data/eval/<run>/
    workers: Workers = "auto"  # processes of the data stages
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
        """The folder of the data artifacts; absolute where the workers of a cluster must find it."""
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

    def seed_of(self, section: TrainingConfig) -> int:
        """The seed of a training section, or of the whole run.

        Parameters
        ----------
        section : TrainingConfig
            One of the sections `sft`, `reward_model`, `dpo` and `grpo`.
        """
        return self.seed if section.seed is None else section.seed

    @property
    def pool(self) -> int | str:
        """Who does the data stages' work: the number of processes, or the address of a Dask cluster."""
        if self.scheduler is not None:
            return self.scheduler
        if self.workers != "auto":
            return self.workers
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def settings(self, keys: Iterable[str]) -> dict[str, Any]:
        """Some keys of the configuration as nested plain values, as the metadata of an artifact record them.

        Seeds are filled in from the top one, and ``resume`` is left out.

        Parameters
        ----------
        keys : iterable of str
            Dotted paths, such as ``sft`` or ``label.scheme``; the path of a section stands for all of its keys.

        Examples
        --------
        >>> Config().settings(["seed", "label.scheme"])
        {'seed': 42, 'label': {'scheme': 'received'}}
        """
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        for name in _SEEDED:
            if plain[name]["seed"] is None:
                plain[name]["seed"] = self.seed
            plain[name].pop(_DECIDES_NOTHING, None)
        chosen: dict[str, Any] = {}
        for key in keys:
            source, target = plain, chosen
            *sections, last = key.split(".")
            for section in sections:
                source, target = source[section], target.setdefault(section, {})
            target[last] = source[last]
        return chosen
