"""The interface of a feature group: from records to raw features, and from those to the policy's inputs.

To add a group, write a module with an object of this protocol (for a fixed number of columns, a `dense.DenseGroup`)
and add one line to `groups.GROUPS`. Worker processes import the groups, so their modules import torch only inside
the methods that need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.config.training import FeaturesConfig
from enron_triage.mail.body import BodyParts
from enron_triage.records import Email, LabeledEmail

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = npt.NDArray[np.float32]
Raw = TypeVar("Raw", contravariant=True)


class TokenArrays(NamedTuple):
    """Raw features of varying length: the hashed tokens of some messages, one message after the other.

    Attributes
    ----------
    buckets : array of int32, shape (tokens of all messages,)
        The bucket of each token, from 0 to `num_buckets` - 1; those of one message ascend and are distinct.
    lengths : array of int64, shape (messages,)
        How many of the tokens belong to each message.
    num_buckets : int
        The size of the hash space.
    """

    buckets: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    num_buckets: int


class TrainContext(msgspec.Struct, frozen=True, kw_only=True):
    """What fitting may know of the train messages besides their raw features.

    Attributes
    ----------
    targets : LongTensor, shape (messages,)
        The class index of each message's action.
    mailbox : LongTensor, shape (messages,)
        The mailbox of each message, as an index from 0 on.
    sample_weight : Tensor of float32, shape (messages,)
        How much each message counts; the mean is 1.
    class_prior : Tensor of float32, shape (actions,)
        The share of each action among the targets.
    settings : FeaturesConfig
        The configuration of the feature groups.
    seed : int
        Seeds whatever fitting draws at random.
    """

    targets: Tensor
    mailbox: Tensor
    sample_weight: Tensor
    class_prior: Tensor
    settings: FeaturesConfig
    seed: int


class Reason(msgspec.Struct, kw_only=True):
    """Something in a message that moved the decision.

    Attributes
    ----------
    feature : str
        The name of a feature, or a word with the part of the message that it is in.
    meaning : str
        What the feature is, in words.
    contribution : float
        What it added to the log-probability of the action: see `policy.attribution.integrated_gradients`.
    """

    feature: str
    meaning: str
    contribution: float


def strongest(contributions: FloatArray, count: int) -> list[int]:
    """The indices of the greatest contributions of either sign, the strongest first; of equal ones, the first.

    Parameters
    ----------
    contributions : array of float, shape (contributions,)
        What each feature or word added.
    count : int
        How many indices to give, at most.
    """
    indices: list[int] = np.argsort(-np.abs(contributions), kind="stable")[:count].tolist()
    return indices


class FeatureGroup(Protocol[Raw]):
    """A set of features that are selected, extracted, cached and fitted together.

    `Raw` is the type of the raw features for fitting: a Tensor of shape (messages, raw columns) if `extract` returns
    arrays with a fixed number of columns, and `TokenBags` if it returns `TokenArrays`.
    """

    @property
    def needs_history(self) -> bool:
        """Whether the group needs the record's history, which some label schemes do not have."""

    @property
    def in_main_process(self) -> bool:
        """Whether `extract` must run in the main process, because it uses its own threads."""

    def cache_key(self, settings: FeaturesConfig) -> str:
        """The settings that affect what `extract` returns, as text; the cache of raw features depends on them.

        Parameters
        ----------
        settings : FeaturesConfig
            The configuration of the feature groups.
        """

    def extract(
        self, records: Sequence[LabeledEmail], bodies: Sequence[BodyParts], settings: FeaturesConfig
    ) -> FloatArray | TokenArrays:
        """Compute the raw features of messages: everything that does not depend on train. Must not use torch.

        Parameters
        ----------
        records : sequence of LabeledEmail
            The messages, possibly none.
        bodies : sequence of BodyParts
            The parts of each message's body; computed once for all groups.
        settings : FeaturesConfig
            The configuration of the feature groups.

        Returns
        -------
        array of float32, shape (messages, raw columns), or TokenArrays
            The raw features, in the order of the records.

        Raises
        ------
        UsageError
            If a record or the configuration lacks what the group needs.
        """

    def fit_transform(self, raw: Raw, context: TrainContext) -> tuple[dict[str, Tensor], Tensor]:
        """Fit on train, and return the features of train.

        Parameters
        ----------
        raw : Tensor or TokenBags
            The raw features of the train messages.
        context : TrainContext
            What else is known about them.

        Returns
        -------
        state : dict of str to Tensor
            What was fitted, by name: everything that `transform` needs later.
        features : Tensor of float32, shape (messages, features)
            The features of the train messages, to train a policy on.
        """

    def transform(self, raw: Any, state: dict[str, Any], class_prior: Any) -> FloatArray:
        """The features of messages that were not trained on. Must not use torch, because prediction calls it.

        Parameters
        ----------
        raw : array of float32 or TokenArrays
            The raw features of the messages, as returned by `extract`.
        state : dict of str to array
            What was fitted on train, as arrays.
        class_prior : array of float32, shape (actions,)
            The share of each action in train.

        Returns
        -------
        array of float32, shape (messages, features)
            The normalised features: each is centred at 0 and bounded (see `normalization`).
        """

    def transform_train(self, raw: Raw, state: dict[str, Tensor], context: TrainContext) -> Tensor:
        """The features of the train messages again, as `fit_transform` returned them.

        Parameters
        ----------
        raw : Tensor or TokenBags
            The raw features of the train messages.
        state : dict of str to Tensor
            What was fitted on them.
        context : TrainContext
            The context that it was fitted with.

        Returns
        -------
        Tensor of float32, shape (messages, features)
            Equal to the second value of `fit_transform`.
        """

    def columns(self, state: dict[str, Any]) -> dict[str, str]:
        """The features that this version of the program computes, by name and in order, with their meanings.

        Parameters
        ----------
        state : dict of str to Tensor or array
            What was fitted on train.
        """

    def num_features(self, state: dict[str, Any]) -> int:
        """The number of features that a state was fitted for.

        Parameters
        ----------
        state : dict of str to Tensor or array
            What was fitted on train, perhaps by another version of the program.

        Raises
        ------
        KeyError, ValueError
            If the state lacks a tensor, or its tensors do not fit together.
        """

    def reasons(
        self, email: Email, raw: Any, state: dict[str, Any], attributions: FloatArray, gradients: FloatArray, count: int
    ) -> list[Reason]:
        """What the group's features contributed to one decision. Must not use torch either.

        Parameters
        ----------
        email : Email
            The message.
        raw : array of float32 or TokenArrays
            The raw features of this message alone.
        state : dict of str to array
            What was fitted on train, as arrays.
        attributions : array of float32, shape (features,)
            What each feature of the group added to the log-probability of the action.
        gradients : array of float32, shape (features,)
            The mean gradients that the attributions are computed from: an attribution is a gradient times a feature.
        count : int
            How many reasons are wanted.

        Returns
        -------
        list of Reason
            The strongest reasons, with the greatest contributions of either sign, in no particular order.
        """
