"""Reading YAML strictly: numbers as in YAML 1.2, no duplicate keys, and errors of one line."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.constructor import ConstructorError

# YAML 1.1, which PyYAML reads, requires a point and a sign (1.0e-3). YAML 1.2 and people write 1e-3.
_FLOAT = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)[eE][-+]?\d+$")


class InvalidYamlError(ValueError):
    """A text is not valid YAML; the message reads ``line 3, column 5: what is wrong``."""


def parse_yaml(text: str) -> Any:
    """Parse one YAML document.

    Parameters
    ----------
    text : str
        The document; an empty one is allowed.

    Returns
    -------
    Any
        Dictionaries, lists, strings, numbers, booleans, dates and None.

    Raises
    ------
    InvalidYamlError
        For a syntax error, a duplicate key, or a date that does not exist.

    Examples
    --------
    >>> parse_yaml("{learning_rate: 1e-3}")
    {'learning_rate': 0.001}
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        advice = "; indent with spaces" if r"'\t'" in problem else ""
        raise InvalidYamlError(f"{where}{problem}{advice}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InvalidYamlError(f"line {line}: holds a control character, U+{error.character:04X}") from None
    except RecursionError:
        raise InvalidYamlError("nested too deeply") from None


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a duplicate key; PyYAML would let the last one win."""
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                first = lines.get((key.tag, key.value))
                if first is not None:
                    raise ConstructorError(
                        None, None, f"key {key.value} is already in line {first}; keep one", key.start_mark
                    )
                lines[key.tag, key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Turn the ValueError that PyYAML raises for a date such as 1997-02-30 into a YAML error with its place."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as error:
            raise ConstructorError(None, None, f"{node.value:.40}: {error}", node.start_mark) from None


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
