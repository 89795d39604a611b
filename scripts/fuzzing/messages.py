"""Hostile messages among good ones, through every stage, each under limits."""

from __future__ import annotations

import functools
import io
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from enron_triage.mail.message import parse_message
from enron_triage.mail.message_ref import MessageRef, read_bytes
from fuzzing.children import Outcome, peak_memory, run_forked, start_counting_memory
from fuzzing.findings import Findings, Trial
from fuzzing.mutations import mutated
from fuzzing.pipelines import configuration, fresh_copy, good_mail, leftovers, run_stage

BATCH = 2500  # messages in a pipeline
SECONDS = 2.0  # beyond what the good messages need: the promise
MEMORY = 200 * 2**20
_EACH = 0.01  # seconds of processor time for every hostile message, some of which are megabytes
_FOLDERS = ("inbox", "sent_items", "deleted_items", "projects", "all_documents")
_STAGES = ("parse", "label", "split", "sft", "evaluate")
_TEXT = "features.groups=[metadata, history, text]"
_MAIL = "parse.source=mail"


def campaign(findings: Findings, work: Path, seed: int, count: int, mail: Path | None) -> None:
    """Try many messages, as far as they have not been tried.

    Parameters
    ----------
    findings : Findings
        Where results are kept.
    work : Path
        A folder for the work.
    seed : int
        The seed.
    count : int
        How many messages.
    mail : Path or None
        Messages to damage, a file each; the demo corpus if there are none.
    """
    good = good_mail(work / "good" / "mail")
    sources = sorted(path for path in mail.rglob("*") if path.is_file()) if mail else good
    needed: dict[str, Outcome] = {}
    steps = (count + BATCH - 1) // BATCH
    for number in findings.left("messages", "parse to predict", seed, steps):
        needed = needed or _needed(work)
        size = min(BATCH, count - number * BATCH)
        findings.add(_try(work, sources, seed, number, size, needed))


def _needed(work: Path) -> dict[str, Outcome]:
    """What the good messages alone need in each stage."""
    folder = work / "alone"
    fresh_copy(work / "good", folder)
    return {stage: run_forked(functools.partial(_stage, stage), folder) for stage in (*_STAGES, "predict")}


def _owners(needed: dict[str, Outcome]) -> str:
    """The setting that names the owners, whom so much hostile mail in their sent folders would hide."""
    owners = needed["label"].result["owners"]
    return f"label.owner={json.dumps({user: owner['addresses'] for user, owner in owners.items()})}"


def _stage(name: str, *overrides: str) -> Any:
    if name == "predict":
        from enron_triage.predict import command  # with torch

        output = io.BytesIO()
        config = configuration("evaluate.checkpoint=best_sft", _TEXT)
        one = min(path for path in Path("mail").iterdir() if path.is_dir())
        command.run(config, [str(one)], mailbox=None, owner=[], reasons=3, output=output)
        return len([json.loads(line) for line in output.getvalue().splitlines()])
    return run_stage(name, _MAIL, _TEXT, *overrides)


def _try(work: Path, sources: list[Path], seed: int, number: int, size: int, needed: dict[str, Outcome]) -> Trial:
    folder = work / "batch"
    fresh_copy(work / "good", folder)
    kinds = _write_hostile(folder / "mail", Random(f"messages {seed} {number}"), sources, size)
    trial = Trial(campaign="messages", subject="parse to predict", number=number, seed=seed, tried=size, kinds=kinds)
    single = run_forked(lambda: _one_by_one(folder / "mail"), folder)
    if single.result is None:
        trial.failures.append(f"one by one: {single.crash or single.refused}")
    else:
        trial.slowest, trial.what, trial.peak, slow = single.result
        trial.failures += slow
    for stage in (*_STAGES, "predict"):
        outcome = run_forked(functools.partial(_stage, stage, _owners(needed)), folder)
        trial.failures += [f"{stage}: {failure}" for failure in _broken(stage, outcome, needed[stage], folder, size)]
    return trial


def _write_hostile(mail: Path, random: Random, sources: list[Path], size: int) -> dict[str, int]:
    """Write damaged messages among the good ones, each in the mailbox that it is of; how many of each kind."""
    kinds: Counter[str] = Counter()
    mailboxes = {path.name: path for path in sorted(mail.iterdir()) if path.is_dir()}
    for index in range(size):
        source = random.choice(sources)
        kind, raw = mutated(random, source.read_bytes())
        kinds[kind] += 1
        own = next((mailboxes[name] for name in source.parts if name in mailboxes), None)
        folder = (own or random.choice(list(mailboxes.values()))) / random.choice(_FOLDERS)
        folder.mkdir(exist_ok=True)
        (folder / f"hostile_{index}_{kind.replace(' ', '_')}.").write_bytes(raw)
    return dict(kinds)


def _one_by_one(mail: Path) -> tuple[float, str, int, list[str]]:
    """Parse each hostile message by itself: the slowest, the largest, and those beyond the limits."""
    slowest, what, largest, failures = 0.0, "", 0, []
    base = peak_memory()
    for path in _hostile(mail):
        started = time.process_time()
        try:
            email = parse_message(read_bytes(MessageRef(path.name, "", str(path))), path="a", user="b", folder="c")
            msgspec.json.encode(email)
        except ValueError:
            pass
        taken, memory = time.process_time() - started, peak_memory() - base
        if memory > largest:
            largest = memory
        if taken > slowest:
            slowest, what = taken, path.name.partition("_")[2].partition("_")[2].strip(".").replace("_", " ")
        if taken > SECONDS or memory > MEMORY:
            failures.append(f"{path.name}: {taken:.1f} s, {memory >> 20} MiB")
        if memory > MEMORY // 8:
            start_counting_memory()
    return slowest, what, largest, failures


def _hostile(mail: Path) -> Iterator[Path]:
    return (path for path in sorted(mail.rglob("hostile_*")))


def _broken(stage: str, outcome: Outcome, needed: Outcome, folder: Path, size: int) -> Iterator[str]:
    """What does not hold after a stage."""
    if outcome.crash:
        yield outcome.crash
    if outcome.refused:
        yield f"refused: {outcome.refused[:300]}"
    if outcome.seconds > needed.seconds + SECONDS + _EACH * size:
        yield f"{outcome.seconds:.1f} s, the good mail takes {needed.seconds:.1f} s"
    if outcome.peak > needed.peak + MEMORY:
        yield f"{outcome.peak >> 20} MiB, the good mail takes {needed.peak >> 20} MiB"
    if left := leftovers(folder):
        yield f"left over: {left[:3]}"
    if any(ord(character) < 32 and character not in "\n\t" for character in outcome.log):
        yield f"control characters in the log: {outcome.log[:200]!r}"
    if outcome.result is None:
        return
    counts = outcome.result
    if stage == "parse":
        files = sum(path.is_file() for path in (folder / "mail").rglob("*"))
        if counts["records"] + counts["errors"] != files:
            yield f"{counts['records']} records and {counts['errors']} errors of {files} files"
    if stage == "label":
        if counts["labeled"] + counts["unacted"] + sum(counts["dropped"].values()) != counts["records"]:
            yield f"labelled, unacted and dropped are not the {counts['records']} records"
        if counts["left_out"]:
            yield f"left out: {counts['left_out']}"
