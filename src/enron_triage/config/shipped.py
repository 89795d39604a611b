"""The configurations that come with the program: in a checkout ``configs/``, in an installed package a folder of it."""

from __future__ import annotations

import difflib
import itertools
import re
from pathlib import Path

from enron_triage.errors import UsageError

_PACKAGE = Path(__file__).resolve().parents[1]
_FOLDERS = (_PACKAGE / "configs", _PACKAGE.parents[1] / "configs")  # of an installed package, of a checkout


def shipped_files() -> dict[str, Path]:
    """The shipped configurations.

    Returns
    -------
    dict of str to Path
        The file of each name, such as ``sft_weighted``, in alphabetical order.
    """
    for folder in _FOLDERS:
        files = sorted(folder.glob("*.yaml"))
        if files:
            return {file.stem: file for file in files}
    return {}


def shipped_file(name: str) -> Path:
    """The shipped configuration of a name.

    Parameters
    ----------
    name : str
        The name of its file, without folder and suffix.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If there is none of this name; the message says which there are.
    """
    files = shipped_files()
    if name not in files:
        raise UsageError(f"configuration {name}: no shipped configuration has this name; {_alternatives(name, files)}")
    return files[name]


def find_config(name: str | Path) -> Path:
    """The file that ``--config`` names.

    Parameters
    ----------
    name : str or Path
        The path of a file, or the name of a shipped configuration; if both exist, the file is meant.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If there is neither; the message says which shipped configurations there are.
    """
    path, files = Path(name), shipped_files()
    if path.exists() and not path.is_dir():
        return path
    if str(name) in files:
        return files[str(name)]
    if path.is_dir():
        raise UsageError(f"configuration {name}: is a folder; name a YAML file")
    raise UsageError(f"configuration {name}: no such file; {_alternatives(str(name), files)}")


def find_sweep(name: Path) -> Path:
    """The sweep file that ``triage sweep`` is given.

    Parameters
    ----------
    name : Path
        The path of a file, or the name of a shipped one (``learning_rate``); if both exist, the file is meant.

    Returns
    -------
    Path
        The shipped file if only that exists; else the path as it was given, which may not exist.
    """
    shipped = [folder / "sweeps" / f"{name}.yaml" for folder in _FOLDERS if name.name == str(name)]
    return next((file for file in shipped if file.is_file() and not name.exists()), name)


def summary(file: Path) -> str:
    """What a configuration says of itself.

    Parameters
    ----------
    file : Path
        The file.

    Returns
    -------
    str
        The first sentence of the comment that it begins with; empty if it does not begin with one.
    """
    lines = file.read_text(encoding="utf-8").splitlines()
    comment = (line.removeprefix("#").strip() for line in itertools.takewhile(lambda line: line.startswith("#"), lines))
    return re.split(r"(?<=[.!?])\s", " ".join(comment))[0]


def _alternatives(name: str, files: dict[str, Path]) -> str:
    meant = difflib.get_close_matches(Path(name).stem, files, n=1)
    hint = f"did you mean the shipped {meant[0]}? " if meant else ""
    return f"{hint}shipped are: {', '.join(files) or 'none, in this installation'}"
