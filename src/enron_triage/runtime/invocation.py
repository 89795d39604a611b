"""How the program was called, with which code and libraries; checkpoints record this."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from enron_triage import __version__

_PACKAGE = Path(__file__).parents[1]
LIBRARIES = ("torch", "numpy", "lightgbm", "scipy")
_GIT_TIMEOUT = 5  # seconds

# What decides where files lie, what is shown and what is done again, but no result.
_FLAGS = {"-v", "--verbose", "-q", "--quiet", "--json", "--overwrite", "--force", "--dry-run", "-vq", "-qv"}
_OPTIONS = {"--data-dir", "--checkpoint-dir", "--from"}
_KEYS = {"workers", "scheduler", "tracking", "overwrite", "data_dir", "checkpoint_dir"}


def command_line() -> str:
    """The line that called the program, for a shell, without the options that decide no result.

    Returns
    -------
    str
        Such as ``triage sft --config configs/sft_weighted.yaml``; empty where the package is used as a library.
    """
    program = Path(sys.argv[0] if sys.argv else "")
    is_module = program.name == "__main__.py" and program.parent.name == _PACKAGE.name
    if program.stem not in ("triage", "triage-script") and not is_module:
        return ""
    return shlex.join(["triage", *_decisive(sys.argv[1:])])


def _decisive(arguments: Iterable[str]) -> Iterator[str]:
    """The arguments without the options that decide no result."""
    left = iter(arguments)
    for argument in left:
        option, equals, value = argument.partition("=")
        if argument in _FLAGS:
            continue
        if option in _OPTIONS:
            if not equals:
                next(left, None)
        elif option == "--set":
            assignment = value if equals else next(left, "")
            key = assignment.partition("=")[0]
            if key.partition(".")[0] not in _KEYS and key.rpartition(".")[2] != "resume":
                yield from ("--set", assignment)
        else:
            yield argument


@functools.cache
def code_commit() -> str | None:
    """The git commit of the checkout that the package lies in.

    Returns
    -------
    str or None
        The commit's name; with ``+changes`` if the package's files differ from it. None for a package that is in no
        checkout, and where git does not answer in time.
    """
    if _git("ls-files", "--error-unmatch", "__init__.py") is None:  # e.g. installed in a folder inside a checkout
        return None
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", ".")
    if commit is None or changes is None:
        return None
    return f"{commit}{'+changes' if changes else ''}"


def _git(*arguments: str) -> str | None:
    """What git says in the package's folder; None if it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(_PACKAGE), *arguments],
            capture_output=True,
            text=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=_GIT_TIMEOUT,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """The versions of what decides a result's last digits: Python, this program, libraries, and the machine.

    Returns
    -------
    dict of str to str
        By name; ``platform`` is the system, ``processor`` the name of the processor.
    """
    found = {"python": platform.python_version(), "enron_triage": __version__}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "unknown"
    return {**found, "platform": f"{platform.system()} {platform.machine()}", "processor": _processor()}


def _processor() -> str:
    """The name of the processor, such as ``Intel(R) Xeon(R) Platinum 8480+``."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
