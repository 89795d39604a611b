"""Small mail, records, metrics and checkpoints for tests; every field can be given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from enron_triage.config.data import LabelConfig
from enron_triage.config.training import FeaturesConfig, RewardsConfig
from enron_triage.records import (
    ACTION_NAMES,
    Action,
    ActionCounts,
    Email,
    Evidence,
    History,
    LabeledEmail,
)
from enron_triage.runtime import artifacts

NO_ACTIONS = [0] * len(Action)
EMAIL = Email(
    path="owner-a/inbox/1.",
    user="owner-a",
    folder="inbox",
    labels=[],
    message_id="",
    date="2001-05-14T18:00:00-07:00",
    timestamp=989888400,
    sender="jane@x.example",
    sender_name="",
    to=["owner@x.example"],
    cc=[],
    bcc=[],
    subject="",
    raw_subject=None,
    body="",
    in_reply_to="",
    references=[],
    fingerprint="f",
    raw_sha256="s",
)
SCOPES = ("owner", "domain", "sender", "series", "recipient", "conversation")
UNKNOWN = (  # nothing to count from
    *("last_sender_action", "since_sent", "since_sent_to_sender", "since_received_from_sender"),
    *("conversation_started", "since_conversation_sent", "since_conversation_received"),
    *("response_to_sender", "response", "recipient_field", "recipient_position"),
)


def new_email(**fields: Any) -> Email:
    """A message of Jane's to the owner."""
    return msgspec.structs.replace(EMAIL, **fields)


def new_history(**fields: object) -> History:
    """A history that knows nothing; an action count given for a scope is as recent as can be."""
    values = dict.fromkeys(History.__struct_fields__, 0) | dict.fromkeys(UNKNOWN)
    values |= {"addressed_by_name": False, "from_own_domain": False}
    for name, value in (dict.fromkeys(SCOPES, NO_ACTIONS) | fields).items():
        values[name] = (
            ActionCounts(counts=value, recent=[float(n) for n in value]) if isinstance(value, list) else value
        )
    return History(**values)


def new_record(**fields: object) -> LabeledEmail:
    """A labelled message: without an action, with an empty history."""
    evidence = Evidence(rule="", sent_path=None, folders=[])
    label = {"action": None, "response_seconds": None, "evidence": evidence, "scheme": "received"}
    return LabeledEmail(**msgspec.structs.asdict(EMAIL) | label | {"history": new_history()} | fields)


def write_records(path: Path, records: Any) -> None:
    """Write an artifact of records."""
    with artifacts.record_writer(path) as writer:
        for record in records:
            writer.write(msgspec.json.encode(record))


def new_validation(score: float = 0.5, **fields: Any) -> Any:
    """Metrics of a validation that all have one score."""
    from enron_triage.policy.validation import ValidationMetrics

    values = dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "mean_reward"), score)
    shares = dict(zip(ACTION_NAMES, [0.2] * len(ACTION_NAMES), strict=True))
    defaults = {
        "val_loss": 1.0,
        "predicted_share": shares,
        "collapsed": False,
        "reply_auc": None,
        "calibration": new_calibration(),
        "decision": new_decision(),
    }
    return ValidationMetrics(**{**values, **defaults, **fields})


def new_calibration(**fields: Any) -> Any:
    """A calibration that changes nothing."""
    from enron_triage.policy.calibration import Calibration

    return Calibration(**{"temperature": 1.0, "shift": [0.0] * 5, **fields})


def new_decision(**fields: Any) -> Any:
    """The arg max; the other rules decide the same."""
    from enron_triage.policy.decisions import Decision

    offsets = {rule: [0.0] * 5 for rule in ("argmax", "prior", "thresholds")}
    return Decision(**{"rule": "argmax", "offsets": offsets, "costs": RewardsConfig().costs, **fields})


def new_transform(inputs: int, **fields: Any) -> Any:
    """What is fitted on train, for a policy on some metadata features."""
    import torch

    from enron_triage.features.transform import FeatureTransform

    defaults = {
        "settings": FeaturesConfig(groups=("metadata",)),
        "seed": 1,
        "mailbox_weights_power": 0.5,
        "class_prior": torch.full((5,), 0.2),
        "states": {"metadata": {"quantiles": torch.linspace(-1, 1, 5)[:, None].repeat(1, inputs)}},
        "fitted_on": "",
    }
    return FeatureTransform(**{**defaults, **fields})


def checkpoint_fields(inputs: int, **fields: Any) -> dict[str, Any]:
    """The fields of a checkpoint for a policy on some metadata features, apart from its model and weights."""
    from enron_triage.policy.origin import Origin

    return {
        "stage": "sft",
        "init": "",
        "init_digest": "",
        "epoch": 2,
        "scheme": "received",
        "label": LabelConfig(),
        "seed": 1,
        "features": new_transform(inputs),
        "calibration": new_calibration(),
        "decision": new_decision(),
        "metrics": None,
        "class_prior": [0.2] * 5,
        "origin": Origin(),
        "resume": {},
    } | fields
