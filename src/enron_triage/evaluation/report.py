"""``triage report``: the evaluations and the course of training, side by side.

    triage report --log

Reads every evaluation below ``data/eval/`` and every ``stage_N_metrics.jsonl`` below the checkpoints' folder; writes
``data/eval/report.md`` and ``report.html``, which holds its plots; with ``--log`` it also puts the results into
``TRAINING_LOG.md``, between two markers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.evaluation import training_log
from enron_triage.evaluation.html import html_page
from enron_triage.evaluation.markdown import results_markdown, training_markdown
from enron_triage.evaluation.reading import read_evaluations, read_histories
from enron_triage.evaluation.result import Evaluation
from enron_triage.runtime import artifacts
from enron_triage.stage_run import Result

_SUMMARY = ("accuracy", "macro_f1", "reply_auc", "ece_calibrated", "mean_reward", "collapsed", "alternative")


def run(config: Config, *, log: bool = False) -> Result:
    """Write the report.

    Parameters
    ----------
    config : Config
        The whole configuration; every run below its folders is compared.
    log : bool
        Whether to put the results section into ``TRAINING_LOG.md`` of the working folder, too.

    Raises
    ------
    UsageError
        If there is no evaluation, or the log's markers are damaged.
    """
    folder = config.data / "eval"
    checkpoints = read_evaluations(folder)
    if not checkpoints:
        raise UsageError(f"{folder}: holds no evaluation; run `triage evaluate` first")
    histories = read_histories(Path(config.checkpoint_dir))
    results = f"{results_markdown(checkpoints)}\n\n{training_markdown(histories)}".rstrip()
    if log:
        training_log.write_results(results)
    with artifacts.atomic_open(folder / "report.md") as file:
        file.write(f"# Report\n\n{results}\n".encode())
    with artifacts.atomic_open(folder / "report.html") as file:
        file.write(html_page(results, checkpoints, histories).encode())
    data = {
        "policies": {
            checkpoint.name: {split: _summary(evaluation) for split, evaluation in checkpoint.evaluations.items()}
            for checkpoint in checkpoints
        },
        "histories": sorted(histories),
        "markdown": str(folder / "report.md"),
        "html": str(folder / "report.html"),
    }
    written = f"-> {data['markdown']}, {data['html']}" + (f", {training_log.LOG}" if log else "")
    return Result(stage="report", table=f"{results}\n\n{written}", data=data)


def _summary(evaluation: Evaluation) -> dict[str, Any]:
    """What ``triage report --json`` says of an evaluation, under the keys of its file."""
    content = msgspec.to_builtins(evaluation)
    return {key: content[key] for key in _SUMMARY}
