"""The results of a sweep so far: stored in ``data/sweeps/<name>.json``, shown as a table."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import msgspec

from enron_triage.errors import UsageError
from enron_triage.labels.sample_size import FEW_MESSAGES
from enron_triage.runtime import artifacts
from enron_triage.sweep.names import short_names, written
from enron_triage.sweep.search_space import Values
from enron_triage.sweep.sweep_file import METRICS
from enron_triage.sweep.trial import TrialOutcome

_WIDTH = 80  # columns of a terminal
_SHOWN = ("macro_f1", "accuracy", "loss")  # besides the metric that ranks


class TrialRecord(TrialOutcome, frozen=True, kw_only=True):
    """A trial and how it ended.

    Attributes
    ----------
    run : str
        The name of its run.
    values : dict
        Of the swept keys.
    """

    run: str
    values: Values


class SweepResults(msgspec.Struct, kw_only=True):
    """All trials of a sweep.

    Attributes
    ----------
    sweep : str
        Its name.
    stages : tuple of str
        The training stages of a trial.
    metric : str
        What ranks the trials.
    keys : tuple of str
        The swept keys.
    validation_messages : int or None
        How many messages the metrics are of; None if it is not known.
    trials : list of TrialRecord
        In the order in which they were asked for.
    """

    sweep: str
    stages: tuple[str, ...]
    metric: str
    keys: tuple[str, ...]
    validation_messages: int | None = None
    trials: list[TrialRecord] = []

    def score(self, outcome: TrialOutcome) -> float | None:
        """What a trial is ranked by: the more, the better.

        Parameters
        ----------
        outcome : TrialOutcome
            How it ended.

        Returns
        -------
        float or None
            None if it has no value of the metric.
        """
        value = outcome.metrics.get(self.metric)
        return value if value is None or not METRICS[self.metric] else -value

    def record(self, run: str, values: Values, outcome: TrialOutcome) -> TrialRecord:
        """Put down how a trial ended, in the place of what was known of it.

        Parameters
        ----------
        run : str
            The name of its run.
        values : dict
            Of the swept keys.
        outcome : TrialOutcome
            How it ended, or that it is pending.
        """
        record = TrialRecord(run=run, values=values, **msgspec.structs.asdict(outcome))
        for number, known in enumerate(self.trials):
            if known.run == run:
                self.trials[number] = record
                return record
        self.trials.append(record)
        return record

    def ranked(self) -> list[TrialRecord]:
        """The trials, best first; those without a value of the metric last."""
        scored = [(self.score(trial), trial) for trial in self.trials]
        best = sorted((pair for pair in scored if pair[0] is not None), key=lambda pair: -(pair[0] or 0))
        return [trial for _, trial in best] + [trial for score, trial in scored if score is None]

    def rows(self) -> list[list[str]]:
        """The table: the head, then a row for each trial, best first."""
        names = short_names(self.keys)
        shown = list(dict.fromkeys([self.metric, *_SHOWN]))
        rows = [["rank", "run", *names.values(), *shown, "status"]]
        scores = [self.score(trial) for trial in self.trials]
        for trial in self.ranked():
            values = [written(trial.values[key]) for key in self.keys]
            metrics = [_number(trial.metrics.get(name)) for name in shown]
            score = self.score(trial)
            rank = "-" if score is None else str(1 + sum(other is not None and other > score for other in scores))
            rows.append([rank, trial.run, *values, *metrics, trial.status])
        return rows

    def table(self) -> str:
        """The table in plain text, and the lines of the trials that failed."""
        return "\n".join([*_columns(self.rows()), *self._errors()])

    def narrow_table(self) -> str:
        """The table for a terminal: if it is too wide, the run and the swept values stand below a trial's metrics."""
        rows, count = self.rows(), len(self.keys)
        lines = _columns(rows)
        if max(map(len, lines)) > _WIDTH:
            names = rows[0][2 : 2 + count]
            head, *lines = _columns([[row[0], *row[2 + count :]] for row in rows])
            indent = " " * (len(rows[0][0]) + 2)
            below = [_below(row[1], dict(zip(names, row[2:], strict=False)), indent) for row in rows[1:]]
            lines = [head, *(line for first, rest in zip(lines, below, strict=True) for line in (first, *rest))]
        return "\n".join([*lines, *self._errors()])

    def _errors(self) -> list[str]:
        return [f"{trial.run}: {trial.error}" for trial in self.trials if trial.error]

    def markdown(self) -> str:
        """The table in Markdown, under a heading."""
        head, *rows = ([cell.replace("|", "\\|") for cell in row] for row in self.rows())
        lines = [f"# Sweep {self.sweep}", "", f"Ranked by {self.metric} on validation{self.caution()}.", ""]
        lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
        return "\n".join([*lines, *(f"\n{error}" for error in self._errors())]) + "\n"

    def caution(self) -> str:
        """A warning where validation is so small that chance decides the ranks; else nothing."""
        count = self.validation_messages
        if count is None or count >= FEW_MESSAGES:
            return ""
        return f" (only {count} messages: differences may well be chance)"


def results_path(data: Path, name: str) -> Path:
    """Where the results of a sweep are kept.

    Parameters
    ----------
    data : Path
        The folder of the data artifacts.
    name : str
        The name of the sweep.
    """
    return data / "sweeps" / f"{name}.json"


def write_results(path: Path, results: SweepResults) -> None:
    """Write the results as JSON, and their table beside them as Markdown.

    Parameters
    ----------
    path : Path
        See `results_path`.
    results : SweepResults
        All trials.

    Raises
    ------
    TriageError
        If a file cannot be written.
    """
    artifacts.write_json(path, results)
    with artifacts.atomic_open(path.with_suffix(".md")) as file:
        file.write(results.markdown().encode())


def read_results(path: Path) -> SweepResults | None:
    """The results so far.

    Parameters
    ----------
    path : Path
        See `results_path`.

    Raises
    ------
    UsageError
        If the file is damaged.
    """
    if not path.exists():
        return None
    try:
        return artifacts.read_json(path, SweepResults)
    except UsageError as error:
        raise UsageError(f"{error}; remove it, finished trials are found again by their checkpoints") from None


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _below(run: str, values: dict[str, str], indent: str) -> list[str]:
    """The lines below a trial's metrics: its run, which stays whole, and its values."""
    said = ", ".join(f"{name} {value}" for name, value in values.items())
    return [f"{indent}{run}", *textwrap.wrap(said, _WIDTH, initial_indent=indent, subsequent_indent=indent)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
