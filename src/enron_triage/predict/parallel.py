"""Predictions for many messages: the first immediately, the rest in several processes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import msgspec

from enron_triage.config.data import FoldersConfig
from enron_triage.config.training import RuleName
from enron_triage.config.types import DeviceName
from enron_triage.errors import UsageError
from enron_triage.policy.ensemble import FittedEnsemble
from enron_triage.predict.triage import EnsembleTriage, Triage
from enron_triage.records import LabeledEmail
from enron_triage.runtime.workers import map_ordered

_FIRST, _BATCH = 64, 500  # messages predicted at once: few before the first line
_PARALLEL_FROM = 3000  # messages; fewer are done before worker processes have started


class Predictor(msgspec.Struct, frozen=True):
    """What a process needs to predict.

    Attributes
    ----------
    checkpoints : tuple of str
        The checkpoint's file; several are an ensemble.
    device : str
        Where the policy computes: see `Triage.load`.
    rule : str or None
        The decision rule, if not the checkpoint's own.
    reasons : int
        How many reasons to give for each prediction.
    state : tuple of tuple of int
        Tells whether the files are those that the first process read.
    fitted : bytes
        What is fitted for an ensemble, as JSON; empty for a single policy.
    """

    checkpoints: tuple[str, ...]
    device: DeviceName
    rule: RuleName | None
    reasons: int
    state: tuple[tuple[int, ...], ...]
    fitted: bytes = b""

    @classmethod
    def of(
        cls,
        checkpoints: Sequence[Path],
        device: DeviceName,
        rule: RuleName | None,
        reasons: int,
        fit: Callable[[], FittedEnsemble] | None = None,
    ) -> Predictor:
        """What is needed to predict with checkpoints as they are now.

        Parameters
        ----------
        checkpoints : sequence of Path
            Their files.
        device, rule, reasons
            As above.
        fit : callable, optional
            Gives what is fitted for an ensemble; for a single policy there is nothing.
        """
        state = tuple(map(_state, checkpoints))
        fitted = msgspec.json.encode(fit()) if fit else b""
        return cls(tuple(map(str, checkpoints)), device, rule, reasons, state, fitted)

    def triage(self, folders: FoldersConfig | None = None) -> Triage:
        """The policy.

        Parameters
        ----------
        folders : FoldersConfig, optional
            The roles of the mailbox's folders, by default those of the training mail.

        Raises
        ------
        UsageError
            If a checkpoint is missing or damaged, or has changed.
        """
        rule = None if self.fitted else self.rule  # of an ensemble, the members decide nothing
        members = [Triage.load(path, self.device, rule, folders) for path in self.checkpoints]
        for path, state in zip(self.checkpoints, self.state, strict=True):
            if _state(Path(path)) != state:
                raise UsageError(f"{path}: changed while it was in use; run the same command again")
        if not self.fitted:
            return members[0]
        return EnsembleTriage(members, msgspec.json.decode(self.fitted, type=FittedEnsemble), self.rule)


def predicted_lines(
    triage: Triage, predictor: Predictor, records: Iterable[LabeledEmail], workers: int
) -> Iterator[bytes]:
    """JSON Lines for messages, in their order, a batch at a time.

    Parameters
    ----------
    triage : Triage
        The policy.
    predictor : Predictor
        What other processes need to have the same one.
    records : iterable of LabeledEmail
        The messages, with their history.
    workers : int >= 1
        How many processes predict if there are many messages.

    Yields
    ------
    bytes
        The lines of a batch.
    """
    waiting = iter(records)
    batches = chain([list(islice(waiting, _FIRST))], iter(lambda: list(islice(waiting, _BATCH)), []))
    for batch in islice(batches, 1 + _PARALLEL_FROM // _BATCH):
        yield _lines(triage, batch, predictor.reasons)
    rest = next(batches, None)
    if rest is not None:
        encode = msgspec.msgpack.Encoder().encode
        yield from map_ordered(
            functools.partial(_predict_batch, predictor), (encode(batch) for batch in chain([rest], batches)), workers
        )


def _lines(triage: Triage, records: list[LabeledEmail], reasons: int) -> bytes:
    return msgspec.json.Encoder().encode_lines(triage.predict_records(records, reasons))


def _predict_batch(predictor: Predictor, batch: bytes) -> bytes:
    records = msgspec.msgpack.decode(batch, type=list[LabeledEmail])
    return _lines(_triage_here(predictor), records, predictor.reasons)


@functools.lru_cache(maxsize=1)
def _triage_here(predictor: Predictor) -> Triage:
    """The policy of this process, read once."""
    return predictor.triage()


def _state(path: Path) -> tuple[int, ...]:
    """What changes when a file is written; empty where there is none, which loading it reports."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino
