"""The command ``triage annotate``: its options, and what it needs from packages above `annotation`."""

from __future__ import annotations

import logging
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from enron_triage.cli.command import Command
from enron_triage.cli.completion import complete_checkpoint
from enron_triage.cli.judgement_files import ExportOption, ImportOption, SummaryOption, without_page
from enron_triage.config import judgements, paths
from enron_triage.config.data import FoldersConfig
from enron_triage.config.schema import Config
from enron_triage.errors import ArtifactError, TriageError, UsageError
from enron_triage.runtime import artifacts
from enron_triage.runtime.extras import install_command
from enron_triage.runtime.imports import no_collection
from enron_triage.stage_run import Result

if TYPE_CHECKING:
    from enron_triage.annotation.page import Shown
    from enron_triage.annotation.strategies import ScoringPolicy
    from enron_triage.predict.triage import Triage

logger = logging.getLogger(__name__)

_SPLITS = ("train", "val", "test")


ModeOption = Annotated[
    Literal["pair", "action"],
    typer.Option(help="What is asked first: which of two actions is better, or what should be done."),
]
StrategyOption = Annotated[
    Literal["uncertain", "random", "disagreement", "cost", "coverage"],
    typer.Option(help="Which messages come first; docs/annotate.md explains them."),
]
SplitOption = Annotated[str, typer.Option(metavar="NAME", help="train, val, test, or a file of labelled records.")]
InputOption = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="PATH", help="Judge this mail instead: any path that predict takes; repeatable."),
]
MailboxOption = Annotated[
    Path | None, typer.Option(metavar="PATH", help="With --input: the owner's earlier mail, as for predict.")
]
OwnerOption = Annotated[
    list[str] | None,
    typer.Option(metavar="ADDRESS", help="With --input: the owner's address, as for predict; repeatable."),
]
AnnotatorOption = Annotated[
    str, typer.Option(metavar="NAME", help="The annotator's name; without it, the page asks.", show_default=False)
]
TargetOption = Annotated[int, typer.Option(metavar="N", min=1, help="How many messages each person is to judge.")]
OverlapOption = Annotated[
    float, typer.Option(metavar="SHARE", min=0, max=1, help="The share of the messages that every annotator gets.")
]
ShowPolicyOption = Annotated[
    bool, typer.Option("--show-policy", help="Show the policy's probabilities, which biases the answers.")
]
CheckpointsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--checkpoint",
        metavar="NAME",
        help="The policy, by default dpo.init; repeat it for a committee.",
        autocompletion=complete_checkpoint,
    ),
]
PoolOption = Annotated[
    int,
    typer.Option(metavar="N", min=1, max=10_000, help="How many messages, drawn at random, are compared at a time."),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The file to append to; by default judgements.jsonl in the data folder."),
]
PortOption = Annotated[
    int, typer.Option(metavar="N", min=0, max=65535, help="The port to listen on; 0 takes any free one.")
]
BrowserOption = Annotated[bool, typer.Option("--browser", help="Open the page in this machine's browser.")]


def _annotate(
    config: Config,
    mode: ModeOption = "pair",
    strategy: StrategyOption = "uncertain",
    split: SplitOption = "train",
    new_mail: InputOption = None,
    mailbox: MailboxOption = None,
    owner: OwnerOption = None,
    annotator: AnnotatorOption = "",
    target: TargetOption = 100,
    overlap: OverlapOption = 0.2,
    show_policy: ShowPolicyOption = False,
    checkpoint: CheckpointsOption = None,
    pool: PoolOption = 1000,
    output: OutputOption = None,
    port: PortOption = 0,
    browser: BrowserOption = False,
    summary: SummaryOption = False,
    export: ExportOption = None,
    take: ImportOption = None,
) -> Result:
    """Judge messages on a local web page, which gives preferences for dpo; Ctrl-C stops it.

    Every judgement is on disk before the next message is shown. docs/annotate.md describes the page and its file.
    """
    path = output or judgements.judgement_file(config)
    if output is not None:
        artifacts.refuse_missing_folder(output)
    if done := without_page(config, path, summary, export, take):
        return done
    if (mailbox or owner) and not new_mail:
        raise UsageError("--mailbox and --owner need --input; the owners of a split are known")
    page = _page()
    settings = page.Settings(kind=mode, target=target, annotator=_checked(annotator), show_policy=show_policy)
    chosen = page.Selection(strategy=strategy, pool=pool, overlap=overlap, seed=config.seed, costs=config.rewards.costs)
    checkpoints = _checkpoints(config, checkpoint or [], needed=strategy not in page.WITHOUT_POLICY)
    if new_mail:
        shown, policies = _new_mail(config, _loaded(config, checkpoints), new_mail, mailbox, owner or [])
    else:
        shown, policies = _split(config, checkpoints, split)
    judged = page.run(path, shown, policies, chosen, settings, port, lambda url: _announce(url, path, browser))
    for_training = not new_mail and split in ("train", "val")
    return _result(path, judged, _following(config, path) if for_training else "")


def _page() -> ModuleType:
    with no_collection():
        try:
            from enron_triage.annotation import page
        except ImportError:
            raise UsageError(f"annotate: needs the extra annotate; run {install_command('annotate')}") from None
    return page


def _checked(annotator: str) -> str:
    from enron_triage.annotation.session import RefusedError, person_name

    try:
        return person_name(annotator) if annotator else ""
    except RefusedError as error:
        raise UsageError(f"--annotator {annotator}: {error}") from None


def _checkpoints(config: Config, names: Sequence[str], needed: bool) -> list[Path]:
    """The committee; none where there is no policy and none is needed."""
    found = [paths.named_checkpoint(config, name) for name in names or [config.dpo.init]]
    if not names and not needed and not found[0].exists():
        logger.info("%s: no such file; drawing pairs at random", found[0])
        return []
    for path in found:
        others = "" if path.exists() else paths.other_checkpoints(path, Path(config.checkpoint_dir))
        if others:
            raise UsageError(f"{path}: no such file; {others}")
        if not path.exists() and not names and (config.data / "train.json").exists():
            random = "or give --strategy random, which needs no policy"
            remedies = f"{{command}} first, {random}", f"name a policy with --checkpoint, {random}"
            raise ArtifactError(path, "no such file", *remedies)
    return found


def _loaded(config: Config, checkpoints: Sequence[Path]) -> list[Triage]:
    if not checkpoints:
        return []
    from enron_triage.predict.triage import Triage

    return [Triage.load(path, config.device) for path in checkpoints]


def _split(config: Config, checkpoints: Sequence[Path], split: str) -> tuple[Shown, Sequence[ScoringPolicy]]:
    from enron_triage.annotation.conversations import ParsedConversations
    from enron_triage.annotation.messages import SplitMessages
    from enron_triage.annotation.page import Shown
    from enron_triage.annotation.train_scores import TrainScores, train_log_probabilities

    path = config.data / f"{split}.json" if split in _SPLITS else Path(split)
    if split not in _SPLITS and not path.exists():
        raise UsageError(f"--split {split}: no such file; give train, val, test or a file of labelled records")
    policies: Sequence[ScoringPolicy] = _loaded(config, checkpoints)
    messages = SplitMessages(path)
    if path.resolve() == (config.data / "train.json").resolve():
        policies = [
            TrainScores(policy, train_log_probabilities(config, checkpoint, messages.count), messages.rows)
            for checkpoint, policy in zip(checkpoints, policies, strict=True)
        ]
    return Shown(messages, lambda: ParsedConversations(config.data / "emails.json")), policies


def _new_mail(
    config: Config, policies: Sequence[Triage], new: Sequence[str], mailbox: Path | None, owner: Sequence[str]
) -> tuple[Shown, Sequence[ScoringPolicy]]:
    """New mail with the history that the owner's mailbox gives it, as `triage predict` reads both."""
    from enron_triage.annotation.conversations import ListedConversations
    from enron_triage.annotation.messages import ListedMessages
    from enron_triage.annotation.page import Shown
    from enron_triage.mail.reading import read_mailbox, read_messages
    from enron_triage.predict.new_mail import new_records
    from enron_triage.records import ParseError

    read = list(read_messages(new))
    errors = [each for each in read if isinstance(each, ParseError)]
    for error in errors:
        logger.warning("%s: %s", error.path, error.error)
    emails = [each for each in read if not isinstance(each, ParseError)]
    known = read_mailbox(mailbox, config.pool) if mailbox else []
    addresses = frozenset(address.lower() for address in owner)
    settings = policies[0].label if policies else config.label
    if config.label.folders != FoldersConfig():
        settings = msgspec.structs.replace(settings, folders=config.label.folders)
    records = [record for record in new_records(emails, known, addresses, settings) if record is not None]
    if not records:
        raise TriageError(f"{', '.join(new)}: no message to judge; {len(read):,} read, {len(errors):,} unreadable")
    return Shown(ListedMessages(records), lambda: ListedConversations(known)), policies


def _announce(address: str, path: Path, browser: bool) -> None:
    """Say where the page is; on stderr, also with --quiet, as without the address there is nothing."""
    typer.echo(f"Judge at {address}\nJudgements go to {path}; press Ctrl-C to stop.", err=True)
    if browser:
        import webbrowser

        webbrowser.open(address)


def _following(config: Config, path: Path) -> str:
    """The command that learns from the judgements of a file."""
    is_usual = path == judgements.judgement_file(config)
    named = "" if is_usual else f" --set {shlex.quote(f'dpo.preferences={path}')}"
    return f"then `triage dpo --config dpo_judgements{named}`"


def _result(path: Path, judged: Counter[str], following: str) -> Result:
    by_person = ", ".join(f"{name} {count:,}" for name, count in sorted(judged.items()))
    table = f"{judged.total():,} judged in this run{f' ({by_person})' if by_person else ''} -> {path}"
    return Result(stage="annotate", table=table, data={"judged": dict(judged), "path": str(path)}, following=following)


ANNOTATE = Command(
    run=_annotate,
    example="triage annotate --strategy cost --target 200",
    inputs={
        "data/train.json": "the messages",
        "data/emails.json": "their conversations",
        "checkpoints/best_sft.pt": "the policy",
    },
    outputs={"data/judgements.jsonl": "one line per judgement"},
    settings=("dpo.init",),
    option_help={"--overwrite": ""},
)
