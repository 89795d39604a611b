"""What the type hint of a key means: a description in words, its literal values, the table of its names."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from enron_triage.config.types import Choices


@functools.cache
def hints_of(section: type) -> Mapping[str, Any]:
    """The type hints of a section by key, with their annotations: strings in the source, which take long to evaluate.

    Parameters
    ----------
    section : type
        A class of sections.
    """
    return types.MappingProxyType(typing.get_type_hints(section, include_extras=True))


def names_in(reference: str) -> list[str]:
    """The names in the table that `Choices` refers to.

    A table whose module is not loaded is read from its source: some modules need torch, which takes a second to load
    and which the data stages do without.

    Parameters
    ----------
    reference : str
        The place of the table: ``module:NAME``.
    """
    module, _, name = reference.partition(":")
    spec = None if module in sys.modules else importlib.util.find_spec(module)
    if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
        for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.value, ast.Dict):
                continue
            keys = [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
            # Not if some key is not a literal: then only the table itself can tell.
            if ast.unparse(node.target) == name and len(keys) == len(node.value.keys):
                return [str(key) for key in keys]
    return list(table(reference))


def table(reference: str) -> Mapping[str, Any]:
    """Import the table that `Choices` refers to.

    Parameters
    ----------
    reference : str
        The place of the table: ``module:NAME``.
    """
    module, _, name = reference.partition(":")
    found: Mapping[str, Any] = getattr(importlib.import_module(module), name)
    return found


def choices_of(hint: Any) -> Iterable[Choices]:
    """The tables of names in a type hint, also in what a list holds.

    Parameters
    ----------
    hint : type
        The type hint of a key.
    """
    if typing.get_origin(hint) is Annotated:
        yield from (meta for meta in hint.__metadata__ if isinstance(meta, Choices))
    for argument in typing.get_args(hint):
        yield from choices_of(argument)


def descriptions_of(hint: Any) -> Iterable[str]:
    """The descriptions in a type hint: the allowed values in words.

    Parameters
    ----------
    hint : type
        The type hint of a key.
    """
    if typing.get_origin(hint) is Annotated:
        metas = (meta for meta in hint.__metadata__ if isinstance(meta, msgspec.Meta))
        yield from (meta.description for meta in metas if meta.description)
    elif typing.get_origin(hint) in (typing.Union, types.UnionType):
        for argument in typing.get_args(hint):
            yield from descriptions_of(argument)


def literals_of(hint: Any) -> Iterable[Any]:
    """The literal values that a type hint allows; none if it also allows others.

    Parameters
    ----------
    hint : type
        The type hint of a key.
    """
    if typing.get_origin(hint) is Literal:
        yield from typing.get_args(hint)
    elif typing.get_origin(hint) in (tuple, Annotated, typing.Union, types.UnionType):
        for argument in typing.get_args(hint):
            yield from literals_of(argument)
