"""Reading a sweep file: its keys and their types. What the swept keys mean is checked in `plan`."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from enron_triage.config.strict_yaml import InvalidYamlError, parse_yaml
from enron_triage.config.types import PositiveInt
from enron_triage.errors import UsageError, cause_of
from enron_triage.pipeline import STAGES
from enron_triage.runtime.extras import install_command
from enron_triage.sweep.search_space import (
    SAMPLERS,
    Choice,
    GridSearch,
    OptunaSearch,
    RandomSearch,
    Range,
    Search,
    Space,
    combinations,
)

Keys = TypeVar("Keys", bound=msgspec.Struct)

TRAINING_STAGES = tuple(name for name, stage in STAGES.items() if stage.number is not None)

# The metrics of validation that can rank trials, and whether the lowest is best.
METRICS: dict[str, bool] = {
    "loss": True,
    "macro_f1": False,
    "accuracy": False,
    "balanced_accuracy": False,
    "mean_reward": False,
    "reply_auc": False,
}


class _Random(msgspec.Struct, kw_only=True):
    trials: PositiveInt
    space: dict[str, Any]
    seed: int = 42


class _Optuna(_Random, kw_only=True):
    sampler: str = "tpe"


class _Range(msgspec.Struct, kw_only=True):
    low: float
    high: float
    log: bool = False
    integer: bool = msgspec.field(name="int", default=False)


class _Keys(msgspec.Struct, kw_only=True):
    config: list[str] = []
    set: dict[str, Any] = {}
    grid: dict[str, Any] | None = None
    random: dict[str, Any] | None = None
    optuna: dict[str, Any] | None = None
    stages: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("sft",)
    metric: str | None = None
    parallel: PositiveInt | None = None


class SweepFile(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep as its file describes it.

    Attributes
    ----------
    path : Path
        The file, whose name without its suffix is the name of the sweep.
    config : tuple of Path
        Configuration files below everything else.
    fixed : dict
        The keys that all trials have.
    kind : str
        A name of `SEARCHES`.
    search : Search
        What is tried.
    stages : tuple of str
        The training stages of a trial, in order.
    metric : str or None
        A name of `METRICS`; without it, what the last stage selects by.
    parallel : int or None
        How many trials are trained at a time.
    """

    path: Path
    config: tuple[Path, ...]
    fixed: dict[str, Any]
    kind: str
    search: Search
    stages: tuple[str, ...]
    metric: str | None
    parallel: int | None

    @property
    def name(self) -> str:
        """The name of the sweep."""
        return self.path.stem


def read_sweep(path: Path) -> SweepFile:
    """Read and check a sweep file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    UsageError
        If it cannot be read, a key is unknown, or a value is not allowed.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", path.stem):
        raise UsageError(f"sweep {path}: its name begins the names of its runs; use letters, digits, _, - and .")
    keys = _convert(path, "", _read(path), _Keys)
    kinds = [name for name in SEARCHES if getattr(keys, name) is not None]
    if len(kinds) != 1:
        found = f"has {' and '.join(kinds)}" if kinds else "does not say what to try"
        raise UsageError(f"sweep {path}: {found}; give exactly one of {', '.join(SEARCHES)}")
    for stage in keys.stages:
        _check_name(path, "stages", stage, TRAINING_STAGES)
    if keys.metric is not None:
        _check_name(path, "metric", keys.metric, METRICS)
    return SweepFile(
        path=path,
        config=tuple(path.parent / name if (path.parent / name).is_file() else Path(name) for name in keys.config),
        fixed=keys.set,
        kind=kinds[0],
        search=SEARCHES[kinds[0]](path, getattr(keys, kinds[0])),
        stages=keys.stages,
        metric=keys.metric,
        parallel=keys.parallel,
    )


def _grid(path: Path, values: dict[str, Any]) -> Search:
    space = _space(path, "grid", values)
    for key, dimension in space.items():
        if isinstance(dimension, Range):
            raise UsageError(f"sweep {path}: grid.{key}: must be a list of values; a range is for random and optuna")
    return GridSearch(space)


def _random(path: Path, values: dict[str, Any]) -> Search:
    keys = _convert(path, "random", values, _Random)
    return RandomSearch(_large_enough(path, "random", keys), keys.trials, keys.seed)


def _optuna(path: Path, values: dict[str, Any]) -> Search:
    keys = _convert(path, "optuna", values, _Optuna)
    _check_name(path, "optuna.sampler", keys.sampler, SAMPLERS)
    try:
        import optuna  # noqa: F401 - only to see whether it is there
    except ImportError:
        raise UsageError(f"sweep {path}: optuna: needs Optuna; run {install_command('optuna')}") from None
    return OptunaSearch(_large_enough(path, "optuna", keys), keys.trials, keys.seed, keys.sampler)


SEARCHES: dict[str, Callable[[Path, dict[str, Any]], Search]] = {
    "grid": _grid,
    "random": _random,
    "optuna": _optuna,
}


def _large_enough(path: Path, kind: str, keys: _Random) -> Space:
    """The space, which must have as many different trials as are asked for."""
    space = _space(path, f"{kind}.space", keys.space)
    size = combinations(space)
    if size is not None and size < keys.trials:
        raise UsageError(
            f"sweep {path}: {kind}.trials: {keys.trials} is more than the {size} combinations of the space; use a grid"
        )
    return space


def _space(path: Path, where: str, values: dict[str, Any]) -> Space:
    if not values:
        raise UsageError(f"sweep {path}: {where}: names no key to vary")
    return {key: _dimension(path, f"{where}.{key}", value) for key, value in values.items()}


def _dimension(path: Path, where: str, value: Any) -> Choice | Range:
    if isinstance(value, list) and value:
        return Choice(values=tuple(value))
    if not isinstance(value, dict):
        problem = "is an empty list" if value == [] else "must be a list of values"
        raise UsageError(f"sweep {path}: {where}: {problem}; write for example [1e-3, 3e-4]")
    keys = _convert(path, where, value, _Range)
    numbers = (keys.low, keys.high)
    if not all(map(math.isfinite, numbers)) or keys.low >= keys.high:
        raise UsageError(f"sweep {path}: {where}: low must be less than high, and both finite")
    if keys.log and keys.low <= 0:
        raise UsageError(f"sweep {path}: {where}: with log, low must be more than 0")
    if keys.integer and not all(number.is_integer() for number in numbers):
        raise UsageError(f"sweep {path}: {where}: with int, low and high must be whole numbers")
    return Range(low=keys.low, high=keys.high, log=keys.log, integer=keys.integer)


def _read(path: Path) -> Any:
    try:
        return parse_yaml(path.read_text(encoding="utf-8")) or {}
    except UnicodeDecodeError:
        raise UsageError(f"sweep {path}: is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"sweep {path}: cannot be read: {cause_of(error)}; name a YAML file") from None
    except InvalidYamlError as error:
        raise UsageError(f"sweep {path}: not valid YAML: {error}") from None


def _convert(path: Path, where: str, values: Any, keys: type[Keys]) -> Keys:
    """Check names and types of the keys at one place of the file."""
    place = f"sweep {path}: {where}" if where else f"sweep {path}"
    if not isinstance(values, Mapping):
        raise UsageError(f"{place}: must hold keys and values, not a {type(values).__name__}")
    allowed = keys.__struct_encode_fields__
    for key in values:
        if key not in allowed:
            meant = difflib.get_close_matches(str(key), allowed, n=1)
            hint = f"did you mean {meant[0]}? " if meant else ""
            raise UsageError(f"{place}: {key}: unknown key; {hint}allowed here: {', '.join(allowed)}")
    try:
        return msgspec.convert(values, keys)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$")
        text = message.replace("`array`", "list").replace("object", "section").replace("`", "").replace(" | null", "")
        key = at.rstrip("`").lstrip(".")
        raise UsageError(f"{place}{f': {key}' if key else ''}: {text.replace(', got', ' but got')}") from None


def _check_name(path: Path, where: str, name: str, allowed: Mapping[str, Any] | tuple[str, ...]) -> None:
    if name not in allowed:
        raise UsageError(f"sweep {path}: {where}: unknown name {name!r}; allowed: {', '.join(allowed)}")
