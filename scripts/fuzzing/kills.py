"""Stages that are killed at random moments, and at their renames, and what they leave."""

from __future__ import annotations

import functools
import os
import signal
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from enron_triage import pipeline
from fuzzing.children import Outcome, run_forked
from fuzzing.findings import Findings, Trial
from fuzzing.pipelines import configuration, contents, fresh_copy, good_mail, leftovers, run_stage

_MAIL = "parse.source=mail"
_INJECTED = 0.4  # of the kills: at a rename, or at the removal of a file
_WITH_WORKERS = 0.1  # of the kills of these stages: with worker processes, which must end as well
_PARALLEL = ("parse", "label")


class _Stage(msgspec.Struct):
    """What a stage makes, all of one run, and the setting with which it makes something else."""

    together: tuple[str, ...]
    other: tuple[str, ...]


STAGES = {
    "download": _Stage(("data/maildir",), ("download.source=other.tar.gz",)),
    "parse": _Stage(("data/emails.json", "data/parse_errors.json"), ("parse.limit=100",)),
    "label": _Stage(("data/emails_labeled.json", "data/emails_unacted.json"), ("label.action_lag=1d",)),
    "split": _Stage(
        ("data/train.json", "data/val.json", "data/test.json", "data/split_metadata.json"), ("split.seed=3",)
    ),
    "sft": _Stage(("checkpoints/stage_1.pt", "checkpoints/best_sft.pt"), ("sft.seed=3",)),
    "reward": _Stage(("checkpoints/stage_2.pt", "checkpoints/best_reward.pt"), ("reward_model.seed=3",)),
    "grpo": _Stage(("checkpoints/stage_3.pt", "checkpoints/best_grpo.pt"), ("grpo.seed=3",)),
    "dpo": _Stage(("checkpoints/stage_4.pt", "checkpoints/best_dpo.pt"), ("dpo.seed=3",)),
    "evaluate": _Stage(("data/eval/best_sft.test.json", "data/eval/best_sft.test.png"), ("decision.rule=thresholds",)),
    "report": _Stage(("data/eval/report.md", "data/eval/report.html"), ("checkpoint_dir=none",)),
}


DATA_STAGES = frozenset({"download", "parse", "label", "split"})


class _Expected(msgspec.Struct):
    """What a stage leaves under its usual and its other settings, and how long it takes."""

    before: dict[str, str]
    after: dict[str, str]
    files: list[str]
    seconds: float
    moments: int


def campaign(findings: Findings, work: Path, seed: int, count: int, stages: Sequence[str]) -> None:
    """Kill stages, as far as they have not been killed.

    Parameters
    ----------
    findings : Findings
        Where results are kept.
    work : Path
        A folder for the work.
    seed : int
        The seed.
    count : int
        How many kills of each stage.
    stages : sequence of str
        Which: keys of `STAGES`.
    """
    ready = work / "ready"
    for name in stages:
        expected: _Expected | None = None
        for number in findings.left("kills", name, seed, count):
            expected = expected or _expect(_ready(ready, name), work, name)
            findings.add(_kill(ready, work, name, number, seed, expected))


def _ready(folder: Path, name: str) -> Path:
    """A folder in which every stage has been run, up to the one of that name."""
    archive = folder / "other.tar.gz"
    mail = good_mail(folder / "mail")
    if not archive.exists():
        with tarfile.open(archive, "w:gz") as packed:
            for path in mail[:100]:
                packed.add(path, f"other/{path.relative_to(folder / 'mail')}")
    for stage in list(STAGES)[: list(STAGES).index(name) + 1]:
        if not all((folder / path).exists() for path in STAGES[stage].together):
            outcome = run_forked(functools.partial(run_stage, stage, _MAIL), folder)
            if outcome.result is None:
                raise RuntimeError(f"{stage}: {outcome.crash or outcome.refused}")
    return folder


def _expect(ready: Path, work: Path, name: str) -> _Expected:
    folder = work / "killed"
    fresh_copy(ready, folder)
    stage = STAGES[name]
    before = run_forked(lambda: contents(map(Path, stage.together)), folder).result
    whole = run_forked(lambda: _counting(name), folder)
    if whole.result is None:
        raise RuntimeError(f"{name}: {whole.crash or whole.refused}")
    moments, seconds = whole.result
    after = run_forked(lambda: contents(map(Path, stage.together)), folder).result
    if before == after:
        raise RuntimeError(f"{name}: makes the same under {stage.other}")
    return _Expected(before, after, _files(folder), seconds, moments)


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _counting(name: str) -> tuple[int, float]:
    """Run the other settings; how many moments there are to inject a kill, and how long it takes."""
    import time

    moments = [0]

    def count(number: int) -> None:
        moments[0] += 1

    started = time.monotonic()
    with _at_moments(count):
        run_stage(name, _MAIL, *STAGES[name].other)
    return moments[0], time.monotonic() - started


class _at_moments:  # noqa: N801 - reads as a statement
    """Call a function before and after each rename, and before each removal, of a file in this process."""

    def __init__(self, call: Callable[[int], None]) -> None:
        self._call = call
        self._number = 0
        self._real: dict[str, Any] = {}

    def __enter__(self) -> None:
        for name in ("replace", "rename", "unlink"):
            self._real[name] = getattr(os, name)
            setattr(os, name, functools.partial(self._around, self._real[name]))

    def __exit__(self, *error: object) -> None:
        for name, function in self._real.items():
            setattr(os, name, function)

    def _around(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self._tick()
        result = function(*args, **options)
        self._tick()
        return result

    def _tick(self) -> None:
        self._call(self._number)
        self._number += 1


def _killed_at(name: str, moment: int, overrides: Sequence[str]) -> dict[str, Any]:
    def kill(number: int) -> None:
        if number == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    with _at_moments(kill):
        return run_stage(name, _MAIL, *STAGES[name].other, *overrides)


def _kill(ready: Path, work: Path, name: str, number: int, seed: int, expected: _Expected) -> Trial:
    random = Random(f"kill {name} {seed} {number}")
    folder = work / "killed"
    fresh_copy(ready, folder)
    overrides = ["workers=2"] if name in _PARALLEL and random.random() < _WITH_WORKERS else []
    if random.random() < _INJECTED:
        moment = random.randrange(max(1, expected.moments))
        outcome = run_forked(lambda: _killed_at(name, moment, overrides), folder, may_die=True)
        kind = "at a rename"
    else:
        again = functools.partial(run_stage, name, _MAIL, *STAGES[name].other, *overrides)
        moments = expected.seconds * (4 if overrides else 1.1)
        outcome = run_forked(again, folder, kill_after=random.uniform(0, moments))
        kind = "at a random moment"
    trial = Trial(campaign="kills", subject=name, number=number, seed=seed, tried=1)
    trial.kinds = {kind if outcome.killed else "had ended": 1}
    trial.failures = [f"{kind}: {failure}" for failure in _broken(outcome, folder, name, expected)]
    return trial


def _broken(outcome: Outcome, folder: Path, name: str, expected: _Expected) -> Iterator[str]:
    """What does not hold after a kill, and after the stage has been run again."""
    stage = STAGES[name]
    if outcome.crash or outcome.refused:
        yield f"{outcome.crash} {outcome.refused}"
    found = run_forked(lambda: contents(map(Path, stage.together)), folder)
    if found.result not in (expected.before, expected.after):
        yield f"a mixture, or damage: {found.crash} {found.refused} {_differing(found.result, expected)}"
    again = run_forked(lambda: _again(name), folder)
    if again.result is None:
        yield f"run again: {again.crash} {again.refused}"
        return
    if again.result["contents"] != expected.after:
        yield f"other bytes after a rerun: {_differing(again.result['contents'], expected)}"
    if again.result["reasons"]:
        yield f"not up to date after a rerun: {again.result['reasons']}"
    if left := leftovers(folder):
        yield f"left over: {left}"
    if more := sorted(set(_files(folder)) ^ set(expected.files)):
        yield f"other files than without a kill: {more[:5]}"


def _again(name: str) -> dict[str, Any]:
    stage = STAGES[name]
    run_stage(name, _MAIL, *stage.other)
    reasons = []
    if name in pipeline.STAGES:
        reasons = pipeline.stage_run(name, configuration(_MAIL, *stage.other)).reasons_to_run()
    return {"contents": contents(map(Path, stage.together)), "reasons": reasons}


def _differing(found: dict[str, str] | None, expected: _Expected) -> list[str]:
    found = found or {}
    names = sorted({*found, *expected.after})
    marks = {name: "old" if found.get(name) == expected.before.get(name) else "other" for name in names}
    marks |= {name: "new" for name in names if found.get(name) == expected.after.get(name)}
    return [f"{name}: {mark}" for name, mark in marks.items()][:8]
