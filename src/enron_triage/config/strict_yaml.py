"""Reading YAML 1.2 strictly: no duplicate keys, and errors of one line."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError


class InvalidYamlError(ValueError):
    """A text is not valid YAML; the message reads ``line 3, column 5: what is wrong``."""


def parse_yaml(text: str) -> Any:
    """Parse one YAML 1.2 document.

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
    >>> parse_yaml("{learning_rate: 1e-3, time: 1:30, run: on, seed: 012}")
    {'learning_rate': 0.001, 'time': '1:30', 'run': 'on', 'seed': 12}
    """
    yaml = YAML(typ="safe", pure=True)  # the pure parser is the one that knows YAML 1.2
    yaml.Constructor = _StrictConstructor
    try:
        return yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        advice = "; indent with spaces" if r"'\t'" in problem else ""
        raise InvalidYamlError(f"{where}{problem}{advice}") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InvalidYamlError(f"line {line}: holds a control character, U+{error.character:04X}") from None
    except RecursionError:
        raise InvalidYamlError("nested too deeply") from None


class _StrictConstructor(SafeConstructor):
    def construct_document(self, node: Node) -> Any:
        """Refuse a duplicate key anywhere in the document, also beside a merge key, where the last one would win."""
        _check(node, above=set(), done=set())
        return super().construct_document(node)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Give the error for a value that does not exist, such as the date 1997-02-30, its place."""
        try:
            return super().construct_object(node, deep)
        except (LookupError, ValueError, OverflowError) as error:
            raise ConstructorError(None, None, f"{node.value!s:.40}: {error}", node.start_mark) from None


def _check(node: Node, above: set[int], done: set[int]) -> None:
    """Refuse duplicate keys, and an alias inside what it refers to.

    `above` are the nodes that hold this one, `done` those that were checked already, as what an alias stands for.
    """
    if id(node) in above:
        raise ConstructorError(None, None, "an alias inside what it refers to", node.start_mark)
    if id(node) in done:
        return
    above.add(id(node))
    if isinstance(node, MappingNode):
        _refuse_duplicates(node)
        for inner in (part for pair in node.value for part in pair):
            _check(inner, above, done)
    elif isinstance(node, SequenceNode):
        for inner in node.value:
            _check(inner, above, done)
    above.remove(id(node))
    done.add(id(node))


def _refuse_duplicates(mapping: MappingNode) -> None:
    lines: dict[tuple[str | None, str], int] = {}
    for key, _ in mapping.value:
        if isinstance(key, ScalarNode):
            first = lines.get((key.tag, key.value))
            if first is not None:
                problem = f"key {key.value} is already in line {first}; keep one"
                raise ConstructorError(None, None, problem, key.start_mark)
            lines[key.tag, key.value] = key.start_mark.line + 1
