"""What training has fitted for the features, as arrays: from raw features to the policy's inputs, without torch."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.config.training import FeaturesConfig
from enron_triage.features.feature_group import FloatArray, TokenArrays
from enron_triage.features.groups import configured_groups

Array = npt.NDArray[np.generic]


class FittedFeatures(msgspec.Struct, kw_only=True):
    """What turns raw features into the policy's inputs.

    Attributes
    ----------
    settings : FeaturesConfig
        The groups, and how they are extracted.
    class_prior : array of float32, shape (actions,)
        The share of each action in train.
    states : dict of str to dict of str to array
        What each group has fitted: see `FeatureGroup.fit_transform`.
    """

    settings: FeaturesConfig
    class_prior: Array
    states: dict[str, dict[str, Array]]

    def transform(self, raw: Mapping[str, FloatArray | TokenArrays]) -> FloatArray:
        """The policy's inputs.

        Parameters
        ----------
        raw : mapping of str to array or TokenArrays
            The raw features of each group, extracted by `settings`.

        Returns
        -------
        array of float32, shape (messages, features)
            The columns are those of `columns`.
        """
        parts = [
            group.transform(raw[name], self.states[name], self.class_prior)
            for name, group in configured_groups(self.settings).items()
        ]
        return np.concatenate(parts, axis=1)

    @property
    def columns(self) -> dict[str, str]:
        """The features that this version of the program makes, by name and in order, with their meanings."""
        return {
            column: meaning
            for name, group in configured_groups(self.settings).items()
            for column, meaning in group.columns(self.states[name]).items()
        }

    @property
    def num_features(self) -> int:
        """The number of features that a policy was trained on.

        Raises
        ------
        KeyError, ValueError
            If what was fitted lacks a group or a tensor, or its tensors do not fit each other.
        """
        return sum(group.num_features(self.states[name]) for name, group in configured_groups(self.settings).items())
