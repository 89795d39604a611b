"""A configuration that reproduces a checkpoint, derived from the checkpoint alone.

    triage inspect best_dpo --config > again.yaml
    triage run --config again.yaml

It lists the stages that made the data, those that trained what the checkpoint began with, its own, and ``evaluate``,
with the settings that differ from the defaults.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from enron_triage import __version__
from enron_triage.config.checking import check_config
from enron_triage.config.nested import changed, flatten, merge
from enron_triage.config.strict_yaml import parse_yaml
from enron_triage.config.training import EvaluateConfig
from enron_triage.errors import UsageError
from enron_triage.inspection.facts import Facts, differing_settings, settings_of_stages, wrapped
from enron_triage.pipeline import STAGES
from enron_triage.policy.origin import Origin, decisive_values, section_of

# The key of a stage's section that names the checkpoint of an input.
_KEYS = {"init": "init", "reward_model": "reward"}
_WIDTH = 100


class Reproduction(msgspec.Struct, kw_only=True):
    """What to run to make a checkpoint again.

    Attributes
    ----------
    values : dict
        The configuration: nested plain values, those that differ from the defaults.
    target : dict
        The whole configuration that this is to give.
    needs : list of str
        What must be there before, one sentence each.
    """

    values: dict[str, Any]
    target: dict[str, Any]
    needs: list[str]


class _Chain(msgspec.Struct):
    """The trainings that one configuration can hold, the first one first.

    Attributes
    ----------
    last : Origin
        The training of the checkpoint itself.
    digests : dict of str to str
        The SHA-256 of the checkpoint that each training is needed for, by stage.
    stages : list of str
        The trainings in order.
    names : dict
        The keys that name checkpoints of the chain, nested.
    needs : list of str
        What the chain does not make.
    """

    last: Origin
    digests: dict[str, str]
    stages: list[str] = []
    names: dict[str, Any] = {}
    needs: list[str] = []


def reproduction(facts: Facts) -> Reproduction:
    """The configuration that makes a checkpoint again.

    Parameters
    ----------
    facts : Facts
        The checkpoint.

    Raises
    ------
    UsageError
        If the checkpoint does not tell how it was made, or was made by stages or settings that this version lacks.
    """
    origin = facts.origin
    if not origin.stage:
        raise UsageError(f"{facts.path}: does not record how it was made; train again with `triage sft`")
    chain = _Chain(origin, {origin.stage: facts.sha256}, [], {}, [])
    _add(origin, chain)
    stages = [*origin.data_stages, *chain.stages, "evaluate"]
    target: dict[str, Any] = {}
    merge(target, origin.config)
    merge(target, chain.names)
    values: dict[str, Any] = {"run": origin.run} if origin.run else {}
    values["pipeline"] = {"stages": stages}
    merge(values, differing_settings(stages, target))
    evaluated = _name(facts.path, origin, chain)
    if evaluated != EvaluateConfig().checkpoint:
        merge(values, {"evaluate": {"checkpoint": evaluated}})
    return Reproduction(values=values, target=target, needs=_needs_of_data(origin) + chain.needs)


def to_yaml(facts: Facts, found: Reproduction) -> str:
    """The configuration as a file, with what one should know of it in comments.

    Parameters
    ----------
    facts : Facts
        The checkpoint.
    found : Reproduction
        What makes it again.

    Raises
    ------
    UsageError
        If the file would not say what the checkpoint says.
    """
    document = _commented(found.values)
    document.yaml_set_start_comment("\n".join(_header(facts, found)))
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    yaml.dump(document, text)
    _check(facts, found, text.getvalue())
    return text.getvalue().rstrip("\n")


def _add(origin: Origin, chain: _Chain) -> None:
    """Put a training into the chain, after those of what it began with."""
    for name, parent in origin.parents.items():
        section, key = section_of(origin.stage), _KEYS.get(name, name)
        file = origin.data[name]
        why = _why_apart(parent, file.sha256, chain)
        if why:
            chain.needs.append(f"{section}.{key}: {file.path} (SHA-256 {file.sha256}) must be there already: {why}.")
            continue
        merge(chain.names, {section: {key: _name(Path(file.path), parent, chain)}})
        if parent.stage not in chain.digests:
            chain.digests[parent.stage] = file.sha256
            _add(parent, chain)
    chain.stages.append(origin.stage)
    if origin.extended_from:
        first = " and again with ".join(f"--set {section_of(origin.stage)}.epochs={n}" for n in origin.extended_from)
        chain.needs.append(f"The training of {origin.stage} was extended: run with {first}, then without.")
    for name, file in origin.data.items():
        if name not in origin.parents and name not in ("train", "val"):
            chain.needs.append(
                f"{file.path} (SHA-256 {file.sha256}) must be there already: the {name} of {origin.stage}."
            )


def _why_apart(parent: Origin, sha256: str, chain: _Chain) -> str:
    """Why a training cannot be part of the same configuration; empty if it can."""
    if not parent.stage:
        return "it does not record how it was made"
    if parent.extended_from:
        return f"its training was extended, from {', '.join(map(str, parent.extended_from))} epochs"
    if chain.digests.get(parent.stage, sha256) != sha256:
        return f"one configuration trains {parent.stage} only once"
    if parent.processes != chain.last.processes:
        return f"it was trained by {parent.processes} processes, not {chain.last.processes}"
    if any(parent.data[name].sha256 != chain.last.data[name].sha256 for name in ("train", "val")):
        return "it was trained on other data"
    other = flatten(changed(parent.settings(), chain.last.config))
    return f"it was trained with other settings ({', '.join(other)})" if other else ""


def _name(path: Path, origin: Origin, chain: _Chain) -> str:
    """The name that a checkpoint will have in the folder of the run."""
    made = {Path(place).stem for place in STAGES[origin.stage].outputs.values() if isinstance(place, str)}
    if path.stem in made:
        return path.stem
    best = f"best_{origin.stage}"
    chain.needs.append(f"{path.name} is taken for {best}.pt, the best of its epochs.")
    return best


def _needs_of_data(origin: Origin) -> list[str]:
    files = {file.path: file for file in origin.sources.values()}
    if not origin.data_stages:
        files |= {file.path: file for name, file in origin.data.items() if name in ("train", "val")}
    return [
        f"{file.path}{f' (SHA-256 {file.sha256})' if file.sha256 else ''} must be there: the data begin with it."
        for file in files.values()
    ]


def _header(facts: Facts, found: Reproduction) -> list[str]:
    """The lines above the configuration."""
    origin = facts.origin
    made = ", ".join(f"{name} {version}" for name, version in origin.versions.items())
    paragraphs = [
        f"Makes {facts.path.name} again, a policy of `triage {origin.stage}`, and evaluates it.",
        "In an empty folder: `triage run --config` and the name of this file.",
        f"SHA-256 of the checkpoint: {facts.sha256}",
        f"It was made with {made}, commit {origin.commit or 'unknown'}. With the same versions on the same kind of "
        "machine, the result is equal to the last digit.",
        f"Written by `triage inspect` of version {__version__}.",
    ]
    if origin.processes > 1:
        paragraphs.append(
            f"It was trained by {origin.processes} processes: torchrun --nproc-per-node {origin.processes}"
        )
    if found.needs:
        relative = "Relative paths start from the data folder, the folder of checkpoints, or where `triage` is called."
        paragraphs += ["", relative, *found.needs]
    return [line for text in paragraphs for line in (wrapped(text, "  ", _WIDTH - 2) or [""])]


def _commented(values: Any) -> Any:
    """Values as the YAML library writes them: lists of plain values in one line."""
    if isinstance(values, dict):
        return CommentedMap({key: _commented(value) for key, value in values.items()})
    if not isinstance(values, list):
        return values
    sequence = CommentedSeq(map(_commented, values))
    if not any(isinstance(value, list) for value in values):
        sequence.fa.set_flow_style()
    return sequence


def _check(facts: Facts, found: Reproduction, text: str) -> None:
    """Make sure that the text, once loaded, gives every stage the settings that it had."""
    loaded = decisive_values(check_config(parse_yaml(text)))
    stages = found.values["pipeline"]["stages"]
    wanted, given = (settings_of_stages(stages, values) for values in (found.target, loaded))
    differing = ", ".join(flatten(changed(wanted, given)))
    if differing:
        raise UsageError(f"{facts.path}: this version of the program cannot reproduce its {differing}")
