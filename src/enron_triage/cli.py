"""The command line: one command per stage.

A command reads its options, calls the stage's ``run(config)`` and prints the result: a table, or
with ``--json`` one JSON object, on stdout; everything else goes to stderr.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
import typer
from tqdm.contrib.logging import logging_redirect_tqdm

from enron_triage import __version__, pipeline, ranks
from enron_triage.config import Config, Stage
from enron_triage.config_files import load_config
from enron_triage.errors import InterruptedRun, TriageError, UsageError
from enron_triage.stages import Result

logger = logging.getLogger("enron_triage")

HELP: dict[str, str] = {
    "download": "Fetch the raw archive (or write the demo corpus) and unpack it to data/maildir.",
    "parse": "Parse raw mail to data/emails.json.",
    "label": "Label each message with what its owner did: data/emails_labeled.json.",
    "split": "Split the labelled messages into train, val and test.",
    "sft": "Train the policy by supervised fine-tuning: checkpoints/best_sft.pt.",
    "reward": "Train a reward model on preference pairs: checkpoints/best_reward.pt.",
    "dpo": "Refine the policy by preference pairs: checkpoints/best_dpo.pt.",
    "grpo": "Refine the policy by rewards: checkpoints/best_grpo.pt.",
    "evaluate": "Evaluate a checkpoint on a split: data/eval/*.json.",
    "run": "Run the stages of pipeline.stages, skipping those that are up to date.",
}

DISTRIBUTED = ("sft", "reward", "dpo", "grpo")  # what torchrun may start

app = typer.Typer(
    help="Learn from a mail archive what its owner does with each message, and predict it for new mail.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

ConfigOption = Annotated[
    list[Path] | None,
    typer.Option("--config", metavar="FILE", help="YAML configuration; repeatable, later files win."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key, e.g. sft.epochs=5; repeatable."),
]
DataOption = Annotated[str | None, typer.Option("--data-dir", metavar="DIR", help="Folder of the data artifacts.")]
CheckpointOption = Annotated[
    str | None, typer.Option("--checkpoint-dir", metavar="DIR", help="Folder of the checkpoints.")
]
DeviceOption = Annotated[str | None, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda or mps.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Show debugging output and tracebacks.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show warnings and errors only.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"triage {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
]


@app.callback()
def _global_options(
    context: typer.Context, verbose: VerboseOption = False, quiet: QuietOption = False, version: VersionOption = False
) -> None:
    context.obj = (verbose, quiet)
    if ranks.count() > 1 and context.invoked_subcommand not in DISTRIBUTED:
        command, several = context.invoked_subcommand, ", ".join(DISTRIBUTED)
        raise UsageError(f"torchrun: `triage {command}` runs as one process; only {several} take more")


def _add_command(name: str) -> None:
    """Add the command of one stage; all take the same options."""

    def command(
        context: typer.Context,
        config: ConfigOption = None,
        overrides: SetOption = None,
        data_dir: DataOption = None,
        checkpoint_dir: CheckpointOption = None,
        device: DeviceOption = None,
        as_json: JsonOption = False,
        verbose: VerboseOption = False,
        quiet: QuietOption = False,
    ) -> None:
        _set_up_logging(verbose or context.obj[0], quiet or context.obj[1])
        loaded = load_config(
            config or [], overrides or [], data_dir=data_dir, checkpoint_dir=checkpoint_dir, device=device
        )
        _print_result(lambda: _run(name, loaded), as_json)

    app.command(name, help=HELP[name])(command)


for _name in HELP:
    _add_command(_name)


@app.command(
    "preferences",
    help="Write a template of preference pairs for people to judge: the messages of which the policy is least certain.",
)
def _preferences(
    context: typer.Context,
    sample_uncertain: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many messages; those of train with the closest alternatives.")
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write; preferences.jsonl in the data folder.")
    ] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataOption = None,
    checkpoint_dir: CheckpointOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    _set_up_logging(verbose or context.obj[0], quiet or context.obj[1])
    loaded = load_config(config or [], overrides or [], data_dir=data_dir, checkpoint_dir=checkpoint_dir, device=device)
    from enron_triage.training import judgements  # imports torch

    _print_result(lambda: judgements.run(loaded, sample_uncertain, output), as_json)


@app.command("report", help="Compare evaluations: tables, and a page with pictures, in data/eval/.")
def _report(
    context: typer.Context,
    log: Annotated[bool, typer.Option("--log", help="Put the results into TRAINING_LOG.md, too.")] = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataOption = None,
    checkpoint_dir: CheckpointOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    _set_up_logging(verbose or context.obj[0], quiet or context.obj[1])
    loaded = load_config(config or [], overrides or [], data_dir=data_dir, checkpoint_dir=checkpoint_dir, device=None)
    from enron_triage.evaluation import report

    _print_result(lambda: report.run(loaded, log=log), as_json)


@app.command(
    "predict",
    help="Predict actions for new mail, one JSON line a message: .eml files, Maildirs, mbox files, or - for stdin.",
)
def _predict(
    context: typer.Context,
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
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataOption = None,
    checkpoint_dir: CheckpointOption = None,
    device: DeviceOption = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    _set_up_logging(verbose or context.obj[0], quiet or context.obj[1])
    named = [f"evaluate.checkpoint={checkpoint}"] if checkpoint else []
    loaded = load_config(
        config or [], [*(overrides or []), *named], data_dir=data_dir, checkpoint_dir=checkpoint_dir, device=device
    )
    from enron_triage import predict  # imports torch, which --help and the data stages do without

    try:
        with logging_redirect_tqdm([logger]):
            predict.run(loaded, paths, mailbox=mailbox, owner=owner or [], reasons=reasons, output=sys.stdout.buffer)
    except KeyboardInterrupt:
        raise InterruptedRun("interrupted") from None


def _print_result(work: Callable[[], Result], as_json: bool) -> None:
    """Do the work; print its result."""
    try:
        with logging_redirect_tqdm([logger]):
            result = work()
    except KeyboardInterrupt:  # typer would exit with 130, but silently
        raise InterruptedRun(
            "interrupted; finished artifacts are as they were, run the same command to go on"
        ) from None
    if ranks.rank() == 0:
        typer.echo(msgspec.json.encode(result.data).decode() if as_json else result.table)


def _run(name: str, config: Config) -> Result:
    return pipeline.run(config) if name == "run" else pipeline.run_stage(cast("Stage", name), config)


def main() -> None:
    """Entry point of ``triage``; turns every failure into one line and an exit status."""
    signal.signal(signal.SIGTERM, _interrupt)  # so that a polite kill leaves nothing half-made either
    try:
        status: Any = app(args=sys.argv[1:] or ["--help"], prog_name="triage", standalone_mode=False)
    except typer.TyperException as error:
        _fail(error.format_message(), error.exit_code)
    except TriageError as error:
        _fail(str(error), error.exit_status)
    except BrokenPipeError:  # whoever read the output has had enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _fail(f"{error.filename or 'input or output'}: {error.strerror or error}", 1)
    except Exception as error:  # a bug: still one line, with the way to see more
        _fail(
            f"internal error, {type(error).__name__}: {error}; please report it with the output of --verbose",
            1,
        )
    else:
        sys.exit(status or 0)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _fail(message: str, status: int) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("traceback", exc_info=True)
    speaker = f"triage (process {ranks.rank()})" if ranks.rank() else "triage"
    typer.echo(f"{speaker}: {' '.join(message.split())}", err=True)
    sys.exit(status)


def _set_up_logging(verbose: bool, quiet: bool) -> None:
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    if ranks.rank() > 0:
        level = logging.ERROR
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
