"""The code that makes an artifact: a digest of each module that a stage's module imports, directly or indirectly.

Two states of a module have the same digest if they differ only in comments, docstrings and layout. The modules are
read, not imported, so that nothing is loaded for it. Parsing them all would take as long as the rest of
``triage status``, so that what was found in each is kept where Python keeps compiled code, for as long as its bytes are
the same.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

import enron_triage

_PACKAGE = enron_triage.__name__
_ROOT = Path(enron_triage.__file__).parent
_KNOWN = Path(importlib.util.cache_from_source(__file__)).with_suffix(".json")  # `_Known` by module

_DECISIVE = ("config.types",)  # in spite of what follows: it turns durations into seconds
# Left out, with the modules in them: they move settings, files and messages to people, and decide no result. What the
# configuration decides, the settings tell.
_NOT_DECISIVE = (
    "cli",
    "config",
    "errors",
    "pipeline",
    "policy.origin",
    "runtime.code_digest",
    "runtime.file_states",
    "runtime.imports",
    "runtime.input_changes",
    "runtime.invocation",
    "runtime.lineage",
    "runtime.locks",
    "runtime.progress",
    "runtime.provenance",
    "runtime.settings",
    "runtime.tensor_cache",
    "runtime.threads",
    "runtime.together",
    "stage_run",
    "training.loggers",
    "training.origins",
    "training.trackers",
)


def module_digests(module: str) -> dict[str, str]:
    """The digest of a module and of every module of the program below it.

    Parameters
    ----------
    module : str
        The full name of a module of the program, such as ``enron_triage.labels.label``.

    Returns
    -------
    dict of str to str
        By name without the program's own, such as ``labels.label``, in alphabetical order: 12 hexadecimal digits each.
    """
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        short = name.removeprefix(f"{_PACKAGE}.")
        if short in found or not _is_decisive(short) or not _file(name).is_file():
            continue
        found[short], imported = _parsed(name)
        waiting += imported
    _keep()
    return dict(sorted(found.items()))


def code_digest(module: str) -> str:
    """One digest of a module and of every module of the program below it.

    Parameters
    ----------
    module : str
        The full name of a module of the program.

    Returns
    -------
    str
        A SHA-256 in hexadecimal digits.
    """
    return hashlib.sha256(repr(module_digests(module)).encode()).hexdigest()


@functools.cache
def _is_decisive(name: str) -> bool:
    is_left_out = any(name == left or name.startswith(f"{left}.") for left in _NOT_DECISIVE)
    return name in _DECISIVE or not is_left_out


class _Known(msgspec.Struct, array_like=True):
    """What was found in a module: of which bytes, its digest, and what it imports of the program."""

    source: str
    digest: str
    imported: list[str]


@functools.cache
def _known() -> dict[str, _Known]:
    """What earlier processes have kept, by module; empty if they could not."""
    try:
        return msgspec.json.decode(_KNOWN.read_bytes(), type=dict[str, _Known])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


_new: set[str] = set()  # the modules of `_known()` that are not in its file


def _keep() -> None:
    """Keep what was found for later processes, where Python keeps compiled code."""
    if not _new:
        return
    _new.clear()
    temporary = _KNOWN.with_suffix(f".{os.getpid()}")
    try:
        _KNOWN.parent.mkdir(exist_ok=True)
        temporary.write_bytes(msgspec.json.encode(_known()))
        temporary.replace(_KNOWN)
    except OSError:  # an installation that one may not write to
        with contextlib.suppress(OSError):
            temporary.unlink()


@functools.cache
def _own_source() -> bytes:
    return Path(__file__).read_bytes()


@functools.cache
def _parsed(name: str) -> tuple[str, list[str]]:
    """A module's digest, and what it imports of the program: modules, and names that may be modules."""
    file = _file(name)
    content = file.read_bytes()
    source = hashlib.sha256(b"\0".join([_own_source(), file.name.encode(), content])).hexdigest()
    known = _known().get(name)
    if known is None or known.source != source:
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        known = _known()[name] = _Known(source, *_found(ast.parse(content), package))
        _new.add(name)
    return known.digest, known.imported


def _found(tree: ast.Module, package: str) -> tuple[str, list[str]]:
    imported: dict[str, None] = {}
    for node in ast.walk(tree):
        imported |= dict.fromkeys(_imports(node, package))
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:12], list(imported)


def _imports(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
        # What is imported from a package may be one of its modules.
        names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
    else:
        return
    yield from (name for name in names if name.startswith(f"{_PACKAGE}."))


def _file(name: str) -> Path:
    return _file_below(_ROOT, name)


@functools.cache
def _file_below(root: Path, name: str) -> Path:
    path = root.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
