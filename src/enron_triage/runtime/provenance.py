"""What was made from what.

Beside each artifact, ``<name>.meta.json`` says from which inputs and with which settings it was
made; `differences` tells from it what ``triage run`` may skip, and why it does not.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from enron_triage import __version__
from enron_triage.runtime.artifacts import write_json


class FileState(msgspec.Struct, frozen=True):
    """What a file or a folder looked like: enough to tell whether it is still the same."""

    size: int
    modified_ns: int
    sha256: str


class Meta(msgspec.Struct, kw_only=True):
    """The content of ``<name>.meta.json``."""

    stage: str
    version: str
    settings: dict[str, Any]
    inputs: dict[str, FileState]
    artifact: FileState
    counts: dict[str, Any]
    seconds: float


def meta_path(path: Path) -> Path:
    """``<name>.meta.json`` beside an artifact."""
    return path.with_name(f"{path.name}.meta.json")


def file_state(path: Path, known: FileState | None = None) -> FileState:
    """Size, time and hash of a file; of a folder, of the list of its files' names, sizes and times.

    Parameters
    ----------
    path : Path
    known : FileState, optional
        An earlier state; the file is not read again if size and time still agree.
    """
    if path.is_dir():
        return _folder_state(path)
    status = path.stat()
    if known is not None and (known.size, known.modified_ns) == (status.st_size, status.st_mtime_ns):
        return known
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileState(status.st_size, status.st_mtime_ns, digest)


def _folder_state(root: Path) -> FileState:
    digest = hashlib.sha256()
    size = modified = 0
    folders = [(str(root), ".")]  # with their paths relative to the root
    while folders:
        folder, relative = folders.pop()
        with os.scandir(folder) as entries:
            listing = sorted(entries, key=lambda entry: entry.name)
        lines = []
        for entry in listing:
            if entry.is_dir(follow_symlinks=False):
                folders.append((entry.path, entry.name if relative == "." else f"{relative}/{entry.name}"))
                continue
            status = entry.stat(follow_symlinks=False)
            size += status.st_size
            modified = max(modified, status.st_mtime_ns)
            lines.append(f"{relative}/{entry.name}\0{status.st_size}\0{status.st_mtime_ns}\n")
        digest.update(os.fsencode("".join(lines)))
    return FileState(size, modified, digest.hexdigest())


def write_meta(
    outputs: Iterable[Path],
    *,
    stage: str,
    settings: dict[str, Any],
    inputs: dict[str, FileState],
    counts: dict[str, Any],
    seconds: float,
) -> None:
    """Record beside each output what it was made from.

    Parameters
    ----------
    outputs : iterable of Path
        Existing artifacts.
    settings : dict
        The part of the configuration that decides the outputs; plain values.
    inputs : dict of str to FileState
        As `input_states` gave them before the work began, so that a change meanwhile is noticed.
    """
    for output in outputs:
        meta = Meta(
            stage=stage,
            version=__version__,
            settings=settings,
            inputs=inputs,
            artifact=file_state(output),
            counts=counts,
            seconds=round(seconds, 3),
        )
        write_json(meta_path(output), meta)


def read_meta(path: Path) -> Meta | None:
    """The meta data of an artifact; None if there are none, or they cannot be understood."""
    try:
        return msgspec.json.decode(meta_path(path).read_bytes(), type=Meta)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def input_states(inputs: Iterable[Path]) -> dict[str, FileState]:
    """The state of each input, reading again only what its meta data do not vouch for."""
    states = {}
    for path in inputs:
        meta = read_meta(path)
        states[str(path)] = file_state(path, meta.artifact if meta else None)
    return states


def differences(stage: str, settings: dict[str, Any], inputs: Iterable[Path], outputs: Iterable[Path]) -> list[str]:
    """How the outputs of a stage differ from what it would make now; empty if they do not.

    Parameters
    ----------
    stage : str
        The name of the stage.
    settings : dict
        The part of the configuration that decides the outputs; plain values.
    inputs : iterable of Path
        What the stage reads.
    outputs : iterable of Path
        What the stage writes.

    Returns
    -------
    list of str
        One difference each: a missing file, a changed setting with both values, a changed input, another version.
    """
    inputs = list(inputs)
    found = [f"{path}: is missing" for path in inputs if not path.exists()]
    states = {} if found else input_states(inputs)
    for output in outputs:
        meta = read_meta(output)
        if not output.exists():
            found.append(f"{output}: is missing")
        elif meta is None or meta.stage != stage:
            found.append(f"{output}: was not made by `triage {stage}`")
        else:
            if meta.version != __version__:
                found.append(f"made by version {meta.version}, this is {__version__}")
            found += changed_settings(meta.settings, settings)
            if file_state(output, meta.artifact).sha256 != meta.artifact.sha256:
                found.append(f"{output}: was edited")
            found += _changed_inputs(meta, states)
    return list(dict.fromkeys(found))  # outputs that were made together differ in the same way


def changed_settings(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The settings that are not what they were, each with both values.

    Parameters
    ----------
    before, now : dict
        Nested plain values.

    Examples
    --------
    >>> changed_settings({"sft": {"epochs": 8, "seed": 1}}, {"sft": {"epochs": 3, "seed": 1}})
    ['sft.epochs was 8, is 3']
    """
    flat_before, flat_now = _flat(before), _flat(now)
    keys = dict.fromkeys([*flat_before, *flat_now])
    return [
        f"{key} was {flat_before.get(key)!r}, is {flat_now.get(key)!r}"
        for key in keys
        if flat_before.get(key) != flat_now.get(key)
    ]


def _changed_inputs(meta: Meta, states: dict[str, FileState]) -> list[str]:
    # Only the contents are compared: the whole data folder may have been moved.
    before = [state.sha256 for state in meta.inputs.values()]
    if len(before) != len(states):
        return ["other inputs than before"] if states else []
    return [
        f"{path}: has changed"
        for (path, state), earlier in zip(states.items(), before, strict=True)
        if state.sha256 != earlier
    ]


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level of dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def to_builtins(value: Any) -> Any:
    """A configuration section as the plain JSON values that the metadata hold.

    Parameters
    ----------
    value : Any
        Whatever msgspec can encode.
    """
    return msgspec.json.decode(msgspec.json.encode(value))
