"""Shell completion: keys and values of ``--set``, configurations, devices and checkpoints.

Each function gets what is typed so far and gives the whole words that it may become, with what they mean.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer

from enron_triage.config.keys import DocumentedKey, documented_keys
from enron_triage.config.load import load_config
from enron_triage.config.schema import Config
from enron_triage.config.shipped import shipped_files
from enron_triage.errors import TriageError

Completions = list[tuple[str, str]]  # a word, and what it means

_BEFORE = "_TRIAGE_COMPLETE_BEFORE"  # what bash has cut off from the word that is typed
_CHECKPOINT_KEYS = ("checkpoint", "init", "reward")  # last parts of the keys that name one
_DEVICES = ("auto", "cpu", "cuda", "mps")


def join_words() -> None:
    """Undo that bash ends a word at = and at :, before `typer` reads the words from the environment.

    ``--set sft.loss=fo`` comes as ``--set``, ``sft.loss``, ``=`` and ``fo``, and bash replaces ``fo`` alone.
    """
    if os.environ.get("_TRIAGE_COMPLETE") != "complete_bash":
        return
    cursor = int(os.environ["COMP_CWORD"])
    joined: list[str] = []
    goes_on = False
    for word in os.environ["COMP_WORDS"].split("\n")[: cursor + 1]:
        ends = bool(joined and word) and not word.strip("=:")
        if ends and joined[-1].startswith("-"):  # the = of --option=value
            joined.append("")
        elif ends or (goes_on and word and not word.startswith("--")):
            joined[-1] += word
        else:
            joined.append(word)
        goes_on = ends
    last = joined.pop()
    cut = 0 if last.startswith(("-", '"', "'")) else max(last.rfind("="), last.rfind(":")) + 1
    os.environ["COMP_WORDS"] = "\n".join([*joined, last[cut:]])
    os.environ["COMP_CWORD"] = str(len(joined))
    os.environ[_BEFORE] = last[:cut]


def complete_setting(context: typer.Context, incomplete: str) -> Completions:
    """Complete ``KEY=VALUE`` of ``--set``.

    Parameters
    ----------
    context : Context
        The options that are typed already.
    incomplete : str
        What is typed of the word.
    """
    typed = os.environ.get(_BEFORE, "") + incomplete
    path, equals, _ = typed.partition("=")
    keys = documented_keys()
    if equals:
        key = keys.get(path)
        return _completed(typed, ((word, "") for word in (_values(context, key, typed) if key else ())), incomplete)
    found = [key for key in keys.values() if key.path.startswith(path)]
    words = [(f"{key.path}=", key.meaning) for key in found]
    if len(found) == 1:  # with a second word, the shell does not put a space after the =
        values = [*_values(context, found[0], words[0][0]), f"{found[0].path}={found[0].default}"]
        words += [(word, "") for word in dict.fromkeys(values)]
    return _completed(typed, words, incomplete)


def complete_checkpoint(context: typer.Context, incomplete: str) -> Completions:
    """Complete the name of a checkpoint.

    Parameters
    ----------
    context : Context
        The options that are typed already.
    incomplete : str
        What is typed of the word.
    """
    return _completed(incomplete, ((name, "") for name in _checkpoints(context)), incomplete)


def complete_configuration(incomplete: str) -> Completions:
    """Complete the name of a shipped configuration, or the path of a file.

    Parameters
    ----------
    incomplete : str
        What is typed of the word.
    """
    folder = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    files = [file for pattern in ("*.y*ml", "*/*.y*ml") for file in sorted(folder.glob(pattern))]
    return _completed(incomplete, ((name, "") for name in [*shipped_files(), *map(str, files)]), incomplete)


def complete_device(incomplete: str) -> Completions:
    """Complete the name of a device.

    Parameters
    ----------
    incomplete : str
        What is typed of the word.
    """
    names = documented_keys()["device"].names or _DEVICES
    return _completed(incomplete, ((name, "") for name in names), incomplete)


def _completed(typed: str, words: Iterable[tuple[str, str]], incomplete: str) -> Completions:
    """The words that begin as typed, without what bash keeps; square brackets would be markup in their meaning."""
    cut = len(typed) - len(incomplete)
    return [(word[cut:], meaning.replace("[", r"\[")) for word, meaning in words if word.startswith(typed)]


def _values(context: typer.Context, key: DocumentedKey, typed: str) -> Iterator[str]:
    """``KEY=VALUE`` for the values of a key that have names."""
    names = [*key.names, *(["null"] if key.names and key.nullable else [])]
    if key.path.rpartition(".")[2] in _CHECKPOINT_KEYS:
        names += _checkpoints(context)
    start = f"{key.path}="
    if key.is_list and key.names:
        start = typed[: max(typed.rfind("["), typed.rfind(","), typed.rfind(" ")) + 1] or f"{start}["
        given = start.partition("=")[2].strip("[").split(",")
        names = [f"{name}{end}" for name in names if name not in given for end in "],"]
    yield from (f"{start}{name}" for name in names)


def _checkpoints(context: typer.Context) -> list[str]:
    """The checkpoints below the checkpoint folder: those of the run by name, all others by run and name."""
    config = _configuration(context)
    own = sorted(file.stem for file in config.checkpoints.glob("*.pt"))
    every = sorted(f"{file.parent.name}/{file.stem}" for file in Path(config.checkpoint_dir).glob("*/*.pt"))
    return [*own, *every]


def _configuration(context: typer.Context) -> Config:
    """What the options that are typed already say, as far as they are right."""
    options = context.params
    try:
        files = [Path(file) for file in options.get("config") or ()]
        return load_config(files, options.get("overrides") or (), checkpoint_dir=options.get("checkpoint_dir"))
    except TriageError:
        return Config(checkpoint_dir=options.get("checkpoint_dir") or Config().checkpoint_dir)
