"""The parts of the configuration that a user gave: merging them, and where each value comes from."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.checking import check_config
from enron_triage.config.nested import flatten, merge
from enron_triage.config.schema import Config
from enron_triage.config.shipped import find_config
from enron_triage.config.strict_yaml import InvalidYamlError, parse_yaml
from enron_triage.errors import UsageError, cause_of


class Layer(msgspec.Struct, frozen=True):
    """Values from one place.

    Attributes
    ----------
    origin : str
        The file's path, ``--set``, or an option such as ``--data-dir``.
    values : dict
        Nested plain values, unchecked.
    """

    origin: str
    values: dict[str, Any]


class Sources(msgspec.Struct, frozen=True):
    """All that a user gave of the configuration, read once.

    Attributes
    ----------
    files : tuple of Layer
        The files, in the order of their precedence: a later one wins.
    options : tuple of Layer
        What the command line gave; it wins over the files.
    """

    files: tuple[Layer, ...] = ()
    options: tuple[Layer, ...] = ()

    def load(self) -> Config:
        """The checked configuration, with the default of every key that nobody gave.

        Raises
        ------
        UsageError
            If a key is unknown or a value is not allowed.
        """
        merged: dict[str, Any] = {}
        for layer in (*self.files, *self.options):
            merge(merged, layer.values)
        return check_config(merged)

    def origins(self) -> dict[str, str]:
        """Where each value that was given comes from, by the key's dotted path, such as ``sft.epochs``."""
        return {key: layer.origin for layer in (*self.files, *self.options) for key in flatten(layer.values)}

    def with_file(self, name: str | Path) -> Sources:
        """The same with one more file, which wins over the other files.

        Parameters
        ----------
        name : str or Path
            As for ``--config``.
        """
        return Sources((*self.files, _read_file(name)), self.options)


def read_sources(files: Sequence[str | Path] = (), overrides: Iterable[str] = (), **top_level: Any) -> Sources:
    """Read files, overrides and top-level options, without checking their keys and values.

    Parameters
    ----------
    files, overrides, **top_level
        As for `load.load_config`.

    Returns
    -------
    Sources
        What was given.

    Raises
    ------
    UsageError
        If a file cannot be read, or it or an override is not valid YAML.
    """
    files = [files] if isinstance(files, (str, Path)) else files
    options = [Layer("--set", _parse_override(override)) for override in overrides]
    for key, value in top_level.items():
        if value is not None:
            options.append(Layer(f"--{key.replace('_', '-')}", {key: value}))
    return Sources(tuple(_read_file(file) for file in files), tuple(options))


def _read_file(name: str | Path) -> Layer:
    file = find_config(name)
    shipped = file != Path(name)
    return Layer(f"configs/{file.name} (shipped)" if shipped else str(name), _read_yaml(file))


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        values = parse_yaml(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise UsageError(f"configuration {file}: is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"configuration {file}: cannot be read: {cause_of(error)}") from None
    except InvalidYamlError as error:
        raise UsageError(f"configuration {file}: not valid YAML: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(f"configuration {file}: must hold keys and values, not a {type(values).__name__}")
    return values


def _parse_override(override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    if not equals or not re.fullmatch(r"\w+(\.\w+)*", key):
        raise UsageError(f"--set {override}: must read key.path=value, e.g. sft.epochs=5")
    try:
        value = parse_yaml(text)
    except InvalidYamlError as error:
        raise UsageError(f"--set {override}: not a YAML value: {error}") from None
    for part in reversed(key.split(".")):
        value = {part: value}
    return typing.cast("dict[str, Any]", value)
