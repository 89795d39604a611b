"""What code makes an artifact: a digest of each module that a stage's module imports, directly or not.

Two states of a module have the same digest if they differ only in comments, docstrings and layout. The modules are
read, not imported, so that nothing is loaded for it; a module is parsed once in a process.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import enron_triage

_PACKAGE = enron_triage.__name__
_ROOT = Path(enron_triage.__file__).parent

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
    "runtime.invocation",
    "runtime.lineage",
    "runtime.locks",
    "runtime.progress",
    "runtime.provenance",
    "runtime.settings",
    "runtime.tensor_cache",
    "runtime.threads",
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
        if short in found or not _is_decisive(short):
            continue
        found[short], imported = _parsed(name)
        waiting += imported
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


def _is_decisive(name: str) -> bool:
    is_left_out = any(name == left or name.startswith(f"{left}.") for left in _NOT_DECISIVE)
    return name in _DECISIVE or not is_left_out


@functools.cache
def _parsed(name: str) -> tuple[str, list[str]]:
    """A module's digest, and the modules of the program that it imports."""
    tree = ast.parse(_file(name).read_bytes())
    package = name if _file(name).name == "__init__.py" else name.rpartition(".")[0]
    imported = list(_imports(tree, package))
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:12], imported


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            # What is imported from a package may be one of its modules.
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.startswith(f"{_PACKAGE}.") and _file(name).is_file())


def _file(name: str) -> Path:
    path = _ROOT.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
