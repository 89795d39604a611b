"""Labelled records as tensors: extracted in parallel, and cached."""

from __future__ import annotations

import functools
import hashlib
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from enron_triage import __version__
from enron_triage.config.training import FeaturesConfig
from enron_triage.errors import UsageError
from enron_triage.features.extract import Chunk, Extracted, extract_chunk, extract_records
from enron_triage.features.feature_group import FloatArray, TokenArrays
from enron_triage.features.groups import configured_groups
from enron_triage.features.token_bags import TokenBags
from enron_triage.records import LabeledEmail, Scheme
from enron_triage.runtime import artifacts, provenance, tensor_cache
from enron_triage.runtime.code_digest import code_digest
from enron_triage.runtime.progress import progress_bar
from enron_triage.runtime.workers import map_ordered

logger = logging.getLogger(__name__)

UNACTED = -1  # the target of a message that got no action

_CHUNK = 1000  # records: some 100 ms of work
_KEPT = 20  # cached datasets of a split

Keep = Callable[[str, int | None], bool]  # takes a record's user and timestamp and tells whether it is wanted


class Dataset(msgspec.Struct, kw_only=True):
    """Messages as tensors.

    Attributes
    ----------
    raw : dict of str to Tensor, shape (messages, raw columns), or TokenBags
        The raw features of each group, in the order of `groups.GROUPS`.
    targets : Tensor of int64, shape (messages,)
        The class index of each message's action; `UNACTED` where there was no action.
    response_seconds : Tensor of float32, shape (messages,)
        How long the owner took to answer; NaN where the message was not answered.
    mailbox : Tensor of int64, shape (messages,)
        The mailbox of each message, as an index into `mailboxes`.
    mailboxes : list of str
        The users whose mailboxes these are, in the order in which they appear.
    scheme : str
        The label scheme of the targets.
    """

    raw: dict[str, Tensor | TokenBags]
    targets: Tensor
    response_seconds: Tensor
    mailbox: Tensor
    mailboxes: list[str]
    scheme: Scheme

    def __len__(self) -> int:
        return len(self.targets)

    def raw_arrays(self) -> dict[str, FloatArray | TokenArrays]:
        """The raw features as extraction gave them, in the same memory."""
        return {
            name: values.arrays() if isinstance(values, TokenBags) else values.numpy()
            for name, values in self.raw.items()
        }

    def sample_weight(self, mailbox_weights_power: float) -> Tensor:
        """How much each message counts in training: people who received much do not decide for all.

        Parameters
        ----------
        mailbox_weights_power : float >= 0
            A message weighs 1 / messages of its mailbox ** this: with 0 all messages weigh the same, with 1 all
            mailboxes do.

        Returns
        -------
        Tensor of float32, shape (messages,)
            The weights, scaled to a mean of 1.
        """
        weights = torch.bincount(self.mailbox).double().clamp_min(1)[self.mailbox] ** -mailbox_weights_power
        return (weights / weights.mean()).float()


def load_dataset(
    path: Path,
    settings: FeaturesConfig,
    *,
    cache: Path,
    workers: int | str,
    keep: Keep | None = None,
    keep_key: str = "",
) -> Dataset:
    """Extract the raw features of an artifact of labelled records, or take them from the cache.

    Parameters
    ----------
    path : Path
        The artifact.
    settings : FeaturesConfig
        Which groups to extract, and how.
    cache : Path
        The folder of cached tensors.
    workers : int or str
        Who does the work: see `workers.map_ordered`.
    keep : callable, optional
        Takes a record's user and timestamp and tells whether it is wanted. By default all are.
    keep_key : str
        Identifies what `keep` keeps, for the cache.

    Raises
    ------
    UsageError
        If the artifact is missing, damaged, or mixes schemes, or lacks what a group needs.
    """
    with artifacts.open_input(path):
        pass
    key = _cache_key(path, settings, keep_key)

    def extract() -> dict[str, Any]:
        dataset = _extract(path, settings, workers, keep)
        if _cache_key(path, settings, keep_key) != key:
            raise UsageError(f"{path}: changed while it was read; run the same command again")
        return _to_plain(dataset)

    return tensor_cache.cached(
        cache / f"{path.stem}-{key[:16]}.pt",
        extract,
        _from_plain,
        what=f"the features of {path.name}",
        keep=_KEPT,
    )


def extract_dataset(records: Sequence[LabeledEmail], settings: FeaturesConfig) -> Dataset:
    """Extract the raw features of records in memory.

    Parameters
    ----------
    records : sequence of LabeledEmail
        The messages, possibly none.
    settings : FeaturesConfig
        Which groups to extract, and how.

    Raises
    ------
    UsageError
        If a record or the configuration lacks what a group needs, or the records mix schemes.
    """
    return _joined([extract_records(records, tuple(configured_groups(settings)), settings)])


def _cache_key(path: Path, settings: FeaturesConfig, keep_key: str) -> str:
    """A digest of everything that the dataset depends on."""
    meta = provenance.read_meta(path)
    content = provenance.file_state(path, meta.artifact if meta else None).sha256
    groups = [f"{name}={group.cache_key(settings)}" for name, group in configured_groups(settings).items()]
    decisive = [content, *groups, keep_key, code_digest(__name__), __version__]
    return hashlib.sha256(" ".join(decisive).encode()).hexdigest()


def _to_plain(dataset: Dataset) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(dataset, builtin_types=(Tensor,))
    return plain


def _from_plain(content: dict[str, Any]) -> Dataset:
    raw = {name: TokenBags(**value) if isinstance(value, dict) else value for name, value in content["raw"].items()}
    return Dataset(**content | {"raw": raw})


def _extract(path: Path, settings: FeaturesConfig, workers: int | str, keep: Keep | None) -> Dataset:
    groups = configured_groups(settings)
    in_workers = tuple(name for name, group in groups.items() if not group.in_main_process)
    work = functools.partial(extract_chunk, path, in_workers, settings)
    parts = []
    with progress_bar(description=f"features: {path.name}", unit=" messages") as bar:
        for part in map_ordered(work, _chunks(path, keep), workers):
            parts.append(part)
            bar.update(len(part.targets))
    try:
        dataset = _joined(parts or [extract_records([], in_workers, settings)])
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    for name in groups.keys() - in_workers:
        dataset.raw[name] = _extract_here(name, _kept(path, keep), settings, len(dataset))
    dataset.raw = {name: dataset.raw[name] for name in groups}
    return dataset


def _extract_here(
    name: str, records: Iterable[LabeledEmail], settings: FeaturesConfig, count: int
) -> Tensor | TokenBags:
    """The raw features of a group that needs the main process."""
    waiting = iter(records)
    parts = []
    with progress_bar(description=name, total=count, unit=" messages") as bar:
        while batch := list(islice(waiting, _CHUNK)):
            parts.append(extract_records(batch, (name,), settings).raw[name])
            bar.update(len(batch))
    return _concatenated(parts or [extract_records([], (name,), settings).raw[name]])


def _kept(path: Path, keep: Keep | None) -> Iterator[LabeledEmail]:
    for record in artifacts.read_records(path, LabeledEmail):
        if keep is None or keep(record.user, record.timestamp):
            yield record


def _joined(parts: Sequence[Extracted]) -> Dataset:
    schemes = {scheme for part in parts for scheme in part.schemes}
    if len(schemes) > 1:
        raise UsageError("mixes label schemes; run `triage label` and `triage split` again")
    mailboxes: dict[str, int] = {}
    mailbox = [mailboxes.setdefault(user, len(mailboxes)) for part in parts for user in part.users]
    targets = [UNACTED if target is None else target for part in parts for target in part.targets]
    seconds = [math.nan if value is None else float(value) for part in parts for value in part.response_seconds]
    return Dataset(
        raw={name: _concatenated([part.raw[name] for part in parts]) for name in parts[0].raw},
        targets=torch.tensor(targets, dtype=torch.int64),
        response_seconds=torch.tensor(seconds),
        mailbox=torch.tensor(mailbox, dtype=torch.int64),
        mailboxes=list(mailboxes),
        scheme=schemes.pop() if schemes else "received",
    )


def _concatenated(parts: Sequence[Any]) -> Tensor | TokenBags:
    """The raw features of several sets of messages as one tensor, or as one set of bags."""
    if isinstance(parts[0], TokenArrays):
        return TokenBags.concatenate(parts)
    return torch.from_numpy(np.concatenate(parts))


class _Key(msgspec.Struct):
    user: str
    timestamp: int | None


def _chunks(path: Path, keep: Keep | None) -> Iterator[Chunk]:
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
