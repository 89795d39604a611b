"""Provenance: from which inputs and with which settings each artifact was made.

Next to each artifact there is a file ``<name>.meta.json``. `differences` compares it with the present inputs and
settings, so that ``triage run`` can skip what is up to date and say why a stage has to run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from enron_triage import __version__
from enron_triage.runtime.file_states import FileState, file_state, is_edited
from enron_triage.runtime.json_files import write_json
from enron_triage.runtime.settings import changed_settings

__all__ = [
    "FileState",
    "Meta",
    "differences",
    "file_state",
    "input_states",
    "is_same_origin",
    "meta_path",
    "read_meta",
    "to_builtins",
    "write_meta",
]


IS_MISSING = ": is missing"  # how the reason ends for a file that is not there
_SHOWN = 3  # of a list of changed modules


class Meta(msgspec.Struct, kw_only=True):
    """The content of ``<name>.meta.json``.

    Attributes
    ----------
    stage : str
        The name of the stage that made the artifact.
    version : str
        The version of the program that made it.
    settings : dict
        The part of the configuration that decides the artifact, as nested plain values.
    inputs : dict of str to FileState
        The path of each file or folder that the stage read, and its state before the stage began.
    artifact : FileState
        The artifact itself, as the stage left it.
    counts : dict
        What the stage counted, such as records and errors.
    seconds : float
        How long the stage took.
    code : dict of str to str
        The digest of each module whose code made the artifact: see `code_digest.module_digests`.
    origin : str
        Where the mail came from in the first place, such as ``demo, seed 42`` or the path of an mbox.
    run : str
        The name of the run; empty if it had none.
    together : dict of str to str
        The SHA-256 of each artifact that the stage made in the same run, by its name.
    """

    stage: str
    version: str
    settings: dict[str, Any]
    inputs: dict[str, FileState]
    artifact: FileState
    counts: dict[str, Any]
    seconds: float
    code: dict[str, str] = {}
    origin: str = ""
    run: str = ""
    together: dict[str, str] = {}


def meta_path(path: Path) -> Path:
    """The path of an artifact's metadata.

    Parameters
    ----------
    path : Path
        The artifact.

    Returns
    -------
    Path
        ``<name>.meta.json`` in the same folder.
    """
    return path.with_name(f"{path.name}.meta.json")


def write_meta(
    outputs: Iterable[Path],
    *,
    stage: str,
    settings: dict[str, Any],
    inputs: dict[str, FileState],
    counts: dict[str, Any],
    seconds: float,
    code: dict[str, str],
    origin: str,
    run: str = "",
    content: Callable[[Path], Path] = Path,
) -> None:
    """Write the metadata of the artifacts that a stage has made.

    Parameters
    ----------
    outputs : iterable of Path
        The artifacts, which exist.
    stage : str
        The name of the stage.
    settings : dict
        The part of the configuration that decides the outputs, as nested plain values.
    inputs : dict of str to FileState
        The result of `input_states` from before the work began, so that a change during the work is noticed later.
    counts : dict
        What the stage counted, such as records and errors.
    seconds : float
        How long the stage took; rounded to milliseconds.
    code : dict of str to str
        The digests of the modules that did the work.
    origin : str
        Where the mail came from in the first place.
    run : str
        The name of the run; empty if it has none.
    content : callable
        Where the content of an artifact is that has not been put in place yet: see `together`.

    Raises
    ------
    TriageError
        If a file cannot be written.
    """
    states = {output: file_state(content(output)) for output in outputs}
    for output, state in states.items():
        meta = Meta(
            stage=stage,
            version=__version__,
            settings=settings,
            inputs=inputs,
            artifact=state,
            counts=counts,
            seconds=round(seconds, 3),
            code=code,
            origin=origin,
            run=run,
            together={path.name: each.sha256 for path, each in states.items()},
        )
        write_json(meta_path(output), meta)


def read_meta(path: Path) -> Meta | None:
    """Read the metadata of an artifact.

    Parameters
    ----------
    path : Path
        The artifact.

    Returns
    -------
    Meta or None
        None if there is no metadata, or if it cannot be read: the artifact then counts as out of date.
    """
    try:
        return msgspec.json.decode(meta_path(path).read_bytes(), type=Meta)
    except (OSError, ValueError, msgspec.DecodeError):  # of values: a path without a name, or what is not UTF-8
        return None


def input_states(inputs: Iterable[Path]) -> dict[str, FileState]:
    """The present state of each input of a stage.

    Parameters
    ----------
    inputs : iterable of Path
        Existing files and folders.

    Returns
    -------
    dict of str to FileState
        The state by path, in the order of `inputs`. A file whose size and time are those in its own metadata is not
        read again.
    """
    states = {}
    for path in inputs:
        meta = read_meta(path)
        states[str(path)] = file_state(path, meta.artifact if meta else None)
    return states


def differences(
    stage: str,
    settings: dict[str, Any],
    inputs: Iterable[Path],
    outputs: Iterable[Path],
    code: dict[str, str],
) -> list[str]:
    """Why a stage would have to run again.

    Parameters
    ----------
    stage : str
        The name of the stage.
    settings : dict
        The part of the configuration that decides the outputs, as nested plain values.
    inputs : iterable of Path
        The files and folders that the stage reads.
    outputs : iterable of Path
        The files and folders that the stage writes.
    code : dict of str to str
        The present digests of the modules that do the work.

    Returns
    -------
    list of str
        One reason each: a missing file, a changed setting with both values, a changed input, an edited output, other
        code or another version of the program. Empty if the outputs are up to date.
    """
    inputs = list(inputs)
    found = [f"{path}{IS_MISSING}" for path in inputs if not path.exists()]
    states = {} if found else input_states(inputs)
    for output in outputs:
        meta = read_meta(output)
        if not output.exists():
            found.append(f"{output}{IS_MISSING}")
        elif meta is None or meta.stage != stage:
            found.append(f"{output}: was not made by `triage {stage}`")
        else:
            if meta.version != __version__:
                found.append(f"made by version {meta.version}, this is {__version__}")
            changed = changed_settings(meta.settings, settings)
            if meta.version == __version__ and meta.code != code and not changed:  # other settings, other modules
                found.append(_changed_code(meta.code, code))
            found += changed
            if is_edited(output, meta.artifact):
                found.append(f"{output}: was edited")
            found += _changed_inputs(meta, states)
    return list(dict.fromkeys(found))  # outputs that were made together have the same reasons


def _changed_code(before: dict[str, str], now: dict[str, str]) -> str:
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    return f"the program's code has changed: {', '.join(changed[:_SHOWN])}{more}"


def _changed_inputs(meta: Meta, states: dict[str, FileState]) -> list[str]:
    # Only the contents are compared, because the whole data folder may have been moved.
    before = [state.sha256 for state in meta.inputs.values()]
    if len(before) != len(states):
        return ["the inputs are not those of before"] if states else []
    return [
        f"{path}: has changed" if earlier else f"{path}: changed while it was read"
        for (path, state), earlier in zip(states.items(), before, strict=True)
        if state.sha256 != earlier
    ]


def is_same_origin(before: str, now: str) -> bool:
    """Whether two descriptions of where mail comes from are of the same mail, as far as one can tell.

    Parameters
    ----------
    before, now : str
        As in `Meta`; a path may be spelled in two ways, and an empty one tells nothing.
    """
    if not before or not now or before == now:
        return True
    return Path(before).exists() and Path(now).exists() and Path(before).samefile(now)


def to_builtins(value: Any) -> Any:
    """Turn a configuration section into plain JSON values, as the metadata and checkpoints hold them.

    Parameters
    ----------
    value : Any
        A struct, or any other value that msgspec can encode.

    Returns
    -------
    Any
        Dictionaries, lists, strings, numbers, booleans and None.

    Examples
    --------
    >>> to_builtins({"ratios": (0.5, 0.5)})
    {'ratios': [0.5, 0.5]}
    """
    return msgspec.json.decode(msgspec.json.encode(value))
