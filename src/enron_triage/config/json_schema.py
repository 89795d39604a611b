"""The JSON Schema of the configuration, with which an editor checks and completes the files in ``configs/``."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any

import msgspec

from enron_triage.config.hints import choices_of, hints_of, names_in
from enron_triage.config.keys import documented_keys, documented_sections
from enron_triage.config.schema import Config
from enron_triage.config.types import FUNCTION_PATTERN, Section


def configuration_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a configuration file.

    It has what the types say, the meaning of every key, and the names that a key may have where they come from a table.

    Returns
    -------
    dict
        The schema.
    """
    schema = msgspec.json.schema(Config)
    _describe(Config, "", schema["$defs"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "enron_triage configuration",
        **schema,
    }


def _describe(section: type, path: str, definitions: dict[str, Any]) -> None:
    """Add to a section's definition, and to those of the sections in it."""
    definition = definitions[section.__name__]
    definition["description"] = documented_sections()[path].meaning
    for name, hint in hints_of(section).items():
        key, value = f"{path}.{name}" if path else name, definition["properties"][name]
        if isinstance(hint, type) and issubclass(hint, Section):
            value.pop("default", None)  # its own keys have theirs
            _describe(hint, key, definitions)
        else:
            _add_names(value, hint)
            value["description"] = documented_keys()[key].meaning


def _add_names(schema: dict[str, Any], hint: Any) -> None:
    """Restrict a value, or those of a list, to the names in the table that its type refers to."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        for branch, inner in zip(schema["anyOf"], typing.get_args(hint), strict=True):
            _add_names(branch, inner)
    elif typing.get_origin(hint) is tuple:
        if "items" in schema and typing.get_args(hint)[-1] is Ellipsis:
            _add_names(schema["items"], typing.get_args(hint)[0])
    elif typing.get_origin(hint) is Annotated:
        for choices in choices_of(hint) if hint.__origin__ is str else ():
            schema["enum"] = [*choices.also, *names_in(choices.table)]
            if choices.functions:
                schema["anyOf"] = [{"enum": schema.pop("enum")}, {"pattern": f"^{FUNCTION_PATTERN}$"}]
        _add_names(schema, hint.__origin__)
