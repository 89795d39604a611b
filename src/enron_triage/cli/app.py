"""The command line: one command for every stage in the table in `pipeline`, and the other commands.

A command reads its options, calls a function and prints the result: a table, or with ``--json`` one JSON object, on
stdout; everything else goes to stderr.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import logging
import os
import signal
import sys
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, TextIO

import msgspec
import typer

from enron_triage import pipeline
from enron_triage.cli.advice import add_options, explained, given_options
from enron_triage.cli.commands import COMMANDS
from enron_triage.cli.completion import join_words
from enron_triage.cli.help import CommandHelp, ProgramHelp
from enron_triage.cli.options import (
    CheckpointOption,
    ConfigOption,
    DataOption,
    DeviceOption,
    JsonOption,
    OverwriteOption,
    QuietOption,
    SetOption,
    VerboseOption,
    VersionOption,
)
from enron_triage.cli.output import print_table, printable
from enron_triage.config.schema import Config
from enron_triage.config.sources import ConfigSources
from enron_triage.errors import InterruptedRun, TriageError, UsageError, cause_of
from enron_triage.pipeline import STAGES
from enron_triage.runtime import ranks, threads
from enron_triage.stage_run import Result

logger = logging.getLogger("enron_triage")


def build_app() -> typer.Typer:
    """The program's commands: one for each stage, and those beside them."""
    app = typer.Typer(
        cls=ProgramHelp,
        help="Learn from a mail archive what its owner does with each message, and predict it for new mail.",
        epilog="`triage COMMAND --help` shows the settings of a command, its files and an example.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_global_options)
    for name, stage in STAGES.items():
        _add(app, name, _run_stage(name), stage.help)
    for name, command in COMMANDS.items():
        _add(
            app,
            name,
            command.run,
            inspect.getdoc(command.run),
            takes_sources=command.takes_sources,
            option_help=command.option_help,
        )
    return app


def _global_options(
    context: typer.Context, verbose: VerboseOption = False, quiet: QuietOption = False, version: VersionOption = False
) -> None:
    context.obj = (verbose, quiet)
    stage = STAGES.get(context.invoked_subcommand or "")
    if ranks.world_size() > 1 and not (stage and stage.distributed):
        several = ", ".join(name for name, stage in STAGES.items() if stage.distributed)
        command = context.invoked_subcommand
        raise UsageError(f"torchrun: `triage {command}` runs as a single process; only {several} can use several")


def _run_stage(name: str) -> Callable[[Config], Result]:
    return lambda config: pipeline.run_stage(name, config)


def _add(
    app: typer.Typer,
    name: str,
    work: Callable[..., Result | None],
    help_text: str | None,
    *,
    takes_sources: bool = False,
    option_help: Mapping[str, str] | None = None,
) -> None:
    """Add a command: the options that all have, then those of `work` besides the configuration, or its sources.

    An option of `work` stands in place of a shared one of the same name: ``inspect`` has a ``--config`` of its own.
    """

    def command(
        context: typer.Context,
        config: ConfigOption = None,
        overrides: SetOption = None,
        data_dir: DataOption = None,
        checkpoint_dir: CheckpointOption = None,
        device: DeviceOption = None,
        overwrite: OverwriteOption = False,
        as_json: JsonOption = False,
        verbose: VerboseOption = False,
        quiet: QuietOption = False,
        **own: Any,
    ) -> None:
        _set_up_logging(verbose or context.obj[0], quiet or context.obj[1])
        top_level: dict[str, Any] = {"data_dir": data_dir, "checkpoint_dir": checkpoint_dir, "device": device}
        top_level["overwrite"] = overwrite or None
        sources = ConfigSources(files=tuple(config or ()), overrides=tuple(overrides or ()), top_level=top_level)
        try:
            given = sources if takes_sources else sources.load()
            _print_result(lambda: work(given, **own), as_json, given_options(sources))
        except TriageError as error:
            raise explained(error, sources) from None

    command.__signature__ = _signature(command, work, option_help or {})  # type: ignore[attr-defined]
    app.command(name, cls=CommandHelp, help=help_text)(command)


def _signature(
    command: Callable[..., None], work: Callable[..., Result | None], option_help: Mapping[str, str]
) -> inspect.Signature:
    """The parameters of a command: the shared ones that `work` does not replace, then its own but for the first."""
    _, *own_options = inspect.signature(work, eval_str=True).parameters.values()
    *every, _ = inspect.signature(command, eval_str=True).parameters.values()
    replaced = {name for option in own_options for name in _option_names(option)}
    shared = [_with_help(option, option_help) for option in every if not replaced.intersection(_option_names(option))]
    # Keyword-only, since those without a default may come after those with one.
    return inspect.Signature(
        [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in (*shared, *own_options)]
    )


def _with_help(parameter: inspect.Parameter, option_help: Mapping[str, str]) -> inspect.Parameter:
    """The parameter of a shared option with the text that a command has for it; hidden if that is empty."""
    text = next((option_help[name] for name in _option_names(parameter) if name in option_help), None)
    if text is None:
        return parameter
    kind, option = typing.get_args(parameter.annotation)
    option = copy.copy(option)
    option.help, option.hidden = text, not text
    return parameter.replace(annotation=Annotated[kind, option])


def _option_names(parameter: inspect.Parameter) -> Collection[str]:
    """The names that a parameter's option has on the command line, as far as they are given."""
    # Beside a type, typer takes the first name for the default.
    found = (
        (getattr(meta, "default", None), *(getattr(meta, "param_decls", None) or ()))
        for meta in typing.get_args(parameter.annotation)[1:]
    )
    return [name for names in found for name in names if isinstance(name, str) and name.startswith("-")]


def _print_result(work: Callable[[], Result | None], as_json: bool, options: str) -> None:
    """Do the work; print its result, if it has not written one itself, and the next command with these options."""
    result = work()
    if result is not None and ranks.rank() == 0:
        if as_json:
            typer.echo(msgspec.json.encode(result.data).decode())
        elif result.verbatim:
            typer.echo(printable(result.table) if sys.stdout.isatty() else result.table)
        else:
            print_table(result.table, result.wide)
            if result.following:
                typer.echo(printable(add_options(result.following, options)))
        if result.problem:
            raise TriageError(result.problem)


def main() -> None:
    """Entry point of ``triage``; turns every failure into one line and an exit status."""
    threads.sleep_while_waiting()  # before torch is imported
    signal.signal(signal.SIGTERM, _interrupt)  # so that a polite kill leaves nothing half-made either
    try:
        join_words()
        status: Any = build_app()(args=sys.argv[1:] or ["--help"], prog_name="triage", standalone_mode=False)
    except typer.TyperException as error:
        _fail(error.format_message(), error.exit_code)
    except TriageError as error:
        _fail(str(error), error.exit_status)
    except BrokenPipeError:  # whoever read the output has had enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _fail(f"{error.filename or 'input or output'}: {cause_of(error)}", 1)
    except ModuleNotFoundError as error:
        _fail(_not_installed(error), 2)
    except Exception as error:  # a bug: still one line, with the way to see more
        _fail(
            f"internal error, {type(error).__name__}: {error}; please report it with the output of --verbose",
            1,
        )
    else:
        if (
            status == InterruptedRun.exit_status
        ):  # wherever it was, also while an error was being explained; typer says nothing
            _fail("interrupted; finished artifacts are unchanged: run the same command again to continue", status)
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


def _not_installed(error: ModuleNotFoundError) -> str:
    """What is missing and how to get it; an installation for prediction alone has no torch, for example."""
    package = (error.name or str(error)).partition(".")[0]
    wanted = f"{package} is not installed, and this command needs it: pip install {package}"
    if package == "torch":
        return f"{wanted} (without a GPU add --index-url https://download.pytorch.org/whl/cpu, a far smaller build)"
    return wanted


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _fail(message: str, status: int) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("traceback", exc_info=True)
    speaker = f"triage (process {ranks.rank()})" if ranks.rank() else "triage"
    typer.echo(f"{speaker}: {printable(' '.join(message.split()))}", err=True)
    sys.exit(status)


class _AboveBars(logging.StreamHandler[TextIO]):
    """Writes above the progress bars, where there may be any: a command without bars does not import them."""

    def emit(self, record: logging.LogRecord) -> None:
        bars = sys.modules.get("tqdm")
        with contextlib.nullcontext() if bars is None else bars.tqdm.external_write_mode(self.stream):
            super().emit(record)


class _Printable(logging.Formatter):
    """Formats messages without control characters, which may stand in the names that they quote."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _set_up_logging(verbose: bool, quiet: bool) -> None:
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    if ranks.rank() > 0:
        level = logging.ERROR
    handler = _AboveBars(sys.stderr)
    handler.setFormatter(_Printable("%(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
