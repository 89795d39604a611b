"""The optional feature group ``embedding``: the subject and the new text as a sentence-embedding model sees them.

It needs the ``embed`` extra and ``features.embedding_model``: the path of a model on this machine, or the name of one
that sentence-transformers finds. Nothing is sent anywhere.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from enron_triage.config.training import FeaturesConfig
from enron_triage.errors import UsageError
from enron_triage.features.dense import QuantileNormalizedGroup
from enron_triage.features.feature_group import FloatArray
from enron_triage.mail.body import BodyParts
from enron_triage.records import Email, LabeledEmail
from enron_triage.runtime.extras import install_command
from enron_triage.runtime.file_states import file_state

logger = logging.getLogger(__name__)

_MAX_CHARACTERS = 2000  # of the new text: models cut at some hundred words anyway


class EmbeddingGroup(QuantileNormalizedGroup):
    """The dimensions of a message's embedding, one column each.

    How many there are depends on the model. The model runs in the main process: it brings threads of its own.
    """

    in_main_process = True

    def cache_key(self, settings: FeaturesConfig) -> str:
        """The model: of a folder, its files, too."""
        name = settings.embedding_model or ""
        return f"{name} {file_state(Path(name)).sha256}" if name and Path(name).exists() else name

    def extract(
        self, records: Sequence[LabeledEmail], bodies: Sequence[BodyParts], settings: FeaturesConfig
    ) -> FloatArray:
        """The embeddings, shape (messages, dimensions).

        Raises
        ------
        UsageError
            If sentence-transformers is not installed, or the model cannot be loaded.
        """
        encoder = _load(settings.embedding_model)
        if not records:
            return np.empty((0, int(encoder.get_sentence_embedding_dimension())), dtype=np.float32)
        texts = [_text(record, body) for record, body in zip(records, bodies, strict=True)]
        return np.asarray(encoder.encode(texts, show_progress_bar=False, convert_to_numpy=True), dtype=np.float32)

    def columns(self, state: dict[str, Any]) -> dict[str, str]:
        """The dimensions by number."""
        return {
            f"embedding_{number}": f"dimension {number} of the embedding" for number in range(self.num_features(state))
        }


def _text(email: Email, body: BodyParts) -> str:
    return f"{email.subject}\n{body.new[:_MAX_CHARACTERS]}"


@functools.cache
def _load(model: str | None) -> Any:
    """The model, loaded once."""
    if model is None:
        raise UsageError("features.embedding_model: not set; give the path of a sentence-transformers model")
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise UsageError(f"the feature group embedding needs the extra embed; run {install_command('embed')}") from None
    logger.info("loading the embedding model %s", model)
    try:
        return SentenceTransformer(model)
    except Exception as error:  # whatever a missing or damaged model makes it raise
        line = str(error).strip().partition("\n")[0][:200]
        raise UsageError(f"features.embedding_model: {model}: cannot be loaded ({line}); give a model's path") from None
