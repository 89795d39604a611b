"""The metrics that policies can be ranked by, and the type of a ranking; `compare` makes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.evaluation.record_sets import RecordSet
from enron_triage.evaluation.result import Interval
from enron_triage.policy import metrics

Verdict = Literal["better", "worse", "not told apart"]


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric to rank by.

    Attributes
    ----------
    label : str
        Its name for people.
    statistic : callable or None
        What computes it from confusion matrices and costs; None if it takes more than the decisions.
    lowest_first : bool
        Whether less is better.
    """

    label: str
    statistic: Callable[[npt.NDArray[Any], Any], npt.NDArray[np.float64]] | None = None
    lowest_first: bool = False


METRICS: dict[str, Metric] = {
    "macro_f1": Metric(label="macro-F1", statistic=lambda confusion, costs: metrics.macro_f1(confusion)),
    "accuracy": Metric(label="accuracy", statistic=lambda confusion, costs: metrics.accuracy(confusion)),
    "balanced_accuracy": Metric(
        label="balanced accuracy", statistic=lambda confusion, costs: metrics.balanced_accuracy(confusion)
    ),
    "mean_reward": Metric(label="mean reward", statistic=metrics.mean_reward),
    "reply_auc": Metric(label="reply AUC"),
    "reply_average_precision": Metric(label="reply average precision"),
    "reply_auc_received": Metric(label="reply AUC among all received"),
    "ece_calibrated": Metric(label="calibration error", lowest_first=True),
    "ece": Metric(label="calibration error of the plain logits", lowest_first=True),
}


class Difference(msgspec.Struct, kw_only=True):
    """The metric of a row, less that of the best policy.

    Attributes
    ----------
    value : float or None
        The difference; None if the row lacks the metric.
    interval : [low, high] or None
        Its 95% interval over mailboxes, both on the same drawn ones; None if there is none: see `Ranking.why_none`.
    verdict : {"better", "worse", "not told apart"} or None
        What the interval says; None without one.
    """

    value: float | None
    interval: Interval | None = None
    verdict: Verdict | None = None


class Row(msgspec.Struct, kw_only=True):
    """A policy, or what policies are compared with.

    Attributes
    ----------
    rank : int or None
        From 1, equal for equal values; None for what is no policy, or lacks the metric.
    name : str
        ``<run>/<checkpoint>``, or the name of a baseline.
    kind : {"policy", "alternative", "baseline"}
        What it is.
    metrics : dict of str to float or None
        By the keys of `METRICS`.
    intervals : dict of str to [low, high] or None
        The 95% intervals of some of them.
    difference : Difference or None
        To the best policy; None for that policy itself.
    """

    rank: int | None = None
    name: str
    kind: Literal["policy", "alternative", "baseline"]
    metrics: dict[str, float | None]
    intervals: dict[str, Interval | None] = {}
    difference: Difference | None = None


class Ranking(msgspec.Struct, kw_only=True):
    """The rows of a set of records, the best first.

    Attributes
    ----------
    records : RecordSet
        What is ranked.
    sort : str
        By which of `METRICS`.
    rows : list of Row
        The policies, the simple alternatives and the baselines.
    same_costs : bool
        Whether all evaluations are by the same costs. If not, mean rewards are by the configuration's.
    why_none : str or None
        Why differences have no interval; None if those of the policies have one.
    """

    records: RecordSet
    sort: str
    rows: list[Row]
    same_costs: bool
    why_none: str | None

    @property
    def policies(self) -> list[Row]:
        """The rows that are policies, the best first."""
        return [row for row in self.rows if row.kind == "policy"]
