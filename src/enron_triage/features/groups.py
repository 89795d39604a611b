"""The feature groups: what the policy sees of a message."""

from __future__ import annotations

import msgspec


class FeatureGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A feature group.

    Attributes
    ----------
    needs_history : bool
        Whether it is made from the record's history.
    """

    needs_history: bool = False


GROUPS: dict[str, FeatureGroup] = {
    "metadata": FeatureGroup(),
    "history": FeatureGroup(needs_history=True),
    "embedding": FeatureGroup(),
    "text": FeatureGroup(),
}
