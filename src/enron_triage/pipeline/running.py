"""Running stages: one, or those of a pipeline in order; which have to run, why, and what is refused."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from enron_triage.config import evaluations
from enron_triage.config.schema import Config
from enron_triage.errors import UsageError
from enron_triage.pipeline.stages import STAGES, stage_run
from enron_triage.runtime import provenance
from enron_triage.runtime.file_states import listed_once
from enron_triage.runtime.imports import no_collection
from enron_triage.stage_run import Result, StageRun

logger = logging.getLogger(__name__)


def run_stage(name: str, config: Config) -> Result:
    """Run one stage, whether it is up to date or not.

    Parameters
    ----------
    name : str
        A key of `STAGES`.
    config : Config
        The whole configuration.
    """
    return _function(STAGES[name].run)(config)


def run(config: Config, *, start: str | None = None, force: bool = False, may_fetch: bool = True) -> Result:
    """Run the stages of ``pipeline.stages`` in order, skipping those that are up to date.

    Parameters
    ----------
    config : Config
        The whole configuration.
    start : str, optional
        The stage to start from; the outputs of earlier stages are used as they are.
    force : bool
        Whether stages run even if they are up to date.
    may_fetch : bool
        Whether the Enron archive (423 MB) may be downloaded.

    Raises
    ------
    TriageError
        Whatever a stage raises; the outputs of earlier stages are kept. If something must not be replaced, this is
        raised before anything runs.
    """
    steps = _steps(config, start)
    for step in steps:
        step.finish_interrupted()
    with listed_once():
        up_to_date = [not force and step.is_up_to_date() for step in steps]
    for step, is_done in zip(steps, up_to_date, strict=True):
        if not is_done:
            _refuse(step, may_fetch)
    done: dict[str, Any] = {}
    evaluations: list[dict[str, Any]] = []
    last = Result(stage="run", table="", data={})
    for number, step in enumerate(steps, 1):
        # What was found above is so, as long as nothing has been run.
        is_done = all(up_to_date[:number]) or (not force and step.is_up_to_date())
        if not is_done:
            logger.info("%s: running", step.title)
        result = _stored(step) if is_done else run_stage(step.name, step.config)
        if step.name == "evaluate":
            evaluations.append(result.data)
        if number < len(steps) and result.data:  # the last one's is the result
            logger.info("%s", result.table if step.name != "evaluate" else _summary(result.data))
        done[step.name], last = result.data or "up to date", result
    data = {"stages": done, "evaluations": evaluations}
    return Result(stage="run", table=last.table, data=data, following=last.following)


def status(
    config: Config, *, start: str | None = None, force: bool = False, may_fetch: bool = True, details: bool = False
) -> Result:
    """Report what `run` would do, stage by stage, and why, without running anything.

    Parameters
    ----------
    config : Config
        The whole configuration.
    start : str, optional
        As for `run`.
    force : bool
        As for `run`.
    may_fetch : bool
        As for `run`.
    details : bool
        Whether the table has a line for each reason, instead of one for each stage; the data have all in any case.
    """
    stages: dict[str, Any] = {}
    lines: list[str] = []
    made_again: dict[Path, str] = {}  # by the stages before
    steps = _steps(config, start)
    with listed_once():
        found = [["--force"] if force else step.reasons_to_run() for step in steps]
    for step, reasons in zip(steps, found, strict=True):
        after = sorted({made_again[path] for path in step.inputs.values() if path in made_again})
        if reasons or after:
            made_again |= dict.fromkeys(step.outputs.values(), step.name)
        stages[step.title] = {"up_to_date": not reasons, "reasons": reasons, "after": after}
        unless = f", unless {', '.join(after)} changes its input" if after else ""
        why = "" if details or not reasons else f": {_in_short(reasons)}"
        lines += [f"{step.title}: would run{why}"] if reasons else [f"{step.title}: up to date{unless}"]
        lines += [f"  {reason}" for reason in reasons if details]
        try:
            if reasons:
                _refuse(step, may_fetch)
        except UsageError as error:
            stages[step.title]["refused"] = str(error)
            lines.append(f"  but it would refuse: {error}")
    if not details and any(len(reasons) > 1 for reasons in found):
        lines.append("`triage status --details` lists every reason")
    return Result(stage="status", table="\n".join(lines), data={"stages": stages})


def _in_short(reasons: Sequence[str]) -> str:
    """The reasons to run on one line: the first that is more than a missing file, or how many files are missing."""
    others = [reason for reason in reasons if not reason.endswith(provenance.IS_MISSING)]
    if not others and len(reasons) > 1:
        return f"{len(reasons)} files are missing"
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{(others or reasons)[0]}{more}"


def _steps(config: Config, start: str | None) -> list[StageRun]:
    """The stages to run, in order; ``evaluate`` once for every policy that the run makes, on val and on test."""
    names = config.pipeline.stages
    if start is not None and start not in names:
        raise UsageError(f"--from {start}: not a stage of this pipeline, which has {', '.join(names)}")
    policies = [f"best_{name}" for name in names if STAGES[name].policy]
    steps = []
    for name in names[names.index(start) if start else 0 :]:
        if name == "download" and start is None and _reads_other_mail(config):
            logger.info("download: not needed, because parse.source names the mail")
            continue
        configs = evaluations.of_run(config, policies) if name == "evaluate" else [config]
        steps += [stage_run(name, each) for each in configs]
    return steps


def _reads_other_mail(config: Config) -> bool:
    """Whether the pipeline parses mail that ``download`` does not provide."""
    downloaded = stage_run("download", config).outputs["mail"]
    return "parse" in config.pipeline.stages and config.mail.absolute() != downloaded.absolute()


def _refuse(step: StageRun, may_fetch: bool) -> None:
    """Refuse to replace what somebody may still want, and to fetch hundreds of megabytes that nobody asked for."""
    step.refuse_to_replace()
    if step.name == "download" and step.config.download.source == "cmu" and not may_fetch:
        raise UsageError(
            "download: no configuration says where the mail comes from; --config enron fetches the Enron archive "
            "(423 MB), --config demo writes a demo corpus, --set download.source=PATH takes an archive on disk"
        )


def _stored(step: StageRun) -> Result:
    """Read what a stage that is up to date has found."""
    logger.info("%s: up to date", step.title)
    if step.stage.stored is not None:
        return _function(step.stage.stored)(step.config)
    return Result(stage=step.name, table=f"{step.title}: up to date", data={})


def _summary(evaluation: dict[str, Any]) -> str:
    return (
        f"{evaluation['checkpoint']} on {evaluation['split']}: {evaluation['count']:,} messages, "
        f"accuracy {evaluation['accuracy']:.4f}, macro-F1 {evaluation['macro_f1']:.4f}"
    )


def _function(reference: str) -> Callable[[Config], Result]:
    """The function that a row names as ``module:function``."""
    module, _, name = reference.partition(":")
    with no_collection():
        function: Callable[[Config], Result] = getattr(importlib.import_module(module), name)
    return function
