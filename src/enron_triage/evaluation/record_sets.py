"""Which evaluations can be compared: those of the same records, under the same label scheme."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import msgspec

from enron_triage.errors import UsageError
from enron_triage.evaluation.reading import EvaluatedCheckpoint
from enron_triage.evaluation.result import Evaluation
from enron_triage.labels.sample_size import sample_note

_SEEN_IN_TRAINING = ("train", "val")


class RecordSet(msgspec.Struct, kw_only=True):
    """The evaluations on one set of records: a test set, for most.

    Attributes
    ----------
    records_sha256 : str
        The SHA-256 of the records.
    scheme : str
        The label scheme.
    policies : dict of str to Evaluation
        The evaluation of each policy, one at least, by the policy's name.
    validation : dict of str to Evaluation
        The evaluation on validation of the same checkpoints, by the same names, where there is one.
    """

    records_sha256: str
    scheme: str
    policies: dict[str, Evaluation] = {}
    validation: dict[str, Evaluation] = {}

    @property
    def shown(self) -> Evaluation:
        """One of the evaluations, for what all of them have in common."""
        return next(iter(self.policies.values()))

    @property
    def title(self) -> str:
        """What the records are, in one line."""
        one = self.shown
        mailboxes = f"{one.mailboxes:,} mailbox{'' if one.mailboxes == 1 else 'es'}"
        digest = self.records_sha256[:8]
        return f"{one.split}: {one.count:,} messages in {mailboxes} ({one.source.records}, SHA-256 {digest})"

    @property
    def notes(self) -> list[str]:
        """What to keep in mind of all figures on these records."""
        notes = []
        note = sample_note(self.shown.count)
        if note:
            notes.append(f"{self.shown.split} has {note}.")
        if self.shown.split in _SEEN_IN_TRAINING:
            notes.append(f"The policies were trained or selected on {self.shown.split}: these figures are optimistic.")
        small = {sample_note(each.count) for each in self.validation.values()} - {None}
        notes += [f"Validation has {note}." for note in sorted(filter(None, small))]
        if len({each.source.records_sha256 for each in self.validation.values()}) > 1:
            notes.append("The validation sets differ: the figures on validation cannot be compared between runs.")
        return notes


def record_sets(checkpoints: Sequence[EvaluatedCheckpoint]) -> list[RecordSet]:
    """The evaluations by what they are of, each set by itself.

    Validation and train have a set of their own only if a policy was evaluated on nothing else.

    Parameters
    ----------
    checkpoints : sequence of EvaluatedCheckpoint
        The policies with their evaluations.

    Returns
    -------
    list of RecordSet
        Test sets first; of these, the ones with the most policies first.
    """
    found: dict[tuple[str, str], RecordSet] = {}
    wanted = set()
    for checkpoint in checkpoints:
        seen = [split in _SEEN_IN_TRAINING for split in checkpoint.evaluations]
        for split, evaluation in checkpoint.evaluations.items():
            key = (evaluation.source.records_sha256, evaluation.scheme)
            records = found.setdefault(key, RecordSet(records_sha256=key[0], scheme=key[1]))
            # The same records under two paths, as two evaluations that may differ in their settings.
            name = f"{checkpoint.name} ({split})" if checkpoint.name in records.policies else checkpoint.name
            records.policies[name] = evaluation
            validation = validation_of(checkpoint, evaluation)
            if validation is not None:
                records.validation[name] = validation
            if split not in _SEEN_IN_TRAINING or all(seen):
                wanted.add(key)
    chosen = [records for key, records in found.items() if key in wanted]
    return sorted(chosen, key=lambda each: (each.shown.split != "test", -len(each.policies), each.records_sha256))


def validation_of(checkpoint: EvaluatedCheckpoint, evaluation: Evaluation) -> Evaluation | None:
    """The evaluation on validation that belongs beside another one of the same checkpoint.

    Parameters
    ----------
    checkpoint : EvaluatedCheckpoint
        The policy with its evaluations.
    evaluation : Evaluation
        One of them, on other records.

    Returns
    -------
    Evaluation or None
        None if there is none, or if the checkpoint was trained again between the two evaluations.
    """
    validation = checkpoint.evaluations.get("val")
    if validation is None or validation is evaluation:
        return None
    same = validation.source.checkpoint_sha256 == evaluation.source.checkpoint_sha256
    return validation if same else None


def chosen_runs(checkpoints: Sequence[EvaluatedCheckpoint], patterns: Sequence[str]) -> list[EvaluatedCheckpoint]:
    """The policies whose names match one of some patterns.

    Parameters
    ----------
    checkpoints : sequence of EvaluatedCheckpoint
        All policies.
    patterns : sequence of str
        Shell patterns for a run, a checkpoint, or both with ``/`` between them, such as ``sft_*``; none of them means
        all policies.

    Raises
    ------
    UsageError
        If a pattern matches nothing.
    """
    if not patterns:
        return list(checkpoints)
    for pattern in patterns:
        if not any(_matches(checkpoint.name, pattern) for checkpoint in checkpoints):
            names = ", ".join(checkpoint.name for checkpoint in checkpoints)
            raise UsageError(f"--runs {pattern}: matches no evaluated policy; there are {names}")
    return [each for each in checkpoints if any(_matches(each.name, pattern) for pattern in patterns)]


def _matches(name: str, pattern: str) -> bool:
    run, _, checkpoint = name.rpartition("/")
    return any(fnmatchcase(each, pattern) for each in (name, run, checkpoint))
