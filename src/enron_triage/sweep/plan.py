"""What a sweep will train: each trial's run and configuration, all checked before any work starts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.schema import Config
from enron_triage.config.sources import ConfigSources
from enron_triage.config.strict_yaml import parse_yaml
from enron_triage.config.types import Section
from enron_triage.errors import UsageError
from enron_triage.pipeline import stage_run
from enron_triage.runtime import provenance
from enron_triage.runtime.settings import changed_settings
from enron_triage.sweep.names import run_name, written
from enron_triage.sweep.search_space import Choice, Range, Values
from enron_triage.sweep.sweep_file import METRICS, SweepFile

DATA_STAGES = ("download", "parse", "label", "split")
_SECTIONS = {"reward": "reward_model"}  # of the stages whose section has another name


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One training of a sweep.

    Attributes
    ----------
    run : str
        The name of its run, which follows from its values.
    values : dict
        Of the swept keys, as plain JSON values.
    config : Config
        Its configuration.
    """

    run: str
    values: Values
    config: Config


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep whose keys have been checked against the configuration.

    Attributes
    ----------
    file : SweepFile
        The sweep, the values of its space as the configuration understands them.
    sources : ConfigSources
        The configuration that all trials share.
    base : Config
        The same, checked.
    metric : str
        What ranks the trials.
    """

    file: SweepFile
    sources: ConfigSources
    base: Config
    metric: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The swept keys."""
        return tuple(self.file.search.space)

    def trial(self, values: Values) -> Trial:
        """The trial of some values.

        Parameters
        ----------
        values : dict
            Of the swept keys.

        Raises
        ------
        UsageError
            If they do not make a configuration together.
        """
        config = _load(self.file, self.sources, values)
        run = run_name(self.file.name, values)
        # A trial runs in one process, wherever that is; a cluster would not be reached from within itself.
        return Trial(run=run, values=values, config=msgspec.structs.replace(config, run=run, workers=1, scheduler=None))

    def evaluation_command(self, run: str) -> str:
        """How to evaluate a trial on test.

        Parameters
        ----------
        run : str
            The name of its run.
        """
        trained = {"model", "features", *(_SECTIONS.get(stage, stage) for stage in self.file.stages)}
        wanted = {"evaluate.checkpoint": f"best_{self.file.stages[-1]}", "evaluate.split": "test"}
        words = ["triage", "evaluate", *(word for file in self.sources.files for word in ("--config", str(file)))]
        kept = [override for override in self.sources.overrides if re.split(r"[.=]", override)[0] not in trained]
        kept += [f"{key}={value}" for key, value in wanted.items() if _value(self.base, key) != value]
        words += [word for override in (*kept, f"run={run}") for word in ("--set", override)]
        for key in ("data_dir", "checkpoint_dir", "device"):
            value = self.sources.top_level.get(key)
            words += [f"--{key.replace('_', '-')}", value] if value else []
        return shlex.join(words)


def make_plan(file: SweepFile, given: ConfigSources) -> Plan:
    """Check the keys of a sweep, and every value by itself.

    Parameters
    ----------
    file : SweepFile
        The sweep.
    given : ConfigSources
        The options of the command line.

    Raises
    ------
    UsageError
        If a key or a value is not allowed, is given twice, belongs to the data, or decides nothing.
    """
    for key in (*file.fixed, *file.search.space):
        if not re.fullmatch(r"\w+(\.\w+)*", key):
            raise UsageError(f"sweep {file.path}: {key}: is not a key; write for example sft.epochs")
    sources = given.below(file.config, [_override(key, value) for key, value in file.fixed.items()])
    base = _load(file, sources, {})
    _refuse_keys_given_twice(file, given)
    for key, dimension in file.search.space.items():
        file.search.space[key] = _checked(file, sources, key, dimension)
    at_once = base.scheduler is not None and file.parallel is not None and not file.search.needs_results
    if at_once:
        raise UsageError(f"sweep {file.path}: parallel: the cluster of `scheduler` decides it; leave one of them out")
    return Plan(file=file, sources=sources, base=base, metric=_metric(file, base))


def refuse_other_settings(trials: Sequence[Trial], plan: Plan) -> None:
    """Refuse to replace policies of these names that were trained with other settings.

    Parameters
    ----------
    trials : sequence of Trial
        What is going to be trained.
    plan : Plan
        The sweep.

    Raises
    ------
    UsageError
        If there is one; the message says what differs.
    """
    if plan.base.overwrite:
        return
    for trial in trials:
        for name in plan.file.stages:
            stage = stage_run(name, trial.config)
            stage.refuse_to_replace()
            for path in stage.outputs.values():
                meta = provenance.read_meta(path) if path.exists() else None
                changed = changed_settings(meta.settings, stage.settings) if meta else []
                if changed:  # more epochs, too: an extended trial cannot be compared with the others
                    raise UsageError(
                        f"{path}: trained with other settings ({'; '.join(changed[:3])}); rename the sweep file, "
                        "or remove the runs of the earlier sweep"
                    )


def _refuse_keys_given_twice(file: SweepFile, given: ConfigSources) -> None:
    """Refuse a swept key that is also fixed, in the file or on the command line, and a name for all the runs."""
    options = (override.partition("=") for override in given.overrides)
    places = {
        "set": [leaf for key, value in file.fixed.items() for leaf in _leaves(key, value)],
        "--set": [leaf for key, _, text in options for leaf in _leaves(key, parse_yaml(text))],
        "the command line": [key for key, value in given.top_level.items() if value is not None],
    }
    for place, keys in places.items():
        for key in keys:
            if key in file.search.space:
                raise UsageError(f"sweep {file.path}: {key}: is in {file.kind} and in {place}; leave one of them out")
            if key == "run":
                raise UsageError(f"sweep {file.path}: run: is in {place}; a sweep names its runs itself")


def _checked(file: SweepFile, sources: ConfigSources, key: str, dimension: Choice | Range) -> Choice | Range:
    """One dimension, its values as the configuration understands them."""
    where = f"sweep {file.path}: {file.kind}: {key}"
    if key.partition(".")[0] in DATA_STAGES:
        raise UsageError(f"{where}: changes the data, and trials must share one test set; put it into `set`")
    tried = dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high)
    if isinstance(dimension, Range) and dimension.integer:
        tried = tuple(map(int, tried))
    configs = [_load(file, sources, {key: value}) for value in tried]
    if isinstance(_value(configs[0], key), Section):
        raise UsageError(f"{where}: is a section; name a key in it")
    data = [[stage_run(stage, config).settings for stage in DATA_STAGES] for config in configs]
    if any(settings != data[0] for settings in data):
        raise UsageError(f"{where}: changes the data, and trials must share one test set; put it into `set`")
    values = [provenance.to_builtins(_value(config, key)) for config in configs]
    for number, value in enumerate(values):
        if value in values[:number]:
            raise UsageError(f"{where}: {written(value)} is listed twice")
    training = [[stage_run(stage, config).settings for stage in file.stages] for config in configs]
    if len(training) > 1 and all(settings == training[0] for settings in training):
        raise UsageError(
            f"{where}: has no effect in {', '.join(file.stages)}; leave it out, or add its stage to `stages`"
        )
    return Choice(values=tuple(values)) if isinstance(dimension, Choice) else dimension


def _metric(file: SweepFile, base: Config) -> str:
    stage = file.stages[-1]
    section = _SECTIONS.get(stage, stage)
    if file.metric is None and f"{section}.select_by" in file.search.space:
        raise UsageError(f"sweep {file.path}: metric: is needed where select_by is tried; one of {', '.join(METRICS)}")
    selected: str = getattr(base, section).select_by
    if file.metric is None and selected == "last":
        raise UsageError(
            f"sweep {file.path}: metric: is needed with {section}.select_by last; one of {', '.join(METRICS)}"
        )
    return file.metric or selected


def _load(file: SweepFile, sources: ConfigSources, values: Mapping[str, Any]) -> Config:
    try:
        return sources.load(*(_override(key, value) for key, value in values.items()))
    except UsageError as error:
        tried = ", ".join(_override(key, value) for key, value in values.items())
        where = f"{file.kind}: {tried}" if tried else "its configuration"
        raise UsageError(f"sweep {file.path}: {where}: {str(error).removeprefix('configuration: ')}") from None


def _override(key: str, value: Any) -> str:
    return f"{key}={msgspec.json.encode(value).decode()}"  # JSON is YAML


def _value(config: Config, key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _leaves(key: str, value: Any) -> Iterable[str]:
    """The keys that a key and its value stand for: a section stands for those in it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(f"{key}.{name}", inner)
    else:
        yield key


def missing_input(trial: Trial, stages: Sequence[str]) -> Path | None:
    """A file that a trial needs, and that neither exists nor is made by a stage of it.

    Parameters
    ----------
    trial : Trial
        The trial.
    stages : sequence of str
        Its stages, in order.
    """
    made: set[Path] = set()
    for name in stages:
        stage = stage_run(name, trial.config)
        for path in stage.inputs.values():
            if path not in made and not path.exists():
                return path
        made.update(stage.outputs.values())
    return None
