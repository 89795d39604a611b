import json
import logging
import math

import numpy as np
import pytest
import torch
from builders import checkpoint_fields, new_validation

from enron_triage.config.training import TrainingConfig
from enron_triage.errors import TriageError
from enron_triage.policy.checkpoint import Checkpoint, load_checkpoint
from enron_triage.policy.inference import predict_logits
from enron_triage.policy.network import PolicySpec, new_policy
from enron_triage.records import ACTION_NAMES
from enron_triage.runtime import adamw
from enron_triage.training.files import TrainingFiles
from enron_triage.training.loggers import LOGGERS
from enron_triage.training.losses import cross_entropy
from enron_triage.training.trainer import Objective, Trainer, learning_rate_factor

SPEC = PolicySpec(inputs=3, hidden=(6,), dropout=0.3)
FEATURES = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
TARGETS = (FEATURES[:, 0] > 0).long() * 3


class Sign(Objective):
    """Learns a sign; with `validations`, what validation says of each epoch."""

    def __init__(self, validations=None):
        self.policy = new_policy(SPEC, seed=1)
        self.script = None if validations is None else iter(validations)

    def indices(self, generator):
        return torch.randperm(len(TARGETS), generator=generator)

    def losses(self, batch):
        yield cross_entropy(self.policy(FEATURES[batch]), TARGETS[batch])

    def validate(self):
        if self.script is None:
            logits = predict_logits(self.policy, FEATURES)
            accuracy = float((logits.argmax(dim=1) == TARGETS).float().mean())
            return new_validation(accuracy, val_loss=float(cross_entropy(logits, TARGETS)))
        found = next(self.script)
        if isinstance(found, BaseException):
            raise found
        return found

    def checkpoint(self, metrics):
        fields = checkpoint_fields(3, epoch=metrics.epoch, metrics=metrics)
        return Checkpoint(**fields, model=SPEC, weights=self.policy.detached_weights())


class Interrupted(Sign):
    """Is stopped while it validates an epoch, counted from the start of this process."""

    def __init__(self, epoch):
        super().__init__()
        self.left = epoch

    def validate(self):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return super().validate()


def settings_of(**changes):
    return TrainingConfig(
        **{"epochs": 6, "batch_size": 8, "patience": 100, "learning_rate": 0.01, "select_by": "macro_f1", **changes}
    )


def run(folder, objective, *, resume=True, seed=5, run_fingerprint="same", **changes):
    files, settings = TrainingFiles(folder, "sft", 1), settings_of(**changes)
    loggers = [make(files, settings) for make in LOGGERS.values()]
    trainer = Trainer(objective, settings, files, seed=seed, run_fingerprint=run_fingerprint, loggers=loggers)
    return [epoch.flat() for epoch in trainer.train(resume=resume)], files


def timeless(history):
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in history]


def same_weights(first, second):
    return all(torch.equal(first[name], second[name]) for name in first) and first.keys() == second.keys()


def interrupted_in(epoch, folder, **changes):
    """A run that is stopped while it validates an epoch."""
    with pytest.raises(KeyboardInterrupt):
        run(folder, Interrupted(epoch), **changes)


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
    step = adamw.AdamW.step

    def recorded(self, *arguments):
        rates.extend(group["lr"] for group in self.param_groups)
        return step(self, *arguments)

    monkeypatch.setattr(adamw.AdamW, "step", recorded)
    history, _ = run(tmp_path, Sign(), epochs=4, warmup=0.25)
    assert rates == pytest.approx([0.01 * learning_rate_factor(step, 20, 0.25) for step in range(20)])
    assert [epoch["learning_rate"] for epoch in history] == pytest.approx(rates[4::5])


def test_training_is_adamw_on_the_loss_with_clipped_gradients(tmp_path):
    objective = Sign()
    objective.policy.eval()
    objective.policy.train = lambda mode=True: objective.policy  # no dropout: an independent computation can follow
    reference = new_policy(SPEC, seed=1).eval()
    history, files = run(tmp_path, objective, epochs=2, gradient_clip=0.05, weight_decay=0.1, warmup=0.0)
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
    objective = Sign()
    history, files = run(tmp_path, objective, epochs=20, learning_rate=0.05)
    assert history[-1]["train_loss"] < history[0]["train_loss"] / 2
    assert history[-1]["accuracy"] > 0.9
    last, best = load_checkpoint(files.last), load_checkpoint(files.best)
    assert same_weights(last.weights, objective.policy.state_dict())
    assert last.epoch == 20
    scores = [epoch["macro_f1"] for epoch in history]
    assert best.epoch == scores.index(max(scores)) + 1 == history[-1]["best_epoch"]
    assert best.metrics.validation.macro_f1 == max(scores)
    assert last.resume == best.resume == {}
    lines = [json.loads(line) for line in files.metrics.read_text().splitlines()]
    assert lines == json.loads(json.dumps(history))


def test_training_stops_after_patience_epochs_without_a_better_one(tmp_path):
    scores = [0.1, 0.5, 0.5, 0.4, 0.3, 0.9]
    history, files = run(tmp_path, Sign(map(new_validation, scores)), patience=3)
    assert len(history) == 5  # an equal score is not better
    assert load_checkpoint(files.best).epoch == 2
    assert load_checkpoint(files.last).epoch == 5
    assert [epoch["best_epoch"] for epoch in history] == [1, 2, 2, 2, 2]


def test_the_best_by_loss_is_the_lowest(tmp_path):
    validations = [new_validation(accuracy, val_loss=loss) for accuracy, loss in [(0.9, 3.0), (0.1, 1.0), (0.5, 2.0)]]
    history, files = run(tmp_path, Sign(validations), epochs=3, select_by="loss")
    assert load_checkpoint(files.best).epoch == 2
    assert history[-1]["best_epoch"] == 2


def test_the_last_epoch_is_selected_whatever_validation_says(tmp_path):
    scores = [0.9, 0.8, 0.1]
    history, files = run(tmp_path, Sign(map(new_validation, scores)), epochs=3, select_by="last", patience=1)
    assert load_checkpoint(files.best).epoch == history[-1]["best_epoch"] == 3


@pytest.mark.parametrize("name", ["macro_f1", "accuracy", "balanced_accuracy", "mean_reward"])
def test_the_best_is_selected_by_the_named_metric(tmp_path, name):
    validations = [new_validation(0.5, **{name: value}) for value in (0.6, 0.8, 0.7)]
    _, files = run(tmp_path, Sign(validations), epochs=3, select_by=name)
    assert load_checkpoint(files.best).epoch == 2


def test_the_latest_epochs_and_the_best_one_are_kept(tmp_path):
    scores = [0.1, 0.9, 0.2, 0.3, 0.4, 0.5]
    _, files = run(tmp_path, Sign(map(new_validation, scores)), keep_checkpoints=2)
    assert list(files.epochs()) == [2, 5, 6]
    assert load_checkpoint(files.epoch(2)).weights.keys() == load_checkpoint(files.best).weights.keys()
    assert same_weights(load_checkpoint(files.epoch(2)).weights, load_checkpoint(files.best).weights)


def test_the_epochs_of_an_older_longer_run_are_removed_at_the_end(tmp_path):
    run(tmp_path, Sign(), run_fingerprint="older", epochs=8)
    (tmp_path / "sft_epoch_notes.pt").write_text("not ours")
    _, files = run(tmp_path, Sign(), epochs=3)
    assert max(files.epochs()) == 3
    assert len(files.metrics.read_text().splitlines()) == 3
    assert (tmp_path / "sft_epoch_notes.pt").exists()


@pytest.mark.parametrize("epoch", [1, 2, 4, 6])
def test_a_run_that_was_killed_is_resumed_as_if_it_had_not_been(tmp_path, epoch, caplog):
    whole, files = run(tmp_path / "whole", Sign())
    interrupted_in(epoch, tmp_path / "killed")
    torch.manual_seed(epoch)  # another process has another state
    with caplog.at_level(logging.INFO):
        resumed, again = run(tmp_path / "killed", Sign())
    assert (f"resuming after epoch {epoch - 1}" in caplog.text) == (epoch > 1)
    assert timeless(resumed) == timeless(whole)
    assert again.last.read_bytes() == files.last.read_bytes()
    assert again.best.read_bytes() == files.best.read_bytes()
    assert list(again.epochs()) == list(files.epochs())


def test_a_run_that_was_killed_twice_is_resumed_too(tmp_path):
    whole, files = run(tmp_path / "whole", Sign())
    interrupted_in(3, tmp_path / "killed")
    interrupted_in(2, tmp_path / "killed")  # the second of the epochs that were left
    resumed, again = run(tmp_path / "killed", Sign())
    assert timeless(resumed) == timeless(whole)
    assert again.last.read_bytes() == files.last.read_bytes()


def test_early_stopping_counts_across_an_interruption(tmp_path):
    scores = [new_validation(score) for score in (0.5, 0.4, 0.3)]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Sign([*scores[:2], KeyboardInterrupt()]), patience=2)
    history, _ = run(tmp_path, Sign(scores[2:]), patience=2)
    assert [epoch["macro_f1"] for epoch in history] == [0.5, 0.4, 0.3]


def test_a_run_with_other_settings_is_not_resumed(tmp_path, caplog):
    fresh, files = run(tmp_path / "fresh", Sign(), run_fingerprint="b")
    interrupted_in(3, tmp_path / "killed", run_fingerprint="a")
    with caplog.at_level(logging.INFO):
        history, again = run(tmp_path / "killed", Sign(), run_fingerprint="b")
    assert "resuming after" not in caplog.text
    assert timeless(history) == timeless(fresh)
    assert again.last.read_bytes() == files.last.read_bytes()


def test_starting_over_ignores_an_unfinished_run(tmp_path, caplog):
    fresh, _ = run(tmp_path / "fresh", Sign(), seed=6)
    interrupted_in(3, tmp_path / "killed")
    with caplog.at_level(logging.INFO):
        history, _ = run(tmp_path / "killed", Sign(), seed=6, resume=False)
    assert "resuming after" not in caplog.text
    assert timeless(history) == timeless(fresh)


def test_a_finished_run_is_extended_to_more_epochs(tmp_path, caplog):
    _, short = run(tmp_path, Sign(), epochs=3)
    before = load_checkpoint(short.last)
    with caplog.at_level(logging.INFO):
        history, files = run(tmp_path, Sign(), epochs=5)
    assert "extending a finished run from 3 to 5 epochs" in caplog.text
    assert "the learning rate of the first 3 followed the schedule of 3 epochs" in caplog.text
    assert "resuming after" not in caplog.text
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3, 4, 5]
    rates = [0.01 * learning_rate_factor(5 * epoch - 1, 25, 0.05) for epoch in (4, 5)]
    assert [epoch["learning_rate"] for epoch in history[3:]] == pytest.approx(rates)
    after = load_checkpoint(files.last)
    assert (before.epoch, before.origin.extended_from, after.epoch, after.origin.extended_from) == (3, [], 5, [3])
    assert not same_weights(before.weights, after.weights)


def test_the_best_policy_says_so_too_if_its_epoch_came_before_the_extension(tmp_path):
    scores = [new_validation(score) for score in (0.2, 0.9, 0.3, 0.4, 0.5)]
    run(tmp_path, Sign(scores[:3]), epochs=3)
    _, files = run(tmp_path, Sign(scores[3:]), epochs=5)
    best = load_checkpoint(files.best)
    assert (best.epoch, best.origin.extended_from) == (2, [3])


def test_an_extended_run_that_was_killed_is_resumed_as_if_it_had_not_been(tmp_path):
    for folder in ("whole", "killed"):
        run(tmp_path / folder, Sign(), epochs=2)
        run(tmp_path / folder, Sign(), epochs=4)
    whole, files = run(tmp_path / "whole", Sign(), epochs=7)
    interrupted_in(2, tmp_path / "killed", epochs=7)
    resumed, again = run(tmp_path / "killed", Sign(), epochs=7)
    assert timeless(resumed) == timeless(whole)
    assert again.last.read_bytes() == files.last.read_bytes()
    assert load_checkpoint(again.best).origin.extended_from == [2, 4]


def test_more_epochs_change_nothing_where_a_run_had_stopped_early(tmp_path, caplog):
    scores = [new_validation(score) for score in (0.5, 0.4, 0.3)]
    run(tmp_path, Sign(scores), patience=2, epochs=5)
    history, files = run(tmp_path, Sign([]), patience=2, epochs=8)
    assert len(history) == 3
    assert "had stopped early after epoch 3 (patience 2): more epochs would change nothing" in caplog.text
    assert load_checkpoint(files.best).origin.extended_from == [5]


@pytest.mark.parametrize("epochs", [3, 8])
def test_an_unfinished_run_is_not_continued_with_another_number_of_epochs(tmp_path, epochs, caplog):
    fresh, files = run(tmp_path / "fresh", Sign(), epochs=epochs)
    interrupted_in(3, tmp_path / "killed")
    with caplog.at_level(logging.INFO):
        history, again = run(tmp_path / "killed", Sign(), epochs=epochs)
    assert f"training from the start for {epochs} epochs: there is an unfinished run of 6" in caplog.text
    assert timeless(history) == timeless(fresh)
    assert again.last.read_bytes() == files.last.read_bytes()


def test_fewer_epochs_than_before_train_anew(tmp_path, caplog):
    fresh, files = run(tmp_path / "fresh", Sign(), epochs=4)
    run(tmp_path / "longer", Sign(), epochs=6)
    with caplog.at_level(logging.INFO):
        history, again = run(tmp_path / "longer", Sign(), epochs=4)
    assert "training from the start for 4 epochs: there is a run of 6" in caplog.text
    assert timeless(history) == timeless(fresh)
    assert again.last.read_bytes() == files.last.read_bytes()


def test_a_damaged_epoch_is_passed_over_for_the_one_before(tmp_path, caplog):
    whole, _ = run(tmp_path / "whole", Sign())
    interrupted_in(4, tmp_path / "killed")
    (tmp_path / "killed" / "sft_epoch_3.pt").write_bytes(b"half")
    with caplog.at_level(logging.INFO):
        resumed, _ = run(tmp_path / "killed", Sign())
    assert "sft_epoch_3.pt: not a checkpoint" in caplog.text
    assert "resuming after epoch 2" in caplog.text
    assert timeless(resumed) == timeless(whole)


def test_a_run_whose_best_epoch_is_gone_starts_over(tmp_path):
    scores = [new_validation(score) for score in (0.9, 0.2, 0.3, 0.4)]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Sign([*scores[:3], KeyboardInterrupt()]), epochs=4)
    (tmp_path / "sft_epoch_1.pt").unlink()
    history, files = run(tmp_path, Sign(scores), epochs=4)  # validated four times again
    assert len(history) == 4
    assert load_checkpoint(files.best).epoch == 1


def test_an_interrupted_run_leaves_the_stages_files_as_they_were(tmp_path):
    _, files = run(tmp_path, Sign(), run_fingerprint="older")
    before = files.last.read_bytes(), files.best.read_bytes()
    interrupted_in(4, tmp_path)
    assert (files.last.read_bytes(), files.best.read_bytes()) == before
    assert not list(tmp_path.glob(".*"))


def test_a_loss_that_becomes_nan_ends_the_run(tmp_path):
    objective = Sign()
    ordinary, calls = objective.losses, []

    def losses(batch):
        calls.append(1)
        return [loss * (math.nan if len(calls) > 7 else 1) for loss in ordinary(batch)]

    objective.losses = losses
    with pytest.raises(TriageError, match=r"the loss became NaN or infinite in epoch 2; lower learning_rate") as error:
        run(tmp_path, objective)
    assert error.value.exit_status == 1
    assert [path.name for path in tmp_path.glob("*.pt")] == ["sft_epoch_1.pt"]


def test_each_epoch_is_shown_and_a_collapse_named(tmp_path, caplog):
    validations = [
        new_validation(0.5, val_loss=1.25),
        new_validation(
            0.25, predicted_share=dict(zip(ACTION_NAMES, (0, 0, 0.01, 0.99, 0), strict=True)), collapsed=True
        ),
    ]
    with caplog.at_level(logging.INFO):
        run(tmp_path, Sign(validations), epochs=2)
    shown = [record.getMessage() for record in caplog.records if record.getMessage().startswith("epoch 1/2:")]
    assert "val loss 1.2500, accuracy 0.5000, macro-F1 0.5000 (best by macro_f1) | predicted: reply_now 20%" in shown[0]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["epoch 2: the policy has collapsed to archive"]


def test_the_global_generator_is_left_alone(tmp_path):
    torch.manual_seed(9)
    expected = torch.rand(2)
    torch.manual_seed(9)
    run(tmp_path, Sign(), epochs=1)
    assert torch.equal(torch.rand(2), expected)


def test_an_epoch_of_uneven_batches_has_the_mean_loss_over_the_examples(tmp_path):
    values = torch.arange(40.0)
    objective = Sign()
    parameter = next(objective.policy.parameters())
    objective.losses = lambda batch: [values[batch].mean() + 0 * parameter.sum()]
    history, _ = run(tmp_path, objective, epochs=1, batch_size=32)
    assert history[0]["train_loss"] == pytest.approx(np.arange(40).mean())


def test_several_steps_on_a_batch_share_the_schedule_and_the_mean_loss(tmp_path):
    parameter_values = []
    objective = Sign()
    parameter = next(objective.policy.parameters())

    def losses(batch):
        for number in (1.0, 3.0):
            parameter_values.append(parameter.detach().clone())
            yield number + 0 * parameter.sum() + (parameter.sum() - parameter.sum().detach())

    objective.losses, objective.steps_per_batch = losses, 2
    history, _ = run(tmp_path, objective, epochs=2, batch_size=8)
    assert history[0]["train_loss"] == pytest.approx(2.0)
    assert len(parameter_values) == 2 * 5 * 2
    assert not torch.equal(parameter_values[0], parameter_values[1])  # each loss was stepped on before the next
    rates = [0.01 * learning_rate_factor(step, 20, 0.05) for step in range(20)]
    assert history[0]["learning_rate"] == pytest.approx(rates[9])
    assert history[1]["learning_rate"] == pytest.approx(rates[19])
