"""Labelled records as tensors: extracted in parallel, and cached."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor

from enron_triage import __version__
from enron_triage.config.training import FeatureGroupName
from enron_triage.errors import UsageError
from enron_triage.features import embedding
from enron_triage.features.extract import DENSE, Chunk, Extracted, extract_chunk, extract_records
from enron_triage.features.text_model import TokenBags
from enron_triage.records import LabeledEmail, Scheme
from enron_triage.runtime import artifacts, provenance
from enron_triage.runtime.progress import progress_bar
from enron_triage.runtime.workers import map_ordered

logger = logging.getLogger(__name__)


_CHUNK = 1000  # records: some 100 ms of work
_CACHE_FORMAT = 5  # raise it when a group's extraction changes


class Dataset(msgspec.Struct, kw_only=True):
    """Messages as tensors.

    Attributes
    ----------
    raw : dict of str to Tensor, each shape (messages, raw columns)
        By dense feature group.
    words : TokenBags or None
        Of the group ``text``.
    targets : Tensor of int64, shape (messages,)
        Class index; `UNACTED` where there was no action.
    response_seconds : Tensor of float32, shape (messages,)
        NaN where the message was not answered.
    mailbox : Tensor of int64, shape (messages,)
        Index into `mailboxes`.
    mailboxes : list of str
    scheme : str
    """

    raw: dict[str, Tensor]
    words: TokenBags | None
    targets: Tensor
    response_seconds: Tensor
    mailbox: Tensor
    mailboxes: list[str]
    scheme: Scheme

    def __len__(self) -> int:
        return len(self.targets)


def dense_columns(groups: Sequence[FeatureGroupName]) -> dict[str, str]:
    """The names of the dense features of some groups, in order, with their meanings.

    Those of ``embedding``, which come last, are as many as the model has dimensions, and not named here.
    """
    return {name: meaning for group in groups if group in DENSE for name, meaning in DENSE[group].columns.items()}


def transform_dense(dataset: Dataset, groups: Sequence[FeatureGroupName], class_prior: Tensor) -> Tensor:
    """The dense features of some groups, shape (messages, features)."""
    parts = [
        DENSE[group].transform(dataset.raw[group].numpy(), class_prior.numpy()) for group in groups if group in DENSE
    ]
    if "embedding" in groups:
        parts.append(dataset.raw["embedding"].numpy())
    return torch.from_numpy(np.concatenate([np.empty((len(dataset), 0), dtype=np.float32), *parts], axis=1))


def load_dataset(
    path: Path,
    groups: Sequence[FeatureGroupName],
    *,
    cache: Path,
    workers: int | str,
    embedding_model: str | None = None,
    keep: Callable[[str, int | None], bool] | None = None,
    keep_key: str = "",
) -> Dataset:
    """Extract the features of an artifact of labelled records, or take them from the cache.

    Parameters
    ----------
    path : Path
    groups : sequence of str
    cache : Path
        The folder of cached tensors.
    workers : int or str
        See `workers.map_ordered`.
    embedding_model : str, optional
        For the group ``embedding``.
    keep : callable, optional
        Takes a record's user and timestamp and tells whether it is wanted.
    keep_key : str
        Names what `keep` keeps, for the cache.

    Raises
    ------
    UsageError
        If the artifact is missing, damaged, or mixes schemes.
    """
    with artifacts.open_input(path):
        pass
    meta = provenance.read_meta(path)
    content = provenance.file_state(path, meta.artifact if meta else None).sha256
    settings = [content, *sorted(groups), embedding_model or "", keep_key, str(_CACHE_FORMAT), __version__]
    key = hashlib.sha256(" ".join(settings).encode()).hexdigest()
    cached = cache / f"{path.stem}-{key[:16]}.pt"
    dataset = _read_cache(cached)
    if dataset is None:
        dataset = _extract(path, groups, workers, keep)
        if "embedding" in groups:
            dataset.raw["embedding"] = _embedded(_kept(path, keep), embedding_model, len(dataset))
        with artifacts.atomic_open(cached) as file:
            torch.save(msgspec.structs.asdict(dataset) | {"words": _plain(dataset.words)}, file)
    return dataset


def _read_cache(cached: Path) -> Dataset | None:
    try:
        content = torch.load(cached, weights_only=True)
        words = content.pop("words")
        return Dataset(**content, words=None if words is None else TokenBags(**words))
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever is wrong with a cache, the answer is to make it again
        logger.warning("%s: cannot be used (%s); extracting again", cached, type(error).__name__)
        return None


def _plain(words: TokenBags | None) -> dict[str, Tensor] | None:
    return None if words is None else msgspec.structs.asdict(words)


class _Key(msgspec.Struct):
    user: str
    timestamp: int | None


def _extract(
    path: Path,
    groups: Sequence[FeatureGroupName],
    workers: int | str,
    keep: Callable[[str, int | None], bool] | None,
) -> Dataset:
    work = functools.partial(extract_chunk, path, tuple(groups))
    parts = []
    with progress_bar(description=f"features: {path.name}", unit=" messages") as bar:
        for part in map_ordered(work, _chunks(path, keep), workers):
            parts.append(part)
            bar.update(len(part.targets))
    try:
        return _joined(parts or [extract_records([], groups)])
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def extract_dataset(
    records: Sequence[LabeledEmail], groups: Sequence[FeatureGroupName], embedding_model: str | None = None
) -> Dataset:
    """Extract the features of records at hand.

    Raises
    ------
    UsageError
        If a record lacks what a group needs, or the records mix schemes.
    """
    dataset = _joined([extract_records(records, groups)])
    if "embedding" in groups:
        dataset.raw["embedding"] = _embedded(records, embedding_model, len(records))
    return dataset


def _embedded(records: Iterable[LabeledEmail], model: str | None, count: int) -> Tensor:
    """In this process: models bring their own threads."""
    vectors = []
    with progress_bar(description="embedding", total=count, unit=" messages") as bar:
        for batch in embedding.embed(records, model):
            vectors.append(batch)
            bar.update(len(batch))
    return torch.from_numpy(embedding.concatenated(vectors, model))


def _kept(path: Path, keep: Callable[[str, int | None], bool] | None) -> Iterator[LabeledEmail]:
    for record in artifacts.read_records(path, LabeledEmail):
        if keep is None or keep(record.user, record.timestamp):
            yield record


def _joined(parts: Sequence[Extracted]) -> Dataset:
    schemes = {scheme for part in parts for scheme in part.schemes}
    if len(schemes) > 1:
        raise UsageError("mixes label schemes; run `triage label` and `triage split` again")
    mailboxes: dict[str, int] = {}
    mailbox = [mailboxes.setdefault(user, len(mailboxes)) for part in parts for user in part.users]
    words = [part.words for part in parts if part.words is not None]
    return Dataset(
        raw={group: torch.from_numpy(np.concatenate([part.raw[group] for part in parts])) for group in parts[0].raw},
        words=TokenBags.joined([(torch.from_numpy(buckets), torch.from_numpy(lengths)) for buckets, lengths in words])
        if words
        else None,
        targets=torch.tensor([target for part in parts for target in part.targets], dtype=torch.int64),
        response_seconds=torch.tensor([value for part in parts for value in part.response_seconds]),
        mailbox=torch.tensor(mailbox, dtype=torch.int64),
        mailboxes=list(mailboxes),
        scheme=schemes.pop() if schemes else "received",
    )


def _chunks(path: Path, keep: Callable[[str, int | None], bool] | None) -> Iterator[Chunk]:
    decode = msgspec.json.Decoder(_Key).decode

    def rows() -> Iterator[tuple[int, int, int]]:
        for number, (offset, line) in enumerate(artifacts.iterate_lines(path), 2):
            if keep is not None:
                key = artifacts.decode_line(decode, line, path, number)
                if not keep(key.user, key.timestamp):
                    continue
            yield offset, offset + len(line), number

    wanted = rows()
    while chunk := list(islice(wanted, _CHUNK)):
        yield Chunk(chunk)
