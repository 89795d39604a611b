"""The preference stage: it starts at the reference, moves as the formulas say, and is honest about it."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from enron_triage import pipeline
from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.policy.checkpoint import load_checkpoint
from enron_triage.training import dpo
from enron_triage.training.policy_gradient import entropy, kl_divergence
from enron_triage.training.preference_losses import preference_loss
from enron_triage.training.preferences import preference_pairs
from enron_triage.training.setup import load_setup

pytestmark = pytest.mark.slow  # trains, or draws

SMALL = [
    "sft.epochs=2",
    "model.hidden=[8]",
    "model.ensemble=2",
    "model.boosting=3",
    "dpo.epochs=2",
    "dpo.batch_size=256",
]
SMALL += ["dpo.learning_rate=0.005", "workers=1"]


@pytest.mark.parametrize("kind", ["sigmoid", "ipo", "hinge"])
def test_the_losses_are_their_formulas_and_have_their_gradients(kind):
    margin = torch.tensor([0.3, -1.2, 8.0, 0.0], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0], dtype=torch.float64)
    beta, smoothing = 0.4, 0.2
    m, w = margin.detach().numpy(), weights.numpy()
    formula = {
        "sigmoid": -(1 - smoothing) * np.log(1 / (1 + np.exp(-beta * m)))
        - smoothing * np.log(1 / (1 + np.exp(beta * m))),
        "ipo": (m - 1 / (2 * beta)) ** 2,
        "hinge": np.maximum(0, 1 - beta * m),
    }[kind]

    def loss(values):
        return preference_loss(values, weights, kind, beta=beta, label_smoothing=smoothing)

    assert loss(margin).item() == pytest.approx((formula * w).sum() / w.sum())
    assert torch.autograd.gradcheck(loss, (margin,))


def test_the_optimum_is_where_the_preferences_are_as_likely_as_they_were_given():
    # With a share of them the wrong way round, sigmoid(beta x margin) must come to the rest of them.
    margin = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([margin], max_iter=100)

    def step():
        optimizer.zero_grad()
        loss = preference_loss(margin, torch.ones(1), "sigmoid", beta=0.5, label_smoothing=0.1)
        loss.backward()
        return loss

    optimizer.step(step)
    assert margin.item() == pytest.approx(math.log(0.9 / 0.1) / 0.5, rel=1e-3)


def test_divergence_and_entropy_are_exact():
    p, q = torch.tensor([[0.5, 0.5, 0.0, 0.0, 0.0]]).clamp_min(1e-30).log(), torch.full((1, 5), 0.2).log()
    assert float(kl_divergence(p, q)) == pytest.approx(math.log(2.5))
    assert float(entropy(p)) == pytest.approx(math.log(2))
    assert float(kl_divergence(q, q)) == pytest.approx(0, abs=1e-6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with splits of the demo corpus and a trained policy."""
    folder = tmp_path_factory.mktemp("dpo")
    small = ["download.source=demo", "download.demo.mailboxes=10", "download.demo.messages=1200"]
    pipeline.run(config_of(folder, *small, "pipeline.stages=[download, parse, label, split, sft]"))
    return folder


def config_of(folder, *overrides):
    return load_config(
        [],
        [*SMALL, *overrides],
        data_dir=str(folder / "data"),
        checkpoint_dir=str(folder / "checkpoints"),
        device="cpu",
        overwrite=True,  # several variants in one folder
    )


def test_at_the_start_the_policy_is_the_reference_and_the_loss_log_2(folder):
    config = config_of(folder)
    setup = load_setup(config, folder / "checkpoints" / "best_sft.pt", torch.device("cpu"))
    objective = dpo.DpoObjective(config, setup, *preference_pairs(config, config.dpo, setup))
    objective.policy.train()
    (loss,) = objective.losses(torch.arange(50))
    assert loss.item() == pytest.approx(math.log(2), rel=1e-5)
    metrics = objective.validate()
    assert metrics.extra["kl"] == pytest.approx(0, abs=1e-6)
    assert metrics.extra["reward_margin"] == pytest.approx(0, abs=1e-6)


def test_the_reference_is_the_calibrated_policy(folder):
    setup = load_setup(config_of(folder), folder / "checkpoints" / "best_sft.pt", torch.device("cpu"))
    calibration = setup.checkpoint.calibration
    plain = load_checkpoint(folder / "checkpoints" / "best_sft.pt").policy(torch.device("cpu"))(setup.val_features)
    expected = (plain + torch.tensor(calibration.shift)) / calibration.temperature
    torch.testing.assert_close(setup.val_reference, torch.log_softmax(expected.detach(), dim=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings", [[], ["dpo.loss=ipo"], ["dpo.loss=hinge", "dpo.sft_weight=0.5"], ["dpo.label_smoothing=0.1"]]
)
def test_the_stage_writes_its_files_and_says_how_far_it_went(folder, settings):
    result = dpo.run(config_of(folder, *settings))
    names = {path.name for path in (folder / "checkpoints").iterdir()}
    assert {"stage_4.pt", "best_dpo.pt", "dpo_epoch_1.pt", "dpo_epoch_2.pt", "stage_4_metrics.jsonl"} <= names
    lines = (folder / "checkpoints" / "stage_4_metrics.jsonl").read_text().splitlines()
    fields = {"kl", "entropy", "chosen_reward", "rejected_reward", "reward_margin", "preference_accuracy"}
    for line in map(json.loads, lines):
        assert fields | {"accuracy", "macro_f1", "collapsed", "val_loss"} <= line.keys()
        assert line["kl"] > 0
    assert "preference accuracy" in result.table
    checkpoint = load_checkpoint(folder / "checkpoints" / "best_dpo.pt")
    assert (checkpoint.stage, checkpoint.init) == ("dpo", "best_sft")


def test_a_policy_trained_on_the_synthetic_order_forgets_what_is_archived_and_deleted(folder):
    init = folder / "checkpoints" / "best_sft.pt"
    settings = ["dpo.preferences=synthetic", "dpo.epochs=20", "dpo.patience=99", "run=synthetic", f"dpo.init={init}"]
    result = dpo.run(config_of(folder, *settings, "dpo.learning_rate=0.02", "dpo.beta=0.5"))
    lines = (folder / "checkpoints" / "synthetic" / "stage_4_metrics.jsonl").read_text().splitlines()
    before, last = load_checkpoint(init).metrics.validation.predicted_share, json.loads(lines[-1])
    assert last["preference_accuracy"] > 0.8  # a success, by this measure
    collapsed = [line["epoch"] for line in map(json.loads, lines) if line["collapsed"]]
    assert collapsed == result.data["collapsed_epochs"]
    assert f"; collapsed in {len(collapsed)} of the epochs" in result.table
    assert before["archive"] + before["delete"] > 0.2
    assert last["predicted_share"]["archive"] + last["predicted_share"]["delete"] < 0.1
    assert result.data["pairs"] > 1000


def test_pairs_judged_by_people_are_found_by_their_fingerprint(folder, tmp_path):
    records = json.loads((folder / "data" / "train.json").read_text())
    lines = [
        json.dumps({"fingerprint": record["fingerprint"], "chosen": "forward", "rejected": "delete"})
        for record in records[:20]
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    result = dpo.run(config_of(folder, f"dpo.preferences={tmp_path / 'pairs.jsonl'}"))
    assert result.data["pairs"] >= 20
    assert result.data["val_pairs"] == 0
    assert result.data["validation"]["preference_accuracy"] is None
    (tmp_path / "pairs.jsonl").write_text('{"fingerprint": "unknown", "chosen": "forward", "rejected": "delete"}')
    with pytest.raises(UsageError, match=r"pairs\.jsonl: no pair of actions on a message of train"):
        dpo.run(config_of(folder, f"dpo.preferences={tmp_path / 'pairs.jsonl'}"))


def test_a_missing_policy_is_answered_with_those_there_are(folder):
    with pytest.raises(UsageError, match=r"nowhere\.pt: no such file; there are best_dpo, best_sft"):
        dpo.run(config_of(folder, "dpo.init=nowhere"))


def judged(folder, tmp_path, count):
    """A file in which somebody prefers forwarding to what was done with some messages of train."""
    records = json.loads((folder / "data" / "train.json").read_text())
    lines = [
        {"fingerprint": record["fingerprint"], "user": record["user"], "chosen": "forward", "rejected": "delete"}
        for record in records
        if record["action"] == "delete"
    ]
    path = tmp_path / "judged.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines[:count]))
    return path


def test_without_a_reference_the_loss_is_that_of_the_policys_own_odds(folder):
    config = config_of(folder, "dpo.reference_free=true", "dpo.beta=1", "dpo.hard_negatives=0")
    setup = load_setup(config, folder / "checkpoints" / "best_sft.pt", torch.device("cpu"))
    pairs, val_pairs = preference_pairs(config, config.dpo, setup)
    objective = dpo.DpoObjective(config, setup, pairs, val_pairs)
    (loss,) = objective.losses(torch.arange(50))
    odds = pairs.take(torch.arange(50)).margins(setup.reference[pairs.message[:50]]).double()
    weights = pairs.weight[:50].double()
    expected = (weights * torch.log1p(torch.exp(-odds))).sum() / weights.sum()
    assert loss.item() == pytest.approx(float(expected), rel=1e-4)
    right = val_pairs.margins(setup.val_reference[val_pairs.message]) > 0
    assert objective.validate().extra["preference_accuracy"] == pytest.approx(float(right.float().mean()))


def test_few_judgements_move_the_policy_by_the_settings_that_are_made_for_them(folder, tmp_path, caplog):
    caplog.set_level("INFO", logger="enron_triage")
    judgements = f"dpo.preferences={judged(folder, tmp_path, 60)}"
    init = f"dpo.init={folder / 'checkpoints' / 'best_sft.pt'}"
    dpo.run(config_of(folder, judgements, init, "run=few"))
    assert "judged.jsonl: 60 judgements of train give 60 pairs\n" in caplog.text
    assert "judged.jsonl: 0 judgements of val give 0 pairs; not used: 60 about messages outside of it\n" in caplog.text
    assert "60 pairs make 2 steps of training in all, which hardly move the policy" in caplog.text
    caplog.clear()
    shipped = load_config(
        [Path("dpo_judgements")],
        [judgements, init, "workers=1", "run=shipped", "dpo.learning_rate=0.01"],
        data_dir=str(folder / "data"),
        checkpoint_dir=str(folder / "checkpoints"),
        device="cpu",
        overwrite=True,
    )
    result = dpo.run(shipped).data
    assert "hardly move" not in caplog.text
    assert "no epoch is better" not in caplog.text  # by the labels, which the judgements contradict
    assert result["improved"] is None
    assert result["best_epoch"] == result["epochs"] == 25
    before, after = (result[key]["predicted_share"]["delete"] for key in ("before", "validation"))
    assert after < before
