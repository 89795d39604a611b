"""Reading the configuration: the files, then the ``--set`` options, all checked before any work starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from enron_triage.config.checking import check_config
from enron_triage.config.merging import read_sources
from enron_triage.config.schema import Config

__all__ = ["check_config", "load_config", "value_origins"]


def load_config(files: Sequence[str | Path] = (), overrides: Iterable[str] = (), **top_level: Any) -> Config:
    """Merge files, overrides and top-level options over the defaults, and check the result.

    Parameters
    ----------
    files : sequence of str or Path
        YAML files, or names of shipped configurations (``sft_weighted``); later ones override earlier ones.
    overrides : iterable of str
        ``key.path=value`` with the value in YAML; they override the files.
    **top_level
        Top-level keys of `Config`; they override everything else. A value of None is ignored.

    Returns
    -------
    Config
        The checked configuration.

    Raises
    ------
    UsageError
        If a file cannot be read, a key is unknown, or a value is not allowed.
    """
    return read_sources(files, overrides, **top_level).load()


def value_origins(files: Sequence[str | Path] = (), overrides: Iterable[str] = (), **top_level: Any) -> dict[str, str]:
    """Where each given value comes from; keys that have their default are not included.

    Parameters
    ----------
    files, overrides, **top_level
        As for `load_config`.

    Returns
    -------
    dict of str to str
        For the dotted path of each key, such as ``download.source``: the file's path, ``--set``, or an option such as
        ``--data-dir``.

    Raises
    ------
    UsageError
        If a file cannot be read, or it or an override is not valid YAML.
    """
    return read_sources(files, overrides, **top_level).origins()
