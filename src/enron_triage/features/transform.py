"""From a dataset to the policy's inputs, by what is fitted on train and kept in the checkpoint."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import torch
from torch import Tensor

from enron_triage.config.training import FeatureGroupName, FeaturesConfig, TextConfig
from enron_triage.features.dataset import Dataset, dense_columns, transform_dense
from enron_triage.features.text_model import TextModel, cross_fitted_scores, fit_text_model
from enron_triage.records import ACTION_NAMES, ACTIONS

_QUANTILES = 65
_MAX_FOR_QUANTILES = 100_000  # messages that the quantiles are computed from, evenly spaced
_UNIT = 3**0.5  # uniform on [-3 ** 0.5, 3 ** 0.5] has standard deviation 1


class Transform(msgspec.Struct, kw_only=True):
    """What is fitted on train.

    Attributes
    ----------
    groups : list of str
    population : Tensor, shape (actions,)
        Shares of the actions.
    quantiles : Tensor, shape (quantiles, dense features)
    text : TextModel or None
    embedding_model : str or None
        The path or name of the model behind the group ``embedding``.
    fitted_on : str
        A digest of the messages that it was fitted on.
    """

    groups: list[FeatureGroupName]
    class_prior: Tensor
    quantiles: Tensor
    text: TextModel | None
    embedding_model: str | None
    fitted_on: str

    @classmethod
    def fit(
        cls,
        train: Dataset,
        config: FeaturesConfig,
        weights: Tensor,
        seed: int,
    ) -> tuple[Transform, Tensor]:
        """Fit on the train split.

        Parameters
        ----------
        train : Dataset
        config : FeaturesConfig
        weights : Tensor, shape (messages,)
            How much each message counts for the text model.
        seed : int
            Of the text model.

        Returns
        -------
        transform : Transform
        features : Tensor of float32, shape (messages, features)
            Of train itself: its text scores are cross-fitted, see `text_model`.
        """
        class_prior = torch.bincount(train.targets, minlength=len(ACTIONS)) / len(train)
        dense = transform_dense(train, config.groups, class_prior)
        step = -(-len(dense) // _MAX_FOR_QUANTILES)
        quantiles = torch.quantile(dense[::step], torch.linspace(0, 1, _QUANTILES), dim=0)
        features, text = quantile_transform(dense, quantiles), None
        if "text" in config.groups and train.words is not None:
            text, scores = fit_text_model(train.words, train.targets, weights, train.mailbox, config.text, seed)
            features = torch.cat([features, scores], dim=1)
        transform = cls(
            groups=list(config.groups),
            class_prior=class_prior,
            quantiles=quantiles,
            text=text,
            embedding_model=config.embedding_model if "embedding" in config.groups else None,
            fitted_on=_digest(train),
        )
        return transform, features

    def apply(self, dataset: Dataset) -> Tensor:
        """The policy's inputs.

        Returns
        -------
        Tensor of float32, shape (messages, features)
        """
        features = quantile_transform(transform_dense(dataset, self.groups, self.class_prior), self.quantiles)
        if self.text is None or dataset.words is None:
            return features
        return torch.cat([features, self.text.features(dataset.words)], dim=1)

    def apply_to_train(self, train: Dataset, settings: TextConfig, weights: Tensor, seed: int) -> Tensor:
        """The policy's inputs for messages to train on.

        If the transform was fitted on just these, their text scores are cross-fitted anew, as the table
        has seen them: the parameters are those of `fit`, the result is its second value if they are equal.
        """
        if self.fitted_on != _digest(train):
            return self.apply(train)
        features = quantile_transform(transform_dense(train, self.groups, self.class_prior), self.quantiles)
        if self.text is None or train.words is None:
            return features
        scores = cross_fitted_scores(train.words, train.targets, weights, train.mailbox, settings, seed)
        return torch.cat([features, self.text.normalised(scores)], dim=1)

    @property
    def columns(self) -> dict[str, str]:
        """The names of the features, in order, with their meanings."""
        dense = dense_columns(self.groups)
        embedded = self.quantiles.shape[1] - len(dense) if "embedding" in self.groups else 0
        of_embedding = {f"embedding_{number}": f"dimension {number} of the embedding" for number in range(embedded)}
        of_text = {f"text_{action}": f"how much the words speak for {action}" for action in ACTION_NAMES}
        return dense | of_embedding | (of_text if self.text is not None else {})

    def to_plain(self) -> dict[str, Any]:
        """Tensors and plain values, for a checkpoint."""
        return msgspec.structs.asdict(self) | {"text": self.text and msgspec.structs.asdict(self.text)}

    @classmethod
    def from_plain(cls, content: dict[str, Any]) -> Transform:
        """The transform that `to_plain` took apart."""
        text = content["text"]
        return cls(**content | {"text": text and TextModel(**text)})


def _digest(dataset: Dataset) -> str:
    """Which messages these are, as far as telling train apart needs."""
    content = b"".join(values.numpy().tobytes() for values in (dataset.targets, dataset.mailbox, *dataset.raw.values()))
    return hashlib.sha256(content).hexdigest()


def quantile_transform(values: Tensor, quantiles: Tensor) -> Tensor:
    """Where values stand among train's, from -3 ** 0.5 to 3 ** 0.5; 0 for the median.

    Ranks bound what a single hostile value can do, and cope with counts and times as they come
    (quantile normalisation, as in Gorishniy et al. 2021, section 4.2).

    Parameters
    ----------
    values : Tensor, shape (messages, features)
    quantiles : Tensor, shape (quantiles, features)
        Ascending in each feature.

    Returns
    -------
    Tensor of float32, shape (messages, features)
    """
    bounds, sought = quantiles.T.contiguous(), values.T.contiguous()
    below = torch.searchsorted(bounds, sought)
    not_above = torch.searchsorted(bounds, sought, right=True)
    return ((below + not_above).T / len(quantiles) - 1) * _UNIT
