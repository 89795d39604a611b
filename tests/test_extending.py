"""A loss, a metric logger and a stage are added through their tables alone, as CONTRIBUTING.md shows.

The same for feature groups is in tests/features/test_groups.py, for decision rules in tests/policy/test_decisions.py,
for mail sources in tests/mail/test_sources.py and for label schemes in tests/labels/test_label.py.
"""

import json
import sys
import types
from pathlib import Path

import pytest
import torch
from builders import new_history, new_record, write_records

from enron_triage import cli, pipeline
from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.pipeline import STAGES, stage_run
from enron_triage.records import ACTIONS
from enron_triage.stage_run import Result, Stage
from enron_triage.training import loggers, losses, preference_losses

pytestmark = pytest.mark.slow  # trains, or draws

SMALL = ["features.groups=[metadata]", "model.hidden=[4]", "model.ensemble=1", "model.boosting=0", "workers=1"]
SMALL += ["sft.epochs=2", "dpo.epochs=1", "device=cpu"]


@pytest.fixture
def splits(tmp_path):
    """Splits of a few messages, in the data folder."""
    for name, count in (("train", 40), ("val", 20)):
        records = [
            new_record(
                user=f"owner-{number % 3}",
                subject="urgent? " * (number % 5),
                action=ACTIONS[number % 5],
                fingerprint=str(number),
                history=new_history(),
            )
            for number in range(count)
        ]
        write_records(tmp_path / "data" / f"{name}.json", records)


def poly_loss(logits, targets, class_weights=None, sample_weights=None):
    """Poly-1 loss (Leng et al. 2022): cross-entropy + (1 - p)."""
    log_p = torch.log_softmax(logits, dim=1).gather(1, targets[:, None]).squeeze(1)
    return losses.weighted_mean(1 - log_p.exp() - log_p, sample_weights)


def test_a_loss(splits, monkeypatch):
    with pytest.raises(UsageError, match=r"sft\.loss: unknown name 'toy'; .*allowed: cross_entropy, focal"):
        load_config([], ["sft.loss=toy"])
    monkeypatch.setitem(losses.LOSSES, "toy", lambda settings: poly_loss)
    plain = pipeline.run_stage("sft", load_config([], SMALL)).data
    poly = pipeline.run_stage("sft", load_config([], [*SMALL, "sft.loss=toy", "run=toy"])).data
    assert poly["validation"]["train_loss"] > plain["validation"]["train_loss"]


def test_a_preference_loss(splits, monkeypatch):
    monkeypatch.setitem(
        preference_losses.PREFERENCE_LOSSES, "toy", lambda margin, beta, label_smoothing: (margin - beta) ** 2
    )
    pipeline.run_stage("sft", load_config([], SMALL))
    result = pipeline.run_stage("dpo", load_config([], [*SMALL, "dpo.loss=toy", "dpo.beta=0.5"]))
    assert result.data["epochs"] == 1


def test_a_metric_logger(splits, monkeypatch):
    seen = []

    class Toy:
        def __init__(self, files, settings):
            self.name = files.name

        def log(self, metrics, history):
            seen.append((self.name, metrics.epoch, len(history)))

    monkeypatch.setitem(loggers.LOGGERS, "toy", Toy)
    pipeline.run_stage("sft", load_config([], SMALL))
    assert seen == [("sft", 1, 1), ("sft", 2, 2)]


def test_a_stage(tmp_path, monkeypatch, capsys):
    def run(config):
        stage = stage_run("count", config)
        with stage.track() as counts:
            counts["lines"] = len(stage.inputs["emails"].read_text().splitlines())
            stage.outputs["count"].write_text(str(counts["lines"]))
        return Result(stage="count", table=f"{counts['lines']} lines", data=counts)

    module = types.ModuleType("toy_stage")
    module.run = run
    monkeypatch.setitem(sys.modules, "toy_stage", module)
    row = Stage(
        help="Count the lines.",
        run="toy_stage:run",
        inputs={"emails": "{data}/emails.json"},
        outputs={"count": "{data}/count.txt"},
        settings=("seed",),
    )
    monkeypatch.setitem(STAGES, "count", row)

    def triage(*arguments):
        monkeypatch.setattr(sys, "argv", ["triage", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code, *capsys.readouterr()

    assert "count" in triage("--help")[1]
    source = ("--set", "parse.source=mail.mbox")
    assert "emails.json: no such file or folder; run `triage run" in triage("count")[2]
    Path("mail.mbox").touch()
    expected = "run `triage parse --set parse.source=mail.mbox` first"
    assert expected in triage("count", *source)[2]
    write_records(tmp_path / "data" / "emails.json", [new_record()])
    chain = ("--set", "pipeline.stages=[count]")
    assert triage("run", *chain)[:2] == (0, "3 lines\n")
    assert triage("run", *chain)[1] == "count: up to date\n"
    status = triage("status", *chain, "--set", "seed=7", "--json")[1]
    reasons = json.loads(status)["stages"]["count"]["reasons"]
    assert reasons == ["seed was 42, is 7"]
