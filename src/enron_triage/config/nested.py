"""Nested plain values, such as a configuration in JSON: merging them, and finding differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge(base: dict[str, Any], top: Mapping[str, Any]) -> None:
    """Put values over others, in place; sections are merged key by key.

    Parameters
    ----------
    base : dict
        Takes the values.
    top : mapping
        The values, which win.

    Examples
    --------
    >>> values = {"sft": {"epochs": 8, "seed": 1}}
    >>> merge(values, {"sft": {"epochs": 3}})
    >>> values
    {'sft': {'epochs': 3, 'seed': 1}}
    """
    for key, value in top.items():
        if not isinstance(value, Mapping):
            base[key] = value
        elif isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = {}
            merge(base[key], value)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values by their dotted paths.

    Parameters
    ----------
    values : mapping
        Nested plain values.
    prefix : str
        What the paths begin with.

    Examples
    --------
    >>> flatten({"seed": 42, "sft": {"epochs": 3}})
    {'seed': 42, 'sft.epochs': 3}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def changed(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The values that differ from others, nested as they were.

    Parameters
    ----------
    values, defaults : mapping
        Nested plain values; what `defaults` lacks differs.

    Examples
    --------
    >>> changed({"seed": 1, "sft": {"epochs": 3, "loss": "focal"}}, {"seed": 1, "sft": {"epochs": 8, "loss": "focal"}})
    {'sft': {'epochs': 3}}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        default = defaults.get(key)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            inner = changed(value, default)
            if inner:
                found[key] = inner
        elif key not in defaults or value != default:
            found[key] = value
    return found
