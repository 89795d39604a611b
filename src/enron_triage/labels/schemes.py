"""The label schemes, by name.

To add one, write its function in a module of its own and add its line to `SCHEMES`. The configuration, the stage
``label``, the feature groups, the baselines and the notes on leaks follow from the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from enron_triage.config.data import LabelConfig
from enron_triage.records import Email, LabeledEmail

if TYPE_CHECKING:
    from enron_triage.labels.by_folder import IntArray
    from enron_triage.labels.labeled import Labeled


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """A way to label messages.

    Attributes
    ----------
    label : callable
        Labels one mailbox: takes all its records and the section ``label`` of the configuration, and returns a
        `Labeled`.
    has_history : bool
        Whether its records have a `History`.
    uses_roles : bool
        Whether it goes by the roles of folders, so that a mailbox whose folders are not known must not be labelled.
    leak_note : str or None
        What to say wherever its results are shown, if a rule can read its labels off the messages; else None.
    baselines : mapping of str to callable
        Rules that the evaluation reports for this scheme only, by name: each takes the labelled messages and returns
        the predicted class indices, an integer array of shape (messages,).
    """

    label: Callable[[Sequence[Email], LabelConfig], Labeled]
    has_history: bool
    uses_roles: bool = False
    leak_note: str | None = None
    baselines: Mapping[str, Callable[[Iterable[LabeledEmail]], IntArray]] = {}


# Where they are called, as most that look into the table label nothing, and linking takes a while to import.
def _label_received(emails: Sequence[Email], config: LabelConfig) -> Labeled:
    from enron_triage.labels.received import label_received

    return label_received(emails, config)


def _label_by_folder(emails: Sequence[Email], config: LabelConfig) -> Labeled:
    from enron_triage.labels.by_folder import label_by_folder

    return label_by_folder(emails, config)


def _subject_rule(records: Iterable[LabeledEmail]) -> IntArray:
    from enron_triage.labels.by_folder import subject_rule

    return subject_rule(records)


SCHEMES: dict[str, Scheme] = {
    "received": Scheme(label=_label_received, has_history=True, uses_roles=True),
    "folder": Scheme(
        label=_label_by_folder,
        has_history=False,
        leak_note="The labels of scheme folder leak: subject_rule, a rule on sender and subject, "
        "reads them off sent mail.",
        baselines={"subject_rule": _subject_rule},
    ),
}
