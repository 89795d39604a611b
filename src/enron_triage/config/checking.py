"""Checking the configuration: unknown keys and invalid values are refused, with the key's path and what is allowed."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from enron_triage.config.data import LabelConfig
from enron_triage.config.hints import choices_of, hints_of, names_in, table
from enron_triage.config.keys import documented_keys, yaml_text
from enron_triage.config.schema import Config
from enron_triage.config.types import FUNCTION_PATTERN, Choices, Section
from enron_triage.errors import UsageError

_ROUNDING = 1e-6  # how far from 1 shares that are written with six decimals may sum
_LONGEST_QUOTE = 60  # characters of a wrong value that an error repeats


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
    _refuse_infinite(values, ())
    try:
        config = msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        raise UsageError(_explain(str(error), values)) from error
    _refuse_unknown_names(config, Config(), ())
    config = _with_allowed_groups(config, given="groups" in values.get("features", {}))
    if config.label.dates[0] >= config.label.dates[1]:
        raise UsageError("configuration: label.dates: the first date must come before the second")
    total = sum(config.split.ratios)
    if abs(total - 1) > _ROUNDING:
        raise UsageError(f"configuration: split.ratios: sum to {total:.7g}; write shares that sum to 1")
    return config


def _refuse_unknown_keys(section: type, values: Mapping[str, Any], path: tuple[str, ...]) -> None:
    fields = hints_of(section)
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


def _refuse_infinite(value: Any, path: tuple[str, ...]) -> None:
    """Refuse .inf and .nan: no setting has a use for them, and a cost of .nan would spoil results silently."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_infinite(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_infinite(inner, path)
    elif isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"configuration: {'.'.join(path)}: must be finite, not {value}")


def _refuse_unknown_names(section: Section, default: Section, path: tuple[str, ...]) -> None:
    """Refuse values that are not in the table that `Choices` refers to."""
    for name, hint in hints_of(type(section)).items():
        value, known = getattr(section, name), getattr(default, name)
        if isinstance(value, Section):
            _refuse_unknown_names(value, known, (*path, name))
        elif value != known and value is not None:
            for choices in choices_of(hint):
                _refuse_unknown_name(value, choices, ".".join((*path, name)))


def _refuse_unknown_name(value: str | tuple[str, ...], choices: Choices, key: str) -> None:
    names = [*choices.also, *names_in(choices.table)]
    allowed = [*names, "module:function"] if choices.functions else names
    for name in [value] if isinstance(value, str) else value:
        is_function = choices.functions and re.fullmatch(FUNCTION_PATTERN, name)
        if name not in names and not is_function:
            meant = difflib.get_close_matches(name, names, n=1)
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
    for name, hint in hints_of(section).items():
        yield ".".join((*path, name))
        if isinstance(hint, type) and issubclass(hint, Section):
            yield from _keys(hint, (*path, name))


def _explain(error: str, values: Mapping[str, Any]) -> str:
    """Say what msgspec's error says in words: the key's path first, what is allowed and what was given last."""
    path = error.partition(" - at `$.")[2].rstrip("`")
    key = re.sub(r"\[[^\]]*\]", "", path)  # label.dates[0] is explained as label.dates
    value: Any = values
    for part in key.split("."):
        value = value[part]
    allowed = documented_keys()[key].allowed
    given = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else yaml_text(value)
    if len(given) > _LONGEST_QUOTE:
        given = f"{given[:_LONGEST_QUOTE]}..."
    number = isinstance(value, int | float) and not isinstance(value, bool)
    hint = f"; put it in quotes, as '\"{given}\"' in a shell" if allowed.startswith("text") and number else ""
    return f"configuration: {key}: must be {allowed}, not {given}{hint}"
