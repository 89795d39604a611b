"""From records to the raw columns and words of every feature group; free of torch, for the worker processes.

A dense feature group is a module with ``extract`` (records to raw columns, cached) and, where it
depends on what was fitted on train, ``transform``. To add one, write the module and name it in `DENSE`.
The group ``text`` is ragged: it has words, and a model that scores them (see `text_model`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from enron_triage.config.training import FeatureGroupName
from enron_triage.features import history, metadata, text
from enron_triage.mail.body import BodyParts, split_body
from enron_triage.records import ACTION_INDEX, LabeledEmail, Scheme
from enron_triage.runtime import artifacts

FloatArray = npt.NDArray[np.float32]
UNACTED = -1  # the target of a message that got no action


class DenseGroup(msgspec.Struct, frozen=True):
    """A feature group of a fixed number of columns.

    Attributes
    ----------
    columns : dict of str to str
        The features that the policy sees, by name, with their meanings.
    extract : callable
        Records, and the parts of their bodies, to raw columns.
    transform : callable
        Raw columns and the population's action shares to features.
    """

    columns: dict[str, str]
    extract: Callable[[Sequence[LabeledEmail], Sequence[BodyParts]], FloatArray]
    transform: Callable[[FloatArray, FloatArray], FloatArray]


DENSE: dict[FeatureGroupName, DenseGroup] = {
    "metadata": DenseGroup(metadata.COLUMNS, metadata.extract, lambda raw, class_prior: raw),
    "history": DenseGroup(history.COLUMNS, lambda records, parts: history.extract(records), history.transform),
}


class Chunk(msgspec.Struct):
    """Some records, as the ranges of bytes of their lines, with the lines' numbers."""

    rows: list[tuple[int, int, int]]


class Extracted(msgspec.Struct):
    """The features of some records.

    Attributes
    ----------
    raw : dict of str to array, shape (records, raw columns)
        By dense group.
    words : pair of arrays, or None
        Of the group ``text``: see `text.extract`.
    targets : list of int
        Class indices; `UNACTED` where there was no action.
    response_seconds : list of float
        NaN where the message was not answered.
    users : list of str
    schemes : set of str
    """

    raw: dict[str, FloatArray]
    words: tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]] | None
    targets: list[int]
    response_seconds: list[float]
    users: list[str]
    schemes: set[Scheme]


def extract_chunk(path: Path, groups: Sequence[FeatureGroupName], chunk: Chunk) -> Extracted:
    """Read some records of an artifact and extract their features."""
    decode = msgspec.json.Decoder(LabeledEmail).decode
    records = []
    with artifacts.open_input(path) as file:
        for start, stop, number in chunk.rows:
            file.seek(start)
            records.append(artifacts.decode_line(decode, file.read(stop - start), path, number))
    return extract_records(records, groups)


def extract_records(records: Sequence[LabeledEmail], groups: Sequence[FeatureGroupName]) -> Extracted:
    """Extract the features of records at hand."""
    parts = [split_body(record) for record in records]
    return Extracted(
        raw={group: DENSE[group].extract(records, parts) for group in groups if group in DENSE},
        words=text.extract(records, parts) if "text" in groups else None,
        targets=[UNACTED if record.action is None else ACTION_INDEX[record.action] for record in records],
        response_seconds=[
            math.nan if record.response_seconds is None else float(record.response_seconds) for record in records
        ],
        users=[record.user for record in records],
        schemes={record.scheme for record in records},
    )
