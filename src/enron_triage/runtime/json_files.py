"""Files that hold one JSON value, and opening whatever a stage reads."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from enron_triage.errors import ArtifactError, UsageError, cause_of
from enron_triage.runtime.atomic import atomic_open
from enron_triage.runtime.together import finish_renames

Value = TypeVar("Value")


def write_json(path: Path, value: Any) -> None:
    """Write one value as indented JSON.

    Parameters
    ----------
    path : Path
        The artifact; its folder is made if it is missing.
    value : Any
        A struct, or any other value that msgspec can encode.

    Raises
    ------
    TriageError
        If the file cannot be written.
    """
    with atomic_open(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def read_json(path: Path, schema: type[Value]) -> Value:
    """Read one JSON value and check it.

    Parameters
    ----------
    path : Path
        The artifact.
    schema : type
        The type that the value must have.

    Returns
    -------
    Value
        The value, as an instance of `schema`.

    Raises
    ------
    UsageError
        If the file is missing, is not valid JSON, or does not fit the schema.
    """
    with open_input(path) as file:
        content = file.read()
    try:
        return msgspec.json.decode(content, type=schema)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(path, f"not what the program wrote there ({error})") from None


def open_input(path: Path) -> io.BufferedReader:
    """Open a file for reading bytes.

    Parameters
    ----------
    path : Path
        An artifact, or a file that the user named.

    Returns
    -------
    BufferedReader
        The open file; the caller closes it.

    Raises
    ------
    UsageError
        If the file is missing, is a folder, or may not be read. The pipeline adds the command that makes the file.
    TriageError
        If the file is one of several that an interrupted stage was putting in place, and that cannot be finished.
    """
    finish_renames(path)
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise ArtifactError(path, "no such file") from None
    except IsADirectoryError:
        problem = "is a folder, but a file is expected"
        raise ArtifactError(path, problem, remedy="move it away, then {command}", otherwise="name a file") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {cause_of(error)}") from None
