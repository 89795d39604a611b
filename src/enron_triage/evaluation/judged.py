"""A policy compared with judgements by people: ``triage evaluate --set evaluate.judgements=FILE``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from enron_triage.errors import UsageError
from enron_triage.evaluation.judged_result import JudgedMetrics, JudgedShare
from enron_triage.evaluation.result import Interval
from enron_triage.labels.judged_messages import rows_by_fingerprint
from enron_triage.labels.judgements import Judgement, judgements_in_force
from enron_triage.policy.intervals import jackknife_interval, wilson_interval
from enron_triage.policy.metrics import FloatArray, IntArray
from enron_triage.policy.origin import Origin
from enron_triage.records import ACTION_INDEX
from enron_triage.runtime import provenance


def judged_metrics(
    path: Path, records: Path, log_probabilities: FloatArray, predictions: IntArray, mailbox: IntArray
) -> JudgedMetrics:
    """How often a policy agrees with what people judged.

    Parameters
    ----------
    path : Path
        The file of judgements.
    records : Path
        The labelled records that the policy is evaluated on.
    log_probabilities : array, shape (records, actions)
        The policy's calibrated log-probabilities.
    predictions : array of int, shape (records,)
        What it decides.
    mailbox : array of int, shape (records,)
        The mailbox of each record.

    Raises
    ------
    UsageError
        If the file is missing or damaged, or judges none of these messages.
    """
    judgements = judgements_in_force(path)
    rows = rows_by_fingerprint(records)
    pairs: list[tuple[int, bool]] = []
    actions: list[tuple[int, bool]] = []
    ties = elsewhere = 0
    for judgement, found in _with_rows(judgements, rows):
        if not found:
            elsewhere += 1
        elif judgement.tie:
            ties += 1
        elif judgement.action is not None:
            actions += [(row, bool(predictions[row] == ACTION_INDEX[judgement.action])) for row in found]
        elif judgement.chosen is not None and judgement.rejected is not None:
            chosen, rejected = ACTION_INDEX[judgement.chosen], ACTION_INDEX[judgement.rejected]
            pairs += [(row, bool(log_probabilities[row, chosen] > log_probabilities[row, rejected])) for row in found]
    if not pairs and not actions:
        raise UsageError(
            f"{path}: contains no judgement of a message of {records}; set evaluate.split to the split that was "
            "judged, or judge messages of this one: `triage annotate --split` with its name"
        )
    judged = {row for row, _ in (*pairs, *actions)}
    return JudgedMetrics(
        path=str(path),
        sha256=provenance.file_state(path).sha256,
        messages=len(judged),
        mailboxes=len({int(mailbox[row]) for row in judged}),
        annotators=len({judgement.annotator for judgement, found in _with_rows(judgements, rows) if found}),
        pairs=_share(pairs, mailbox),
        actions=_share(actions, mailbox),
        ties=ties,
        elsewhere=elsewhere,
    )


def judged_notes(origin: Origin, path: Path, judged: JudgedMetrics) -> list[str]:
    """Say it if a policy was trained on the judgements that it is measured against.

    Parameters
    ----------
    origin : Origin
        How the policy was made.
    path : Path
        The file of judgements.
    judged : JudgedMetrics
        What was measured.

    Returns
    -------
    list of str
        One sentence, or none.
    """
    files = [each.data["preferences"] for each in _ancestors(origin) if "preferences" in each.data]
    if any(file.sha256 == judged.sha256 or Path(file.path).resolve() == path.resolve() for file in files):
        return [f"the policy was trained on judgements of {path}: its agreement with them is too optimistic"]
    return []


def _ancestors(origin: Origin) -> Iterator[Origin]:
    yield origin
    for parent in origin.parents.values():
        yield from _ancestors(parent)


def _with_rows(
    judgements: Sequence[Judgement], rows: Mapping[str, Sequence[int]]
) -> Iterator[tuple[Judgement, Sequence[int]]]:
    """The judgements that hold an answer, each with the records that it is about."""
    for judgement in judgements:
        if judgement.is_judged and (judgement.chosen is None or judgement.chosen != judgement.rejected):
            name = f"{judgement.user} {judgement.fingerprint}" if judgement.user else judgement.fingerprint
            yield judgement, rows.get(name, ())


def _share(answers: Sequence[tuple[int, bool]], mailbox: IntArray) -> JudgedShare:
    """How often the policy agrees, of judgements with the record that each is about."""
    if not answers:
        return JudgedShare(count=0, accuracy=None, interval=None, interval_method=None)
    agrees = np.array([so for _, so in answers])
    interval = _over_mailboxes(agrees, mailbox[[row for row, _ in answers]])
    method = "jackknife over mailboxes"
    if interval is None:
        interval = wilson_interval(int(agrees.sum()), len(agrees))
        method = "Wilson, judgements taken for independent"
    return JudgedShare(count=len(agrees), accuracy=float(agrees.mean()), interval=interval, interval_method=method)


def _over_mailboxes(agrees: npt.NDArray[np.bool_], mailbox: IntArray) -> Interval | None:
    """The interval for other mailboxes drawn as these were; None where they are too few, or all alike."""
    _, group = np.unique(mailbox, return_inverse=True)
    sizes = np.bincount(group)
    right = np.bincount(group, weights=agrees)
    if np.unique(right / sizes).size == 1:
        return None  # the jackknife sees no spread at all, and would be sure
    return jackknife_interval(sizes, lambda counts: counts @ right / (counts @ sizes), share=True)
