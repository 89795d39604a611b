"""What a label scheme returns for one mailbox."""

from __future__ import annotations

from collections import Counter

import msgspec

from enron_triage.labels.owner_identity import OwnerDecision
from enron_triage.records import LabeledEmail


class Labeled(msgspec.Struct, kw_only=True):
    """The messages of one mailbox with their labels.

    Attributes
    ----------
    records : list of LabeledEmail
        The messages that the scheme keeps, in the order in which they are written; those on which the owner did not
        act have the action None.
    dropped : Counter of str
        How many records of the mailbox the scheme does not keep, by reason.
    links : Counter of str
        How many sent messages were linked, or not, by kind and rule; empty if the scheme does not link.
    owner : OwnerDecision or None
        Who the owner is; None if the scheme does not ask. Without addresses, no message can count as answered.
    """

    records: list[LabeledEmail]
    dropped: Counter[str]
    links: Counter[str] = msgspec.field(default_factory=Counter)
    owner: OwnerDecision | None = None
