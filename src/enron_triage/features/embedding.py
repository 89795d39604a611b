"""The optional feature group ``embedding``: a sentence-embedding model's view of subject and new text.

It needs the ``embed`` extra and ``features.embedding_model``: the path of a model that lies on this
machine, or the name of one that sentence-transformers finds. Nothing is sent anywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from enron_triage.errors import UsageError
from enron_triage.mail.body import split_body
from enron_triage.records import Email

_BATCH = 1000
_CHARACTERS = 2000  # of the new text: models cut at some hundred words anyway


def embed(emails: Iterable[Email], model: str | None) -> Iterator[npt.NDArray[np.float32]]:
    """The vectors of messages, some at a time, each array of shape (messages, dimensions).

    Parameters
    ----------
    emails : iterable of Email
    model : str
        A path, or a name.

    Raises
    ------
    UsageError
        If sentence-transformers or the model is missing.
    """
    encoder = _load(model)
    waiting = iter(emails)
    while batch := list(islice(waiting, _BATCH)):
        vectors = encoder.encode([_text(email) for email in batch], show_progress_bar=False, convert_to_numpy=True)
        yield np.asarray(vectors, dtype=np.float32)


def dimensions(model: str | None) -> int:
    """The length of a model's vectors."""
    return int(_load(model).get_sentence_embedding_dimension())


def _text(email: Email) -> str:
    return f"{email.subject}\n{split_body(email).new[:_CHARACTERS]}"


@functools.cache
def _load(model: str | None) -> Any:
    if model is None:
        raise UsageError("features.embedding_model: not set; give the path of a sentence-transformers model")
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise UsageError(
            "the feature group embedding needs the extra embed; run `pip install -e '.[embed]' -c constraints.txt`"
        ) from None
    try:
        return SentenceTransformer(model)
    except Exception as error:  # whatever a missing or damaged model makes it raise
        line = str(error).strip().partition("\n")[0][:200]
        raise UsageError(f"features.embedding_model: {model}: cannot be loaded ({line}); give a model's path") from None


def concatenated(vectors: Sequence[npt.NDArray[np.float32]], model: str | None) -> npt.NDArray[np.float32]:
    """All vectors as one array, shape (messages, dimensions), also of no messages at all."""
    return np.concatenate(vectors) if vectors else np.empty((0, dimensions(model)), dtype=np.float32)
