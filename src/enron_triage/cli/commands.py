"""The commands that are not stages; to add one, write its function and add its row to `COMMANDS`.

The parameters of the function, but for the first, are the command's own options; its docstring is the help.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from enron_triage import pipeline
from enron_triage.cli import clean, config_commands
from enron_triage.cli.advice import asks_for_mail
from enron_triage.cli.annotate import ANNOTATE
from enron_triage.cli.command import Command
from enron_triage.cli.completion import complete_checkpoint
from enron_triage.config.schema import Config
from enron_triage.config.shipped import find_sweep
from enron_triage.config.sources import ConfigSources
from enron_triage.errors import InterruptedRun, UsageError
from enron_triage.runtime.imports import no_collection
from enron_triage.stage_run import Result

FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="STAGE", help="Begin with this stage; take earlier artifacts as they are."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Also run stages that are up to date.")]


def _run(
    sources: ConfigSources,
    start: FromOption = None,
    force: ForceOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and why; run nothing.")] = False,
) -> Result:
    """Run the stages of pipeline.stages, skipping those that are up to date."""
    if dry_run:
        return _status(sources, start, force)
    given = sources.read()
    return pipeline.run(given.load(), start=start, force=force, may_fetch=asks_for_mail(given))


def _status(
    sources: ConfigSources,
    start: FromOption = None,
    force: ForceOption = False,
    details: Annotated[
        bool, typer.Option("--details", help="List every reason why a stage would run, not only the first.")
    ] = False,
) -> Result:
    """Show what `triage run` would do, stage by stage, and why; run nothing."""
    given = sources.read()
    return pipeline.status(given.load(), start=start, force=force, may_fetch=asks_for_mail(given), details=details)


def _config(
    sources: ConfigSources,
    section: Annotated[
        str, typer.Argument(metavar="SECTION", help="Show one section or key only, e.g. sft.", show_default=False)
    ] = "",
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema instead, for editors.")] = False,
    diff: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A B", help="Print how two files, or shipped ones, differ.", show_default=False),
    ] = None,
) -> Result:
    """Print the configuration in force as YAML, and where each value comes from.

    The output can be given to --config. --json prints one object with "config" and "origins".
    """
    if sum([bool(section), schema, diff is not None]) > 1:
        raise UsageError("config: give one of SECTION, --schema and --diff")
    if schema:
        return config_commands.show_schema()
    return config_commands.compare(sources.read(), *diff) if diff else config_commands.show(sources.read(), section)


def _configs(
    config: Config,
    action: Annotated[
        Literal["list", "show", "copy"], typer.Argument(help="show NAME prints one, copy NAME [TARGET] copies it.")
    ] = "list",
    name: Annotated[str, typer.Argument(metavar="NAME", help="A shipped file's name.", show_default=False)] = "",
    target: Annotated[
        Path | None,
        typer.Argument(metavar="TARGET", help="Where to copy it, by default NAME.yaml here.", show_default=False),
    ] = None,
) -> Result:
    """List, show or copy the configurations that come with the program; --config takes their names."""
    if (action == "list" and name) or (action == "show" and target):
        raise UsageError("configs: write `configs`, `configs show NAME` or `configs copy NAME [TARGET]`")
    if action == "list":
        return config_commands.list_shipped()
    if not name:
        raise UsageError(f"configs {action}: name a shipped configuration; `triage configs` lists them")
    return config_commands.copy_shipped(name, target) if action == "copy" else config_commands.show_shipped(name)


def _clean(
    config: Config,
    caches: Annotated[
        bool, typer.Option("--caches", help="Also remove cached features; they are computed again when needed.")
    ] = False,
    all_runs: Annotated[bool, typer.Option("--all-runs", help="Clean every run below the checkpoint folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the files; remove none.")] = False,
) -> Result:
    """Remove the epoch checkpoints of finished trainings, and the leftovers of killed runs.

    Results are kept: the policies, evaluations and data. Afterwards, a finished training cannot be extended by more
    epochs.
    """
    return clean.clean(config, caches=caches, every_run=all_runs, dry_run=dry_run)


def _sweep(
    sources: ConfigSources,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The sweep file, or a shipped one's name (learning_rate).")
    ],
) -> Result:
    """Train many runs that differ in some keys, and rank them on validation; a killed sweep resumes."""
    from enron_triage.sweep import command

    return command.run(sources, find_sweep(file))


def _preferences(
    config: Config,
    sample_uncertain: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="How many messages of train: those whose two likeliest actions are closest."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file to write; by default preferences.jsonl in the data folder."),
    ] = None,
) -> Result:
    """Write a template of preference pairs for people to judge: messages that the policy is least certain about."""
    from enron_triage.annotation import template  # imports torch, which --help and the data stages do without

    return template.run(config, sample_uncertain, output)


def _report(
    config: Config,
    sort: Annotated[
        str, typer.Option(metavar="METRIC", help="What to rank by, such as accuracy, macro_f1 or mean_reward.")
    ] = "macro_f1",
    runs: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Only runs or checkpoints whose name matches, e.g. 'sft_*'; repeatable."),
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Also put the results into TRAINING_LOG.md.")] = False,
) -> Result:
    """Rank the evaluated runs, and say which is better; tables and pictures go to data/eval/."""
    from enron_triage.evaluation import report as comparison

    return comparison.run(config, log=log, sort=sort, runs=runs or ())


def _inspect(
    config: Config,
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A name below --checkpoint-dir, RUN/NAME, a run, or a path.",
            autocompletion=complete_checkpoint,
        ),
    ],
    file: Annotated[str, typer.Argument(hidden=True)] = "",
    as_config: Annotated[
        bool, typer.Option("--config", help="Print a YAML configuration that reproduces the checkpoint.")
    ] = False,
    card: Annotated[bool, typer.Option("--card", help="Print a model card in Markdown.")] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to a new file instead of printing.")
    ] = None,
) -> Result:
    """Describe a checkpoint: how it was made, its data, settings and metrics."""
    if file:
        raise UsageError(
            "inspect: --config takes no file here, it prints a configuration; name the folder with "
            "--checkpoint-dir, or give the path of the checkpoint"
        )
    from enron_triage.inspection import command

    return command.run(config, checkpoint, as_config=as_config, card=card, output=output)


def _predict(
    config: Config,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files or folders of mail, or -.")],
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name below --checkpoint-dir or a path ending in .pt; by default best_sft. Repeatable: an ensemble.",
            autocompletion=complete_checkpoint,
        ),
    ] = None,
    mailbox: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The owner's earlier mail: a Maildir, an mbox, a folder, an archive."),
    ] = None,
    owner: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="The owner's address, if the mailbox does not show it; repeatable."),
    ] = None,
    reasons: Annotated[
        int, typer.Option(metavar="N", min=0, help="How many reasons to give for each decision; 0 is fastest.")
    ] = 3,
) -> None:
    """Predict actions for new mail: .eml files, Maildirs, mbox files, or - for stdin.

    Prints JSON Lines: one object for each message.
    """
    with no_collection():
        from enron_triage.predict import command

    if checkpoint:
        evaluated = msgspec.structs.replace(config.evaluate, checkpoint=tuple(checkpoint))
        config = msgspec.structs.replace(config, evaluate=evaluated)
    try:
        command.run(config, paths, mailbox=mailbox, owner=owner or [], reasons=reasons, output=sys.stdout.buffer)
    except KeyboardInterrupt:  # there is no artifact to speak of
        raise InterruptedRun("interrupted") from None


_REPLACES_NOTHING = {"--overwrite": ""}

COMMANDS: dict[str, Command] = {
    "run": Command(
        run=_run,
        takes_sources=True,
        example="triage run --config configs/demo.yaml",
        settings=("pipeline",),
    ),
    "status": Command(
        run=_status,
        takes_sources=True,
        example="triage status --config configs/demo.yaml",
        settings=("pipeline",),
    ),
    "config": Command(
        run=_config,
        takes_sources=True,
        example="triage config --config sft_weighted --set sft.epochs=3",
    ),
    "configs": Command(
        run=_configs, example="triage configs copy sft_weighted mine.yaml", option_help=_REPLACES_NOTHING
    ),
    "sweep": Command(
        run=_sweep,
        takes_sources=True,
        example="triage sweep configs/sweeps/learning_rate.yaml",
        inputs={"data/train.json": "the messages", "data/val.json": "what the trials are compared on"},
        outputs={"checkpoints/": "a run for each trial", "data/sweeps/": "their table, as JSON and Markdown"},
    ),
    "clean": Command(run=_clean, example="triage clean --all-runs --dry-run", option_help=_REPLACES_NOTHING),
    "preferences": Command(
        run=_preferences,
        example="triage preferences --sample-uncertain 200",
        option_help=_REPLACES_NOTHING,
        inputs={"data/train.json": "the messages", "checkpoints/best_sft.pt": "the policy"},
        outputs={"data/preferences.jsonl": "one line per message, to be filled in"},
        settings=("dpo.init",),
    ),
    "annotate": ANNOTATE,
    "report": Command(
        run=_report,
        example="triage report --log",
        option_help=_REPLACES_NOTHING,
        inputs={"data/eval/": "the evaluations", "checkpoints/": "how each training went"},
        outputs={"data/eval/report.md": "tables", "data/eval/report.html": "tables and pictures"},
    ),
    "inspect": Command(
        run=_inspect,
        example="triage inspect best_sft",
        option_help=_REPLACES_NOTHING,
        inputs={"checkpoints/best_sft.pt": "the checkpoint", "data/eval/": "for --card: its evaluations"},
    ),
    "predict": Command(
        run=_predict,
        example="triage predict --mailbox ~/Maildir new.eml",
        option_help={**_REPLACES_NOTHING, "--json": "No effect: the output is JSON Lines in any case."},
        inputs={"checkpoints/best_sft.pt": "the policy"},
        settings=("decision.rule",),
    ),
}
