"""What the stages that refine a policy have in common: from the configuration to the result."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from enron_triage import __version__
from enron_triage.config.schema import Config
from enron_triage.config.training import PostTrainingConfig
from enron_triage.pipeline import Result, StageRun
from enron_triage.policy.network import choose_device
from enron_triage.runtime import distributed, provenance
from enron_triage.training import trainer
from enron_triage.training.files import StageFiles
from enron_triage.training.setup import Start, begin

logger = logging.getLogger(__name__)

_SHOWN = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "mean_reward": "mean reward",
    "val_loss": "loss",
    "kl": "KL",
    "preference_accuracy": "preference accuracy",
}

Prepare = Callable[[Config, Start, str], tuple[trainer.Task, dict[str, int]]]


def refine(name: str, number: int, config: Config, settings: PostTrainingConfig, prepare: Prepare) -> Result:
    """Run a stage that begins with a trained policy.

    Parameters
    ----------
    name : str
    number : int
        Of the stage: ``stage_<number>.pt``.
    config : Config
    settings : PostTrainingConfig
        The stage's section.
    prepare : callable
        Takes the configuration, the start and the run's identity (see `loop.Task`); gives the task and
        what is counted.

    Raises
    ------
    UsageError
        If an input is missing or damaged, or does not fit the others.
    TriageError
        If the loss is no longer finite.
    """
    stage = StageRun(name, config)
    device = choose_device(config.device)
    files = StageFiles(config.checkpoints, number, name)
    with distributed.process_group(device), stage.track() as counts:
        states = provenance.input_states(stage.inputs.values()).values()
        content = msgspec.json.encode([stage.settings, [s.sha256 for s in states], __version__, str(device)])
        start = begin(config, stage.inputs["init"], device, settings)
        task, sizes = prepare(config, start, hashlib.sha256(content).hexdigest())
        before = distributed.broadcast_from_rank0(task.validate)
        may_resume = distributed.broadcast_from_rank0(lambda: settings.resume and not stage.is_up_to_date())
        history = trainer.train(task, settings, files, config.seed_of(settings), may_resume=may_resume)
        best = history[history[-1]["best_epoch"] - 1]
        counts.update(sizes, epochs=len(history), best_epoch=best["epoch"])
    improved = trainer.selection_score(best, settings.select_by) > trainer.selection_score(before, settings.select_by)
    if not improved:
        logger.warning(
            "%s: no epoch is better on validation, by %s, than the policy it began with", name, settings.select_by
        )
    collapsed = [metrics["epoch"] for metrics in history if metrics["collapsed"]]
    data = {
        **counts,
        "before": before,
        "validation": best,
        "improved": improved,
        "collapsed_epochs": collapsed,
        "checkpoint": str(files.best),
    }
    return Result(stage=name, table=_table(data, before, best), data=data)


def _table(data: dict[str, Any], before: trainer.Metrics, best: trainer.Metrics) -> str:
    shown = [
        f"{words} {before[key]:.4f} -> {best[key]:.4f}"
        for key, words in _SHOWN.items()
        if before.get(key) is not None and best.get(key) is not None
    ]
    collapsed = len(data["collapsed_epochs"])
    return (
        f"best of {data['epochs']} epochs: {data['best_epoch']}, on validation: {', '.join(shown)}"
        f"{f'; collapsed in {collapsed} of the epochs' if collapsed else ''}"
        f"{'' if data['improved'] else '; no better than its start'} -> {data['checkpoint']}"
    )
