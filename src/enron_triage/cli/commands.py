"""The commands beside the stages; to add one, write its function and add its row to `COMMANDS`.

The parameters of the function, but for the first, are the command's own options; its docstring is the help.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from enron_triage import pipeline
from enron_triage.config.schema import Config
from enron_triage.errors import InterruptedRun
from enron_triage.stage_run import Result


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command beside the stages.

    Attributes
    ----------
    run : callable
        Takes the configuration and the command's own options; gives what is printed, if it has not printed it itself.
    without : tuple of str
        The shared options that the command does not take.
    """

    run: Callable[..., Result | None]
    without: tuple[str, ...] = ()


def _run(config: Config) -> Result:
    """Run the stages of pipeline.stages, skipping those that are up to date."""
    return pipeline.run(config)


def _status(config: Config) -> Result:
    """Show what `triage run` would do, stage by stage, and why; run nothing."""
    return pipeline.status(config)


def _preferences(
    config: Config,
    sample_uncertain: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many messages; those of train with the closest alternatives.")
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write; preferences.jsonl in the data folder.")
    ] = None,
) -> Result:
    """Write a template of preference pairs for people to judge: the messages of which the policy is least certain."""
    from enron_triage.annotation import template  # imports torch, which --help and the data stages do without

    return template.run(config, sample_uncertain, output)


def _report(
    config: Config,
    log: Annotated[bool, typer.Option("--log", help="Put the results into TRAINING_LOG.md, too.")] = False,
) -> Result:
    """Compare evaluations: tables, and a page with pictures, in data/eval/."""
    from enron_triage.evaluation import report as comparison

    return comparison.run(config, log=log)


def _inspect(
    config: Config,
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="A name below --checkpoint-dir, RUN/NAME, a run, or a path.")
    ],
    as_config: Annotated[
        bool, typer.Option("--config", help="Print a YAML configuration that makes the checkpoint again.")
    ] = False,
    card: Annotated[bool, typer.Option("--card", help="Print a model card in Markdown.")] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to a new file instead of printing.")
    ] = None,
) -> Result:
    """Tell what a checkpoint is: how it was made, its data, settings, metrics."""
    from enron_triage.inspection import command

    return command.run(config, checkpoint, as_config=as_config, card=card, output=output)


def _predict(
    config: Config,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="The messages.")],
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A name below --checkpoint-dir, or a path ending in .pt; best_sft."),
    ] = None,
    mailbox: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The owner's earlier mail: a Maildir, an mbox, a folder.")
    ] = None,
    owner: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="The owner's address, where the mailbox cannot tell; repeatable."),
    ] = None,
    reasons: Annotated[int, typer.Option(metavar="N", min=0, help="Reasons for each decision; 0 is fastest.")] = 3,
) -> None:
    """Predict actions for new mail, one JSON line a message: .eml files, Maildirs, mbox files, or - for stdin."""
    from enron_triage.predict import command

    if checkpoint:
        evaluated = msgspec.structs.replace(config.evaluate, checkpoint=checkpoint)
        config = msgspec.structs.replace(config, evaluate=evaluated)
    try:
        command.run(config, paths, mailbox=mailbox, owner=owner or [], reasons=reasons, output=sys.stdout.buffer)
    except KeyboardInterrupt:  # there is no artifact to speak of
        raise InterruptedRun("interrupted") from None


COMMANDS: dict[str, Command] = {
    "run": Command(run=_run),
    "status": Command(run=_status),
    "preferences": Command(run=_preferences),
    "report": Command(run=_report, without=("device",)),
    "inspect": Command(run=_inspect, without=("config", "device")),  # its --config is a flag
    "predict": Command(run=_predict, without=("as_json",)),  # its output is JSON Lines
}
