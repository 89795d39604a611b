"""Actions for new mail.

    triage predict --mailbox ~/Maildir new.eml

In Python: ``Triage.load("checkpoints/best_sft.pt").predict(emails)``.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from enron_triage.config.data import LabelConfig
from enron_triage.config.paths import evaluated_checkpoint
from enron_triage.config.schema import Config
from enron_triage.config.training import RuleName
from enron_triage.errors import TriageError
from enron_triage.features.dataset import Dataset, extract_dataset
from enron_triage.features.transform import Transform
from enron_triage.labels.history import MailboxHistory
from enron_triage.labels.label import received_records
from enron_triage.labels.mailbox import MergedMessage, is_dated, partition_mailbox, sort_messages
from enron_triage.labels.owner import Owner
from enron_triage.mail.message import parse_message
from enron_triage.mail.reading import read_mailbox, read_messages
from enron_triage.policy import metrics
from enron_triage.policy.attribution import Reason, explain
from enron_triage.policy.calibration import Calibration
from enron_triage.policy.checkpoint import Checkpoint, check_fit, load_checkpoint
from enron_triage.policy.decisions import Decision
from enron_triage.policy.network import choose_device, predict_logits
from enron_triage.records import ACTION_NAMES, Email, Evidence, LabeledEmail, ParseError

logger = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.float64]

_BATCH = 1000  # messages predicted at once
_ANY_DATE = (datetime.date(1970, 1, 2), datetime.date(2200, 1, 1))


class Prediction(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The action for one message.

    Attributes
    ----------
    path, message_id : str
        Of the message.
    action : str
        By the decision rule.
    needs_reply : float
        P(reply_now) + P(reply_later).
    probabilities : dict of str to float
        Calibrated, by action.
    reasons : list of Reason
        What moved the decision most, the strongest first; empty unless asked for.
    """

    path: str
    message_id: str
    action: str
    needs_reply: float
    probabilities: dict[str, float]
    reasons: list[Reason] = []


class Triage:
    """A trained policy, ready for new mail.

    Parameters
    ----------
    checkpoint : Checkpoint
    device : torch.device
    rule : str, optional
        The decision rule, by default the checkpoint's own.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device, rule: RuleName | None = None) -> None:
        self.scheme = checkpoint.scheme
        self._label = msgspec.convert(checkpoint.label, LabelConfig)
        self._transform = Transform.from_plain(checkpoint.features)
        self._calibration = Calibration(**checkpoint.calibration)
        self._decision = Decision(**checkpoint.decision)
        self._policy = checkpoint.policy(device)
        self._device = device
        self._rule = rule

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu", rule: RuleName | None = None) -> Triage:
        """Read a checkpoint.

        Raises
        ------
        UsageError
            If it is missing, damaged, or made for other features than this version's.
        """
        checkpoint = load_checkpoint(Path(path))
        columns = Transform.from_plain(checkpoint.features).columns
        check_fit(Path(path), checkpoint, checkpoint.scheme, len(columns), Path(path))
        return cls(checkpoint, choose_device(device), rule)  # type: ignore[arg-type]

    def predict(
        self,
        emails: Sequence[Email | bytes],
        *,
        mailbox: Iterable[Email] = (),
        owner: Collection[str] = (),
        reasons: int = 0,
    ) -> list[Prediction | None]:
        """Predict what the owner will do with each message.

        Parameters
        ----------
        emails : sequence of Email or bytes
            As `parse_message` gives them, or raw.
        mailbox : iterable of Email
            The owner's mail, sent and received; of it counts what came before each message. Without it,
            nothing is known of the owner's habits.
        owner : collection of str
            The owner's addresses; by default they are learned from the mailbox's sent folders.
        reasons : int
            How many reasons to give for each.

        Returns
        -------
        list of Prediction or None
            In the order of `emails`; None for what the owner sent.
        """
        parsed = [_parsed(email, number) if isinstance(email, bytes) else email for number, email in enumerate(emails)]
        addresses = frozenset(address.lower() for address in owner)
        known = list(mailbox)
        records = (
            self._among(parsed, known, addresses) if known else [_without_mailbox(email, addresses) for email in parsed]
        )
        predictions = iter(self._predict([record for record in records if record is not None], reasons))
        return [
            # A copy in the mailbox may have served; what was asked about is named.
            None
            if record is None
            else msgspec.structs.replace(next(predictions), path=email.path, message_id=email.message_id)
            for email, record in zip(parsed, records, strict=True)
        ]

    def _among(
        self, emails: Sequence[Email], known: list[Email], addresses: frozenset[str]
    ) -> list[LabeledEmail | None]:
        """The messages with their history, as `triage label` makes it of the whole mailbox."""
        settings = self._label_settings([*emails, *known])
        mailbox = partition_mailbox(known, settings, addresses)
        if not mailbox.owner.addresses:
            logger.warning("the mailbox has too little sent mail to tell its owner; give --owner ADDRESS")
        received = {message.email.fingerprint: message for message in mailbox.received}
        latest = max((message.email.timestamp or 0 for message in [*mailbox.sent, *mailbox.received]), default=0)
        own = {message.email.fingerprint for message in mailbox.sent}
        for email in emails:
            if email.sender in mailbox.owner.addresses:
                own.add(email.fingerprint)
            elif email.fingerprint not in received and email.fingerprint not in own:
                dated = email if is_dated(email, settings) else msgspec.structs.replace(email, timestamp=latest + 1)
                received[email.fingerprint] = MergedMessage(dated, frozenset(), [], 1)
                mailbox.received.append(received[email.fingerprint])
            elif email.fingerprint in received and "junk" in received[email.fingerprint].roles:
                received[email.fingerprint].roles = frozenset()  # asked for, so not to be dropped
        sort_messages(mailbox.received)
        records = {record.fingerprint: record for record in received_records(mailbox, self._label)}
        return [None if email.fingerprint in own else records[email.fingerprint] for email in emails]

    def _label_settings(self, emails: Iterable[Email]) -> LabelConfig:
        """The checkpoint's, with its dates only if all of the mail may be of that time.

        They tell a corpus's broken dates; mail of another time is not broken.
        """
        inside = [is_dated(email, self._label) for email in emails if email.timestamp is not None]
        if sum(inside) > len(inside) / 2:
            return self._label
        return msgspec.structs.replace(self._label, dates=_ANY_DATE)

    def log_probabilities(self, records: Sequence[LabeledEmail]) -> FloatArray:
        """Calibrated log-probabilities of the actions for records with their history, shape (records, actions)."""
        return self._log_probabilities(self._features(records)[1])

    def _features(self, records: Sequence[LabeledEmail]) -> tuple[Dataset, Tensor]:
        dataset = extract_dataset(records, self._transform.groups, self._transform.embedding_model)
        return dataset, self._transform.apply(dataset).to(self._device)

    def _log_probabilities(self, features: Tensor) -> FloatArray:
        return self._calibration.log_probabilities(predict_logits(self._policy, features).numpy())

    def _predict(self, records: Sequence[LabeledEmail], reasons: int) -> list[Prediction]:
        if not records:
            return []
        dataset, features = self._features(records)
        log_p = self._log_probabilities(features)
        probabilities = np.exp(log_p)
        actions = self._decision.decide(log_p, self._rule)
        reply = metrics.reply_probability(probabilities)
        why: list[list[Reason]] = [[] for _ in records]
        if reasons:
            why = explain(self._policy, self._transform, records, dataset, features, actions, reasons)
        return [
            Prediction(
                path=record.path,
                message_id=record.message_id,
                action=ACTION_NAMES[action],
                needs_reply=round(float(needs), 6),
                probabilities={name: round(value, 6) for name, value in zip(ACTION_NAMES, row.tolist(), strict=True)},
                reasons=reason,
            )
            for record, action, needs, row, reason in zip(records, actions, reply, probabilities, why, strict=True)
        ]


def run(
    config: Config,
    paths: Sequence[str],
    *,
    mailbox: Path | None,
    owner: Sequence[str],
    reasons: int,
    output: IO[bytes],
) -> None:
    """Predict for the messages at some paths (``-`` is the standard input), one JSON line each.

    Raises
    ------
    UsageError
        If a path or the checkpoint is missing or cannot be read.
    TriageError
        If no message could be read.
    """
    triage = Triage.load(evaluated_checkpoint(config), config.device, config.decision.rule)
    if triage.scheme == "folder":
        logger.warning("the checkpoint was trained on scheme folder, whose labels leak: it does not tell what one does")
    encode = msgspec.json.Encoder().encode
    counts = {"predicted": 0, "sent by the owner": 0, "unreadable": 0}
    known = read_mailbox(mailbox, config.pool) if mailbox else []
    # Among a mailbox, the messages count as each other's past: then they are predicted together.
    size = _BATCH if mailbox is None else None
    messages = read_messages(paths)
    while chunk := list(islice(messages, size)):
        emails = [message for message in chunk if isinstance(message, Email)]
        for error in (message for message in chunk if isinstance(message, ParseError)):
            logger.warning("%s: %s", error.path, error.error)
            counts["unreadable"] += 1
        for prediction in triage.predict(emails, mailbox=known, owner=owner, reasons=reasons):
            counts["predicted" if prediction else "sent by the owner"] += 1
            if prediction is not None:
                output.write(encode(prediction) + b"\n")
        output.flush()
    if not counts["predicted"]:
        raise TriageError(f"{', '.join(paths)}: no message to predict ({_listed(counts)})")
    logger.info("%s", _listed(counts))


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing found"


def _parsed(raw: bytes, number: int) -> Email:
    return parse_message(raw, path=f"#{number}", user="", folder="")


def _without_mailbox(email: Email, addresses: frozenset[str]) -> LabeledEmail | None:
    """A message of whose owner nothing is known but, perhaps, the addresses."""
    if email.sender in addresses:
        return None
    history = MailboxHistory(Owner.of(addresses, []))
    return LabeledEmail(
        **msgspec.structs.asdict(email),
        action=None,
        response_seconds=None,
        evidence=Evidence(rule="none", sent_path=None, folders=[]),
        history=history.snapshot_before(email, email.timestamp or 0),
        scheme="received",
    )
