"""Feature groups of a fixed number of columns."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from enron_triage.config.training import FeaturesConfig
from enron_triage.features.feature_group import FloatArray, Reason, TrainContext, strongest
from enron_triage.features.normalization import fit_quantiles, quantile_transform
from enron_triage.mail.body import BodyParts
from enron_triage.records import Email, LabeledEmail

if TYPE_CHECKING:
    from torch import Tensor


class QuantileNormalizedGroup(abc.ABC):
    """What dense groups have in common: each column is normalised by its quantiles on train.

    The methods are those of `feature_group.FeatureGroup`, where they are described.
    """

    needs_history = False
    in_main_process = False

    def cache_key(self, settings: FeaturesConfig) -> str:
        """Empty: no setting changes the raw columns."""
        return ""

    @abc.abstractmethod
    def columns(self, state: dict[str, Any]) -> dict[str, str]:
        """The features by name, with their meanings."""

    def fit_transform(self, raw: Tensor, context: TrainContext) -> tuple[dict[str, Tensor], Tensor]:
        """The quantiles of each feature, and train's features."""
        import torch

        values = self._values(raw.numpy(), context.class_prior.numpy())
        quantiles = fit_quantiles(torch.from_numpy(values))
        return {"quantiles": quantiles}, torch.from_numpy(quantile_transform(values, quantiles.numpy()))

    def transform(self, raw: FloatArray, state: dict[str, FloatArray], class_prior: FloatArray) -> FloatArray:
        """The features, shape (messages, columns)."""
        return quantile_transform(self._values(raw, class_prior), state["quantiles"])

    def transform_train(self, raw: Tensor, state: dict[str, Tensor], context: TrainContext) -> Tensor:
        """The same as `transform`: quantiles know nothing of the labels."""
        import torch

        arrays = {name: values.numpy() for name, values in state.items()}
        return torch.from_numpy(self.transform(raw.numpy(), arrays, context.class_prior.numpy()))

    def num_features(self, state: dict[str, Any]) -> int:
        """The number of columns that the quantiles were fitted for."""
        (_, columns) = state["quantiles"].shape
        return int(columns)

    def reasons(
        self,
        email: Email,
        raw: FloatArray,
        state: dict[str, FloatArray],
        attributions: FloatArray,
        gradients: FloatArray,
        count: int,
    ) -> list[Reason]:
        """One for each column."""
        columns = list(self.columns(state).items())
        return [
            Reason(feature=columns[index][0], meaning=columns[index][1], contribution=float(attributions[index]))
            for index in strongest(attributions, count)
        ]

    def _values(self, raw: FloatArray, class_prior: FloatArray) -> FloatArray:
        """The features before normalisation."""
        return raw


class DenseGroup(QuantileNormalizedGroup):
    """A feature group of named columns.

    Parameters
    ----------
    columns : mapping of str to str
        The features by name, in order, with their meanings.
    extract : callable
        Takes the records and what their bodies consist of; gives the raw columns as an array of float32, shape
        (messages, raw columns).
    transform : callable, optional
        Takes the raw columns and the class prior as arrays; gives the features before normalisation, shape
        (messages, columns). Without it, the raw columns are the features.
    needs_history : bool
        Whether the columns are made from the record's history.
    """

    def __init__(
        self,
        columns: Mapping[str, str],
        extract: Callable[[Sequence[LabeledEmail], Sequence[BodyParts]], FloatArray],
        transform: Callable[[FloatArray, FloatArray], FloatArray] | None = None,
        *,
        needs_history: bool = False,
    ) -> None:
        self._columns = columns
        self._extract = extract
        self._transform = transform
        self.needs_history = needs_history

    def extract(
        self, records: Sequence[LabeledEmail], bodies: Sequence[BodyParts], settings: FeaturesConfig
    ) -> FloatArray:
        """The raw columns, shape (messages, raw columns)."""
        return self._extract(records, bodies)

    def columns(self, state: dict[str, Any]) -> dict[str, str]:
        """The features by name, with their meanings."""
        return dict(self._columns)

    def _values(self, raw: FloatArray, class_prior: FloatArray) -> FloatArray:
        return raw if self._transform is None else self._transform(raw, class_prior)
