"""Showing a configuration as YAML with the source of each value, and the differences between two configurations."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from enron_triage.config.keys import documented_keys, documented_sections, yaml_text
from enron_triage.config.schema import Config
from enron_triage.config.types import Section
from enron_triage.errors import UsageError

_WIDTH = 100  # columns; a list of lists that is longer gets a line for each of its rows


def key_values(config: Section, path: str = "") -> dict[str, Any]:
    """The value of every key.

    Parameters
    ----------
    config : Section
        The whole configuration, or a section of it.
    path : str
        The section's dotted path; empty for the whole configuration.

    Returns
    -------
    dict
        By dotted path, such as ``sft.epochs``, in the order of the schema.
    """
    values: dict[str, Any] = {}
    for name in config.__struct_fields__:
        value, key = getattr(config, name), f"{path}.{name}" if path else name
        if isinstance(value, Section):
            values |= key_values(value, key)
        else:
            values[key] = value
    return values


def differing_keys(one: Config, other: Config) -> dict[str, tuple[Any, Any]]:
    """The keys in which two configurations differ.

    Parameters
    ----------
    one, other : Config
        The configurations.

    Returns
    -------
    dict
        By dotted path, the two values.
    """
    others = key_values(other)
    return {key: (value, others[key]) for key, value in key_values(one).items() if value != others[key]}


def origins_of_all(config: Config, given: Mapping[str, str]) -> dict[str, str]:
    """Where each value that does not come from the defaults comes from.

    Parameters
    ----------
    config : Config
        The whole configuration.
    given : mapping
        Where the values that were given come from; see `merging.Sources.origins`.

    Returns
    -------
    dict
        By dotted path, in the order of the schema.
    """
    # A value that is a mapping itself, such as label.owner, is given by its parts.
    keys = list(key_values(config))
    of_parts = {key: where for part, where in given.items() for key in keys if part.startswith(f"{key}.")}
    given = of_parts | dict(given)
    derived = differing_keys(config, Config()).keys() - given.keys()  # the feature groups that a label scheme allows
    return {key: given.get(key, "follows from label.scheme") for key in keys if key in given or key in derived}


def as_yaml(config: Config, origins: Mapping[str, str], part: str = "") -> str:
    """A configuration as YAML, which gives the same configuration when it is read.

    Parameters
    ----------
    config : Config
        The whole configuration.
    origins : mapping
        By dotted path, what the comment after a value says.
    part : str
        The dotted path of a section or a key, to show only that; empty to show all.

    Returns
    -------
    str
        Lines, the last of which ends without a line break.

    Raises
    ------
    UsageError
        If there is no such section or key.
    """
    lines: list[str] = []
    above: tuple[str, ...] = ()
    for key, value in chosen_values(config, part).items():
        *sections, name = key.split(".")
        for depth, section in enumerate(sections):
            if above[: depth + 1] != tuple(sections[: depth + 1]):
                lines.append(f"{'  ' * depth}{section}:")
        above = tuple(sections)
        lines += _entry(name, value, indent="  " * len(sections), comment=origins.get(key))
    return "\n".join(lines)


def chosen_values(config: Config, part: str) -> dict[str, Any]:
    """The values of a section, of one key, or of all keys.

    Parameters
    ----------
    config : Config
        The whole configuration.
    part : str
        The dotted path of a section or a key; empty for all.

    Returns
    -------
    dict
        By dotted path.

    Raises
    ------
    UsageError
        If there is no such section or key.
    """
    values = key_values(config)
    if not part:
        return values
    chosen = {key: value for key, value in values.items() if key == part or key.startswith(f"{part}.")}
    if not chosen:
        sections = [path for path in documented_sections() if path]
        meant = difflib.get_close_matches(part, [*sections, *documented_keys()], n=1)
        hint = f"did you mean {meant[0]}? " if meant else ""
        raise UsageError(f"configuration: {part}: no such section or key; {hint}sections: {', '.join(sections)}")
    return chosen


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted path as sections within sections.

    Parameters
    ----------
    values : mapping
        By dotted path.

    Returns
    -------
    dict
        Nested, as a configuration file has them.

    Examples
    --------
    >>> nested({"seed": 1, "sft.epochs": 3})
    {'seed': 1, 'sft': {'epochs': 3}}
    """
    whole: dict[str, Any] = {}
    for key, value in values.items():
        *sections, name = key.split(".")
        inner = whole
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[name] = value
    return whole


def _entry(name: str, value: Any, indent: str, comment: str | None) -> Iterator[str]:
    note = f" # {''.join(each if each.isprintable() else '?' for each in comment)}" if comment else ""
    text = yaml_text(value)
    if isinstance(value, tuple) and isinstance(value[0] if value else None, tuple) and len(text) > _WIDTH:
        yield f"{indent}{name}:{note}"
        yield from (f"{indent}  - {yaml_text(row)}" for row in value)
    else:
        yield f"{indent}{name}: {text}{note}"
