"""Small evaluations, as `evaluate` would find them for given decisions."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from enron_triage.evaluation.judged_result import JudgedMetrics, JudgedShare
from enron_triage.evaluation.reading import EpochRecord, EvaluatedCheckpoint, TrainingHistory
from enron_triage.evaluation.record_sets import RecordSet
from enron_triage.evaluation.result import (
    BayesBaseline,
    ClassMetricsWithAuc,
    Evaluation,
    EvaluationSource,
    HistoryBin,
    MailboxMean,
    MailboxMetrics,
    ReliabilityBin,
)
from enron_triage.evaluation.score import decision_metrics
from enron_triage.records import ACTION_NAMES
from enron_triage.runtime import artifacts, provenance

COSTS = tuple(tuple(float(row != column) for column in range(5)) for row in range(5))  # the reward is minus the error
TARGETS, PREDICTIONS = np.array([0, 1, 3, 3, 4, 4]), np.array([0, 3, 3, 3, 4, 3])
EIGHT_TARGETS = np.array([0, 1, 1, 3, 3, 3, 4, 4])


@pytest.fixture(scope="session")
def new_bayes_baseline() -> Callable[..., BayesBaseline]:
    """A simple alternative that earns 0.05 less than the policy."""

    def make(**fields: object) -> BayesBaseline:
        values = {"checkpoint": "best_sft", "mean_reward": -0.3, "gain": 0.05, "interval": None}
        return BayesBaseline(**values | {"beats_baseline": True} | fields)

    return make


SOURCE = EvaluationSource(
    checkpoint="../checkpoints/best_sft.pt",
    checkpoint_sha256="c" * 64,
    run=None,
    records="test.json",
    records_sha256="d" * 64,
    settings={"seed": 42, "rewards": {"costs": [list(row) for row in COSTS]}},
    training={"sft": {"epochs": 8}},
)


@pytest.fixture(scope="session")
def new_evaluation() -> Callable[..., Evaluation]:
    """An evaluation of a policy that decides 4 of 6 messages rightly."""

    def make(targets: np.ndarray = TARGETS, predictions: np.ndarray = PREDICTIONS, **fields: object) -> Evaluation:
        decisions = decision_metrics(targets, predictions, COSTS)
        by_class = {
            name: ClassMetricsWithAuc(**msgspec.structs.asdict(row), auc=0.75 if row.support else None)
            for name, row in decisions.per_class.items()
        }
        mailbox = MailboxMetrics(
            count=len(targets),
            accuracy=decisions.accuracy,
            macro_f1=decisions.macro_f1,
        )
        values = msgspec.structs.asdict(decisions) | {
            "checkpoint": "best_sft",
            "stage": "sft",
            "split": "test",
            "scheme": "received",
            "count": 12345,
            "mailboxes": 19,
            "per_class": by_class,
            "reply_auc": 0.8125,
            "reply_average_precision": None,
            "reply_auc_received": 0.7,
            "received": 20000,
            "ece": 0.1,
            "ece_calibrated": 0.05,
            "reliability": [],
            "temperature": 1.234,
            "decision_rule": "argmax",
            "decisions": {"argmax": decisions, "prior": decision_metrics(targets, targets, COSTS)},
            "by_earlier_actions": {
                "0": HistoryBin(count=0),
                "1-49": HistoryBin(count=12, accuracy=0.5, macro_f1=0.25, reply_auc=None),
            },
            "intervals": {"accuracy": [0.5, 0.75], "reply_auc": None},
            "per_mailbox": {"owner-a": mailbox},
            "mailbox_mean": MailboxMean(accuracy=decisions.accuracy, macro_f1=decisions.macro_f1),
            "mailbox_confusion": {"owner-a": decisions.confusion_matrix},
            "source": SOURCE,
            "bayes_baseline": None,
            "baselines": {"majority": decision_metrics(targets, np.full(len(targets), 4), COSTS)},
            "messages_per_second": 1000,
        }
        return Evaluation(**values | fields)

    return make


@pytest.fixture(scope="session")
def compared(
    new_evaluation: Callable[..., Evaluation], new_bayes_baseline: Callable[..., BayesBaseline]
) -> list[EvaluatedCheckpoint]:
    """Three policies: a good one on val and test, one that earns too little, and one with leaking labels, collapsed."""

    def make(name: str, split: str, predictions: list[int], beats_baseline: bool, **fields: object) -> Evaluation:
        baseline = new_bayes_baseline(gain=0.05 if beats_baseline else -0.05, beats_baseline=beats_baseline)
        labels = {"checkpoint": name, "stage": name.removeprefix("best_"), "split": split, "bayes_baseline": baseline}
        digest = (split[0] if fields.get("scheme") is None else "f") * 64
        labels["source"] = msgspec.structs.replace(SOURCE, records=f"{split}.json", records_sha256=digest)
        bins = [ReliabilityBin(count=8, confidence=0.5, accuracy=0.625)]
        return new_evaluation(EIGHT_TARGETS, np.array(predictions), reliability=bins, **labels | fields)

    good, later = [0, 1, 3, 3, 3, 3, 4, 3], [1] * 8
    policies = {
        "best_sft": [
            make("best_sft", "test", good, True),
            make("best_sft", "val", EIGHT_TARGETS.tolist(), True),
        ],
        "best_grpo": [make("best_grpo", "test", good, False)],
        "synthetic/best_dpo": [make("best_dpo", "test", later, False, scheme="folder")],
    }
    return [
        EvaluatedCheckpoint(name=name, evaluations={each.split: each for each in evaluations})
        for name, evaluations in policies.items()
    ]


@pytest.fixture(scope="session")
def judged(compared: list[EvaluatedCheckpoint]) -> list[EvaluatedCheckpoint]:
    """The same policies, two of them measured by judgements: the first on val, trained on these, the second on test."""
    pairs = JudgedShare(count=1200, accuracy=0.625, interval=[0.5, 0.75], interval_method="jackknife over mailboxes")
    actions = JudgedShare(
        count=8, accuracy=0.25, interval=[0.0625, 0.5625], interval_method="Wilson, judgements taken for independent"
    )
    nothing = JudgedShare(count=0, accuracy=None, interval=None, interval_method=None)
    counts = {"messages": 1100, "mailboxes": 12, "ties": 31, "elsewhere": 7}
    both = JudgedMetrics(
        path="/home/jane/data/judgements.jsonl", sha256="ab" * 32, annotators=2, pairs=pairs, actions=actions, **counts
    )
    one = JudgedMetrics(path="more|.jsonl", sha256="cd" * 32, annotators=1, pairs=nothing, actions=actions, **counts)
    first, second, *others = compared
    val = msgspec.structs.replace(first.evaluations["val"], judgements=both, notes=["trained on these judgements"])
    test = msgspec.structs.replace(second.evaluations["test"], judgements=one)
    return [
        msgspec.structs.replace(first, evaluations={**first.evaluations, "val": val}),
        msgspec.structs.replace(second, evaluations={"test": test}),
        *others,
    ]


@pytest.fixture(scope="session")
def decided(new_evaluation: Callable[..., Evaluation]) -> Callable[..., Evaluation]:
    """An evaluation of given decisions on some mailboxes, by given costs; every figure follows from the decisions."""

    def make(
        targets: np.ndarray,
        predictions: np.ndarray,
        mailbox: np.ndarray,
        *,
        costs: tuple[tuple[float, ...], ...] = COSTS,
        training: dict[str, object] | None = None,
        checkpoint_sha256: str = "c" * 64,
        records_sha256: str = "d" * 64,
        **fields: object,
    ) -> Evaluation:
        confusions = {f"owner-{n}": np.zeros((5, 5), dtype=int) for n in np.unique(mailbox)}
        for target, prediction, n in zip(targets, predictions, mailbox, strict=True):
            confusions[f"owner-{n}"][target, prediction] += 1
        source = msgspec.structs.replace(
            SOURCE,
            settings={"seed": 42, "rewards": {"costs": [list(row) for row in costs]}},
            training=training or {},
            checkpoint_sha256=checkpoint_sha256,
            records_sha256=records_sha256,
        )
        values = {
            "source": source,
            "count": len(targets),
            "mailboxes": len(confusions),
            "mailbox_confusion": {name: each.tolist() for name, each in confusions.items()},
            "mean_reward": float(-np.array(costs)[targets, predictions].mean()),
            "decisions": {},
            "baselines": {},
            "intervals": {},
        }
        return new_evaluation(targets, predictions, **values | fields)

    return make


@pytest.fixture(scope="session")
def new_records() -> Callable[..., RecordSet]:
    """A set of records with the given evaluations, by the policies' names."""

    def make(policies: dict[str, Evaluation], **fields: object) -> RecordSet:
        shown = next(iter(policies.values()))
        return RecordSet(records_sha256=shown.source.records_sha256, scheme=shown.scheme, policies=policies, **fields)

    return make


@pytest.fixture(scope="session")
def epochs() -> list[EpochRecord]:
    """Two epochs of DPO: the first is the best, in the second the policy has collapsed."""
    shares = dict.fromkeys(ACTION_NAMES, 0.2)
    numbers = {"val_loss": 1.0, "accuracy": 0.5, "macro_f1": 0.4, "mean_reward": -0.3, "kl": 0.1, "entropy": 1.0}
    return [
        EpochRecord(epoch=n, best_epoch=1, collapsed=n == 2, predicted_share=shares, train_loss=1 / n, **numbers)
        for n in (1, 2)
    ]


@pytest.fixture(scope="session")
def histories(epochs: list[EpochRecord]) -> dict[str, TrainingHistory]:
    """One training stage, whose validation is small."""
    return {"synthetic/stage_4": TrainingHistory(epochs=epochs, val_messages=7)}


@pytest.fixture
def run_folders(tmp_path: Path, compared: list[EvaluatedCheckpoint], epochs: list[EpochRecord]) -> Path:
    """A folder with the files that the report reads: evaluations in ``data/eval``, metrics in ``checkpoints``."""
    for checkpoint in compared:
        for split, evaluation in checkpoint.evaluations.items():
            artifacts.write_json(tmp_path / "data" / "eval" / f"{checkpoint.name}.{split}.json", evaluation)
    artifacts.write_json(tmp_path / "data" / "eval" / "best_sft.test.json.meta.json", {})
    metrics = tmp_path / "checkpoints" / "synthetic" / "stage_4_metrics.jsonl"
    metrics.parent.mkdir(parents=True)
    other = {"learning_rate": 0.1, "calibration": {"temperature": 1.0}}  # which the report does not need
    lines = [msgspec.json.encode({**msgspec.structs.asdict(epoch), **other}) for epoch in epochs]
    metrics.write_bytes(b"\n".join(lines) + b"\n")
    trained = metrics.with_name("stage_4.pt")
    trained.touch()
    provenance.write_meta(
        [trained], stage="dpo", settings={}, inputs={}, counts={"val": 7}, seconds=1.0, code={}, origin=""
    )
    return tmp_path
