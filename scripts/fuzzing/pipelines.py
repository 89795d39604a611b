"""What the campaigns run: stages on small mail, in this process, and what must hold of what they leave."""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from enron_triage import pipeline
from enron_triage.config.load import load_config
from enron_triage.config.schema import Config
from enron_triage.mail.demo.corpus import write_demo
from enron_triage.runtime import artifacts
from enron_triage.runtime.together import finish_renames

SMALL = (
    *("model.hidden=[4]", "model.ensemble=1", "model.boosting=2", "sft.epochs=2", "sft.patience=10", "dpo.epochs=2"),
    *("grpo.epochs=2", "reward_model.epochs=2", "workers=1", "device=cpu", "overwrite=true"),
    *("features.groups=[metadata, history]", "download.source=demo", "download.demo.mailboxes=3"),
    *("download.demo.messages=150", "seed=7"),
)
_TIMINGS = ("messages_per_second", "seconds", "started", "finished", "version", "created")
_IMPORTED = (  # so that a child need not
    *(
        "enron_triage.mail.parse",
        "enron_triage.mail.download",
        "enron_triage.labels.label",
        "enron_triage.labels.split",
    ),
    *("enron_triage.labels.in_time", "email.mime.text", "lxml.html", "enron_triage.mail.sources.zipped"),
)
_IMPORTED_BY_TRAINING = (
    *("enron_triage.training.sft", "enron_triage.training.dpo", "enron_triage.training.grpo", "sklearn.metrics"),
    *("enron_triage.training.reward", "enron_triage.evaluation.evaluate", "enron_triage.evaluation.report"),
    *("enron_triage.predict.command", "matplotlib.pyplot", "enron_triage.policy.boosting", "torch.optim"),
    *("enron_triage.features.extract", "enron_triage.features.text_fit", "torch._dynamo"),
)


def import_stages(*, training: bool) -> None:
    """Import what the stages need, once, before children are forked.

    Parameters
    ----------
    training : bool
        Whether a stage that trains, evaluates or predicts is among them.
    """
    for name in (*_IMPORTED, *(_IMPORTED_BY_TRAINING if training else ())):
        importlib.import_module(name)


def configuration(*overrides: str) -> Config:
    """The small configuration of the campaigns, with the working folder's ``data`` and ``checkpoints``.

    Parameters
    ----------
    *overrides : str
        Further settings, ``key=value``.
    """
    return load_config([], [*SMALL, *overrides])


def run_stage(name: str, *overrides: str) -> dict[str, Any]:
    """Run a stage, or ``report``; the counts that it returns.

    Parameters
    ----------
    name : str
        The stage.
    *overrides : str
        Further settings, ``key=value``.
    """
    config = configuration(*overrides)
    if name == "report":
        return dict(importlib.import_module("enron_triage.evaluation.report").run(config).data)
    return dict(pipeline.run_stage(name, config).data)


def good_mail(folder: Path) -> list[Path]:
    """Write the demo corpus that the campaigns damage; the paths of its messages.

    Parameters
    ----------
    folder : Path
        Where it appears, if it is not there yet.
    """
    if not folder.exists():
        write_demo(folder, seed=7, mailboxes=3, messages=150)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def contents(paths: Iterable[Path]) -> dict[str, str]:
    """A digest of each artifact, as the program's readers find it, without the times that it holds.

    Parameters
    ----------
    paths : iterable of Path
        Files or folders; one that is missing has the digest ``missing``.
    """
    found = {}
    for path in paths:
        finish_renames(path)  # as every stage begins
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if not file.is_dir():
                found[str(file)] = _digest(file)
    return found


def _digest(path: Path) -> str:
    if not path.exists():
        return "missing"
    with artifacts.open_input(path) as file:
        content = file.read()
    if path.suffix == ".json" and path.parent.name == "eval":
        content = json.dumps(_without_timings(json.loads(content)), sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def _without_timings(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_timings(inner) for name, inner in value.items() if name not in _TIMINGS}
    return [_without_timings(inner) for inner in value] if isinstance(value, list) else value


def leftovers(folder: Path) -> list[str]:
    """Hidden files below a folder: temporary ones, locks, journals.

    Parameters
    ----------
    folder : Path
        Usually the working folder.
    """
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob(".*"))]


def fresh_copy(source: Path, target: Path) -> None:
    """Make a folder the copy of another, whatever was there.

    Parameters
    ----------
    source, target : Path
        The folders.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)
