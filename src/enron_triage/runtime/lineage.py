"""The stages that made an artifact, one after the other, according to the metadata next to each artifact."""

from __future__ import annotations

from pathlib import Path

import msgspec

from enron_triage.runtime.file_states import FileState
from enron_triage.runtime.provenance import Meta, read_meta


class Lineage(msgspec.Struct):
    """How an artifact came about.

    Attributes
    ----------
    stages : dict of str to Meta
        What each stage noted that took part, by the stage's name; the first stage comes first.
    sources : dict of str to FileState
        What the first of them read, by path: the state that it had then. An artifact without metadata, or whose
        metadata are of another content, is a source, too: nobody knows how it was made.
    """

    stages: dict[str, Meta]
    sources: dict[str, FileState]


def lineage(path: Path, state: FileState) -> Lineage:
    """How an artifact came about.

    Parameters
    ----------
    path : Path
        The artifact.
    state : FileState
        Its state.

    Returns
    -------
    Lineage
        The stages and the sources. An input is looked for beside what was made from it, then where it was.
    """
    found = Lineage({}, {})
    _follow(path, state, found)
    return found


def _follow(path: Path, state: FileState, found: Lineage) -> None:
    meta = _meta_of(path, state)
    if meta is None:
        found.sources[str(path)] = state
    elif meta.stage not in found.stages:
        found.stages[meta.stage] = meta
        for name, before in meta.inputs.items():
            beside = path.with_name(Path(name).name)
            _follow(beside if _meta_of(beside, before) else Path(name), before, found)
        found.stages[meta.stage] = found.stages.pop(meta.stage)  # after what it was made from


def _meta_of(path: Path, state: FileState) -> Meta | None:
    """The metadata of an artifact, if they are of this content."""
    meta = read_meta(path) if path.name else None
    return meta if meta is not None and meta.artifact.sha256 == state.sha256 else None
