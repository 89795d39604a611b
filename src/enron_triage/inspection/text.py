"""A checkpoint for people: what ``triage inspect`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from enron_triage.inspection.facts import Facts, wrapped
from enron_triage.policy.origin import InputFile, Origin
from enron_triage.policy.validation import ValidationMetrics

_NAMES = 15  # columns of the first column
_SHOWN = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "mean_reward": "mean reward",
    "reply_auc": "AUC of needing a reply",
    "val_loss": "loss",
}


def text_of(facts: Facts) -> str:
    """A checkpoint as text of 80 columns.

    Parameters
    ----------
    facts : Facts
        The checkpoint.

    Returns
    -------
    str
        Lines without a newline at the end.
    """
    origin = facts.origin
    sections: dict[str, Iterable[str]] = {
        str(facts.path): _what(facts),
        "How it was made": _made(origin),
        "Data": _data(origin),
        "Settings that differ from the defaults": _settings(facts.differing),
        "Validation": _validation(facts),
        "Decision": _decision(facts),
        "What it began with": _beginnings(origin),
    }
    lines: list[str] = []
    for title, content in sections.items():
        rows = list(content)
        if rows:
            lines += ["", title, *rows]
    return "\n".join(lines[1:])


def plain_values(facts: Facts) -> dict[str, Any]:
    """All that there is to say of a checkpoint, for programs; without its weights.

    Parameters
    ----------
    facts : Facts
        The checkpoint.
    """
    checkpoint = facts.checkpoint
    metrics = checkpoint.metrics
    return {
        "checkpoint": str(facts.path),
        "sha256": facts.sha256,
        "bytes": facts.size,
        "parameters": facts.parameters,
        "stage": checkpoint.stage,
        "run": facts.origin.run,
        "scheme": checkpoint.scheme,
        "epoch": checkpoint.epoch,
        "epochs": facts.epochs,
        "init": checkpoint.init,
        "init_sha256": checkpoint.init_digest,
        "model": msgspec.to_builtins(checkpoint.model),
        "features": checkpoint.features.columns,
        "calibration": msgspec.to_builtins(checkpoint.calibration),
        "decision": msgspec.to_builtins(checkpoint.decision),
        "metrics": metrics.flat() if metrics else None,
        "differing": facts.differing,
        "origin": msgspec.to_builtins(facts.origin),
        "notes": facts.notes,
    }


def metrics_in_words(validation: ValidationMetrics) -> dict[str, float]:
    """The metrics that are defined, by their names for people.

    Parameters
    ----------
    validation : ValidationMetrics
        Of a checkpoint.
    """
    values = {words: getattr(validation, name) for name, words in _SHOWN.items()}
    return {words: value for words, value in values.items() if value is not None}


def counts_in_words(file: InputFile) -> str:
    """How much mail a file holds, in words; empty for what holds none.

    Parameters
    ----------
    file : InputFile
        What a training stage read.
    """
    if file.messages is None:
        return ""
    actions = ", ".join(f"{count:,} {action}" for action, count in file.actions.items())
    return f"{file.messages:,} messages of {file.mailboxes:,} mailboxes: {actions}"


def _what(facts: Facts) -> Iterator[str]:
    checkpoint, model = facts.checkpoint, facts.checkpoint.model
    epochs = f" of {facts.epochs}" if facts.epochs else ""
    yield from _row("trained by", f"triage {checkpoint.stage}, after epoch {checkpoint.epoch}{epochs}")
    if facts.origin.extended_from:
        yield from _row("extended", f"from {', '.join(map(str, facts.origin.extended_from))} epochs")
    if facts.origin.run:
        yield from _row("run", facts.origin.run)
    yield from _row("label scheme", checkpoint.scheme)
    groups = ", ".join(checkpoint.features.settings.groups)
    yield from _row("features", f"{model.inputs}, of {groups}")
    trees = f" and {model.trees} trees" if model.trees else ""
    networks = f"{model.ensemble} network{'' if model.ensemble == 1 else 's'}{trees}"
    yield from _row("size", f"{facts.parameters:,} parameters in {networks}; {facts.size:,} bytes")
    yield from _row("SHA-256", facts.sha256)
    for note in facts.notes:
        yield from _row("note", note)


def _made(origin: Origin) -> Iterator[str]:
    if not origin.stage:
        yield from _row("unknown", "the file does not record it")
        return
    yield from _row("command", origin.command or "none: the package was used as a library")
    yield from _row("commit", origin.commit or "unknown")
    yield from _row("versions", ", ".join(f"{name} {value}" for name, value in origin.software.items()))
    machine = [origin.versions[name] for name in ("platform", "processor", "device") if name in origin.versions]
    yield from _row("machine", ", ".join(machine))
    if origin.processes > 1:
        yield from _row("processes", f"{origin.processes}, by torchrun")


def _data(origin: Origin) -> Iterator[str]:
    for name, file in origin.data.items():
        yield from _row(name, f"{file.path}{': ' if file.messages is not None else ''}{counts_in_words(file)}")
        yield from _row("  SHA-256", file.sha256)
    if origin.data_stages:
        yield from _row("made by", ", ".join(f"triage {stage}" for stage in origin.data_stages))
    for file in origin.sources.values():
        yield from _row("begins with", file.path)
        if file.sha256:
            yield from _row("  SHA-256", file.sha256)


def _settings(differing: Mapping[str, Any]) -> Iterator[str]:
    width = max(map(len, differing), default=0)
    for key, value in differing.items():
        text = json.dumps(value) if isinstance(value, list) else str(value)
        yield from wrapped(f"  {key:<{width}}  {text}", " " * (width + 4))


def _validation(facts: Facts) -> Iterator[str]:
    metrics = facts.checkpoint.metrics
    if metrics is None:
        return
    words = metrics_in_words(metrics.validation)
    yield from _row("epoch", f"{metrics.epoch} (best so far: {metrics.best_epoch})")
    yield from _row("metrics", ", ".join(f"{name} {value:.4f}" for name, value in words.items()))
    shares = metrics.validation.predicted_share.items()
    yield from _row("decisions", ", ".join(f"{share:.0%} {action}" for action, share in shares))


def _decision(facts: Facts) -> Iterator[str]:
    decision, calibration = facts.checkpoint.decision, facts.checkpoint.calibration
    others = ", ".join(rule for rule in decision.available if rule != decision.rule)
    yield from _row("rule", f"{decision.rule} (also fitted: {others})")
    corrected = ", and a correction for each action" if any(calibration.shift) else ""
    mixed = f", {calibration.prior_weight:.1%} class prior" if calibration.prior_weight >= 0.001 else ""
    yield from _row("calibration", f"temperature {calibration.temperature:.3f}{corrected}{mixed}")


def _beginnings(origin: Origin, indent: str = "") -> Iterator[str]:
    for name, parent in origin.parents.items():
        made = f"triage {parent.stage}" if parent.stage else "of unknown origin"
        file = origin.data[name]
        yield from _row(f"{indent}{name}", f"{file.path}, {made}{f': {parent.command}' if parent.command else ''}")
        yield from _row("  SHA-256", file.sha256)
        yield from _beginnings(parent, f"{indent}  ")


def _row(name: str, text: str) -> list[str]:
    return wrapped(f"  {name:<{_NAMES - 3}} {text}", " " * _NAMES)
