"""The command line: a command for every stage of the table in `pipeline`, and those beside them.

A command reads its options, calls a function and prints the result: a table, or with ``--json`` one JSON object, on
stdout; everything else goes to stderr.
"""

from __future__ import annotations

import inspect
import logging
import os
import signal
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from tqdm.contrib.logging import logging_redirect_tqdm

from enron_triage import __version__, pipeline
from enron_triage.config.load import load_config
from enron_triage.config.schema import Config
from enron_triage.errors import ArtifactError, InterruptedRun, TriageError, UsageError
from enron_triage.pipeline import STAGES
from enron_triage.runtime import ranks
from enron_triage.stage_run import Result

logger = logging.getLogger("enron_triage")

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


def build_app() -> typer.Typer:
    """The program's commands: one for each stage, and those beside them."""
    app = typer.Typer(
        help="Learn from a mail archive what its owner does with each message, and predict it for new mail.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_global_options)
    for name, stage in STAGES.items():
        _add(app, name, _run_stage(name), stage.help)
    _add(app, "run", pipeline.run, "Run the stages of pipeline.stages, skipping those that are up to date.")
    _add(app, "status", pipeline.status, "Show what `triage run` would do, stage by stage, and why; run nothing.")
    _add(app, "preferences", _preferences)
    _add(app, "report", _report, without=("device",))
    _add(app, "predict", _predict, without=("as_json",))  # its output is JSON Lines
    return app


def _global_options(
    context: typer.Context, verbose: VerboseOption = False, quiet: QuietOption = False, version: VersionOption = False
) -> None:
    context.obj = (verbose, quiet)
    stage = STAGES.get(context.invoked_subcommand or "")
    if ranks.world_size() > 1 and not (stage and stage.distributed):
        several = ", ".join(name for name, stage in STAGES.items() if stage.distributed)
        command = context.invoked_subcommand
        raise UsageError(f"torchrun: `triage {command}` runs as one process; only {several} take more")


def _run_stage(name: str) -> Callable[[Config], Result]:
    return lambda config: pipeline.run_stage(name, config)


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
    from enron_triage.evaluation import report

    return report.run(config, log=log)


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
    from enron_triage import predict

    if checkpoint:
        evaluated = msgspec.structs.replace(config.evaluate, checkpoint=checkpoint)
        config = msgspec.structs.replace(config, evaluate=evaluated)
    try:
        predict.run(config, paths, mailbox=mailbox, owner=owner or [], reasons=reasons, output=sys.stdout.buffer)
    except KeyboardInterrupt:  # there is no artifact to speak of
        raise InterruptedRun("interrupted") from None


def _add(
    app: typer.Typer,
    name: str,
    work: Callable[..., Result | None],
    help_text: str | None = None,
    *,
    without: Collection[str] = (),
) -> None:
    """Add a command: the options that all have, but for some, then those of `work` besides the configuration."""

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
        **own: Any,
    ) -> None:
        _set_up_logging(verbose or context.obj[0], quiet or context.obj[1])
        places = {"data_dir": data_dir, "checkpoint_dir": checkpoint_dir, "device": device}
        loaded = load_config(config or [], overrides or [], **places)
        _print_result(lambda: work(loaded, **own), as_json)

    _, *own_options = inspect.signature(work, eval_str=True).parameters.values()
    *every, _ = inspect.signature(command, eval_str=True).parameters.values()
    shared = [option for option in every if option.name not in without]
    # Keyword-only, since those without a default may come after those with one.
    keywords = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in (*shared, *own_options)]
    command.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    app.command(name, help=help_text or inspect.getdoc(work))(command)


def _print_result(work: Callable[[], Result | None], as_json: bool) -> None:
    """Do the work; print its result, if it has not written one itself."""
    try:
        with logging_redirect_tqdm([logger]):
            result = work()
    except KeyboardInterrupt:  # typer would exit with 130, but silently
        raise InterruptedRun(
            "interrupted; finished artifacts are as they were, run the same command to go on"
        ) from None
    if result is not None and ranks.rank() == 0:
        typer.echo(msgspec.json.encode(result.data).decode() if as_json else result.table)


def main() -> None:
    """Entry point of ``triage``; turns every failure into one line and an exit status."""
    signal.signal(signal.SIGTERM, _interrupt)  # so that a polite kill leaves nothing half-made either
    try:
        status: Any = build_app()(args=sys.argv[1:] or ["--help"], prog_name="triage", standalone_mode=False)
    except typer.TyperException as error:
        _fail(error.format_message(), error.exit_code)
    except ArtifactError as error:
        _fail(str(pipeline.with_advice(error)), error.exit_status)
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
        if ranks.world_size() > 1:
            _exit_at_once(status or 0)
        sys.exit(status or 0)


def _exit_at_once(status: int) -> None:
    """End without the interpreter's clean-up, in which a process of torchrun can abort after its work is done.

    Seen twice in some hundred runs with Gloo on a busy machine ("terminate called without an active exception"), after
    which torchrun reports a failure. The files are closed and the process group is destroyed by now.

    Parameters
    ----------
    status : int
        The exit status.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


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
