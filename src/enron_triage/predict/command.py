"""The command ``triage predict``: paths of mail in, one JSON line for each message out."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

from enron_triage.config.data import FoldersConfig
from enron_triage.config.evaluations import evaluated_checkpoints
from enron_triage.config.paths import other_checkpoints
from enron_triage.config.schema import Config
from enron_triage.errors import TriageError, UsageError
from enron_triage.labels.schemes import SCHEMES
from enron_triage.mail.reading import read_mailbox, read_messages
from enron_triage.predict.parallel import Predictor, predicted_lines
from enron_triage.predict.triage import Triage
from enron_triage.records import Email, LabeledEmail, ParseError

logger = logging.getLogger(__name__)

_BATCH = 64  # messages read at once, so that the first line comes soon
_OUTCOMES = ("predicted", "sent by the owner", "unreadable")


def run(
    config: Config,
    paths: Sequence[str],
    *,
    mailbox: Path | None,
    owner: Sequence[str],
    reasons: int,
    output: IO[bytes],
) -> None:
    """Predict for the messages at some paths, one JSON line each.

    Parameters
    ----------
    config : Config
        The whole configuration: ``evaluate.checkpoint``, ``decision.rule`` and ``device`` decide; ``label.folders``,
        where it differs from its default, names the mailbox's folders in place of the checkpoint's.
    paths : sequence of str
        Files and folders of mail; ``-`` is the standard input.
    mailbox : Path or None
        The owner's earlier mail; None if nothing is known of the owner's habits.
    owner : sequence of str
        The owner's addresses; if there are none, they are learned from the mailbox's sent folders.
    reasons : int >= 0
        How many reasons to give for each decision.
    output : binary file
        What to write the lines to.

    Raises
    ------
    UsageError
        If a path or the checkpoint is missing or cannot be read.
    TriageError
        If no message could be read.
    """
    predictor = _predictor(config, reasons)
    folders = config.label.folders
    triage = predictor.triage(folders if folders != FoldersConfig() else None)
    if SCHEMES[triage.scheme].leak_note is not None:
        logger.warning(
            "the checkpoint was trained on scheme %s, whose labels leak: it does not predict what an owner would do",
            triage.scheme,
        )
    if mailbox is None and triage.uses_history:
        logger.info("no --mailbox: nothing is known of the owner's earlier mail, which changes what is predicted")
    counts: Counter[str] = Counter()
    known = read_mailbox(mailbox, config.pool) if mailbox else []
    records = _records(triage, read_messages(paths), known, owner, counts)
    # Other processes would share a GPU, and those of a cluster may not see the checkpoint.
    alone = config.device not in ("auto", "cpu") or isinstance(config.pool, str)
    for lines in predicted_lines(triage, predictor, records, 1 if alone else int(config.pool)):
        output.write(lines)
        output.flush()
    if not counts["predicted"]:
        raise TriageError(f"{', '.join(paths)}: no message to predict ({_listed(counts)})")
    logger.info("%s", _listed(counts))


def _predictor(config: Config, reasons: int) -> Predictor:
    """What predicts: a checkpoint, or several, whose ensemble is fitted first."""
    checkpoints = evaluated_checkpoints(config)
    for checkpoint in checkpoints:
        others = "" if checkpoint.exists() else other_checkpoints(checkpoint, Path(config.checkpoint_dir))
        if others:
            raise UsageError(f"{checkpoint}: no such file; {others}")
    if len(checkpoints) == 1:
        return Predictor.of(checkpoints, config.device, config.decision.rule, reasons)
    from enron_triage.evaluation.judge import fit_ensemble  # imports torch, which a single policy does without

    fit = functools.partial(fit_ensemble, config)
    return Predictor.of(checkpoints, config.device, config.decision.rule, reasons, fit)


def _records(
    triage: Triage,
    messages: Iterator[Email | ParseError],
    known: Sequence[Email],
    owner: Sequence[str],
    counts: Counter[str],
) -> Iterator[LabeledEmail]:
    """The messages that there is something to predict for, with their history; counts all."""
    # In a mailbox, the messages count as each other's past, so all are looked at together.
    size = None if known else _BATCH
    while chunk := list(islice(messages, size)):
        emails = [message for message in chunk if isinstance(message, Email)]
        for error in (message for message in chunk if isinstance(message, ParseError)):
            logger.warning("%s: %s", error.path, error.error)
            counts["unreadable"] += 1
        for record in triage.records(emails, mailbox=known, owner=owner):
            counts["predicted" if record else "sent by the owner"] += 1
            if record is not None:
                yield record


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[outcome]:,} {outcome}" for outcome in _OUTCOMES if counts[outcome]) or "nothing found"
