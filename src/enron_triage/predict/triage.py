"""A trained policy that predicts what the owner will do with new mail."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from enron_triage.config.data import FoldersConfig
from enron_triage.config.training import RuleName
from enron_triage.config.types import DeviceName
from enron_triage.features.extract import extract_records
from enron_triage.features.feature_group import FloatArray as FloatInputs
from enron_triage.features.feature_group import Reason, TokenArrays
from enron_triage.features.groups import configured_groups
from enron_triage.mail.message import parse_message
from enron_triage.policy import probability_metrics
from enron_triage.policy.attribution import explain
from enron_triage.policy.ensemble import FittedEnsemble, joined_reasons, mean_log_probabilities
from enron_triage.policy.metrics import FloatArray, IntArray
from enron_triage.policy.trained import TrainedPolicy, check_features
from enron_triage.predict.engines import Engine, load_policy
from enron_triage.predict.new_mail import new_records
from enron_triage.records import ACTION_NAMES, Email, LabeledEmail

# Takes the decisions, as class indices, and how many reasons to give for each; gives the reasons.
Explain = Callable[[IntArray, int], list[list[Reason]]]


class Prediction(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The action for one message.

    Attributes
    ----------
    path : str
        Where the message was found.
    message_id : str
        Its Message-ID.
    action : str
        The action that the decision rule chooses.
    needs_reply : float
        The probability that the owner answers: P(reply_now) + P(reply_later).
    probabilities : dict of str to float
        The calibrated probability of each action.
    reasons : list of Reason
        The strongest reasons for the decision, strongest first; empty unless requested.
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
    trained : TrainedPolicy
        The trained policy, as stored by training.
    engine : Engine
        The engine that computes the policy.
    rule : str, optional
        The decision rule, by default the checkpoint's own.
    folders : FoldersConfig, optional
        The roles of the mailbox's folders, by default those of the training mail.

    Attributes
    ----------
    scheme : str
        The label scheme that the policy was trained on.
    label : LabelConfig
        The settings of its labels, including the folder roles.
    uses_history : bool
        Whether predictions depend on what the owner did with earlier mail.
    """

    def __init__(
        self,
        trained: TrainedPolicy,
        engine: Engine,
        rule: RuleName | None = None,
        folders: FoldersConfig | None = None,
    ) -> None:
        self.scheme = trained.scheme
        self.label = msgspec.structs.replace(trained.label, folders=folders or trained.label.folders)
        self.uses_history = "history" in trained.features.settings.groups
        self._features = trained.features
        self._calibration = trained.calibration
        self._decision = trained.decision.with_rule(rule)
        self._engine = engine

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: DeviceName = "cpu",
        rule: RuleName | None = None,
        folders: FoldersConfig | None = None,
    ) -> Triage:
        """Read a checkpoint.

        Parameters
        ----------
        path : str or Path
            The checkpoint's file.
        device : str
            Where the policy is computed: ``cpu``, or, with torch, ``cuda``, ``cuda:1`` or ``mps``. ``auto`` means
            ``cpu``, because importing torch takes longer than predicting with a policy of this size.
        rule : str, optional
            The decision rule, by default the checkpoint's own.
        folders : FoldersConfig, optional
            The roles of the mailbox's folders, by default those of the training mail.

        Raises
        ------
        UsageError
            If it is missing, damaged, or made for features that differ from this version's.
        """
        trained, engine = load_policy(Path(path), device)
        triage = cls(trained, engine, rule, folders)
        check_features(Path(path), trained.model, trained.features.settings, len(trained.features.columns))
        return triage

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
            The new messages, as returned by `parse_message`, or as raw bytes.
        mailbox : iterable of Email
            The owner's mail, sent and received. For each message, only what came before it counts. Without it,
            nothing is known of the owner's habits.
        owner : collection of str
            The owner's addresses; by default they are learned from the mailbox's sent folders.
        reasons : int >= 0
            How many reasons to give for each prediction.

        Returns
        -------
        list of Prediction or None
            In the order of `emails`; None for what the owner sent.
        """
        records = self.records(emails, mailbox=mailbox, owner=owner)
        predictions = iter(self.predict_records([record for record in records if record is not None], reasons))
        return [None if record is None else next(predictions) for record in records]

    def records(
        self, emails: Sequence[Email | bytes], *, mailbox: Iterable[Email] = (), owner: Collection[str] = ()
    ) -> list[LabeledEmail | None]:
        """New messages with what is known of their history: the first half of `predict`.

        Parameters
        ----------
        emails, mailbox, owner
            As for `predict`.

        Returns
        -------
        list of LabeledEmail or None
            In the order of `emails`; None for what the owner sent.
        """
        parsed = [_parsed(email, number) if isinstance(email, bytes) else email for number, email in enumerate(emails)]
        addresses = frozenset(address.lower() for address in owner)
        return new_records(parsed, list(mailbox), addresses, self.label)

    def log_probabilities(self, records: Sequence[LabeledEmail]) -> FloatArray:
        """Calibrated log-probabilities of the actions.

        Parameters
        ----------
        records : sequence of LabeledEmail
            Messages with their history, as `triage label` writes them; their actions are not looked at.

        Returns
        -------
        array of float, shape (records, actions)
            In class order.
        """
        return self._judge(records)[0]

    def inputs(self, records: Sequence[LabeledEmail]) -> FloatInputs:
        """What the policy sees of messages.

        Parameters
        ----------
        records : sequence of LabeledEmail
            As for `log_probabilities`.

        Returns
        -------
        array of float32, shape (records, inputs)
            The normalised features.
        """
        return self._inputs(records)[1]

    def _inputs(self, records: Sequence[LabeledEmail]) -> tuple[dict[str, FloatInputs | TokenArrays], FloatInputs]:
        """The raw features of messages, and what the policy sees of them."""
        settings = self._features.settings
        raw = extract_records(records, tuple(configured_groups(settings)), settings).raw
        return raw, self._features.transform(raw)

    def _judge(self, records: Sequence[LabeledEmail]) -> tuple[FloatArray, Explain]:
        """Calibrated log-probabilities of the actions, and what explains decisions on these messages."""
        raw, inputs = self._inputs(records)

        def explain_decisions(actions: IntArray, count: int) -> list[list[Reason]]:
            gradients = self._engine.integrated_gradients(inputs, actions)
            return explain(self._features, records, raw, *gradients, count)

        return self._calibration.log_probabilities(self._engine.logits(inputs)), explain_decisions

    def predict_records(self, records: Sequence[LabeledEmail], reasons: int = 0) -> list[Prediction]:
        """Predict for messages whose history is known: the second half of `predict`.

        Parameters
        ----------
        records : sequence of LabeledEmail
            The messages; their actions are not looked at.
        reasons : int >= 0
            How many reasons to give for each prediction.

        Returns
        -------
        list of Prediction
            In the order of the records.
        """
        if not records:
            return []
        log_p, explain_decisions = self._judge(records)
        probabilities = np.exp(log_p)
        actions = self._decision.decide(log_p)
        reply = probability_metrics.reply_probability(probabilities)
        why = explain_decisions(actions, reasons) if reasons else [[] for _ in records]
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


class EnsembleTriage(Triage):
    """Several trained policies that predict as one: see `policy.ensemble`.

    Parameters
    ----------
    members : sequence of Triage
        The policies, trained on the same labels. The first says how mail is read.
    fitted : FittedEnsemble
        The calibration and the decision rules of all together.
    rule : str, optional
        The decision rule, by default that of `fitted`.
    """

    def __init__(self, members: Sequence[Triage], fitted: FittedEnsemble, rule: RuleName | None = None) -> None:
        self.scheme, self.label = members[0].scheme, members[0].label
        self.uses_history = any(member.uses_history for member in members)
        self._members = members
        self._calibration, self._decision = fitted.calibration, fitted.decision.with_rule(rule)

    def _judge(self, records: Sequence[LabeledEmail]) -> tuple[FloatArray, Explain]:
        judged = [member._judge(records) for member in self._members]
        members = np.stack([log_p for log_p, _ in judged])

        def explain_decisions(actions: IntArray, count: int) -> list[list[Reason]]:
            chosen = np.exp(members[:, np.arange(len(actions)), actions])
            shares = (chosen / chosen.sum(axis=0)).T.tolist()
            # Each member names more than are asked for, since what is strong in all may be second in each.
            reasons = [explain_members(actions, 2 * count) for _, explain_members in judged]
            return [joined_reasons(of_one, share, count) for *of_one, share in zip(*reasons, shares, strict=True)]

        return self._calibration.log_probabilities(mean_log_probabilities(members)), explain_decisions


def _parsed(raw: bytes, number: int) -> Email:
    return parse_message(raw, path=f"#{number}", user="", folder="")
