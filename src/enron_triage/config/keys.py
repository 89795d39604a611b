"""What each key of the configuration means, from one source: the comment above the key, its type and its default.

The help of the commands, the shell completion and ``docs/configuration.md`` are made from this.
"""

from __future__ import annotations

import ast
import functools
import inspect
import json
import re
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from enron_triage.config.hints import choices_of, descriptions_of, hints_of, literals_of, names_in
from enron_triage.config.schema import Config
from enron_triage.config.types import Section

_AS_IN_THE_BASE_CLASS = re.compile(r"As in every training stage[.;] ?")
# Text that YAML reads as the same text without quotes: words, a relative path, or a duration.
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*( [A-Za-z_][\w./-]*)*|\d+(\.\d+)?[smhd]")
_NOT_TEXT = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


class DocumentedKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key of the configuration.

    Attributes
    ----------
    path : str
        The dotted path, such as ``sft.epochs``.
    default : str
        The default as YAML.
    allowed : str
        The allowed values in words.
    meaning : str
        One or more sentences.
    names : tuple of str
        The values that have names: what may be completed. Other values may be allowed, too.
    is_list : bool
        Whether the value is a list, of those names if there are any.
    nullable : bool
        Whether the value may be null.
    """

    path: str
    default: str
    allowed: str
    meaning: str
    names: tuple[str, ...] = ()
    is_list: bool = False
    nullable: bool = False


class DocumentedSection(msgspec.Struct, frozen=True, kw_only=True):
    """A section of the configuration.

    Attributes
    ----------
    path : str
        The dotted path, such as ``sft`` or ``label.folders``; empty for the top level.
    meaning : str
        One sentence.
    keys : tuple of DocumentedKey
        The keys, without those of the sections in it.
    """

    path: str
    meaning: str
    keys: tuple[DocumentedKey, ...]


@functools.cache
def documented_sections() -> Mapping[str, DocumentedSection]:
    """All sections by path, in the order of the schema; a section comes before the sections in it."""
    return {section.path: section for section in _sections(Config, Config(), "", "The keys outside of sections.")}


@functools.cache
def documented_keys() -> Mapping[str, DocumentedKey]:
    """All keys by path, in the order of the schema."""
    return {key.path: key for section in documented_sections().values() for key in section.keys}


def keys_below(path: str) -> list[DocumentedKey]:
    """The keys of a section and of the sections in it, or one key.

    Parameters
    ----------
    path : str
        The dotted path of a section or a key.
    """
    return [key for key in documented_keys().values() if key.path == path or key.path.startswith(f"{path}.")]


def yaml_text(value: Any) -> str:
    """A plain value as YAML in one line.

    Parameters
    ----------
    value : Any
        What a configuration holds: text, numbers, dates, booleans, None, lists and dictionaries of them.

    Examples
    --------
    >>> yaml_text(("inbox", "", 0.5, None, True))
    '[inbox, "", 0.5, null, true]'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{yaml_text(key)}: {yaml_text(of_key)}" for key, of_key in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(yaml_text, value)) + "]"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT
        return value if plain else "".join(map(_escaped, json.dumps(value, ensure_ascii=False)))
    return json.dumps(value) if value is None or isinstance(value, bool | int | float) else str(value)


def _escaped(character: str) -> str:
    """A character of a text in quotes, as an escape if YAML does not allow it or would take it for a line break."""
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"


def _sections(section: type, defaults: Section, path: str, meaning: str) -> Iterator[DocumentedSection]:
    keys: list[DocumentedKey] = []
    inner: list[tuple[type, Section, str, str]] = []
    for name, hint in hints_of(section).items():
        default, sentence = getattr(defaults, name), _meaning(section, name)
        below = f"{path}.{name}" if path else name
        if isinstance(default, Section):
            inner.append((hint, default, below, sentence))
        else:
            keys.append(_key(below, hint, default, sentence))
    yield DocumentedSection(path=path, meaning=meaning, keys=tuple(keys))
    for arguments in inner:
        yield from _sections(*arguments)


def _key(path: str, hint: Any, default: Any, meaning: str) -> DocumentedKey:
    nullable = types.NoneType in typing.get_args(hint)
    if nullable:
        hint = typing.Union[tuple(each for each in typing.get_args(hint) if each is not types.NoneType)]  # noqa: UP007
    return DocumentedKey(
        path=path,
        default=yaml_text(default),
        allowed=_allowed(hint, nullable=nullable),
        meaning=meaning,
        names=tuple(_names(hint)),
        is_list=isinstance(default, tuple),
        nullable=nullable,
    )


def _names(hint: Any) -> Iterator[str]:
    """The values with names: those of a table, literal ones, true and false."""
    for choices in choices_of(hint):
        yield from (*choices.also, *names_in(choices.table), *(["module:function"] if choices.functions else []))
    yield from (str(value) for value in literals_of(hint))
    if hint is bool:
        yield from ("true", "false")


def _allowed(hint: Any, *, nullable: bool) -> str:
    """The allowed values in words."""
    names = list(_names(hint))
    words = next(iter(descriptions_of(hint)), None)
    if words is None and _plain_type(hint) is tuple:
        words = _list_in_words(hint, names)
    elif words is None and names:
        return _either([*names, "null"] if nullable else names)
    words = words or _in_words(hint)
    return f"{words}, or null" if nullable else words


def _list_in_words(hint: Any, names: list[str]) -> str:
    """How many values a list may hold, and which."""
    items = typing.get_args(hint.__origin__ if typing.get_origin(hint) is Annotated else hint)
    if items[-1] is not Ellipsis:
        return f"a list of {len(items)}, each {_in_words(items[0])}"
    count = "one or more" if _limit(hint, "min_length") else "any length"
    return f"a list of {count}, each {_either(names) if names else _in_words(items[0])}"


def _in_words(hint: Any) -> str:
    """What numbers, or text, a type allows."""
    kind = _plain_type(hint)
    if kind not in (int, float):
        return "text"
    words = "a whole number" if kind is int else "a number"
    lowest, above, highest, below = (_limit(hint, name) for name in ("ge", "gt", "le", "lt"))
    if above is not None:
        words += f" above {above}"
    if lowest is not None:
        words += f" of at least {lowest}" if highest is None and below is None else f" from {lowest}"
    if highest is not None:
        words += f" to {highest}" if lowest is not None else f" up to {highest}"
    elif below is not None:
        words += f" to less than {below}" if lowest is not None else f" below {below}"
    return words


def _plain_type(hint: Any) -> Any:
    """A type without its annotations and its arguments."""
    kind = hint.__origin__ if typing.get_origin(hint) is Annotated else hint
    return typing.get_origin(kind) or kind


def _limit(hint: Any, name: str) -> Any:
    """One limit of a type, such as ``ge`` or ``min_length``; None if it has none."""
    metas = hint.__metadata__ if typing.get_origin(hint) is Annotated else ()
    limits = (getattr(meta, name) for meta in metas if isinstance(meta, msgspec.Meta))
    return next((limit for limit in limits if limit is not None), None)


def _either(names: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _meaning(section: type, name: str) -> str:
    """The sentences above a key in the class that has it, with the base class's in place of a reference to them."""
    found = [comments[name] for owner in section.__mro__ if name in (comments := _comments(owner))]
    own, *inherited = found or [""]
    if match := _AS_IN_THE_BASE_CLASS.match(own):
        addition = own[match.end() :]
        return " ".join([inherited[0], *([addition[0].upper() + addition[1:]] if addition else [])])
    return own


@functools.cache
def _comments(section: type) -> dict[str, str]:
    """The comment above each key in the source of a section's class."""
    if not issubclass(section, Section):
        return {}
    lines, classes = _source(Path(inspect.getfile(section)))
    comments = {}
    for node in classes[section.__name__].body:
        if isinstance(node, ast.AnnAssign):
            first = node.lineno - 1  # of the key, counted from 0
            while lines[first - 1].lstrip().startswith("#"):
                first -= 1
            comment = (line.strip().removeprefix("#").strip() for line in lines[first : node.lineno - 1])
            comments[ast.unparse(node.target)] = " ".join(comment)
    return {name: comment for name, comment in comments.items() if comment}


@functools.cache
def _source(file: Path) -> tuple[list[str], dict[str, ast.ClassDef]]:
    text = file.read_text(encoding="utf-8")
    return text.splitlines(), {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
