"""Reading the configuration: the files, then the ``--set`` options, all checked before any work starts.

An unknown key or a wrong value is refused with the key's path and what is allowed.
"""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.data import LabelConfig
from enron_triage.config.hints import choices_of, descriptions_of, literals_of, names_in, table
from enron_triage.config.schema import Config
from enron_triage.config.strict_yaml import InvalidYamlError, parse_yaml
from enron_triage.config.types import Choices, Section
from enron_triage.errors import UsageError

_ROUNDING = 1e-6  # how far from 1 shares that are written with six decimals may sum


def load_config(files: Sequence[Path] = (), overrides: Iterable[str] = (), **top_level: Any) -> Config:
    """Merge files, overrides and top-level options over the defaults, and check the result.

    Parameters
    ----------
    files : sequence of Path
        YAML files; a later one wins over an earlier one.
    overrides : iterable of str
        ``key.path=value`` with the value in YAML; they win over the files.
    **top_level
        Top-level keys of `Config`; they win over everything else. A value of None is ignored.

    Returns
    -------
    Config
        The checked configuration.

    Raises
    ------
    UsageError
        If a file cannot be read, a key is unknown, or a value is not allowed.
    """
    merged: dict[str, Any] = {}
    for file in files:
        _merge(merged, _read_yaml(file))
    for override in overrides:
        _merge(merged, _parse_override(override))
    merged.update({key: value for key, value in top_level.items() if value is not None})
    return check_config(merged)


def check_config(values: Mapping[str, Any]) -> Config:
    """Turn nested plain values into a checked `Config`.

    Parameters
    ----------
    values : mapping
        The keys that differ from the defaults, as YAML gives them.

    Returns
    -------
    Config
        The configuration, with the default of every other key.

    Raises
    ------
    UsageError
        If a key is unknown or a value is not allowed; the message names the key's path and what is allowed.
    """
    _refuse_unknown_keys(Config, values, ())
    try:
        config = msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        raise UsageError(_explain(str(error))) from error
    _refuse_unknown_names(config, Config(), ())
    config = _with_allowed_groups(config, given="groups" in values.get("features", {}))
    if config.label.dates[0] >= config.label.dates[1]:
        raise UsageError("configuration: label.dates: the first date must come before the second")
    total = sum(config.split.ratios)
    if abs(total - 1) > _ROUNDING:
        raise UsageError(f"configuration: split.ratios: sum to {total:.7g}; write shares that sum to 1")
    return config


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        values = parse_yaml(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"configuration {file}: no such file") from None
    except IsADirectoryError:
        raise UsageError(f"configuration {file}: is a folder; name a YAML file") from None
    except UnicodeDecodeError:
        raise UsageError(f"configuration {file}: is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"configuration {file}: cannot be read: {error.strerror}") from None
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


def _merge(base: dict[str, Any], top: Mapping[str, Any]) -> None:
    for key, value in top.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _refuse_unknown_keys(section: type, values: Mapping[str, Any], path: tuple[str, ...]) -> None:
    fields = typing.get_type_hints(section)
    for key, value in values.items():
        where = ".".join((*path, str(key)))
        if key not in section.__struct_fields__:  # type: ignore[attr-defined]
            # Perhaps misspelt, or a key of another section.
            meant = difflib.get_close_matches(str(key), fields, n=1) or [
                known for known in _keys(Config) if known.rpartition(".")[2] == key
            ]
            hint = f"did you mean {' or '.join(meant)}? " if meant else ""
            allowed = ", ".join(section.__struct_fields__)  # type: ignore[attr-defined]
            raise UsageError(f"configuration: {where}: unknown key; {hint}allowed here: {allowed}")
        if isinstance(fields[key], type) and issubclass(fields[key], Section):
            if not isinstance(value, Mapping):
                raise UsageError(f"configuration: {where}: must be a section of keys and values")
            _refuse_unknown_keys(fields[key], value, (*path, str(key)))


def _refuse_unknown_names(section: Section, default: Section, path: tuple[str, ...]) -> None:
    """Refuse values that are not in the table that `Choices` refers to."""
    for name, hint in typing.get_type_hints(type(section), include_extras=True).items():
        value, known = getattr(section, name), getattr(default, name)
        if isinstance(value, Section):
            _refuse_unknown_names(value, known, (*path, name))
        elif value != known and value is not None:
            for choices in choices_of(hint):
                _refuse_unknown_name(value, choices, ".".join((*path, name)))


def _refuse_unknown_name(value: str | tuple[str, ...], choices: Choices, key: str) -> None:
    allowed = [*choices.also, *names_in(choices.table)]
    for name in [value] if isinstance(value, str) else value:
        if name not in allowed:
            meant = difflib.get_close_matches(name, allowed, n=1)
            hint = f"did you mean {meant[0]}? " if meant else ""
            raise UsageError(f"configuration: {key}: unknown name {name!r}; {hint}allowed: {', '.join(allowed)}")


def _with_allowed_groups(config: Config, *, given: bool) -> Config:
    """Drop the groups that need a history if the label scheme has none; refuse them if they were `given`."""
    if config.label.scheme == LabelConfig().scheme:
        return config
    if table("enron_triage.labels.schemes:SCHEMES")[config.label.scheme].has_history:
        return config
    groups = table("enron_triage.features.groups:GROUPS")
    refused = [name for name in config.features.groups if groups[name].needs_history]
    allowed = tuple(name for name in config.features.groups if name not in refused)
    if refused and given:
        instead = f"--set 'features.groups=[{', '.join(allowed) or 'metadata'}]'"
        raise UsageError(
            f"configuration: features.groups: the {config.label.scheme} scheme has no history, which "
            f"{refused[0]} needs; use {instead} or --set label.scheme=received"
        )
    return msgspec.structs.replace(config, features=msgspec.structs.replace(config.features, groups=allowed))


def _keys(section: type, path: tuple[str, ...] = ()) -> Iterable[str]:
    """The paths of all keys of a section and of the sections in it."""
    for name, hint in typing.get_type_hints(section).items():
        yield ".".join((*path, name))
        if isinstance(hint, type) and issubclass(hint, Section):
            yield from _keys(hint, (*path, name))


def _explain(error: str) -> str:
    """Reword an error of msgspec: the key's path first, what is allowed last."""
    message, _, path = error.partition(" - at `$.")
    key = path.rstrip("`")
    whole = re.sub(r"\[[^\]]*\]", "", key)  # label.dates[0] is described as label.dates
    hint = _type_hint(whole)
    for description in descriptions_of(hint):
        return f"configuration: {whole}: must be {description}"
    text = message.replace("`array`", "list").replace("`", "").replace(", got", " but got")
    choices = ", ".join(str(choice) for choice in literals_of(hint))
    return f"configuration: {key}: {text}" + (f"; allowed: {choices}" if choices else "")


def _type_hint(key: str) -> Any:
    """The type hint of a key."""
    hint: Any = Config
    for part in key.split("."):
        hint = typing.get_type_hints(hint, include_extras=True)[part]
    return hint
