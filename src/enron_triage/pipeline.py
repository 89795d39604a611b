"""The table of contents: what each stage reads and writes, which settings decide its outcome, where its code is.

    triage run --config configs/demo.yaml
    triage status --config configs/demo.yaml

A stage is a function ``run(config) -> Result`` in the module that its row names. The row names it as a string, so that
nothing is imported before it is needed: the data stages and ``--help`` do without torch. To add a stage, write its
module and add its row; the command line, ``triage run``, ``triage status`` and the advice in errors follow from it.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from enron_triage.config import paths
from enron_triage.config.schema import Config
from enron_triage.errors import ArtifactError
from enron_triage.stage_run import Place, Result, Stage, StageRun, advised

logger = logging.getLogger(__name__)

SPLIT_FILES: dict[str, Place] = {name: f"{{data}}/{name}.json" for name in paths.SPLITS}
TRAINED_ON: dict[str, Place] = {name: SPLIT_FILES[name] for name in ("train", "val")}

STAGES: dict[str, Stage] = {
    "download": Stage(
        help="Fetch the raw archive (or write the demo corpus) and unpack it to data/maildir.",
        example="triage download --set download.source=demo",
        run="enron_triage.mail.download:run",
        inputs={"archive": paths.local_archive},
        outputs={"mail": "{data}/maildir"},
        settings=("download", lambda config: "seed" if config.download.source == "demo" else None),
    ),
    "parse": Stage(
        help="Parse raw mail to data/emails.json.",
        example="triage parse --set parse.source=path/to/export.mbox",
        run="enron_triage.mail.parse:run",
        inputs={"mail": lambda config: config.mail},
        outputs={"emails": "{data}/emails.json", "errors": "{data}/parse_errors.json"},
        settings=("parse",),
    ),
    "label": Stage(
        help="Label each message with what its owner did: data/emails_labeled.json.",
        example="triage label --set label.reply_now_within=2h",
        run="enron_triage.labels.label:run",
        inputs={"emails": "{data}/emails.json"},
        outputs={"labeled": "{data}/emails_labeled.json", "unacted": "{data}/emails_unacted.json"},
        settings=("label",),
    ),
    "split": Stage(
        help="Split the labelled messages into train, val and test.",
        example="triage split --set split.by=time",
        run="enron_triage.labels.split:run",
        inputs={"labeled": "{data}/emails_labeled.json"},
        outputs={**SPLIT_FILES, "metadata": "{data}/split_metadata.json"},
        settings=(
            "split",
            "label.scheme",
            lambda config: "label.link_window" if config.split.by == "time" else None,
        ),
    ),
    "sft": Stage(
        help="Train the policy by supervised fine-tuning: checkpoints/best_sft.pt.",
        example="triage sft --config configs/sft_weighted.yaml --set sft.epochs=5",
        run="enron_triage.training.sft:run",
        number=1,
        inputs=TRAINED_ON,
        outputs={"last": "{checkpoints}/stage_1.pt", "best": "{checkpoints}/best_sft.pt"},
        settings=("sft", "model", "features", "decision", "rewards.costs", "label.scheme", "device"),
        distributed=True,
    ),
    "reward": Stage(
        help="Train a reward model on preference pairs: checkpoints/best_reward.pt.",
        example="triage reward --set reward_model.preferences=data/preferences.jsonl",
        run="enron_triage.training.reward:run",
        number=2,
        inputs={
            **TRAINED_ON,
            "init": lambda config: paths.named_checkpoint(config, config.reward_model.init),
            "preferences": lambda config: paths.preference_file(config.reward_model),
        },
        outputs={"last": "{checkpoints}/stage_2.pt", "best": "{checkpoints}/best_reward.pt"},
        settings=("reward_model", "rewards", "decision", "label.scheme", "device"),
        distributed=True,
    ),
    "dpo": Stage(
        help="Refine the policy by preference pairs: checkpoints/best_dpo.pt.",
        example="triage dpo --config configs/dpo.yaml",
        run="enron_triage.training.dpo:run",
        number=4,
        inputs={
            **TRAINED_ON,
            "init": lambda config: paths.named_checkpoint(config, config.dpo.init),
            "preferences": lambda config: paths.preference_file(config.dpo),
        },
        outputs={"last": "{checkpoints}/stage_4.pt", "best": "{checkpoints}/best_dpo.pt"},
        settings=("dpo", "rewards", "decision", "label.scheme", "device"),
        distributed=True,
    ),
    "grpo": Stage(
        help="Refine the policy by rewards: checkpoints/best_grpo.pt.",
        example="triage grpo --config configs/grpo.yaml",
        run="enron_triage.training.grpo:run",
        number=3,
        inputs={
            **TRAINED_ON,
            "init": lambda config: paths.named_checkpoint(config, config.grpo.init),
            "reward_model": paths.reward_model,
        },
        outputs={"last": "{checkpoints}/stage_3.pt", "best": "{checkpoints}/best_grpo.pt"},
        settings=("grpo", "rewards", "decision", "label.scheme", "label.reply_now_within", "device"),
        distributed=True,
    ),
    "evaluate": Stage(
        help="Evaluate a checkpoint on a split: data/eval/*.json.",
        example="triage evaluate --set evaluate.checkpoint=best_dpo --set evaluate.split=val",
        run="enron_triage.evaluation.evaluate:run",
        stored="enron_triage.evaluation.evaluate:stored",
        inputs={
            "checkpoint": paths.evaluated_checkpoint,
            "records": paths.evaluated_records,
            "metadata": lambda config: config.data / "split_metadata.json" if paths.evaluated_split(config) else None,
            "unacted": lambda config: config.data / "emails_unacted.json" if paths.evaluated_split(config) else None,
        },
        outputs={
            "evaluation": paths.evaluation,
            "plot": lambda config: paths.evaluation(config).with_suffix(".png"),
        },
        settings=("evaluate.bootstrap", "decision.rule", "rewards.costs", "seed", "label.scheme", "device"),
    ),
}


def stage_run(name: str, config: Config) -> StageRun:
    """A stage under a configuration.

    Parameters
    ----------
    name : str
        A key of `STAGES`.
    config : Config
        The whole configuration.
    """
    return StageRun(name, config, STAGES)


def run_stage(name: str, config: Config) -> Result:
    """Run one stage, whether it is up to date or not.

    Parameters
    ----------
    name : str
        A key of `STAGES`.
    config : Config
        The whole configuration.
    """
    result: Result = _function(STAGES[name].run)(config)
    return result


def run(config: Config) -> Result:
    """Run the stages of ``pipeline.stages`` in order, skipping those that are up to date.

    Parameters
    ----------
    config : Config
        The whole configuration.

    Raises
    ------
    TriageError
        Whatever a stage raises; the work of the stages before it is kept.
    """
    done: dict[str, Any] = {}
    table = ""
    for name in config.pipeline.stages:
        if stage_run(name, config).is_up_to_date():
            logger.info("%s: up to date", name)
            done[name], table = "up to date", f"{name}: up to date"
            stored = STAGES[name].stored
            if stored is not None:
                earlier = _function(stored)(config)
                done[name], table = earlier.data, earlier.table
        else:
            logger.info("%s: running", name)
            result = run_stage(name, config)
            done[name], table = result.data, result.table
            if name != config.pipeline.stages[-1]:  # whose table is the result
                logger.info("%s", table)
    return Result(stage="run", table=table, data={"stages": done})


def status(config: Config) -> Result:
    """What `run` would do, stage by stage, and why; nothing is run.

    Parameters
    ----------
    config : Config
        The whole configuration.
    """
    stages: dict[str, Any] = {}
    lines: list[str] = []
    made_again: dict[Path, str] = {}  # by the stages before
    for name in config.pipeline.stages:
        stage = stage_run(name, config)
        after = sorted({made_again[path] for path in stage.inputs.values() if path in made_again})
        reasons = stage.reasons_to_run()
        if reasons or after:
            made_again |= dict.fromkeys(stage.outputs.values(), name)
        stages[name] = {"up_to_date": not reasons, "reasons": reasons, "after": after}
        unless = f", unless {', '.join(after)} changes its input" if after else ""
        lines += [f"{name}: would run"] if reasons else [f"{name}: up to date{unless}"]
        lines += [f"  {reason}" for reason in reasons]
    return Result(stage="status", table="\n".join(lines), data={"stages": stages})


def with_advice(error: ArtifactError) -> ArtifactError:
    """The error with the command that makes its artifact, where a stage does.

    Parameters
    ----------
    error : ArtifactError
        What is wrong with which artifact.
    """
    return advised(error, STAGES)


def _function(reference: str) -> Callable[[Config], Any]:
    """The function that a row names as ``module:function``."""
    module, _, name = reference.partition(":")
    function: Callable[[Config], Any] = getattr(importlib.import_module(module), name)
    return function
