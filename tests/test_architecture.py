"""What CONTRIBUTING.md promises of the code's form: sizes, and a sentence for every public parameter."""

import ast
import re
from pathlib import Path

import pytest

import enron_triage

PACKAGE = Path(enron_triage.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 40  # its docstring does not count
# Longer for a reason, which is given here.
LONG_FUNCTIONS: dict[str, str] = {}


def functions_of(tree, public=False):
    """Functions and methods with their qualified names."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not (public and node.name.startswith("_")):
            yield node.name, node
        elif isinstance(node, ast.ClassDef) and not (public and node.name.startswith("_")):
            for name, method in functions_of(node, public):
                yield f"{node.name}.{name}", method


def code_lines(function):
    """How many lines a function has, from its signature to its end, without its docstring."""
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def undescribed(parameters, docstring):
    """The parameters that no sentence of a numpydoc section describes."""
    described = set()
    lines = (docstring or "").splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        names = re.match(r"([*\w]+(?:, [*\w]+)*)(?: : .*)?$", line)
        if names and re.match(r" {4,}\S", following):
            described.update(name.lstrip("*") for name in names[1].split(", "))
    return [name for name in parameters if name not in described]


def parameters_of(function):
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    names = [argument.arg for argument in every] + [a.arg for a in (arguments.vararg, arguments.kwarg) if a]
    return [name for name in names if name not in ("self", "cls")]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_and_its_functions_are_short(module):
    text = module.read_text()
    assert len(text.splitlines()) <= MAX_MODULE_LINES
    lengths = {name: code_lines(function) for name, function in functions_of(ast.parse(text))}
    long = {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES and name not in LONG_FUNCTIONS}
    assert not long


def promised_methods():
    """The methods of protocols and abstract classes; what implements one need not describe its parameters again."""
    for module in MODULES:
        for node in ast.parse(module.read_text()).body:
            bases = {ast.unparse(base).partition("[")[0] for base in getattr(node, "bases", [])}
            if isinstance(node, ast.ClassDef) and {"Protocol", "ABC"} & bases:
                yield from ((node.name, method.name) for method in node.body if isinstance(method, ast.FunctionDef))


PROMISED = set(promised_methods())


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_public_parameter_has_a_sentence(module):
    missing = {}
    for name, function in functions_of(ast.parse(module.read_text()), public=True):
        owner, _, method = name.rpartition(".")
        implements = any(method == promised and owner != protocol for protocol, promised in PROMISED)
        found = undescribed(parameters_of(function), ast.get_docstring(function))
        if found and not implements:
            missing[name] = found
    assert not missing
