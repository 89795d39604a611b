import json
import logging
import math

import numpy as np
import pytest
import torch

from enron_triage.config.training import TrainingConfig
from enron_triage.errors import TriageError
from enron_triage.policy.checkpoint import Checkpoint, load_checkpoint
from enron_triage.policy.network import new_policy, predict_logits
from enron_triage.records import ACTION_NAMES
from enron_triage.training.files import StageFiles
from enron_triage.training.losses import cross_entropy
from enron_triage.training.trainer import Task, learning_rate_factor, train

MODEL = {"inputs": 3, "hidden": [6], "dropout": 0.3}
FEATURES = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
TARGETS = (FEATURES[:, 0] > 0).long() * 3


FIELDS = {}


@pytest.fixture(autouse=True)
def _fields(checkpoint_fields):
    FIELDS.update(checkpoint_fields(3))
    for name in ("epoch", "metrics"):
        del FIELDS[name]


def metrics_of(accuracy, loss=1.0, shares=(0.2,) * 5, collapsed=False):
    return {
        "val_loss": loss,
        "accuracy": accuracy,
        "balanced_accuracy": accuracy,
        "macro_f1": accuracy,
        "mean_reward": accuracy,
        "predicted_share": dict(zip(ACTION_NAMES, shares, strict=True)),
        "collapsed": collapsed,
        "temperature": 1.0,
    }


def task_of(validations=None, loss=None, identity="same"):
    """A task that learns a sign; with `validations`, what validation shall say of each epoch."""
    policy = new_policy(**MODEL, seed=1)
    script = iter(validations) if validations is not None else None

    def validate():
        if script is None:
            logits = predict_logits(policy, FEATURES)
            accuracy = float((logits.argmax(dim=1) == TARGETS).float().mean())
            return metrics_of(accuracy, float(cross_entropy(logits, TARGETS)))
        found = next(script)
        if isinstance(found, BaseException):
            raise found
        return found

    def checkpoint(epoch, metrics):
        return Checkpoint(
            **FIELDS,
            epoch=epoch,
            model=MODEL,
            weights={name: weight.clone() for name, weight in policy.state_dict().items()},
            metrics=metrics,
        )

    return Task(
        policy=policy,
        order=lambda generator: torch.randperm(len(TARGETS), generator=generator),
        losses=lambda batch: [loss(batch) if loss else cross_entropy(policy(FEATURES[batch]), TARGETS[batch])],
        validate=validate,
        checkpoint=checkpoint,
        identity=identity,
    )


def settings_of(**changes):
    return TrainingConfig(
        **{"epochs": 6, "batch_size": 8, "patience": 100, "learning_rate": 0.01, "select_by": "macro_f1", **changes}
    )


def run(folder, task, *, may_resume=True, seed=5, **changes):
    files = StageFiles(folder, 1, "sft")
    return train(task, settings_of(**changes), files, seed, may_resume=may_resume), files


def timeless(history):
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in history]


def same_weights(first, second):
    return all(torch.equal(first[name], second[name]) for name in first) and first.keys() == second.keys()


def interrupted_in(epoch, folder, **changes):
    """A run that is stopped while it validates an epoch."""
    task = task_of(identity=changes.pop("identity", "same"))
    ordinary, calls = task.validate, []

    def validate():
        calls.append(1)
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return ordinary()

    task.validate = validate
    with pytest.raises(KeyboardInterrupt):
        run(folder, task, **changes)


def test_the_learning_rate_rises_linearly_and_falls_as_a_cosine():
    factors = [learning_rate_factor(step, 100, 0.1) for step in range(100)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    expected = [0.5 * (1 + math.cos(math.pi * (step - 10) / 90)) for step in range(10, 100)]
    assert factors[10:] == pytest.approx(expected)
    assert learning_rate_factor(100, 100, 0.1) == pytest.approx(0)
    assert learning_rate_factor(0, 100, 0.0) == 1
    assert learning_rate_factor(0, 1, 0.9) == 1  # all of it warm-up


def test_the_optimizer_steps_at_the_scheduled_rates(tmp_path, monkeypatch):
    rates = []
    step = torch.optim.AdamW.step

    def recorded(self, *arguments):
        rates.extend(group["lr"] for group in self.param_groups)
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded)
    history, _ = run(tmp_path, task_of(), epochs=4, warmup=0.25)
    assert rates == pytest.approx([0.01 * learning_rate_factor(step, 20, 0.25) for step in range(20)])
    assert [epoch["learning_rate"] for epoch in history] == pytest.approx(rates[4::5])


def test_training_is_adamw_on_the_loss_with_clipped_gradients(tmp_path):
    task = task_of()
    task.policy.eval()
    task.policy.train = lambda mode=True: task.policy  # no dropout: an independent computation can follow
    reference = new_policy(**MODEL, seed=1).eval()
    history, files = run(tmp_path, task, epochs=2, gradient_clip=0.05, weight_decay=0.1, warmup=0.0)
    optimizer = torch.optim.AdamW(reference.parameters(), lr=0.01, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    generator, losses = torch.Generator().manual_seed(5), []
    for _ in range(2):
        total = 0.0
        for batch in torch.split(torch.randperm(40, generator=generator), 8):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(reference(FEATURES[batch]), TARGETS[batch])
            loss.backward()
            norm = torch.sqrt(sum((p.grad**2).sum() for p in reference.parameters()))
            for parameter in reference.parameters():
                parameter.grad *= min(1.0, 0.05 / float(norm))
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        losses.append(total / 40)
    assert [epoch["train_loss"] for epoch in history] == pytest.approx(losses, rel=1e-4)
    trained = load_checkpoint(files.last).weights
    for name, weight in reference.state_dict().items():
        torch.testing.assert_close(trained[name], weight, atol=1e-4, rtol=1e-3)


def test_training_learns_and_leaves_the_last_and_the_best_policy(tmp_path):
    task = task_of()
    history, files = run(tmp_path, task, epochs=20, learning_rate=0.05)
    assert history[-1]["train_loss"] < history[0]["train_loss"] / 2
    assert history[-1]["accuracy"] > 0.9
    last, best = load_checkpoint(files.last), load_checkpoint(files.best)
    assert same_weights(last.weights, task.policy.state_dict())
    assert last.epoch == 20
    scores = [epoch["macro_f1"] for epoch in history]
    assert best.epoch == scores.index(max(scores)) + 1 == history[-1]["best_epoch"]
    assert best.metrics["macro_f1"] == max(scores)
    assert last.resume == best.resume == {}
    lines = [json.loads(line) for line in files.metrics.read_text().splitlines()]
    assert lines == history


def test_training_stops_after_patience_epochs_without_a_better_one(tmp_path):
    scores = [0.1, 0.5, 0.5, 0.4, 0.3, 0.9]
    history, files = run(tmp_path, task_of(map(metrics_of, scores)), patience=3)
    assert len(history) == 5  # an equal score is no better one
    assert load_checkpoint(files.best).epoch == 2
    assert load_checkpoint(files.last).epoch == 5
    assert [epoch["best_epoch"] for epoch in history] == [1, 2, 2, 2, 2]


def test_the_best_by_loss_is_the_lowest(tmp_path):
    validations = [metrics_of(accuracy, loss) for accuracy, loss in [(0.9, 3.0), (0.1, 1.0), (0.5, 2.0)]]
    history, files = run(tmp_path, task_of(validations), epochs=3, select_by="loss")
    assert load_checkpoint(files.best).epoch == 2
    assert history[-1]["best_epoch"] == 2


@pytest.mark.parametrize("name", ["macro_f1", "accuracy", "balanced_accuracy", "mean_reward"])
def test_the_best_is_selected_by_the_named_metric(tmp_path, name):
    validations = [{**metrics_of(0.5), name: value} for value in (0.6, 0.8, 0.7)]
    _, files = run(tmp_path, task_of(validations), epochs=3, select_by=name)
    assert load_checkpoint(files.best).epoch == 2


def test_the_latest_epochs_and_the_best_one_are_kept(tmp_path):
    scores = [0.1, 0.9, 0.2, 0.3, 0.4, 0.5]
    _, files = run(tmp_path, task_of(map(metrics_of, scores)), keep_checkpoints=2)
    assert list(files.epochs()) == [2, 5, 6]
    assert load_checkpoint(files.epoch(2)).weights.keys() == load_checkpoint(files.best).weights.keys()
    assert same_weights(load_checkpoint(files.epoch(2)).weights, load_checkpoint(files.best).weights)


def test_the_epochs_of_an_older_longer_run_are_removed_at_the_end(tmp_path):
    run(tmp_path, task_of(identity="older"), epochs=8)
    (tmp_path / "sft_epoch_notes.pt").write_text("not ours")
    _, files = run(tmp_path, task_of(), epochs=3)
    assert max(files.epochs()) == 3
    assert len(files.metrics.read_text().splitlines()) == 3
    assert (tmp_path / "sft_epoch_notes.pt").exists()


@pytest.mark.parametrize("epoch", [1, 2, 4, 6])
def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path, epoch, caplog):
    whole, files = run(tmp_path / "whole", task_of())
    interrupted_in(epoch, tmp_path / "killed")
    torch.manual_seed(epoch)  # another process has another state
    with caplog.at_level(logging.INFO):
        resumed, again = run(tmp_path / "killed", task_of())
    assert (f"going on after epoch {epoch - 1}" in caplog.text) == (epoch > 1)
    assert timeless(resumed) == timeless(whole)
    assert again.last.read_bytes() == files.last.read_bytes()
    assert again.best.read_bytes() == files.best.read_bytes()
    assert list(again.epochs()) == list(files.epochs())


def test_a_run_that_was_killed_twice_goes_on_too(tmp_path):
    whole, files = run(tmp_path / "whole", task_of())
    interrupted_in(3, tmp_path / "killed")
    interrupted_in(2, tmp_path / "killed")  # the second of the epochs that were left
    resumed, again = run(tmp_path / "killed", task_of())
    assert timeless(resumed) == timeless(whole)
    assert again.last.read_bytes() == files.last.read_bytes()


def test_early_stopping_counts_across_an_interruption(tmp_path):
    scores = [metrics_of(score) for score in (0.5, 0.4, 0.3)]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, task_of([*scores[:2], KeyboardInterrupt()]), patience=2)
    history, _ = run(tmp_path, task_of(scores[2:]), patience=2)
    assert [epoch["macro_f1"] for epoch in history] == [0.5, 0.4, 0.3]


def test_a_run_with_other_settings_is_not_gone_on_from(tmp_path, caplog):
    fresh, files = run(tmp_path / "fresh", task_of(identity="b"))
    interrupted_in(3, tmp_path / "killed", identity="a")
    with caplog.at_level(logging.INFO):
        history, again = run(tmp_path / "killed", task_of(identity="b"))
    assert "going on" not in caplog.text
    assert timeless(history) == timeless(fresh)
    assert again.last.read_bytes() == files.last.read_bytes()


def test_starting_over_ignores_an_unfinished_run(tmp_path, caplog):
    fresh, _ = run(tmp_path / "fresh", task_of(), seed=6)
    interrupted_in(3, tmp_path / "killed")
    with caplog.at_level(logging.INFO):
        history, _ = run(tmp_path / "killed", task_of(), seed=6, may_resume=False)
    assert "going on" not in caplog.text
    assert timeless(history) == timeless(fresh)


def test_a_damaged_epoch_is_passed_over_for_the_one_before(tmp_path, caplog):
    whole, _ = run(tmp_path / "whole", task_of())
    interrupted_in(4, tmp_path / "killed")
    (tmp_path / "killed" / "sft_epoch_3.pt").write_bytes(b"half")
    with caplog.at_level(logging.INFO):
        resumed, _ = run(tmp_path / "killed", task_of())
    assert "sft_epoch_3.pt: not a checkpoint" in caplog.text
    assert "going on after epoch 2" in caplog.text
    assert timeless(resumed) == timeless(whole)


def test_a_run_whose_best_epoch_is_gone_starts_over(tmp_path):
    scores = [metrics_of(score) for score in (0.9, 0.2, 0.3, 0.4)]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, task_of([*scores[:3], KeyboardInterrupt()]), epochs=4)
    (tmp_path / "sft_epoch_1.pt").unlink()
    history, files = run(tmp_path, task_of(scores), epochs=4)  # validated four times again
    assert len(history) == 4
    assert load_checkpoint(files.best).epoch == 1


def test_an_interrupted_run_leaves_the_stages_files_as_they_were(tmp_path):
    _, files = run(tmp_path, task_of(identity="older"))
    before = files.last.read_bytes(), files.best.read_bytes()
    interrupted_in(4, tmp_path)
    assert (files.last.read_bytes(), files.best.read_bytes()) == before
    assert not list(tmp_path.glob(".*"))


def test_a_loss_that_is_no_longer_finite_ends_the_run(tmp_path):
    task = task_of()
    ordinary, calls = task.losses, []

    def losses(batch):
        calls.append(1)
        return [loss * (math.nan if len(calls) > 7 else 1) for loss in ordinary(batch)]

    task.losses = losses
    with pytest.raises(TriageError, match=r"the loss is no longer finite in epoch 2; lower learning_rate") as error:
        run(tmp_path, task)
    assert error.value.exit_status == 1
    assert [path.name for path in tmp_path.glob("*.pt")] == ["sft_epoch_1.pt"]


def test_each_epoch_is_shown_and_a_collapse_named(tmp_path, caplog):
    validations = [metrics_of(0.5, 1.25), metrics_of(0.25, 1.5, (0, 0, 0.01, 0.99, 0), collapsed=True)]
    with caplog.at_level(logging.INFO):
        run(tmp_path, task_of(validations), epochs=2)
    shown = [record.getMessage() for record in caplog.records if record.getMessage().startswith("epoch 1/2:")]
    assert "val loss 1.2500, accuracy 0.5000, macro-F1 0.5000 (best) | predicted: reply_now 20%" in shown[0]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["epoch 2: the policy has collapsed to archive"]


def test_the_global_generator_is_left_alone(tmp_path):
    torch.manual_seed(9)
    expected = torch.rand(2)
    torch.manual_seed(9)
    run(tmp_path, task_of(), epochs=1)
    assert torch.equal(torch.rand(2), expected)


def test_an_epoch_of_uneven_batches_has_the_mean_loss_over_the_examples(tmp_path):
    values = torch.arange(40.0)
    task = task_of()
    parameter = next(task.policy.parameters())
    task.losses = lambda batch: [values[batch].mean() + 0 * parameter.sum()]
    history, _ = run(tmp_path, task, epochs=1, batch_size=32)
    assert history[0]["train_loss"] == pytest.approx(np.arange(40).mean())


def test_several_steps_on_a_batch_share_the_schedule_and_the_mean_loss(tmp_path):
    parameter_values = []
    task = task_of()
    parameter = next(task.policy.parameters())

    def losses(batch):
        for number in (1.0, 3.0):
            parameter_values.append(parameter.detach().clone())
            yield number + 0 * parameter.sum() + (parameter.sum() - parameter.sum().detach())

    task.losses, task.steps_per_batch = losses, 2
    history, _ = run(tmp_path, task, epochs=2, batch_size=8)
    assert history[0]["train_loss"] == pytest.approx(2.0)
    assert len(parameter_values) == 2 * 5 * 2
    assert not torch.equal(parameter_values[0], parameter_values[1])  # each loss was stepped on before the next
    rates = [0.01 * learning_rate_factor(step, 20, 0.05) for step in range(20)]
    assert history[0]["learning_rate"] == pytest.approx(rates[9])
    assert history[1]["learning_rate"] == pytest.approx(rates[19])
