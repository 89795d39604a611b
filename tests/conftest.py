"""Fixtures that several rooms' tests share; a ``new_...`` fixture is a function that makes one with given fields."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

# Before torch is imported: its threads spin, and the tests already run in parallel processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from enron_triage.config.data import LabelConfig
from enron_triage.config.training import RewardsConfig
from enron_triage.mail.demo.corpus import write_demo
from enron_triage.records import Action, ActionCounts, Email, Evidence, History, LabeledEmail
from enron_triage.runtime.provenance import to_builtins

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


@pytest.fixture(scope="session")
def assert_linear() -> Callable[[Callable[[Any], object], Callable[[int], Any], int], None]:
    """Check that work on hostile input grows in proportion to its size, whatever the machine and its load."""

    def check(work: Callable[[Any], object], make: Callable[[int], Any], size: int) -> None:
        """Compare the processor time for `make(size)` and `make(8 * size)`: 8 times if linear, 64 if quadratic."""

        def cost(value: Any) -> float:
            started = time.process_time()
            work(value)
            return time.process_time() - started

        small, large = make(size), make(8 * size)
        # The least of several runs is the one that nothing disturbed; a millisecond hides what the clock cannot see.
        ratio = min(cost(large) for _ in range(3)) / max(min(cost(small) for _ in range(5)), 1e-3)
        assert ratio < 28, f"8 times the input takes {ratio:.0f} times as long"

    return check


@pytest.fixture(scope="session")
def new_email() -> Callable[..., Email]:
    """A message of Jane's to the owner."""
    return lambda **fields: msgspec.structs.replace(EMAIL, **fields)


@pytest.fixture(scope="session")
def new_history() -> Callable[..., History]:
    """A history that knows nothing; an action count given for a scope is as recent as can be."""

    def make(**fields: object) -> History:
        values = dict.fromkeys(History.__struct_fields__, 0) | dict.fromkeys(UNKNOWN)
        values |= {"addressed_by_name": False, "from_own_domain": False}
        for name, value in (dict.fromkeys(SCOPES, NO_ACTIONS) | fields).items():
            values[name] = (
                ActionCounts(counts=value, recent=[float(n) for n in value]) if isinstance(value, list) else value
            )
        return History(**values)

    return make


@pytest.fixture(scope="session")
def new_record(new_history: Callable[..., History]) -> Callable[..., LabeledEmail]:
    """A labelled message: without an action, with an empty history."""

    def make(**fields: object) -> LabeledEmail:
        evidence = Evidence(rule="", sent_path=None, folders=[])
        label = {"action": None, "response_seconds": None, "evidence": evidence, "scheme": "received"}
        return LabeledEmail(**msgspec.structs.asdict(EMAIL) | label | {"history": new_history()} | fields)

    return make


@pytest.fixture(scope="session")
def checkpoint_fields() -> Callable[..., dict[str, Any]]:
    """The fields of a checkpoint for a policy on some metadata features, apart from its model and weights."""

    def make(inputs: int, **fields: Any) -> dict[str, Any]:
        import torch

        features = {
            "groups": ["metadata"],
            "class_prior": torch.full((5,), 0.2),
            "quantiles": torch.linspace(-1, 1, 5)[:, None].repeat(1, inputs),
            "text": None,
            "embedding_model": None,
            "fitted_on": "",
        }
        return {
            "stage": "sft",
            "init": "",
            "init_digest": "",
            "epoch": 2,
            "scheme": "received",
            "label": to_builtins(LabelConfig()),
            "seed": 1,
            "features": features,
            "calibration": {"temperature": 1.0, "shift": [0.0] * 5},
            "decision": {
                "rule": "argmax",
                "offsets": {rule: [0.0] * 5 for rule in ("argmax", "prior", "thresholds")},
                "costs": RewardsConfig().costs,
            },
            "metrics": {},
            "resume": {},
        } | fields

    return make


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A maildir of 3 owners and some 150 messages."""
    root = tmp_path_factory.mktemp("corpus") / "maildir"
    write_demo(root, seed=7, mailboxes=3, messages=150)
    return root


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may touch the checkout's own data."""
    monkeypatch.chdir(tmp_path)
