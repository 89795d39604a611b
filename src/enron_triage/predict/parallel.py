"""Predictions for many messages: the first at once, the rest in several processes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import msgspec

from enron_triage.config.data import FoldersConfig
from enron_triage.config.training import RuleName
from enron_triage.config.types import DeviceName
from enron_triage.errors import UsageError
from enron_triage.predict.triage import Triage
from enron_triage.records import LabeledEmail
from enron_triage.runtime.workers import map_ordered

_FIRST, _BATCH = 64, 500  # messages predicted at once: few before the first line
_PARALLEL_FROM = 3000  # messages; fewer are done before worker processes have started


class Predictor(msgspec.Struct, frozen=True):
    """What a process needs to predict.

    Attributes
    ----------
    checkpoint : str
        The checkpoint's file.
    device : str
        Where the policy computes: see `Triage.load`.
    rule : str or None
        The decision rule, if not the checkpoint's own.
    reasons : int
        How many reasons to give for each prediction.
    state : tuple of int
        Tells whether the file is the one that the first process read.
    """

    checkpoint: str
    device: DeviceName
    rule: RuleName | None
    reasons: int
    state: tuple[int, ...]

    @classmethod
    def of(cls, checkpoint: Path, device: DeviceName, rule: RuleName | None, reasons: int) -> Predictor:
        """What is needed to predict with a checkpoint as it is now.

        Parameters
        ----------
        checkpoint : Path
            Its file.
        device, rule, reasons
            As above.
        """
        return cls(str(checkpoint), device, rule, reasons, _state(checkpoint))

    def triage(self, folders: FoldersConfig | None = None) -> Triage:
        """The policy.

        Parameters
        ----------
        folders : FoldersConfig, optional
            The roles of the mailbox's folders, by default those of the training mail.

        Raises
        ------
        UsageError
            If the checkpoint is missing or damaged, or has changed.
        """
        triage = Triage.load(self.checkpoint, self.device, self.rule, folders)
        if _state(Path(self.checkpoint)) != self.state:
            raise UsageError(f"{self.checkpoint}: was written while it was used; run the same command again")
        return triage


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
