"""The summary of judgements for people: the text on stdout, at most 80 columns wide."""

from __future__ import annotations

from enron_triage.annotation.agreement import Agreement
from enron_triage.annotation.contradictions import Contradiction
from enron_triage.annotation.summary import AnnotatorSummary, Share, Summary
from enron_triage.evaluation.formatting import wrapped

_NAME = 20  # columns of a name
_PEOPLE = 20
_SHOWN = 10  # contradictions, pairs of people


def summary_table(summary: Summary) -> str:
    """A summary as a short text, for a terminal.

    Parameters
    ----------
    summary : Summary
        What the file holds.

    Returns
    -------
    str
        Lines of at most 80 columns, without a newline at the end; a long path stays whole.
    """
    blocks = [
        _counts(summary),
        _annotators(summary),
        _agreement(summary.agreement),
        _contradictions(summary.contradictions),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _counts(summary: Summary) -> list[str]:
    lines = [
        f"{_count(summary.judged, 'judgement')} of {_count(summary.messages, 'message')} "
        f"in {_count(summary.mailboxes, 'mailbox', 'mailboxes')}: "
        f"{_count(summary.pairs, 'pair')}, {_count(summary.actions, 'action')}",
        f"ties {summary.everybody.ties:,}; skipped {summary.everybody.skipped:,}; "
        f"taken back {summary.taken_back:,}; not yet judged {summary.unjudged:,}",
    ]
    chosen = ", ".join(f"{name or 'not known'} {count:,}" for name, count in summary.strategies.items())
    if any(summary.strategies):
        lines.append(f"chosen by strategy: {chosen}")
    if summary.policy_shown:
        lines.append(
            f"Note: {_count(summary.policy_shown, 'judgement')} made with the policy's probabilities shown, "
            "which biases them towards it"
        )
    return [summary.path, *wrapped("\n".join(lines))]


def _annotators(summary: Summary) -> list[str]:
    if not summary.judged:
        return []
    people = list(summary.annotators.items())
    rows = [(_name(name), row) for name, row in people[:_PEOPLE]]
    if len(people) > 1:
        rows.append(("all", summary.everybody))
    head = f"{'annotator':<{_NAME}}{'judged':>8}{'seconds':>9}{'per hour':>10}"
    head += f"{'as label':>11}{'as policy':>11}{'first':>11}"
    lines = [head, *(_person(name, row) for name, row in rows)]
    if len(people) > _PEOPLE:
        lines.insert(-1, f"... and {len(people) - _PEOPLE:,} more: --json")
    labels = summary.everybody.with_labels
    if labels.interval:
        low, high = labels.interval
        lines += wrapped(
            f"as the label: {labels.share:.1%} of the {labels.count:,} judgements that can be compared with a label "
            f"(95% Wilson interval {low:.1%} to {high:.1%}); the labels of {summary.labels_known:,} of the messages "
            "are known",
        )
    elif not summary.labels_known:
        lines += wrapped(
            "none of these messages is in train, val or test of the data folder: dpo and evaluate cannot use the "
            "judgements there (they may belong to other mail: --config, --data-dir)"
        )
    return lines


def _person(name: str, row: AnnotatorSummary) -> str:
    seconds, per_hour = "-", "-"
    if row.median_seconds is not None:
        seconds = f"{row.median_seconds:.1f}"
        per_hour = f"{3600 / row.median_seconds:,.0f}" if row.median_seconds else "-"
    shares = "".join(f"{_share(share):>11}" for share in (row.with_labels, row.with_policy, row.first_shown))
    return f"{name:<{_NAME}}{row.judged:>8,}{seconds:>9}{per_hour:>10}{shares}"


def _agreement(agreement: Agreement | None) -> list[str]:
    if agreement is None:
        return []
    lines = [
        f"agreement between annotators, on {_count(agreement.questions, 'question')} that two or more answered",
        f"  {'same answer':<22}{agreement.same / agreement.pairs_of_answers:>8.1%}"
        f"  of {_count(agreement.pairs_of_answers, 'pair')} of answers",
    ]
    if len(agreement.by_pair) == 1:
        lines.append("  Cohen's kappa".ljust(24) + _number(agreement.by_pair[0].cohens_kappa))
    if agreement.fleiss_questions:
        lines.append(
            "  Fleiss' kappa".ljust(24)
            + _number(agreement.fleiss_kappa)
            + f"  on {_count(agreement.fleiss_questions, 'question')} that all answered"
        )
    lines.append("  Krippendorff's alpha".ljust(24) + _number(agreement.krippendorff_alpha))
    if len(agreement.by_pair) > 1:
        lines.append(f"  {'pairs of annotators':<44}{'questions':>10}{'same':>8}{'kappa':>8}")
        lines += [
            f"    {_name(pair.annotators[0]):<{_NAME}} {_name(pair.annotators[1]):<{_NAME}}"
            f"{pair.questions:>9,}{pair.same / pair.questions:>8.1%}{_number(pair.cohens_kappa)}"
            for pair in agreement.by_pair[:_SHOWN]
        ]
    if len(agreement.by_pair) > _SHOWN:
        lines.append(f"    ... and {len(agreement.by_pair) - _SHOWN:,} more: --json")
    return [*lines, *wrapped(agreement.note and f"Note: {agreement.note}")]


def _contradictions(found: list[Contradiction]) -> list[str]:
    if not found:
        return []
    lines = [f"worth a second look: {_count(len(found), 'contradiction')}"]
    for each in found[:_SHOWN]:
        actions = " > ".join([*each.actions, each.actions[0]]) if each.kind == "cycle" else " / ".join(each.actions)
        sides = ", ".join(_name(name) for name in each.annotators)
        if each.opponents:
            sides += " / " + ", ".join(_name(name) for name in each.opponents)
        lines += wrapped(f"{each.kind}: {sides}: {actions}", "  ")
        lines.append(f"    {each.user} {each.fingerprint}")
    if len(found) > _SHOWN:
        lines.append(f"    ... and {len(found) - _SHOWN:,} more: --json")
    return lines


def _count(count: int, one: str, several: str = "") -> str:
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def _share(share: Share) -> str:
    return "-" if share.share is None else f"{share.share:.1%}"


def _number(value: float | None) -> str:
    return f"{'-' if value is None else f'{value:.3f}':>8}"


def _name(name: str) -> str:
    shown = " ".join(name.split()) or "(no name)"
    return shown if len(shown) < _NAME else shown[: _NAME - 4] + "..."
