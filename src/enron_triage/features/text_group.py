"""The feature group ``text``: one score for each action, from the words of a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from enron_triage.config.training import FeaturesConfig
from enron_triage.features import text
from enron_triage.features.feature_group import FloatArray, Reason, TokenArrays, TrainContext, strongest
from enron_triage.features.normalization import standardize
from enron_triage.features.text_scores import text_scores, word_contributions
from enron_triage.mail.body import BodyParts, split_body
from enron_triage.records import ACTION_NAMES, ACTIONS, Email, LabeledEmail

if TYPE_CHECKING:
    from torch import Tensor

    from enron_triage.features.token_bags import TokenBags

_PLACES = {  # the segments of `text.SEGMENTS`, in words
    "subject": "the subject",
    "new": "the text",
    "signature": "the signature",
    "quoted": "the quoted original",
    "domain": "the sender's address",
}


class TextGroup:
    """Scores of the actions by a linear model over hashed words: see `text` for the words, `text_model` for the model.

    The methods are those of `feature_group.FeatureGroup`, where they are described. The state holds the fields of
    `TextModel`.
    """

    needs_history = False
    in_main_process = False

    def cache_key(self, settings: FeaturesConfig) -> str:
        """Empty: no setting changes how words are hashed."""
        return ""

    def extract(
        self, records: Sequence[LabeledEmail], bodies: Sequence[BodyParts], settings: FeaturesConfig
    ) -> TokenArrays:
        """The buckets of each message's words."""
        buckets, lengths = text.extract(records, bodies)
        return TokenArrays(buckets, lengths, text.NUM_BUCKETS)

    def fit_transform(self, raw: TokenBags, context: TrainContext) -> tuple[dict[str, Tensor], Tensor]:
        """The fitted model, and train's cross-fitted scores, shape (messages, actions)."""
        from enron_triage.features.text_fit import fit_text_model

        model, features = fit_text_model(raw, context)
        return msgspec.structs.asdict(model), features

    def transform(self, raw: TokenArrays, state: dict[str, FloatArray], class_prior: FloatArray) -> FloatArray:
        """The normalised scores of the actions, shape (messages, actions)."""
        return standardize(text_scores(raw, state["idf"], state["table"], state["bias"]), state["mean"], state["std"])

    def transform_train(self, raw: TokenBags, state: dict[str, Tensor], context: TrainContext) -> Tensor:
        """Train's scores cross-fitted again: the model has seen these messages."""
        from enron_triage.features.text_fit import cross_fitted_scores
        from enron_triage.features.text_model import TextModel

        return TextModel(**state).normalised(cross_fitted_scores(raw, context))

    def columns(self, state: dict[str, Any]) -> dict[str, str]:
        """One score for each action."""
        return {f"text_{action}": f"how much the words speak for {action}" for action in ACTION_NAMES}

    def num_features(self, state: dict[str, Any]) -> int:
        """The number of actions, once the shapes are checked."""
        fits = tuple(state["table"].shape) == (text.NUM_BUCKETS, len(ACTIONS)) and len(state["idf"]) == text.NUM_BUCKETS
        if not fits or any(len(state[name]) != len(ACTIONS) for name in ("bias", "mean", "std")):
            raise ValueError("a text model whose tensors do not fit each other")
        return len(ACTIONS)

    def reasons(
        self,
        email: Email,
        raw: TokenArrays,
        state: dict[str, FloatArray],
        attributions: FloatArray,
        gradients: FloatArray,
        count: int,
    ) -> list[Reason]:
        """One for each word and pair of words: what it added to the scores, times the gradients of the scores."""
        added = word_contributions(raw.buckets, state["idf"], state["table"], state["std"])
        # Not `@`: OpenBLAS's product with a vector may warn of an invalid value that is not among the numbers.
        contributions = (added * gradients).sum(axis=1)
        wanted = {int(raw.buckets[index]): float(contributions[index]) for index in strongest(contributions, count)}
        found: dict[int, Reason] = {}
        for segment, segment_words in enumerate(text.words(email, split_body(email))):
            place = text.SEGMENTS[segment]
            for word, bucket in text.buckets_of(segment, segment_words):
                if bucket not in wanted or bucket in found:
                    continue
                spelled = word.decode("utf-8", "replace")
                reason = Reason(
                    feature=f"{place}: {spelled}",
                    meaning=f'"{spelled}" in {_PLACES[place]}',
                    contribution=wanted[bucket],
                )
                found[bucket] = reason
        return list(found.values())
