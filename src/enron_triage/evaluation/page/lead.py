"""The opening of the report: what was measured, on which data, which run is best, and by how much."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from enron_triage.evaluation.ranking import METRICS, Ranking, Row
from enron_triage.evaluation.ranking_words import remarks
from enron_triage.evaluation.result import Interval
from enron_triage.labels.schemes import SCHEMES

_MOST_NAMES = 5


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one set of records.

    Attributes
    ----------
    measured : str
        What was compared, on what.
    best : str
        The name of the best policy; empty if no policy has the metric.
    answer : str
        What follows the name: by how much it is best, and whether that is more than chance.
    warnings : list of str
        What makes the figures worth less: labels that leak, policies that collapsed.
    remarks : list of str
        What else to keep in mind.
    """

    measured: str
    best: str
    answer: str
    warnings: list[str]
    remarks: list[str]


def lead_of(ranking: Ranking) -> Lead:
    """The answer for one set of records.

    Parameters
    ----------
    ranking : Ranking
        The rows, the best first.
    """
    leak_note = SCHEMES[ranking.records.scheme].leak_note
    best = ranking.policies[0]
    known = best.metrics[ranking.sort] is not None
    return Lead(
        measured=_measured(ranking),
        best=best.name if known else "",
        answer=_answer(ranking) if known else f"No policy has the metric {METRICS[ranking.sort].label} here.",
        warnings=[*([leak_note] if leak_note else []), *_collapsed(ranking)],
        remarks=[remark for remark in remarks(ranking) if remark != leak_note],
    )


def set_name(ranking: Ranking) -> str:
    """A short name of a set of records, which says so if its labels leak.

    Parameters
    ----------
    ranking : Ranking
        What is ranked on it.
    """
    records = ranking.records
    leaks = ", whose labels leak" if SCHEMES[records.scheme].leak_note else ""
    return f"{records.shown.split}, {records.shown.count:,} messages, labels by the scheme {records.scheme}{leaks}"


def source_of(ranking: Ranking) -> str:
    """Where a set of records lies, and of how many people it is.

    Parameters
    ----------
    ranking : Ranking
        What is ranked on it.
    """
    one = ranking.records.shown
    people = f"{one.mailboxes:,} mailbox{'' if one.mailboxes == 1 else 'es'}"
    return f"From {people}; the records are {one.source.records}, SHA-256 {ranking.records.records_sha256[:8]}."


def span(interval: Interval, digits: int = 3) -> str:
    """An interval in words.

    Parameters
    ----------
    interval : [low, high]
        The bounds.
    digits : int
        How many decimals.
    """
    return f"{signed(interval[0], digits, plus=False)} to {signed(interval[1], digits, plus=False)}"


def signed(value: float, digits: int = 3, *, plus: bool = True) -> str:
    """A number with a minus that a screen reader says as one.

    Parameters
    ----------
    value : float
        The number.
    digits : int
        How many decimals.
    plus : bool
        Whether positive numbers have a sign, too.
    """
    rounded = round(value, digits) + 0.0  # and never -0
    return f"{rounded:{'+' if plus else ''}.{digits}f}".replace("-", "−")


def _measured(ranking: Ranking) -> str:
    records, label = ranking.records, METRICS[ranking.sort].label
    one = records.shown
    mailboxes = f"{one.mailboxes:,} mailbox{'' if one.mailboxes == 1 else 'es'}"
    policies = len(ranking.policies)
    compared = "One policy was evaluated" if policies == 1 else f"{policies} policies were compared by {label}"
    leaks = ", which leak" if SCHEMES[records.scheme].leak_note else ""
    return (
        f"{compared} on {one.split}: {one.count:,} messages in {mailboxes}, "
        f"with the labels of the scheme {records.scheme}{leaks}."
    )


def _answer(ranking: Ranking) -> str:
    best, *others = ranking.policies
    metric = METRICS[ranking.sort]
    value, interval = best.metrics[ranking.sort], best.intervals.get(ranking.sort)
    assert value is not None
    which = f"has the {'lowest' if metric.lowest_first else 'highest'} {metric.label}" if others else "is the only one"
    shown = f"{signed(value, plus=False)}{f' (95% interval {span(interval)})' if interval else ''}"
    sentences = [f"{which}, {shown}." if others else f"{which}: {metric.label} {shown}."]
    sentences += [_next(others[0])] if others else []
    sentences += _others(others[1:])
    return " ".join([*sentences, *_beside(ranking, best)])


def _next(row: Row) -> str:
    """How far the second policy is behind, and whether that is more than chance."""
    difference = row.difference
    if difference is None or difference.value is None:
        return f"The next, {row.name}, lacks this metric."
    by = f"{abs(difference.value):.3f}"
    words = f"The next, {row.name}, is {by} behind"
    if row.rank == 1:
        words = f"{row.name} has the same value"
    if difference.interval is None:
        return f"{words}; whether that is more than chance is not known."
    bounds = f"95% interval of the difference {span(difference.interval)}"
    if difference.verdict == "not told apart":
        return f"{words}, which may be chance: the two are not told apart ({bounds}, which includes 0)."
    if difference.verdict == "better":
        return f"{words}, but is the better one by more than chance on resampled mailboxes ({bounds})."
    return f"{words}, which is more than chance ({bounds})."


def _others(rows: Sequence[Row]) -> list[str]:
    """How many of the policies after the second are told apart from the best."""
    verdicts = [row.difference.verdict for row in rows if row.difference]
    counts = {
        "not told apart from it": verdicts.count("not told apart"),
        "worse by more than chance": verdicts.count("worse"),
        "better by more than chance on resampled mailboxes": verdicts.count("better"),
    }
    parts = [f"{count} {'is' if count == 1 else 'are'} {words}" for words, count in counts.items() if count]
    if not parts:
        return []
    if len(parts) == 1 and max(counts.values()) == len(rows):
        (words,) = (words for words, count in counts.items() if count)
        return [f"The other one is {words}." if len(rows) == 1 else f"The {len(rows)} others are {words}."]
    return [f"Of the {'one other' if len(rows) == 1 else f'{len(rows)} others'}, {' and '.join(parts)}."]


def _beside(ranking: Ranking, best: Row) -> list[str]:
    """How the best policy stands beside what is no policy."""
    place = ranking.rows.index(best)
    above = [row for row in ranking.rows[:place] if row.kind != "policy"]
    if above:
        return [f"No policy reaches {_listed([row.name for row in above])}."]
    below = [row for row in ranking.rows[place:] if row.kind == "baseline" and row.metrics[ranking.sort] is not None]
    if not below:
        return []
    value = below[0].metrics[ranking.sort]
    assert value is not None
    return [f"The best baseline, {below[0].name}, has {signed(value, plus=False)}."]


def _collapsed(ranking: Ranking) -> list[str]:
    names = [name for name, evaluation in ranking.records.policies.items() if evaluation.collapsed]
    if not names:
        return []
    return [f"Collapsed (nearly all decisions are one action): {_listed(names)}."]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
