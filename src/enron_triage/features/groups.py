"""The table of feature groups: what the policy sees of a message."""

from __future__ import annotations

from typing import Any

from enron_triage.config.training import FeaturesConfig
from enron_triage.features import history, history_features, metadata
from enron_triage.features.dense import DenseGroup
from enron_triage.features.embedding import EmbeddingGroup
from enron_triage.features.feature_group import FeatureGroup
from enron_triage.features.text_group import TextGroup

# The order is that of the policy's inputs, whatever the order in `features.groups`.
GROUPS: dict[str, FeatureGroup[Any]] = {
    "metadata": DenseGroup(metadata.COLUMNS, metadata.extract),
    "history": DenseGroup(
        history_features.COLUMNS,
        lambda records, bodies: history.extract(records),
        history_features.transform,
        needs_history=True,
    ),
    "embedding": EmbeddingGroup(),
    "text": TextGroup(),
}


def configured_groups(settings: FeaturesConfig) -> dict[str, FeatureGroup[Any]]:
    """The groups of a configuration, by name, in the order of `GROUPS`.

    Parameters
    ----------
    settings : FeaturesConfig
        The configuration; names that are not in the table are left out.
    """
    return {name: group for name, group in GROUPS.items() if name in settings.groups}
