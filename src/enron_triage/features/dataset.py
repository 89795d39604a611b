"""Labelled records as tensors: extracted in parallel, cached, normalised by what train says.

A feature group is a module with ``extract`` (records to raw columns, cached) and, where it depends
on what was fitted on train, ``derive``. To add one, write the module and name it in `_GROUPS`.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from enron_triage import __version__, artifacts, provenance
from enron_triage.actions import ACTION_INDEX, ACTIONS
from enron_triage.config import FeatureGroupName
from enron_triage.errors import UsageError
from enron_triage.features import history, metadata
from enron_triage.progress import progress_bar
from enron_triage.records import LabeledEmail, Scheme
from enron_triage.workers import map_ordered

logger = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.float32]
UNACTED = -1  # the target of a message that got no action

_CHUNK = 1000  # records: some 100 ms of work
_CACHE_FORMAT = 3  # raise it when a group's extraction changes
_LEAST_SPREAD = 1e-6  # less is a constant's rounding, which must not be blown up


class Group(msgspec.Struct, frozen=True):
    """A feature group.

    Attributes
    ----------
    columns : tuple of str
        Names of the features that the policy sees.
    extract : callable
        Records to raw columns.
    derive : callable
        Raw columns and the population's action shares to features.
    """

    columns: tuple[str, ...]
    extract: Callable[[Sequence[LabeledEmail]], FloatArray]
    derive: Callable[[FloatArray, FloatArray], FloatArray]


_GROUPS: dict[FeatureGroupName, Group] = {
    "metadata": Group(tuple(metadata.COLUMNS), metadata.extract, lambda raw, population: raw),
    "history": Group(tuple(history.COLUMNS), history.extract, history.derive),
}


class Dataset(msgspec.Struct, kw_only=True):
    """Labelled messages as tensors.

    Attributes
    ----------
    raw : dict of str to Tensor, each shape (messages, raw columns)
        By feature group.
    targets : Tensor of int64, shape (messages,)
        Class index; `UNACTED` where there was no action.
    mailbox : Tensor of int64, shape (messages,)
        Index into `mailboxes`.
    mailboxes : list of str
    scheme : str
    """

    raw: dict[str, Tensor]
    targets: Tensor
    mailbox: Tensor
    mailboxes: list[str]
    scheme: Scheme

    def __len__(self) -> int:
        return len(self.targets)


class Transform(msgspec.Struct, kw_only=True):
    """What is fitted on train: the population's action shares, and each feature's mean and spread.

    Attributes
    ----------
    groups : list of str
    population : Tensor, shape (actions,)
    mean, spread : Tensor, shape (features,)
    """

    groups: list[FeatureGroupName]
    population: Tensor
    mean: Tensor
    spread: Tensor

    @classmethod
    def fit(cls, train: Dataset, groups: Sequence[FeatureGroupName]) -> Transform:
        """Fit on the train split."""
        population = torch.bincount(train.targets, minlength=len(ACTIONS)) / len(train)
        features = _derive(train, groups, population)
        spread = features.std(dim=0, unbiased=False)
        spread = torch.where(spread < _LEAST_SPREAD, 1, spread)
        return cls(groups=list(groups), population=population, mean=features.mean(dim=0), spread=spread)

    def apply(self, dataset: Dataset) -> Tensor:
        """Normalised features.

        Returns
        -------
        Tensor of float32, shape (messages, features)
            Cut at 10 spreads: no single hostile value may drown the rest.
        """
        return ((_derive(dataset, self.groups, self.population) - self.mean) / self.spread).clamp(-10, 10)

    @property
    def columns(self) -> list[str]:
        """The names of the features, in order."""
        return [column for group in self.groups for column in _GROUPS[group].columns]


def _derive(dataset: Dataset, groups: Sequence[FeatureGroupName], population: Tensor) -> Tensor:
    derived = [_GROUPS[group].derive(dataset.raw[group].numpy(), population.numpy()) for group in groups]
    return torch.from_numpy(np.concatenate(derived, axis=1))


def load_dataset(
    path: Path,
    groups: Sequence[FeatureGroupName],
    *,
    cache: Path,
    workers: int,
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
    workers : int
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
    key = hashlib.sha256(f"{content} {sorted(groups)} {keep_key} {_CACHE_FORMAT} {__version__}".encode()).hexdigest()
    cached = cache / f"{path.stem}-{key[:16]}.pt"
    dataset = _read_cache(cached)
    if dataset is None:
        dataset = _extract(path, groups, workers, keep)
        with artifacts.atomic_open(cached) as file:
            torch.save({field: getattr(dataset, field) for field in Dataset.__struct_fields__}, file)
    return dataset


def _read_cache(cached: Path) -> Dataset | None:
    try:
        return Dataset(**torch.load(cached, weights_only=True))
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever is wrong with a cache, the answer is to make it again
        logger.warning("%s: cannot be used (%s); extracting again", cached, type(error).__name__)
        return None


class _Key(msgspec.Struct):
    user: str
    timestamp: int | None


class _Chunk(msgspec.Struct):
    """Some records, as the ranges of bytes of their lines, with the lines' numbers."""

    rows: list[tuple[int, int, int]]


class _Extracted(msgspec.Struct):
    raw: dict[str, FloatArray]
    targets: list[int]
    users: list[str]
    schemes: set[Scheme]


def _extract(
    path: Path,
    groups: Sequence[FeatureGroupName],
    workers: int,
    keep: Callable[[str, int | None], bool] | None,
) -> Dataset:
    work = functools.partial(_extract_chunk, path, tuple(groups))
    parts = []
    with progress_bar(description=f"features: {path.name}", unit=" messages") as bar:
        for part in map_ordered(work, _chunks(path, keep), workers):
            parts.append(part)
            bar.update(len(part.targets))
    schemes = {scheme for part in parts for scheme in part.schemes}
    if len(schemes) > 1:
        raise UsageError(f"{path}: mixes label schemes; run `triage label` and `triage split` again")
    mailboxes: dict[str, int] = {}
    mailbox = [mailboxes.setdefault(user, len(mailboxes)) for part in parts for user in part.users]
    return Dataset(
        raw={
            group: torch.from_numpy(np.concatenate([part.raw[group] for part in parts]))
            if parts
            else torch.from_numpy(_GROUPS[group].extract([]))
            for group in groups
        },
        targets=torch.tensor([target for part in parts for target in part.targets], dtype=torch.int64),
        mailbox=torch.tensor(mailbox, dtype=torch.int64),
        mailboxes=list(mailboxes),
        scheme=schemes.pop() if schemes else "received",
    )


def _chunks(path: Path, keep: Callable[[str, int | None], bool] | None) -> Iterator[_Chunk]:
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
        yield _Chunk(chunk)


def _extract_chunk(path: Path, groups: Sequence[FeatureGroupName], chunk: _Chunk) -> _Extracted:
    decode = msgspec.json.Decoder(LabeledEmail).decode
    records = []
    with artifacts.open_input(path) as file:
        for start, stop, number in chunk.rows:
            file.seek(start)
            records.append(artifacts.decode_line(decode, file.read(stop - start), path, number))
    return _Extracted(
        raw={group: _GROUPS[group].extract(records) for group in groups},
        targets=[UNACTED if record.action is None else ACTION_INDEX[record.action] for record in records],
        users=[record.user for record in records],
        schemes={record.scheme for record in records},
    )
