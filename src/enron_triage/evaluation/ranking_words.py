"""A ranking in words: which policy is best, whether the difference is significant, and important notes."""

from __future__ import annotations

from collections.abc import Sequence

from enron_triage.evaluation.cost_words import cheaper_rule, gain_words, refined_from
from enron_triage.evaluation.ranking import METRICS, Ranking, Row
from enron_triage.evaluation.record_sets import RecordSet
from enron_triage.evaluation.result import Evaluation
from enron_triage.labels.schemes import SCHEMES


def several_sets(sets: Sequence[RecordSet]) -> str | None:
    """What to say first if the evaluations are of different records.

    Parameters
    ----------
    sets : sequence of RecordSet
        The sets of records.

    Returns
    -------
    str or None
        One sentence; None for one set.
    """
    if len(sets) < 2:
        return None
    return (
        f"The evaluations cover {len(sets)} different sets of messages, with a table for each: "
        "figures from different sets cannot be compared."
    )


def answer(ranking: Ranking) -> str:
    """Which policy is best, and whether it is better than the others and than the baselines.

    Parameters
    ----------
    ranking : Ranking
        A set of records.
    """
    policies, label = ranking.policies, METRICS[ranking.sort].label
    best, others = policies[0], policies[1:]
    if best.metrics[ranking.sort] is None:
        return f"No policy has the metric {label} here."
    lowest = METRICS[ranking.sort].lowest_first
    equal = [row for row in others if row.rank == 1]
    names = _listed([best, *equal])
    sentences = [f"{names} {'have' if equal else 'has'} the {'lowest' if lowest else 'highest'} {label}."]
    if not others:
        sentences = [f"{best.name} is the only policy."]
    sentences += [
        f"{words}: {_listed(rows)}."
        for verdict, words in (
            ("worse", "Worse by more than chance"),
            ("not told apart", "Not told apart from the best"),
            ("better", "Better by more than chance on resampled mailboxes"),
        )
        if (rows := [row for row in others if row.difference and row.difference.verdict == verdict])
    ]
    if others and ranking.why_none:
        sentences.append("Whether that is more than chance is not known.")
    above = [row for row in ranking.rows[: ranking.rows.index(best)] if row.kind != "policy"]
    if above:
        sentences.append(f"No policy reaches {_listed(above)}.")
    return " ".join(sentences)


def remarks(ranking: Ranking) -> list[str]:
    """What to keep in mind of a whole set of records: few messages, leaking labels, missing intervals.

    Parameters
    ----------
    ranking : Ranking
        A set of records.
    """
    found = list(ranking.records.notes)
    leak_note = SCHEMES[ranking.records.scheme].leak_note
    found += [leak_note] if leak_note else []
    found += [ranking.why_none] if ranking.why_none else []
    if not ranking.same_costs:
        found.append(
            "The evaluations are by different rewards.costs: mean rewards are computed again, by those of this "
            "configuration."
        )
    return found


def policy_notes(evaluation: Evaluation, validation: Evaluation | None) -> list[str]:
    """What must not be overlooked of a policy: collapse, a rule of its own, and what refining it earned.

    Parameters
    ----------
    evaluation : Evaluation
        The policy on the records that are ranked.
    validation : Evaluation or None
        The same policy on validation.
    """
    notes = []
    for each in (evaluation, validation):
        if each is not None and each.collapsed:
            shares = each.predicted_share
            notes.append(f"**collapsed** to `{max(shares, key=shares.__getitem__)}` on {each.split}")
    if evaluation.decision_rule != "argmax":
        notes.append(f"decides by the rule {evaluation.decision_rule}")
    if evaluation.source.extended_from:
        notes.append(f"training extended from {', '.join(map(str, evaluation.source.extended_from))} epochs")
    baseline = refined_from(evaluation)
    if baseline is not None:
        than = f"{baseline.checkpoint} with the rule expected_reward"
        notes.append(gain_words(baseline.gain, baseline.interval, than))
    return notes


def rule_notes(evaluation: Evaluation) -> list[str]:
    """Which decision rule would cost less than the policy's own; empty if none would.

    Parameters
    ----------
    evaluation : Evaluation
        The policy on some records.
    """
    cheaper = cheaper_rule(evaluation)
    return [f"the rule {cheaper[0]} would cost {cheaper[1]:.4f} less"] if cheaper else []


def _listed(rows: Sequence[Row]) -> str:
    return ", ".join(row.name for row in rows)
