"""The file that judgements are appended to, one per line; each is on disk before the next message is shown."""

from __future__ import annotations

import datetime
import os
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from enron_triage.annotation.messages import Key
from enron_triage.errors import UsageError
from enron_triage.labels.judgements import Judgement, breaks_off, decode_judgements, in_force
from enron_triage.runtime.atomic import not_written
from enron_triage.runtime.locks import locked

_MODE = 0o600  # for its owner alone: the notes are about people's mail


class JudgementFile:
    """A file of judgements that is open for appending; `opened` makes one.

    Parameters
    ----------
    path : Path
        The file.
    descriptor : int
        The file, open for reading and appending.

    Raises
    ------
    UsageError
        If the file holds something else.

    Attributes
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        content = _read_all(descriptor)
        judgements = in_force(decode_judgements(content, path), path)  # before anything is changed in it
        _repair_end(path, descriptor, content)
        self._by_annotator: dict[str, dict[Key, list[Judgement]]] = defaultdict(lambda: defaultdict(list))
        self._order: dict[str, list[Judgement]] = defaultdict(list)
        self._names: dict[str, str] = {}
        for judgement in judgements:
            if judgement.is_judged or judgement.skipped:
                self._add(judgement)

    def known_name(self, name: str) -> str:
        """A person's name as it stands in the file, where it differs by case alone.

        Parameters
        ----------
        name : str
            The name as it was given.
        """
        return self._names.get(name.casefold(), name)

    def annotators(self) -> list[str]:
        """Everybody with a judgement in force, in the order of the first."""
        return [name for name, judgements in self._order.items() if judgements]

    def by(self, annotator: str) -> list[Judgement]:
        """The judgements in force of one person, skipped messages included, in their order.

        Parameters
        ----------
        annotator : str
            The person.
        """
        return self._order.get(annotator, [])

    def has(self, annotator: str, key: Key) -> bool:
        """Whether a person has judged or skipped a message.

        Parameters
        ----------
        annotator : str
            The person.
        key : Key
            The message.
        """
        judged = self._by_annotator.get(annotator, {})
        return bool(judged.get(key) or judged.get(Key("", key.fingerprint)))

    def counts(self) -> Counter[str]:
        """How many messages each person has judged; skipping one is no judgement."""
        return Counter({name: sum(each.is_judged for each in found) for name, found in self._order.items()})

    def judged(self) -> set[Key]:
        """The messages that somebody has judged."""
        return {key for name in self._by_annotator for key in self._judged_by(name)}

    def judged_by_others(self, annotator: str) -> set[Key]:
        """The messages that somebody else has judged; skipping one leaves it to the others.

        Parameters
        ----------
        annotator : str
            The person who does not count.
        """
        return {key for name in self._by_annotator if name != annotator for key in self._judged_by(name)}

    def _judged_by(self, annotator: str) -> Iterator[Key]:
        for key, found in self._by_annotator[annotator].items():
            if any(judgement.is_judged for judgement in found):
                yield key

    def append(self, judgement: Judgement) -> Judgement:
        """Write a judgement; it is on the disk when this returns.

        Parameters
        ----------
        judgement : Judgement
            The judgement; it gets an id and the time.

        Returns
        -------
        Judgement
            What stands in the file.

        Raises
        ------
        TriageError
            If it cannot be written; the file is then as it was.
        """
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        judgement = msgspec.structs.replace(judgement, id=str(uuid.uuid4()), time=now)
        self._write(msgspec.json.encode(judgement) + b"\n")
        if judgement.undoes is None:
            self._add(judgement)
        return judgement

    def undo(self, annotator: str) -> Judgement | None:
        """Take back the last judgement of a person.

        Parameters
        ----------
        annotator : str
            The person.

        Returns
        -------
        Judgement or None
            What was taken back; None if there is nothing, or its line has no id, as one written by hand.

        Raises
        ------
        TriageError
            If it cannot be written; the judgement then stands.
        """
        judgements = self._order.get(annotator, [])
        if not judgements or not judgements[-1].id:
            return None
        last = judgements[-1]
        self.append(
            Judgement(fingerprint=last.fingerprint, user=last.user, annotator=annotator, kind=last.kind, undoes=last.id)
        )
        judgements.pop()
        self._by_annotator[annotator][Key(last.user, last.fingerprint)].remove(last)
        return last

    def _add(self, judgement: Judgement) -> None:
        name = judgement.annotator or ""
        self._names.setdefault(name.casefold(), name)
        self._order[name].append(judgement)
        self._by_annotator[name][Key(judgement.user, judgement.fingerprint)].append(judgement)

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(0, "the disk is full")
            os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, size)
            raise not_written(self.path, error) from error


@contextmanager
def opened(path: Path) -> Iterator[JudgementFile]:
    """Open a file of judgements for the duration of the block; no other process writes it meanwhile.

    Parameters
    ----------
    path : Path
        The file; it is made if it is missing, readable for its owner alone.

    Yields
    ------
    JudgementFile
        The open file.

    Raises
    ------
    UsageError
        If another process has it open, or it holds something else.
    TriageError
        If it cannot be written.
    """
    with locked(path.with_name(f".{path.name}.lock"), path, "choose another --output"):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, _MODE)
        except IsADirectoryError:
            raise UsageError(f"{path}: is a folder; give a file's name as --output") from None
        except OSError as error:
            raise not_written(path, error) from error
        _sync_folder(path.parent)  # where the file is new, its name has to be on the disk, too
        try:
            yield JudgementFile(path, descriptor)
        finally:
            os.close(descriptor)


def _repair_end(path: Path, descriptor: int, content: bytes) -> None:
    """Complete a last line without its end, or remove it where it breaks off, so that the next one begins a line."""
    if not content or content.endswith(b"\n"):
        return
    start = content.rfind(b"\n") + 1
    try:
        if breaks_off(content[start:]):
            os.ftruncate(descriptor, start)
        else:
            os.write(descriptor, b"\n")
    except OSError as error:
        raise not_written(path, error) from error


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every file system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return file.read()
