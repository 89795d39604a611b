"""From raw features to the policy's inputs, with parameters that are fitted on train and kept in the checkpoint."""

from __future__ import annotations

import hashlib

import msgspec
import torch
from torch import Tensor

from enron_triage.config.training import FeaturesConfig
from enron_triage.features.dataset import Dataset
from enron_triage.features.feature_group import TrainContext
from enron_triage.features.fitted import FittedFeatures
from enron_triage.features.groups import configured_groups
from enron_triage.features.token_bags import TokenBags
from enron_triage.records import ACTIONS


class FeatureTransform(msgspec.Struct, kw_only=True):
    """What is fitted on train for all feature groups, with the settings that it was fitted by.

    A stage that starts from a checkpoint takes its transform, and so sees the data as they were seen in training,
    whatever the configuration says by then.

    Attributes
    ----------
    settings : FeaturesConfig
        The groups, and how they are extracted and fitted.
    seed : int
        Seeded what fitting draws at random.
    mailbox_weights_power : float
        How the messages were weighted in fitting: see `Dataset.sample_weight`.
    class_prior : Tensor of float32, shape (actions,)
        The share of each action in train.
    states : dict of str to dict of str to Tensor
        What each group has fitted: see `FeatureGroup.fit_transform`.
    fitted_on : str
        A digest of the messages that it was fitted on.
    """

    settings: FeaturesConfig
    seed: int
    mailbox_weights_power: float
    class_prior: Tensor
    states: dict[str, dict[str, Tensor]]
    fitted_on: str

    @classmethod
    def unfitted(
        cls, train: Dataset, settings: FeaturesConfig, *, mailbox_weights_power: float, seed: int
    ) -> FeatureTransform:
        """A transform that knows what it is to be fitted on, without the groups' states.

        Parameters
        ----------
        train, settings, mailbox_weights_power, seed
            As for `fit_transform`.
        """
        return cls(
            settings=settings,
            seed=seed,
            mailbox_weights_power=mailbox_weights_power,
            class_prior=torch.bincount(train.targets, minlength=len(ACTIONS)) / len(train),
            states={},
            fitted_on=dataset_digest(train),
        )

    @classmethod
    def fit_transform(
        cls, train: Dataset, settings: FeaturesConfig, *, mailbox_weights_power: float, seed: int
    ) -> tuple[FeatureTransform, Tensor]:
        """Fit on the train split, and give its features.

        Parameters
        ----------
        train : Dataset
            Messages that all have an action, with the raw features of the configured groups.
        settings : FeaturesConfig
            The groups, and how they are fitted.
        mailbox_weights_power : float >= 0
            How the messages are weighted: see `Dataset.sample_weight`.
        seed : int
            Seeds what fitting draws at random.

        Returns
        -------
        transform : FeatureTransform
            For the features of any other messages.
        features : Tensor of float32, shape (messages, features)
            Train's own, to train a policy on. They are not what `transform` would give: the scores of the text are
            cross-fitted, see `text_fit`.
        """
        transform = cls.unfitted(train, settings, mailbox_weights_power=mailbox_weights_power, seed=seed)
        context = transform._context(train)
        parts = []
        for name, group in configured_groups(settings).items():
            transform.states[name], features = group.fit_transform(train.raw[name], context)
            parts.append(features)
        return transform, torch.cat(parts, dim=1)

    def transform(self, dataset: Dataset) -> Tensor:
        """The policy's inputs for messages that were not trained on.

        Parameters
        ----------
        dataset : Dataset
            The messages, with raw features extracted by the transform's own settings.

        Returns
        -------
        Tensor of float32, shape (messages, features)
            The columns are those of `columns`.
        """
        return torch.from_numpy(self.fitted.transform(dataset.raw_arrays()))

    def transform_train(self, train: Dataset) -> Tensor:
        """The policy's inputs for messages to train on further.

        Parameters
        ----------
        train : Dataset
            The messages, with raw features extracted by the transform's own settings.

        Returns
        -------
        Tensor of float32, shape (messages, features)
            If the transform was fitted on just these messages, the second value of `fit_transform` again: it must
            not judge messages that it has seen by what it learned from them. Otherwise the same as `transform`.
        """
        if self.fitted_on != dataset_digest(train):
            return self.transform(train)
        context = self._context(train)
        parts = [
            group.transform_train(train.raw[name], self.states[name], context)
            for name, group in configured_groups(self.settings).items()
        ]
        return torch.cat(parts, dim=1)

    @property
    def fitted(self) -> FittedFeatures:
        """What prediction needs of it, as arrays in the same memory."""
        states = {
            group: {name: values.numpy() for name, values in state.items()} for group, state in self.states.items()
        }
        return FittedFeatures(settings=self.settings, class_prior=self.class_prior.numpy(), states=states)

    @property
    def columns(self) -> dict[str, str]:
        """The features that this version of the program makes, by name and in order, with their meanings."""
        return self.fitted.columns

    @property
    def num_features(self) -> int:
        """The number of features that the transform was fitted for.

        Raises
        ------
        KeyError, ValueError
            If what was fitted lacks a group or a tensor, or its tensors do not fit each other.
        """
        return self.fitted.num_features

    def is_same_as(self, other: FeatureTransform) -> bool:
        """Whether another transform gives the same features for any messages.

        Parameters
        ----------
        other : FeatureTransform
            The transform of another checkpoint, for example a reward model's.
        """
        if not torch.equal(self.class_prior, other.class_prior) or self.states.keys() != other.states.keys():
            return False
        return all(
            state.keys() == other.states[name].keys()
            and all(torch.equal(value, other.states[name][key]) for key, value in state.items())
            for name, state in self.states.items()
        )

    def _context(self, train: Dataset) -> TrainContext:
        return TrainContext(
            targets=train.targets,
            mailbox=train.mailbox,
            sample_weight=train.sample_weight(self.mailbox_weights_power),
            class_prior=self.class_prior,
            settings=self.settings,
            seed=self.seed,
        )


def dataset_digest(dataset: Dataset) -> str:
    """Identifies the messages of a dataset by their raw features and labels.

    Parameters
    ----------
    dataset : Dataset
        The messages.
    """
    digest = hashlib.sha256()
    for values in (dataset.targets, dataset.mailbox, *dataset.raw.values()):
        for tensor in (values.buckets, values.offsets) if isinstance(values, TokenBags) else (values,):
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
