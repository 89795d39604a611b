"""``triage report``: which run is best, and whether it is better than the others.

    triage report --sort accuracy --runs 'sft_*' --log

Reads every evaluation below ``data/eval/`` and every ``stage_N_metrics.jsonl`` below the checkpoints' folder; ranks the
policies on each set of records by itself; writes ``data/eval/report.md`` and ``report.html``, which has pictures, too;
with ``--log`` it also puts the results into ``TRAINING_LOG.md``, between two markers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.paths import lock_of
from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.evaluation import training_log
from enron_triage.evaluation.compare import rank
from enron_triage.evaluation.differing import differing_settings
from enron_triage.evaluation.markdown import judged_markdown, results_markdown, training_markdown
from enron_triage.evaluation.page import html_page
from enron_triage.evaluation.ranking import METRICS, Ranking
from enron_triage.evaluation.ranking_table import ranking_text
from enron_triage.evaluation.ranking_words import answer, policy_notes, remarks, rule_notes
from enron_triage.evaluation.reading import (
    EvaluatedCheckpoint,
    TrainingHistory,
    mark_leaks,
    read_evaluations,
    read_histories,
)
from enron_triage.evaluation.record_sets import chosen_runs, record_sets
from enron_triage.evaluation.result import Evaluation
from enron_triage.runtime import artifacts
from enron_triage.runtime.invocation import command_line
from enron_triage.runtime.locks import locked
from enron_triage.runtime.together import finish_renames_in, held_together
from enron_triage.stage_run import Result

_SUMMARY = (
    "accuracy",
    "macro_f1",
    "reply_auc",
    "ece_calibrated",
    "mean_reward",
    "collapsed",
    "alternative",
    "judgements",
)


def run(config: Config, *, log: bool = False, sort: str = "macro_f1", runs: Sequence[str] = ()) -> Result:
    """Write the report.

    Parameters
    ----------
    config : Config
        The whole configuration; every run below its folders is compared.
    log : bool
        Whether to put the results section into ``TRAINING_LOG.md`` of the working folder, too.
    sort : str
        The metric to rank by: a key of `ranking.METRICS`.
    runs : sequence of str
        Shell patterns of the runs or checkpoints to compare; without any, all of them.

    Raises
    ------
    UsageError
        If there is no evaluation, the metric is unknown, a pattern matches nothing, or the log's markers are damaged.
    """
    if sort not in METRICS:
        raise UsageError(f"--sort {sort}: not a metric of the report; choose one of {', '.join(METRICS)}")
    folder = config.data / "eval"
    found = read_evaluations(folder)
    if not found:
        raise UsageError(
            f"{folder}: contains no evaluation; run `triage evaluate` first, or name another folder, "
            "e.g. with --config demo"
        )
    checkpoints = chosen_runs(found, runs)
    histories = _histories(config, checkpoints if runs else None)
    rankings = [rank(records, sort, costs=config.rewards.costs) for records in record_sets(checkpoints)]
    named = mark_leaks(histories, checkpoints)
    parts = (results_markdown(rankings), judged_markdown(checkpoints), training_markdown(named))
    results = "\n\n".join(filter(None, parts)).rstrip()
    if log:
        training_log.write_results(results)
    _write(folder, results, html_page(rankings, named, checkpoints, command_line()))
    data = {
        "policies": {
            checkpoint.name: {split: _summary(evaluation) for split, evaluation in checkpoint.evaluations.items()}
            for checkpoint in checkpoints
        },
        "test_sets": [_test_set(ranking) for ranking in rankings],
        "histories": sorted(histories),
        "markdown": str(folder / "report.md"),
        "html": str(folder / "report.html"),
    }
    written = f"In full: {data['markdown']}, {data['html']}" + (f", {training_log.LOG}" if log else "")
    return Result(stage="report", table=f"{ranking_text(rankings)}\n\n{written}", data=data)


def _write(folder: Path, results: str, page: str) -> None:
    """Put the text and the page in place together."""
    text, html = folder / "report.md", folder / "report.html"
    lock = lock_of(text)
    with locked(lock, text, "work in another folder (--data-dir DIR)"):
        finish_renames_in(lock)
        with held_together([text, html], lock):
            with artifacts.atomic_open(text) as file:
                file.write(f"# Report\n\n{results}\n".encode())
            with artifacts.atomic_open(html) as file:
                file.write(page.encode())


def _histories(config: Config, checkpoints: Sequence[EvaluatedCheckpoint] | None) -> dict[str, TrainingHistory]:
    """How the training stages went: all of them, or those in the runs of some checkpoints."""
    histories = read_histories(Path(config.checkpoint_dir))
    if checkpoints is None:
        return histories
    chosen = {checkpoint.name.rpartition("/")[0] for checkpoint in checkpoints}
    return {name: history for name, history in histories.items() if name.rpartition("/")[0] in chosen}


def _summary(evaluation: Evaluation) -> dict[str, Any]:
    """What ``triage report --json`` says of an evaluation, under the keys of its file."""
    content = msgspec.to_builtins(evaluation)
    return {key: content[key] for key in _SUMMARY if key in content}  # judgements only where some were given


def _test_set(ranking: Ranking) -> dict[str, Any]:
    """What ``triage report --json`` says of a ranking."""
    records = ranking.records
    validation = {name: each.source.records_sha256 for name, each in records.validation.items()}
    notes = {
        name: policy_notes(each, records.validation.get(name)) + rule_notes(each)
        for name, each in records.policies.items()
    }
    rows = [
        msgspec.to_builtins(row) | ({"notes": notes[row.name]} if row.kind == "policy" else {}) for row in ranking.rows
    ]
    return {
        "split": records.shown.split,
        "scheme": records.scheme,
        "records": records.shown.source.records,
        "records_sha256": records.records_sha256,
        "messages": records.shown.count,
        "mailboxes": records.shown.mailboxes,
        "sort": ranking.sort,
        "best": ranking.policies[0].name,
        "answer": answer(ranking),
        "remarks": remarks(ranking),
        "rows": rows,
        "validation_sha256": validation,
        "settings": differing_settings(records),
    }
