"""The work of the worker processes: from the lines of an artifact to raw features. Must not import torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from enron_triage.config.training import FeaturesConfig
from enron_triage.features.feature_group import FloatArray, TokenArrays
from enron_triage.features.groups import GROUPS
from enron_triage.mail.body import split_body
from enron_triage.records import ACTION_INDEX, LabeledEmail, Scheme
from enron_triage.runtime import artifacts


class Chunk(msgspec.Struct):
    """Some records of an artifact, as the places of their lines.

    Attributes
    ----------
    rows : list of tuple of int
        For each record the byte where its JSON begins, the byte where it ends, and the number of its line.
    """

    rows: list[tuple[int, int, int]]


class Extracted(msgspec.Struct):
    """The raw features of some records, and what else training needs of them.

    Attributes
    ----------
    raw : dict of str to array, shape (records, raw columns), or TokenArrays
        The raw features by group.
    targets : list of int or None
        The class index of each record's action; None where there was no action.
    response_seconds : list of int or None
        How long the owner took to answer; None where the message was not answered.
    users : list of str
        Whose mailbox each record is in.
    schemes : set of str
        The label schemes of the records: one, unless the artifact is damaged.
    """

    raw: dict[str, FloatArray | TokenArrays]
    targets: list[int | None]
    response_seconds: list[int | None]
    users: list[str]
    schemes: set[Scheme]


def extract_chunk(path: Path, groups: Sequence[str], settings: FeaturesConfig, chunk: Chunk) -> Extracted:
    """Read some records of an artifact and extract their raw features.

    Parameters
    ----------
    path : Path
        The artifact of labelled records.
    groups : sequence of str
        The names of the groups to extract.
    settings : FeaturesConfig
        The configuration of the groups.
    chunk : Chunk
        Which records to read.

    Raises
    ------
    UsageError
        If a line is not a labelled record, or a record lacks what a group needs.
    """
    decode = msgspec.json.Decoder(LabeledEmail).decode
    records = []
    with artifacts.open_input(path) as file:
        for start, stop, number in chunk.rows:
            file.seek(start)
            records.append(artifacts.decode_line(decode, file.read(stop - start), path, number))
    return extract_records(records, groups, settings)


def extract_records(records: Sequence[LabeledEmail], groups: Sequence[str], settings: FeaturesConfig) -> Extracted:
    """Extract the raw features of records in memory.

    Parameters
    ----------
    records : sequence of LabeledEmail
        The messages, possibly none.
    groups : sequence of str
        The names of the groups to extract.
    settings : FeaturesConfig
        The configuration of the groups.

    Raises
    ------
    UsageError
        If a record or the configuration lacks what a group needs.
    """
    bodies = [split_body(record) for record in records]
    return Extracted(
        raw={name: GROUPS[name].extract(records, bodies, settings) for name in groups},
        targets=[None if record.action is None else ACTION_INDEX[record.action] for record in records],
        response_seconds=[record.response_seconds for record in records],
        users=[record.user for record in records],
        schemes={record.scheme for record in records},
    )
