"""The stages in order: ``triage run`` does what is not up to date.

triage run --config configs/demo.yaml
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Any

from enron_triage import artifacts
from enron_triage.config import Config, Stage
from enron_triage.evaluation.tables import evaluation_table
from enron_triage.stages import Result, evaluation_path, plan

logger = logging.getLogger(__name__)

# Where each stage lives; imported when it runs, so that a data stage never imports torch.
MODULES: dict[Stage, str] = {
    "download": "enron_triage.corpus.download",
    "parse": "enron_triage.corpus.parse",
    "label": "enron_triage.labels.label",
    "split": "enron_triage.labels.split",
    "sft": "enron_triage.training.sft",
    "reward": "enron_triage.training.reward_model",
    "dpo": "enron_triage.training.dpo",
    "grpo": "enron_triage.training.grpo",
    "evaluate": "enron_triage.evaluation.evaluate",
}


def run_stage(name: Stage, config: Config) -> Result:
    """Run one stage, whether it is up to date or not."""
    stage: Callable[[Config], Result] = importlib.import_module(MODULES[name]).run
    return stage(config)


def run(config: Config) -> Result:
    """Run the stages of ``pipeline.stages`` in order, skipping those that are up to date.

    Raises
    ------
    TriageError
        Whatever a stage raises; the stages before it stand.
    """
    done: dict[str, Any] = {}
    tables: dict[str, str] = {}
    for name in config.pipeline.stages:
        if plan(name, config).is_up_to_date():
            logger.info("%s: up to date", name)
            done[name], tables[name] = "up to date", f"{name}: up to date"
        else:
            logger.info("%s: running", name)
            result = run_stage(name, config)
            done[name], tables[name] = result.data, result.table
            if name != config.pipeline.stages[-1]:  # whose table is the result
                logger.info("%s", result.table)
    if done.get("evaluate") == "up to date":  # what one came for is shown all the same
        done["evaluate"] = artifacts.read_json(evaluation_path(config), dict)
        tables["evaluate"] = evaluation_table(done["evaluate"])
    return Result(stage="run", table=list(tables.values())[-1], data={"stages": done})
