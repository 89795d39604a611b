"""What every training stage does: from the configuration to a finished run."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import torch

from enron_triage import __version__
from enron_triage.config.schema import Config
from enron_triage.config.training import FeaturesConfig, TrainingConfig
from enron_triage.errors import UsageError
from enron_triage.features.dataset import Dataset, load_dataset
from enron_triage.labels.sample_size import sample_note
from enron_triage.pipeline import stage_run
from enron_triage.policy.inference import choose_device
from enron_triage.policy.validation import EpochMetrics, ValidationMetrics
from enron_triage.runtime import distributed, input_changes, provenance
from enron_triage.runtime.invocation import LIBRARIES
from enron_triage.stage_run import StageRun
from enron_triage.training.files import TrainingFiles
from enron_triage.training.loggers import LOGGERS
from enron_triage.training.origins import origin_of
from enron_triage.training.trackers import Tracking
from enron_triage.training.trainer import Objective, Trainer

logger = logging.getLogger(__name__)

TRAINING_SECTIONS = {"sft", "reward_model", "dpo", "grpo"}

# Takes the stage and the device; gives what is to be optimised.
BuildObjective = Callable[[StageRun, torch.device], Objective]


class TrainingOutcome(msgspec.Struct, kw_only=True):
    """The result of a finished run.

    Attributes
    ----------
    counts : dict
        The numbers of examples, ``val`` among them, and epochs, as the metadata beside the checkpoints hold them.
    history : list of EpochMetrics
        One for each epoch.
    before : ValidationMetrics or None
        Of the policy before the first epoch, where the run began with a trained one.
    checkpoint : Path
        The best policy.
    """

    counts: dict[str, Any]
    history: list[EpochMetrics]
    before: ValidationMetrics | None
    checkpoint: Path

    @property
    def best(self) -> EpochMetrics:
        """The metrics of the best epoch."""
        return self.history[self.history[-1].best_epoch - 1]

    @property
    def notes(self) -> list[str]:
        """What to keep in mind of the figures: that they are from few messages; empty if nothing."""
        note = sample_note(self.counts["val"])
        return [f"validation: {note}"] if note else []


def run_training(
    name: str, config: Config, settings: TrainingConfig, build: BuildObjective, *, starts_trained: bool
) -> TrainingOutcome:
    """Run a training stage.

    Parameters
    ----------
    name : str
        A stage of the table in `pipeline`.
    config : Config
        The whole configuration.
    settings : TrainingConfig
        The stage's section of it.
    build : callable
        Takes the stage and the device; loads the data and gives the objective.
    starts_trained : bool
        Whether the policy is validated before the first epoch, to compare with.

    Raises
    ------
    UsageError
        If an input is missing or damaged, or does not fit the others; or if a tracker cannot be had.
    TriageError
        If the loss became NaN or infinite, or an input changed while it was read.
    """
    stage = stage_run(name, config)
    tracking = Tracking(config, name)
    device = choose_device(config.device)
    files = TrainingFiles.of_stage(name, config)
    seed = config.seed_of(settings)
    with distributed.process_group(device), contextlib.ExitStack() as until_in_place:
        with stage.track() as counts:
            until_in_place.enter_context(tracking)
            fingerprint = run_fingerprint(stage, device)  # before the data are read, which takes a while
            states = provenance.input_states(stage.inputs.values())
            objective = build(stage, device)
            input_changes.refuse_changed(states)
            datasets = {"train": objective.train, "val": objective.val}
            before = distributed.broadcast_from_rank0(objective.validate_start) if starts_trained else None
            trainer = Trainer(
                objective,
                settings,
                files,
                seed=seed,
                run_fingerprint=fingerprint,
                origin=distributed.broadcast_from_rank0(lambda: origin_of(stage, states, datasets, device)),
                loggers=[*(make(files, settings) for make in LOGGERS.values()), tracking],
            )
            resume = distributed.broadcast_from_rank0(lambda: settings.resume and not stage.is_up_to_date())
            history = trainer.train(resume=resume)
            counts.update(objective.sizes, epochs=len(history), best_epoch=history[-1].best_epoch)
        tracking.finish(history, files.best)
    return TrainingOutcome(counts=counts, history=history, before=before, checkpoint=files.best)


def warn_of_few_messages(name: str, messages: int) -> None:
    """Say, before the first figure from validation is shown, that it holds few messages, if it does.

    Parameters
    ----------
    name : str
        The stage.
    messages : int
        How many validation messages there are.
    """
    note = sample_note(messages)
    if note:
        logger.warning("%s: validation has %s", name, note)


def run_fingerprint(stage: StageRun, device: torch.device) -> str:
    """A digest of all that decides a run but its number of epochs: settings, inputs, code, versions, device.

    A run may be extended to more epochs; how many it was for is in its `TrainingState`.

    Parameters
    ----------
    stage : StageRun
        The stage under its configuration.
    device : torch.device
        Where it computes.
    """
    settings = {**stage.settings}
    for name in TRAINING_SECTIONS & settings.keys():
        settings[name] = {key: value for key, value in settings[name].items() if key != "epochs"}
    states = provenance.input_states(stage.inputs.values()).values()
    libraries = [metadata.version(name) for name in LIBRARIES]
    content = [settings, [state.sha256 for state in states], stage.code, __version__, libraries, device.type]
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def load_split(config: Config, path: Path, features: FeaturesConfig) -> Dataset:
    """The messages of a split to train or validate on.

    Parameters
    ----------
    config : Config
        Where the cache is and who extracts.
    path : Path
        The split.
    features : FeaturesConfig
        What to extract.

    Raises
    ------
    UsageError
        If the split is empty, or holds messages without an action.
    """
    dataset = load_dataset(path, features, cache=config.data / "features", workers=config.pool)
    if not len(dataset):
        raise UsageError(f"{path}: the split is empty; run `triage split` with other ratios or more mail")
    if (dataset.targets < 0).any():
        raise UsageError(f"{path}: holds messages without an action; run `triage split`")
    return dataset
