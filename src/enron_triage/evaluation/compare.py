"""Which policy is best on a set of records, and whether it is better than the others by more than chance.

Beside the policies, the baselines and the simple alternative (an SFT policy's probabilities with the decision rule
``expected_reward``) are rows, too; only policies have a rank.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.config.types import Costs
from enron_triage.evaluation.ranking import METRICS, Difference, Ranking, Row, Verdict
from enron_triage.evaluation.record_sets import RecordSet
from enron_triage.evaluation.result import DecisionMetrics, Evaluation, Interval
from enron_triage.labels.sample_size import FEW_MAILBOXES
from enron_triage.policy import intervals, metrics
from enron_triage.policy.metrics import IntArray

_BAYES_RULE = "expected_reward"
_SAME = 1e-9  # mean rewards that differ by less are of the same decisions


def rank(records: RecordSet, sort: str, *, costs: Costs) -> Ranking:
    """Rank the policies on a set of records.

    Parameters
    ----------
    records : RecordSet
        The evaluations.
    sort : str
        A key of `ranking.METRICS`.
    costs : 5 rows of 5 numbers
        The costs of the configuration: mean rewards are by them where evaluations are by different ones.
    """
    known = [each.source.costs for each in records.policies.values()]
    same_costs = all(each == known[0] for each in known)
    used = known[0] if same_costs and known[0] is not None else costs
    comparison = _Comparison(records=records, sort=sort, costs=used)
    policies = sorted(comparison.policies(), key=comparison.order)
    best = policies[0]
    rows = [*policies, *comparison.alternatives(same_costs), *comparison.baselines(best)]
    for row in rows[1:]:
        row.difference = comparison.difference(row, best)
    for row in policies:
        value = row.metrics[sort]
        if value is not None:
            row.rank = 1 + sum(comparison.order(other)[:2] < comparison.order(row)[:2] for other in policies)
    return Ranking(
        records=records,
        sort=sort,
        rows=sorted(rows, key=comparison.order),
        same_costs=same_costs,
        why_none=comparison.why_none(best),
    )


class _Comparison(msgspec.Struct, kw_only=True):
    """What is compared, by what, and how the intervals are made."""

    records: RecordSet
    sort: str
    costs: Any

    def order(self, row: Row) -> tuple[bool, float, int, str]:
        """The place of a row: the best first, what lacks the metric last, policies before others of equal value."""
        value = row.metrics.get(self.sort)
        if value is None:
            value = math.inf
        elif not METRICS[self.sort].lowest_first:
            value = -value
        return value == math.inf, value, ("policy", "alternative", "baseline").index(row.kind), row.name

    def policies(self) -> list[Row]:
        """A row for each policy; its mean reward by the costs in use."""
        rows = []
        for name, evaluation in self.records.policies.items():
            row = Row(name=name, kind="policy", metrics=_metrics_of(evaluation), intervals=dict(evaluation.intervals))
            if evaluation.source.costs not in (None, self.costs):
                row.metrics["mean_reward"] = self._mean_reward(evaluation.confusion_matrix)
                row.intervals["mean_reward"] = self._reward_interval(_by_mailbox(evaluation))
            rows.append(row)
        return rows

    def alternatives(self, same_costs: bool) -> list[Row]:
        """The simple alternatives: a row for each policy of SFT, and one for each that is known by its reward alone."""
        rows, rewards = [], []
        for name, evaluation in self.records.policies.items():
            decisions = evaluation.decisions.get(_BAYES_RULE)
            if evaluation.stage != "sft" or decisions is None:
                continue
            rewards.append(decisions.mean_reward)
            if evaluation.decision_rule != _BAYES_RULE:
                row = Row(name=f"{name}, {_BAYES_RULE}", kind="alternative", metrics=_metrics_of(decisions))
                row.metrics["mean_reward"] = self._mean_reward(decisions.confusion_matrix)
                rows.append(row)
        for name, evaluation in self.records.policies.items():
            baseline = evaluation.bayes_baseline
            if baseline is None or any(abs(baseline.mean_reward - reward) < _SAME for reward in rewards):
                continue
            rewards.append(baseline.mean_reward)
            unknown: dict[str, float | None] = dict.fromkeys(METRICS)
            reward = baseline.mean_reward if same_costs else None
            of_it = f"{baseline.checkpoint} before {name}, {_BAYES_RULE}"
            rows.append(Row(name=of_it, kind="alternative", metrics=unknown | {"mean_reward": reward}))
        return rows

    def baselines(self, best: Row) -> list[Row]:
        """The baselines, as the evaluation of the best policy has them."""
        rows = []
        for name, decisions in self.records.policies[best.name].baselines.items():
            row = Row(name=name, kind="baseline", metrics=_metrics_of(decisions))
            row.metrics["mean_reward"] = self._mean_reward(decisions.confusion_matrix)
            rows.append(row)
        return rows

    def difference(self, row: Row, best: Row) -> Difference:
        """How a row differs from the best policy, and whether that is more than chance."""
        value, of_best = row.metrics[self.sort], best.metrics[self.sort]
        if value is None or of_best is None:
            return Difference(value=None)
        interval = self._interval(row, best)
        if interval is None:
            return Difference(value=value - of_best)
        low, high = interval
        verdict: Verdict = "not told apart" if low <= 0 <= high else "better" if low > 0 else "worse"
        return Difference(value=value - of_best, interval=interval, verdict=verdict)

    def why_none(self, best: Row) -> str | None:
        """Why the differences between policies have no interval."""
        mailboxes = len(self.records.policies[best.name].mailbox_confusion)
        if mailboxes < FEW_MAILBOXES:
            return (
                f"No intervals: only {mailboxes} of the {FEW_MAILBOXES} mailboxes that they need, so any "
                "difference between policies may be chance."
            )
        if METRICS[self.sort].statistic is None:
            label = METRICS[self.sort].label
            return f"The differences in {label} have no interval: it does not follow from the decisions alone."
        return None

    def _interval(self, row: Row, best: Row) -> Interval | None:
        """The interval of the difference; None where the decisions on each mailbox are not known."""
        metric = METRICS[self.sort].statistic
        first, second = self._mailboxes_of(row, best), self._mailboxes_of(best, best)
        if metric is None or first is None or second is None or not _same_messages(first, second):
            return None
        return intervals.paired_interval(
            np.stack([first[name] for name in second]),
            np.stack(list(second.values())),
            lambda confusions: metric(confusions, self.costs),
        )

    def _mailboxes_of(self, row: Row, best: Row) -> dict[str, IntArray] | None:
        """The confusion matrix of each mailbox; those of a baseline are known if it always takes the same action."""
        if row.kind == "policy":
            return _by_mailbox(self.records.policies[row.name])
        if row.kind == "alternative":
            return None
        evaluation = self.records.policies[best.name]
        taken = np.flatnonzero(np.array(evaluation.baselines[row.name].confusion_matrix).sum(axis=0))
        return _always(int(taken[0]), _by_mailbox(evaluation)) if len(taken) == 1 else None

    def _mean_reward(self, confusion: npt.ArrayLike) -> float:
        return float(metrics.mean_reward(np.asarray(confusion), self.costs))

    def _reward_interval(self, confusions: dict[str, IntArray]) -> Interval | None:
        stacked = np.stack(list(confusions.values()))
        return intervals.jackknife_interval(
            stacked.sum(axis=(1, 2)),
            lambda counts: metrics.mean_reward(np.tensordot(counts, stacked, axes=1), self.costs),
        )


def _metrics_of(decisions: Evaluation | DecisionMetrics) -> dict[str, float | None]:
    """The metrics to rank by; None for those that take probabilities, where there are only decisions."""
    return {name: getattr(decisions, name, None) for name in METRICS}


def _by_mailbox(evaluation: Evaluation) -> dict[str, IntArray]:
    return {name: np.array(confusion) for name, confusion in evaluation.mailbox_confusion.items()}


def _always(action: int, confusions: dict[str, IntArray]) -> dict[str, IntArray]:
    """The confusion matrices of taking one action for every message."""
    constant = {name: np.zeros_like(confusion) for name, confusion in confusions.items()}
    for name, confusion in confusions.items():
        constant[name][:, action] = confusion.sum(axis=1)
    return constant


def _same_messages(first: dict[str, IntArray], second: dict[str, IntArray]) -> bool:
    """Whether two policies decided the same number of messages of each action in the same mailboxes."""
    return first.keys() == second.keys() and all(
        np.array_equal(first[name].sum(axis=1), second[name].sum(axis=1)) for name in first
    )
