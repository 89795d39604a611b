"""The rankings for a terminal: a short table for each set of records, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Sequence

from enron_triage.evaluation.differing import differing_settings
from enron_triage.evaluation.formatting import wrapped
from enron_triage.evaluation.ranking import METRICS, Ranking, Row
from enron_triage.evaluation.ranking_words import answer, policy_notes, remarks, several_sets
from enron_triage.evaluation.result import Interval

_WIDTH = 80  # a name that makes the table wider than this has a line of its own
_BESIDE = ("accuracy", "macro_f1")


def ranking_text(rankings: Sequence[Ranking]) -> str:
    """What ``triage report`` prints.

    Parameters
    ----------
    rankings : sequence of Ranking
        One for each set of records.

    Returns
    -------
    str
        Lines without a newline at the end.
    """
    first = several_sets([ranking.records for ranking in rankings])
    blocks = [wrapped(first)] if first else []
    for ranking in rankings:
        differing = ", ".join(differing_settings(ranking.records))
        blocks += [
            wrapped(ranking.records.title),
            wrapped("\n".join([answer(ranking), *remarks(ranking)])),
            _table(ranking),
            wrapped(f"Settings that differ: {differing}" if differing else ""),
        ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def figure(value: float | None, interval: Interval | None = None, *, digits: int = 3, sign: bool = False) -> str:
    """A figure with its interval, such as ``0.512 [0.480, 0.543]``; a dash where it is undefined.

    Parameters
    ----------
    value : float or None
        The figure.
    interval : [low, high] or None
        Its interval.
    digits : int
        How many decimals.
    sign : bool
        Whether positive numbers have a sign, too.
    """
    if value is None:
        return "-"
    form = f"{'+' if sign else ''}.{digits}f"
    return f"{value:{form}} [{interval[0]:{form}}, {interval[1]:{form}}]" if interval else f"{value:{form}}"


def _table(ranking: Ranking) -> list[str]:
    """The rows; the widths follow from what they hold."""
    beside = [metric for metric in _BESIDE if metric != ranking.sort]
    head = ["rank", "run", METRICS[ranking.sort].label, "to the best"]
    shown = shown_rows(ranking)
    rows = [head + [METRICS[metric].label for metric in beside]]
    rows += [[*_cells(ranking, row), *(figure(row.metrics[metric]) for metric in beside)] for row in shown]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) + len(beside))]
    room = _WIDTH - sum(widths) + widths[1] - 2 * (len(widths) - 1)
    widths[1] = max(len(row[1]) for row in rows if len(row[1]) <= max(room, len(head[1])))
    lines = []
    for index, cells in enumerate(rows):
        if len(cells[1]) > widths[1]:
            lines.append(f"{cells[0]:>{widths[0]}}  {cells[1]}")
            cells = ["", "", *cells[2:]]
        aligned = [cells[0].rjust(widths[0]), cells[1].ljust(widths[1]), cells[2].ljust(widths[2])]
        aligned += [
            cells[3].ljust(widths[3]),
            *(cell.rjust(width) for cell, width in zip(cells[4:], widths[4:], strict=True)),
        ]
        lines.append("  ".join(aligned).rstrip())
        if index:
            lines += wrapped(_note(ranking, shown[index - 1]), " " * (widths[0] + 4))
    return lines


def shown_rows(ranking: Ranking) -> list[Row]:
    """The rows of the short table: of the simple alternatives with a figure in it, only the one that costs least.

    Parameters
    ----------
    ranking : Ranking
        A set of records.
    """
    columns = (ranking.sort, *_BESIDE)
    alternatives = [row for row in ranking.rows if row.kind == "alternative"]
    told = [row for row in alternatives if any(row.metrics[column] is not None for column in columns)]
    rewards = {row.name: row.metrics["mean_reward"] for row in told}
    known = {name: reward for name, reward in rewards.items() if reward is not None}
    cheapest = max(known, key=known.__getitem__, default=None)
    return [row for row in ranking.rows if row.kind != "alternative" or row.name == cheapest]


def _cells(ranking: Ranking, row: Row) -> list[str]:
    """Rank, name, the metric with its interval, and the difference to the best with its verdict."""
    metric = figure(row.metrics[ranking.sort], row.intervals.get(ranking.sort))
    difference = "best" if row.difference is None else figure(row.difference.value, sign=True)
    if row.difference and row.difference.verdict:
        difference += f" {row.difference.verdict}"
    return ["-" if row.rank is None else str(row.rank), row.name, metric, difference]


def _note(ranking: Ranking, row: Row) -> str:
    """What must not be overlooked of a policy, without the marks of Markdown."""
    if row.kind != "policy":
        return ""
    notes = policy_notes(ranking.records.policies[row.name], ranking.records.validation.get(row.name))
    return "; ".join(notes).replace("**", "").replace("`", "")
