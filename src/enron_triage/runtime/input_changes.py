"""Inputs that change while a stage reads them, or come from different runs: a mixture never counts as up to date."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from enron_triage.errors import ArtifactError, TriageError
from enron_triage.runtime.file_states import FileState, file_state, times_of_files
from enron_triage.runtime.provenance import read_meta

logger = logging.getLogger(__name__)


def after_reading(states: dict[str, FileState]) -> dict[str, FileState]:
    """Compare the inputs of a stage, once it has read them, with what they were before.

    Parameters
    ----------
    states : dict of str to FileState
        The result of `provenance.input_states` from before the work began.

    Returns
    -------
    dict of str to FileState
        What to note of the inputs. Mail that changed in the meantime, as a mailbox does that is in use, has an empty
        hash, which no later state has: what was made of it is never up to date. The log says so.

    Raises
    ------
    TriageError
        If an artifact changed: what was made of it may be of two runs.
    """
    noted = dict(states)
    for path in _changed(states):
        if read_meta(path) is not None and not path.is_dir():
            raise _unusable(path)
        logger.warning("%s: changed while it was read; run the same command again to read what is new", path)
        noted[str(path)] = msgspec.structs.replace(states[str(path)], sha256="")
    return noted


def refuse_changed(states: dict[str, FileState]) -> None:
    """Refuse to go on with inputs that changed while they were read.

    Parameters
    ----------
    states : dict of str to FileState
        What each was before: see `provenance.input_states`.

    Raises
    ------
    TriageError
        If one changed.
    """
    for path in _changed(states):
        raise _unusable(path)


def _changed(states: dict[str, FileState]) -> list[Path]:
    return [Path(name) for name, before in states.items() if not _is_unchanged(Path(name), before)]


def _is_unchanged(path: Path, before: FileState) -> bool:
    try:
        return file_state(path, before).sha256 == before.sha256
    except OSError:
        return False


def _unusable(path: Path) -> TriageError:
    return TriageError(f"{path}: changed while it was read; run the same command again")


@contextmanager
def read_unchanged(path: Path) -> Iterator[None]:
    """Read mail in the block, and compare its files with what they were before.

    Parameters
    ----------
    path : Path
        A file or a folder, which the block may refuse.

    Raises
    ------
    TriageError
        When the block ends, if a file was written in the meantime: what was read of it may be of two states. That
        files came or went, as in a Maildir that is in use, is only said in the log.
    """
    before = _times(path)
    yield
    after = _times(path)
    if any(after.get(name, time) != time for name, time in before.items()):
        raise _unusable(path)
    if before.keys() != after.keys():
        logger.warning("%s: mail came or went while it was read; run the same command again to read what is new", path)


def _times(path: Path) -> dict[str, tuple[int, int]]:
    try:
        return times_of_files(path)
    except OSError:  # which reading it says
        return {}


def refuse_mixture(paths: Iterable[Path], states: dict[str, FileState]) -> None:
    """Refuse artifacts that one stage makes together, but that are of two of its runs.

    Such are train.json of one split and val.json of another, copied into one folder. An artifact that was edited since
    is not looked at: the stage warns of that.

    Parameters
    ----------
    paths : iterable of Path
        The inputs of a stage.
    states : dict of str to FileState
        The state of each.

    Raises
    ------
    ArtifactError
        If two inputs are not of the same run of the stage that made them.
    """
    made = {}
    for path in paths:
        meta = read_meta(path)
        if meta is not None and meta.artifact.sha256 == states[str(path)].sha256:
            made[path] = meta
    for path, meta in made.items():
        for other in made:
            expected = meta.together.get(other.name) if other.parent == path.parent else None
            if expected is not None and made[other].stage == meta.stage and expected != states[str(other)].sha256:
                raise ArtifactError(
                    other, f"not made in the same run of `triage {meta.stage}` as {path.name}", remedy="{command} again"
                )
