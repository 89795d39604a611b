"""The graph of the stages: what each reads, what it writes, which settings decide the outcome.

A stage itself is a function ``run(config) -> Result`` in the module of its name. This module knows
only paths and settings, so that ``triage run`` can tell what is up to date without importing them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec

from enron_triage import artifacts, provenance, ranks
from enron_triage.config import Config, PairsConfig, RefiningConfig, Stage
from enron_triage.errors import UsageError

logger = logging.getLogger(__name__)

_DATA_STAGES = ("download", "parse", "label", "split")


class Result(msgspec.Struct, kw_only=True):
    """What a stage tells its caller.

    Attributes
    ----------
    stage : str
    table : str
        For people: what ``triage <stage>`` prints.
    data : dict
        For programs: what ``--json`` prints.
    """

    stage: str
    table: str
    data: dict[str, Any]


class Plan(msgspec.Struct, kw_only=True):
    """One stage under one configuration."""

    config: Config
    stage: Stage
    settings: dict[str, Any]
    inputs: list[Path]
    outputs: list[Path]

    def is_up_to_date(self) -> bool:
        """Whether the outputs stand as this stage makes them from these inputs and settings."""
        return provenance.up_to_date(self.stage, self.settings, self.inputs, self.outputs)

    @contextmanager
    def recorded(self) -> Iterator[dict[str, Any]]:
        """Run the block as the stage's work, then write the meta data beside each output.

        Yields a dict that the block fills with its counts. The inputs' states are taken before
        the work begins, so that a change meanwhile makes the outputs out of date.

        Raises
        ------
        UsageError
            If an input is missing.

        Warns, in the log, of an input that was made with other settings than the configuration's.
        """
        for path in self.inputs:
            if not path.exists():
                maker = artifacts.MAKER.get(path.name)
                advice = f"run `triage {maker}` first" if maker else "give the right path"
                raise UsageError(f"{path}: no such file or folder; {advice}")
        started = time.perf_counter()
        states = provenance.input_states(self.inputs)
        for path in self.inputs:
            self._warn_of_other_settings(path, states[str(path)])
        counts: dict[str, Any] = {}
        yield counts
        if ranks.rank() > 0:
            return
        provenance.write_meta(
            self.outputs,
            stage=self.stage,
            settings=self.settings,
            inputs=states,
            counts=counts,
            seconds=time.perf_counter() - started,
        )

    def _warn_of_other_settings(self, path: Path, state: provenance.FileState) -> None:
        meta = provenance.read_meta(path)
        if meta is None or meta.stage not in _DATA_STAGES:  # a checkpoint brings its own settings along
            return
        if state.sha256 != meta.artifact.sha256:
            logger.warning("%s: edited since `triage %s` made it; run that again to undo it", path, meta.stage)
        now = _flat(plan(cast("Stage", meta.stage), self.config).settings)
        differences = [
            f"{key} was {value!r}, is {now.get(key)!r}"
            for key, value in _flat(meta.settings).items()
            if value != now.get(key)
        ]
        if differences:
            logger.warning(
                "%s: made with other settings than the configuration's (%s); run `triage %s` to make it again",
                path,
                "; ".join(differences[:3]),
                meta.stage,
            )


def plan(stage: Stage, config: Config) -> Plan:
    """The inputs, outputs and deciding settings of a stage."""
    data = config.data
    settings: dict[str, Any]
    inputs: list[Path]
    match stage:
        case "download":
            local = _local_archive(config.download.source)
            settings = {"download": provenance.plain(config.download)}
            if config.download.source == "demo":
                settings["seed"] = config.seed
            inputs = [local] if local else []
            outputs = [data / "maildir"]
        case "parse":
            settings = {"parse": provenance.plain(config.parse)}
            inputs = [config.mail]
            outputs = [data / "emails.json", data / "parse_errors.json"]
        case "label":
            settings = {"label": provenance.plain(config.label)}
            inputs = [data / "emails.json"]
            outputs = [data / "emails_labeled.json", data / "emails_unacted.json"]
        case "split":
            settings = {
                "split": {**provenance.plain(config.split), "seed": config.split_seed},
                "scheme": config.label.scheme,
            }
            if config.split.by == "time":
                settings["link_window"] = config.label.link_window
            inputs = [data / "emails_labeled.json"]
            outputs = [data / f"{name}.json" for name in artifacts.SPLITS] + [data / "split_metadata.json"]
        case "sft":
            settings = {
                "sft": {**provenance.plain(config.sft), "seed": config.sft_seed, "resume": None},
                "model": provenance.plain(config.model),
                "features": provenance.plain(config.features),
                "decision": provenance.plain(config.decision),
                "costs": provenance.plain(config.rewards)["costs"],
                "scheme": config.label.scheme,
                "device": config.device,
            }
            inputs = [data / "train.json", data / "val.json"]
            outputs = [config.checkpoints / "stage_1.pt", config.checkpoints / "best_sft.pt"]
        case "reward":
            settings, inputs, outputs = _refining(config, config.reward_model, "reward_model", 2, "reward")
            inputs += _judgements(config.reward_model)
        case "dpo":
            settings, inputs, outputs = _refining(config, config.dpo, "dpo", 4, "dpo")
            inputs += _judgements(config.dpo)
        case "grpo":
            settings, inputs, outputs = _refining(config, config.grpo, "grpo", 3, "grpo")
            settings["reply_now_within"] = config.label.reply_now_within
            if config.grpo.reward != "costs":
                inputs.append(named_checkpoint(config, config.grpo.reward))
        case "evaluate":
            settings = {
                "bootstrap": config.evaluate.bootstrap,
                "rule": config.decision.rule,
                "costs": provenance.plain(config.rewards)["costs"],
                "seed": config.seed,
                "scheme": config.label.scheme,
                "device": config.device,
            }
            inputs = [checkpoint_path(config), evaluated_records(config)]
            if evaluated_split(config):
                inputs += [data / "split_metadata.json", data / "emails_unacted.json"]
            outputs = [evaluation_path(config), evaluation_path(config).with_suffix(".png")]
    return Plan(config=config, stage=stage, settings=settings, inputs=inputs, outputs=outputs)


def _refining(
    config: Config, section: RefiningConfig, name: str, number: int, files: str
) -> tuple[dict[str, Any], list[Path], list[Path]]:
    """Settings, inputs and outputs of a stage that begins with a trained policy."""
    settings = {
        name: {**provenance.plain(section), "seed": config.seed_of(section), "resume": None},
        "rewards": provenance.plain(config.rewards),
        "decision": provenance.plain(config.decision),
        "text": provenance.plain(config.features.text),  # and the next two: train's features and weights anew
        "sft_seed": config.sft_seed,
        "mailbox_weights_power": config.sft.mailbox_weights_power,
        "scheme": config.label.scheme,
        "device": config.device,
    }
    inputs = [config.data / "train.json", config.data / "val.json", named_checkpoint(config, section.init)]
    return settings, inputs, [config.checkpoints / f"stage_{number}.pt", config.checkpoints / f"best_{files}.pt"]


def _judgements(section: PairsConfig) -> list[Path]:
    """The file of judged pairs, if pairs come from one."""
    return [] if section.preferences in ("labels", "synthetic") else [Path(section.preferences)]


def named_checkpoint(config: Config, name: str) -> Path:
    """A checkpoint, by a name in the run's folder, by another run's and its name (``RUN/NAME``), or by its path."""
    if name.endswith(".pt"):
        return Path(name)
    return (Path(config.checkpoint_dir) if "/" in name else config.checkpoints) / f"{name}.pt"


def checkpoint_path(config: Config) -> Path:
    """The checkpoint to evaluate."""
    return named_checkpoint(config, config.evaluate.checkpoint)


def evaluated_split(config: Config) -> str | None:
    """The name of the split to evaluate; None if ``evaluate.split`` is a path."""
    return config.evaluate.split if config.evaluate.split in artifacts.SPLITS else None


def evaluated_records(config: Config) -> Path:
    """The labelled records to evaluate on."""
    name = evaluated_split(config)
    return config.data / f"{name}.json" if name else Path(config.evaluate.split)


def evaluation_path(config: Config) -> Path:
    """``data/eval/<checkpoint>.<split>.json``; another run's checkpoint (``RUN/NAME``) gets that run's folder."""
    split = evaluated_split(config) or Path(config.evaluate.split).stem
    name = config.evaluate.checkpoint
    if "/" in name and not name.endswith(".pt"):
        return config.data / "eval" / f"{name}.{split}.json"
    return config.evaluations / f"{checkpoint_path(config).stem}.{split}.json"


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level of dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _local_archive(source: str) -> Path | None:
    """The path of an archive on this machine; None for ``cmu``, ``demo`` and URLs."""
    return None if source in ("cmu", "demo") or "://" in source else Path(source)
