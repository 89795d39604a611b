"""``triage sweep FILE``: train what a sweep file describes, rank it on validation.

    triage sweep configs/sweeps/learning_rate.yaml

A trial's run is named after its values, so the checkpoints themselves tell what is finished: a sweep that was killed
goes on where it was. Trials are trained on train and ranked on validation; test is for the best of them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import msgspec

from enron_triage import pipeline
from enron_triage.config.paths import lock_of
from enron_triage.config.schema import available_processors
from enron_triage.config.sources import ConfigSources
from enron_triage.config.training import FeaturesConfig
from enron_triage.errors import UsageError
from enron_triage.labels.split_metadata import read_metadata
from enron_triage.runtime.locks import locked
from enron_triage.runtime.workers import map_ordered
from enron_triage.stage_run import Result
from enron_triage.sweep.plan import DATA_STAGES, Plan, Trial, make_plan, missing_input, refuse_other_settings
from enron_triage.sweep.results import SweepResults, TrialRecord, read_results, results_path, write_results
from enron_triage.sweep.search_space import Tried
from enron_triage.sweep.sweep_file import read_sweep
from enron_triage.sweep.trial import TrialOutcome, TrialWork, is_finished, run_trial, stored_outcome

logger = logging.getLogger(__name__)


def run(sources: ConfigSources, path: Path) -> Result:
    """Train all trials of a sweep that are not finished yet.

    Parameters
    ----------
    sources : ConfigSources
        The options of the command line; they win over the keys of the sweep file.
    path : Path
        The sweep file.

    Returns
    -------
    Result
        The table of the trials, best first; its `problem` says how many failed.

    Raises
    ------
    UsageError
        If the sweep, or any of its trials, is not allowed, or what they are trained on is missing.
    """
    plan = make_plan(read_sweep(path), sources)
    table = results_path(plan.base.data, plan.file.name)
    with locked(lock_of(table), table, "rename the sweep file"):
        sweep = Sweep(plan)
        _update_data(plan)
        sweep.run()
    return sweep.result()


class Sweep:
    """The work of a sweep: what it asks for is trained, and recorded.

    Parameters
    ----------
    plan : Plan
        The sweep.

    Raises
    ------
    UsageError
        If a trial that is known already is not allowed.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.search = plan, plan.file.search
        self.path = results_path(plan.base.data, plan.file.name)
        self.results = SweepResults(
            sweep=plan.file.name, stages=plan.file.stages, metric=plan.metric, keys=plan.keys, trials=[]
        )
        self.at_once = plan.file.parallel or 1
        self.pool: int | str = plan.base.scheduler or self.at_once
        self.extracted: list[FeaturesConfig] = []
        # What needs results is asked for as they come; what was asked for before an interruption is remembered.
        first = self._earlier() if self.search.needs_results else []
        self.first = self._trials(first or self.search.ask([], self.at_once))

    def run(self) -> None:
        """Train until the search asks for nothing more."""
        metadata = self.plan.base.data / "split_metadata.json"
        if metadata.exists():
            self.results.validation_messages = read_metadata(metadata).counts["val"]
        trials = self.first
        while trials:
            self._train(trials)
            tried = [Tried(values=trial.values, score=self.results.score(trial)) for trial in self.results.trials]
            trials = self._trials(self.search.ask(tried, self.at_once))
        if len(self.results.trials) < self.search.total:
            logger.warning("the search space has only %d different trials", len(self.results.trials))

    def result(self) -> Result:
        """The table, and how to go on."""
        results, best = self.results, self.results.ranked()[0]
        failed = sum(trial.status == "failed" for trial in results.trials)
        count = len(results.trials)
        lines = ["", f"{count} trials, ranked by {results.metric} on validation{results.caution()}"]
        data = {**msgspec.to_builtins(results), "trials": msgspec.to_builtins(results.ranked()), "best": None}
        if best.status == "finished":
            command = self.plan.evaluation_command(best.run)
            tied = [trial.run for trial in results.ranked() if results.score(trial) == results.score(best)]
            found = (
                f"tied for the best, by {results.metric}: {', '.join(tied)}" if tied[1:] else f"the best is {best.run}"
            )
            lines.append(f"{found}; on test, which no trial has seen: {command}")
            data |= {"best": best.run, "tied": tied, "evaluate": command}
        problem = f"{failed} of {count} trials failed; the same command tries them again" if failed else ""
        table, wide = ("\n".join([rows, *lines]) for rows in (results.narrow_table(), results.table()))
        return Result(stage="sweep", table=table, wide=wide, data=data, problem=problem)

    def _earlier(self) -> list[dict[str, object]]:
        """What was asked for before and is still in the space."""
        known = read_results(self.path)
        space = self.search.space
        values = [trial.values for trial in known.trials] if known else []
        return [v for v in values if v.keys() == space.keys() and all(v[key] in space[key] for key in v)][
            : self.search.total
        ]

    def _trials(self, asked: Sequence[dict[str, object]]) -> list[Trial]:
        trials = [self.plan.trial(values) for values in asked]
        refuse_other_settings(trials, self.plan)
        names = [trial.run for trial in trials]
        twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
        if twice is not None:
            raise UsageError(f"sweep {self.plan.file.path}: two trials would have the name {twice}; write other values")
        return trials

    def _train(self, trials: Sequence[Trial]) -> None:
        stages = self.plan.file.stages
        todo = []
        for trial in trials:
            finished = is_finished(trial.config, stages)
            outcome = stored_outcome(trial.config, stages) if finished else TrialOutcome(status="pending")
            record = self.results.record(trial.run, trial.values, outcome)
            if finished:
                self._report(record, "up to date, ")
            else:
                todo.append(trial)
        write_results(self.path, self.results)
        self._refuse_missing_inputs(todo)
        self._extract_features(todo)
        rest = iter(todo)
        if self.pool != 1 and len(todo) == len(self.results.trials) > 1:
            # What it computes for all of them is there, then.
            logger.info("%s: training first, on its own", todo[0].run)
            self._train_together(list(islice(rest, 1)))
        self._train_together(list(rest))

    def _train_together(self, trials: Sequence[Trial]) -> None:
        """As many at a time as may be."""
        pool = min(self.pool, len(trials)) if isinstance(self.pool, int) else self.pool
        threads = (
            max(1, available_processors() // self.at_once) if isinstance(self.pool, int) and self.pool > 1 else None
        )
        works = (
            TrialWork(config=trial.config, stages=self.plan.file.stages, folder=os.getcwd(), threads=threads)
            for trial in trials
        )
        if trials and pool != 1:
            logger.info("training %d trials", len(trials))
        for trial, outcome in zip(trials, map_ordered(run_trial, works, pool) if trials else (), strict=True):
            record = self.results.record(trial.run, trial.values, outcome)
            write_results(self.path, self.results)
            self._report(record)

    def _report(self, record: TrialRecord, note: str = "") -> None:
        """One line for a trial that has ended."""
        left = self.search.total - sum(trial.status != "pending" for trial in self.results.trials)
        if record.status == "failed":
            logger.warning("%s: failed: %s; %d left", record.run, record.error, left)
            return
        value = record.metrics[self.results.metric]
        shown = "undefined" if value is None else f"{value:.4f}"
        logger.info("%s: %s%s %s, %d left", record.run, note, self.results.metric, shown, left)

    def _refuse_missing_inputs(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            path = missing_input(trial, self.plan.file.stages)
            if path is not None:
                hint = "add its stage to `stages`, or name another run's as RUN/NAME" if path.suffix == ".pt" else ""
                raise UsageError(
                    f"sweep {self.plan.file.path}: {path}: no such file; {hint or 'run `triage split` first'}"
                )

    def _extract_features(self, trials: Sequence[Trial]) -> None:
        """Fill the cache that trials read at the same time, with all processes instead of one trial's."""
        if "sft" not in self.plan.file.stages:
            return
        from enron_triage.training.training_run import load_split  # imports torch

        base = self.plan.base
        for trial in trials:
            if trial.config.features not in self.extracted:
                for name in ("train", "val"):
                    load_split(base, base.data / f"{name}.json", trial.config.features)
                self.extracted.append(trial.config.features)


def _update_data(plan: Plan) -> None:
    """Run the data stages of the configuration that are not up to date; all trials share what they make."""
    stages = tuple(name for name in plan.base.pipeline.stages if name in DATA_STAGES)
    if stages:
        chained = msgspec.structs.replace(plan.base.pipeline, stages=stages)
        may_fetch = "download.source" in plan.sources.read().origins()
        pipeline.run(msgspec.structs.replace(plan.base, pipeline=chained), may_fetch=may_fetch)
