"""The summary of a file of judgements: ``triage annotate --summary``.

Counts and pace by annotator; agreement between annotators, with the labels and with the policy; what to look at again.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from enron_triage.annotation.agreement import Agreement, agreement
from enron_triage.annotation.contradictions import Contradiction, contradictions
from enron_triage.config.paths import SPLITS
from enron_triage.config.schema import Config
from enron_triage.errors import UsageError, cause_of
from enron_triage.labels.judgements import Judgement, PreferenceRecord, decode_judgements, in_force
from enron_triage.policy.intervals import wilson_interval
from enron_triage.records import Action
from enron_triage.runtime import artifacts


class Share(msgspec.Struct, kw_only=True):
    """How often something was so.

    Attributes
    ----------
    count : int
        Of how many.
    share : float or None
        How often; None of nothing.
    interval : [low, high] or None
        The 95% Wilson interval (Wilson 1927) of the share, which takes judgements for independent.
    """

    count: int
    share: float | None
    interval: list[float] | None


class AnnotatorSummary(msgspec.Struct, kw_only=True):
    """What one annotator did, or all of them.

    Attributes
    ----------
    judged : int
        How many judgements hold an answer.
    ties : int
        How many of them say that the two actions are equally good.
    skipped : int
        How many messages were left unjudged.
    median_seconds : float or None
        The median time to an answer; None if none was measured.
    with_labels : Share
        How often the judgement was for what the owner did, of the judgements that the label can tell: an action, or a
        pair that holds the label.
    with_policy : Share
        How often the policy, too, gave the preferred action the higher probability, when the message was shown.
    first_shown : Share
        How often the preferred action of a pair was the one that was shown first: a half, if the place has no effect.
    """

    judged: int
    ties: int
    skipped: int
    median_seconds: float | None
    with_labels: Share
    with_policy: Share
    first_shown: Share


class Summary(msgspec.Struct, kw_only=True):
    """What a file of judgements holds.

    Attributes
    ----------
    path : str
        The file.
    judged : int
        How many judgements hold an answer, of those that nobody has taken back.
    pairs, actions : int
        How many of them were asked which of two actions is better, and what should be done.
    unjudged : int
        How many lines hold no answer and were not skipped, as those of a template.
    taken_back : int
        How many lines were taken back.
    messages, mailboxes : int
        How many messages were judged, in how many mailboxes.
    policy_shown : int
        How many judgements were made in sight of the policy's probabilities, which draws them towards it.
    strategies : dict of str to int
        By which strategies the judged messages were chosen.
    labels_known : int
        Of how many judged messages the label was found in the splits.
    annotators : dict of str to AnnotatorSummary
        By name; the empty string is whoever gave none.
    everybody : AnnotatorSummary
        All of them together.
    agreement : Agreement or None
        Between annotators; None if no two answered the same question.
    contradictions : list of Contradiction
        What to look at again.
    """

    path: str
    judged: int
    pairs: int
    actions: int
    unjudged: int
    taken_back: int
    messages: int
    mailboxes: int
    policy_shown: int
    strategies: dict[str, int]
    labels_known: int
    annotators: dict[str, AnnotatorSummary]
    everybody: AnnotatorSummary
    agreement: Agreement | None
    contradictions: list[Contradiction]


class _Labeled(msgspec.Struct, gc=False):
    user: str
    fingerprint: str
    action: Action | None = None


Labels = Mapping[tuple[str, str], Action]  # by mailbox and fingerprint; and by "" and fingerprint, where all agree


def summarize_file(config: Config, path: Path) -> Summary:
    """Summarise a file of judgements.

    Parameters
    ----------
    config : Config
        Where the splits are, whose labels the judgements are compared with; a missing split is left out.
    path : Path
        The file.

    Raises
    ------
    UsageError
        If the file is missing, or a line is not a judgement; if a split is damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {cause_of(error)}; `triage annotate` or `triage preferences` writes one") from None
    lines = decode_judgements(content, path)
    standing = in_force(lines, path)
    return summarize(lines, standing, labels_of(config, standing), str(path))


def labels_of(config: Config, judgements: Sequence[PreferenceRecord]) -> dict[tuple[str, str], Action]:
    """What the owners did with the messages that were judged.

    Parameters
    ----------
    config : Config
        Where the splits are.
    judgements : sequence of PreferenceRecord
        Which messages are wanted.

    Returns
    -------
    dict of (str, str) to Action
        By mailbox and fingerprint; where a judgement names no mailbox, by the empty string and the fingerprint, unless
        the owners of several copies did different things.
    """
    wanted = {judgement.fingerprint for judgement in judgements}
    nameless = {judgement.fingerprint for judgement in judgements if not judgement.user}
    labels: dict[tuple[str, str], Action] = {}
    of_all: dict[str, set[Action]] = {}
    for name in SPLITS if wanted else ():
        path = config.data / f"{name}.json"
        if not path.exists():
            continue
        for record in artifacts.read_records(path, _Labeled):
            if record.fingerprint in wanted and record.action is not None:
                labels[record.user, record.fingerprint] = record.action
                if record.fingerprint in nameless:
                    of_all.setdefault(record.fingerprint, set()).add(record.action)
    return labels | {("", name): next(iter(actions)) for name, actions in of_all.items() if len(actions) == 1}


def summarize(lines: Sequence[Judgement], standing: Sequence[Judgement], labels: Labels, path: str) -> Summary:
    """Summarise judgements.

    Parameters
    ----------
    lines : sequence of Judgement
        Every line of the file.
    standing : sequence of Judgement
        Those that nobody has taken back.
    labels : mapping of (str, str) to Action
        As `labels_of` gives them.
    path : str
        The name of the file.
    """
    judged = [judgement for judgement in standing if judgement.is_judged]
    by_person: dict[str, list[Judgement]] = {}
    for judgement in standing:
        if judgement.is_judged or judgement.skipped:
            by_person.setdefault(judgement.annotator or "", []).append(judgement)
    strategies: dict[str, int] = {}
    for judgement in judged:
        strategies[judgement.strategy] = strategies.get(judgement.strategy, 0) + 1
    messages = {(judgement.user, judgement.fingerprint) for judgement in judged}
    return Summary(
        path=path,
        judged=len(judged),
        pairs=sum(judgement.kind == "pair" for judgement in judged),
        actions=sum(judgement.kind == "action" for judgement in judged),
        unjudged=sum(not judgement.is_judged and not judgement.skipped for judgement in standing),
        taken_back=len({line.id for line in lines if line.id and line.undoes is None} - {each.id for each in standing}),
        messages=len(messages),
        mailboxes=len({user for user, _ in messages if user}),
        policy_shown=sum(judgement.policy_shown for judgement in judged),
        strategies=strategies,
        labels_known=sum(message in labels for message in messages),
        annotators={name: _of_person(each, labels) for name, each in sorted(by_person.items())},
        everybody=_of_person([judgement for each in by_person.values() for judgement in each], labels),
        agreement=agreement(judged),
        contradictions=contradictions(judged),
    )


def share_of(answers: Sequence[bool]) -> Share:
    """How often something was so, with its 95% Wilson interval.

    Parameters
    ----------
    answers : sequence of bool
        Whether it was so, each time.

    Examples
    --------
    >>> share_of([True, True, False, True]).share
    0.75
    """
    if not answers:
        return Share(count=0, share=None, interval=None)
    interval = wilson_interval(sum(answers), len(answers))
    return Share(count=len(answers), share=sum(answers) / len(answers), interval=interval)


def _of_person(judgements: Sequence[Judgement], labels: Labels) -> AnnotatorSummary:
    judged = [judgement for judgement in judgements if judgement.is_judged]
    seconds = [judgement.seconds for judgement in judged if judgement.seconds is not None]

    def often(is_so: Callable[[Judgement], bool | None]) -> Share:
        return share_of([so for so in map(is_so, judged) if so is not None])

    return AnnotatorSummary(
        judged=len(judged),
        ties=sum(judgement.tie for judgement in judged),
        skipped=sum(judgement.skipped for judgement in judgements),
        median_seconds=statistics.median(seconds) if seconds else None,
        with_labels=often(lambda judgement: _is_label(judgement, labels)),
        with_policy=often(_is_policys),
        first_shown=often(_is_first),
    )


def _is_label(judgement: Judgement, labels: Labels) -> bool | None:
    """Whether the preferred action is the label; None where the label cannot tell."""
    label = labels.get((judgement.user, judgement.fingerprint))
    if label is None or judgement.tie:
        return None
    if judgement.action is not None:
        return judgement.action == label
    return judgement.chosen == label if label in (judgement.chosen, judgement.rejected) else None


def _is_policys(judgement: Judgement) -> bool | None:
    """Whether the policy prefers the same action; None where its probabilities are not known."""
    policy = judgement.policy
    if policy is None and isinstance(judgement.candidates, dict):
        policy = judgement.candidates  # a line of a template
    if not policy or judgement.tie:
        return None
    if judgement.action is not None:
        return judgement.action == max(policy, key=policy.__getitem__)
    if judgement.chosen is None or judgement.rejected is None:
        return None
    return policy.get(judgement.chosen, 0.0) > policy.get(judgement.rejected, 0.0)


def _is_first(judgement: Judgement) -> bool | None:
    """Whether the preferred action of a pair was shown first; None where the order is not known."""
    shown = judgement.candidates
    if isinstance(shown, dict) or len(shown) != 2 or judgement.chosen not in shown:
        return None
    return judgement.chosen == shown[0]
