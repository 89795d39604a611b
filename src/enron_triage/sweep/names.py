"""Names for trials and swept keys: short, and the same in every call."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from enron_triage.sweep.search_space import Values

_LONGEST = 120  # characters of a run's name, which is the name of a folder


def run_name(sweep: str, values: Values) -> str:
    """The name of a trial's run: the same values give the same name in every call.

    Parameters
    ----------
    sweep : str
        The name of the sweep.
    values : dict
        Of the swept keys.

    Examples
    --------
    >>> run_name("lr", {"sft.learning_rate": 0.001, "model.hidden": [64, 32]})
    'lr-learning_rate-0.001-hidden-64x32'
    """
    names = short_names(values)
    name = "-".join([sweep, *(f"{names[key]}-{written(value)}" for key, value in values.items())])
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
    if readable == name and len(name) <= _LONGEST and not any(map(_is_nested, values.values())):
        return name
    digest = hashlib.sha256(msgspec.json.encode(values)).hexdigest()[:8]
    return f"{readable[:_LONGEST]}-{digest}"


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """The last part of each key, where no other ends in the same.

    Parameters
    ----------
    keys : iterable of str
        Dotted keys.
    """
    last = [key.rpartition(".")[2] for key in keys]
    return {key: name if last.count(name) == 1 else key for key, name in zip(keys, last, strict=True)}


def written(value: Any) -> str:
    """A value as it is shown, and stands in a name.

    Parameters
    ----------
    value : Any
        A plain JSON value.
    """
    if isinstance(value, list):
        return "x".join(map(written, value))
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _is_nested(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(inner, list) for inner in value)
