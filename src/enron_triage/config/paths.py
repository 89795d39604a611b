"""Where the configuration says that files are: archives, checkpoints, evaluated records, evaluations."""

from __future__ import annotations

from pathlib import Path

from enron_triage.config.schema import Config
from enron_triage.config.training import PairsConfig

SPLITS = ("train", "val", "test")


def local_archive(config: Config) -> Path | None:
    """The archive on this machine that ``download.source`` names; None for ``cmu``, ``demo`` and URLs.

    Parameters
    ----------
    config : Config
        The whole configuration.
    """
    source = config.download.source
    return None if source in ("cmu", "demo") or "://" in source else Path(source)


def named_checkpoint(config: Config, name: str) -> Path:
    """The path of a checkpoint.

    Parameters
    ----------
    config : Config
        The whole configuration.
    name : str
        A name in the run's folder (``best_sft``), another run's and its name (``RUN/best_sft``), or a path that ends
        in ``.pt``.
    """
    if name.endswith(".pt"):
        return Path(name)
    return (Path(config.checkpoint_dir) if "/" in name else config.checkpoints) / f"{name}.pt"


def preference_file(section: PairsConfig) -> Path | None:
    """The file of judged pairs that a stage trains on; None if its pairs come from elsewhere.

    Parameters
    ----------
    section : PairsConfig
        The section of a stage that trains on preference pairs.
    """
    return None if section.preferences in ("labels", "synthetic") else Path(section.preferences)


def reward_model(config: Config) -> Path | None:
    """The reward model that ``grpo.reward`` names; None if the rewards come from the costs.

    Parameters
    ----------
    config : Config
        The whole configuration.
    """
    return None if config.grpo.reward == "costs" else named_checkpoint(config, config.grpo.reward)


def evaluated_checkpoint(config: Config) -> Path:
    """The checkpoint that ``evaluate.checkpoint`` names.

    Parameters
    ----------
    config : Config
        The whole configuration.
    """
    return named_checkpoint(config, config.evaluate.checkpoint)


def evaluated_split(config: Config) -> str | None:
    """The name of the split to evaluate; None if ``evaluate.split`` is a path.

    Parameters
    ----------
    config : Config
        The whole configuration.
    """
    return config.evaluate.split if config.evaluate.split in SPLITS else None


def evaluated_records(config: Config) -> Path:
    """The labelled records to evaluate on.

    Parameters
    ----------
    config : Config
        The whole configuration.
    """
    name = evaluated_split(config)
    return config.data / f"{name}.json" if name else Path(config.evaluate.split)


def evaluation(config: Config) -> Path:
    """Where an evaluation is written: ``data/eval/<checkpoint>.<split>.json``, or in the folder of the run.

    Parameters
    ----------
    config : Config
        The whole configuration. A checkpoint of another run (``RUN/NAME``) has that run's folder.
    """
    split = evaluated_split(config) or Path(config.evaluate.split).stem
    name = config.evaluate.checkpoint
    if "/" in name and not name.endswith(".pt"):
        return config.data / "eval" / f"{name}.{split}.json"
    return config.evaluations / f"{evaluated_checkpoint(config).stem}.{split}.json"
