import hashlib
import json
import logging

import msgspec
import numpy as np
import pytest
import torch

from enron_triage.config.load import load_config
from enron_triage.errors import TriageError, UsageError
from enron_triage.features.dataset import load_dataset
from enron_triage.pipeline import stage_run
from enron_triage.policy.calibration import Calibration
from enron_triage.policy.checkpoint import load_checkpoint
from enron_triage.policy.inference import predict_logits
from enron_triage.records import ACTION_NAMES, ACTIONS, Action
from enron_triage.runtime import artifacts
from enron_triage.training import dpo, losses, reward, sft, trainer

pytestmark = pytest.mark.slow  # trains, or draws

# What betrays each action: a policy can learn it.
SUBJECTS = {
    Action.REPLY_NOW: "urgent?",
    Action.REPLY_LATER: "a question for you, when there is time?",
    Action.FORWARD: "[list] 12345",
    Action.ARCHIVE: "please review the plan",
    Action.DELETE: "OFFER!",
}


@pytest.fixture(scope="session")
def message(new_record, new_history):
    def make(number, action, **changes):
        actions = [0, 0, 1, number % 4, 1]
        values = {
            "path": f"owner-a/inbox/{number}.",
            "user": f"owner-{'abc'[number % 3]}",
            "timestamp": 989888400 + number,
            "sender": f"p{number % 7}@x.example",
            "subject": SUBJECTS.get(action, ""),
            "body": "word " * (number % 11),
            "fingerprint": str(number),
            "action": action,
            "history": new_history(
                owner=[0, 2, *actions[2:]],
                domain=actions,
                sender=[0, 0, 0, number % 4, 1],
                sent=number % 2,
                sent_to_sender=number % 2,
                last_sender_action=Action.DELETE,
            ),
        }
        return new_record(**{**values, **changes})

    return make


def write(path, records):
    with artifacts.record_writer(path) as writer:
        for record in records:
            writer.write(msgspec.json.encode(record))


@pytest.fixture(scope="session")
def labelled(message):
    """Messages with the actions in turn, and one in six mislabelled."""

    def make(count, seed, actions=ACTIONS, **changes):
        generator = np.random.default_rng(seed)
        return [
            msgspec.structs.replace(
                message(number, actions[number % len(actions)], **changes),
                **({"action": actions[int(generator.integers(len(actions)))]} if generator.random() < 1 / 6 else {}),
            )
            for number in range(count)
        ]

    return make


@pytest.fixture
def folder(tmp_path, labelled):
    write(tmp_path / "data" / "train.json", labelled(120, 1))
    write(tmp_path / "data" / "val.json", labelled(40, 2))
    return tmp_path


def config_of(folder, *overrides, checkpoints="checkpoints"):
    small = [
        "model.hidden=[8]",
        "model.ensemble=1",
        "model.boosting=0",
        "model.dropout=0.2",
        "sft.batch_size=32",
        "sft.epochs=4",
    ]
    small += ["sft.learning_rate=0.02", "features.text.epochs=1"]
    return load_config(
        [],
        [*small, *overrides],
        data_dir=str(folder / "data"),
        checkpoint_dir=str(folder / checkpoints),
        device="cpu",
        workers=1,
        overwrite=True,  # several variants in one folder
    )


def files_of(folder, checkpoints="checkpoints"):
    """The bytes of the stage's own files."""
    return [(folder / checkpoints / name).read_bytes() for name in ("best_sft.pt", "stage_1.pt")]


def epochs_of(folder, checkpoints="checkpoints"):
    lines = (folder / checkpoints / "stage_1_metrics.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name != "seconds"} for line in lines]


def interrupt(monkeypatch, after):
    """Stop the next run with Ctrl-C, once some epochs are done."""
    ordinary, calls = sft.validate, []

    def validate(*arguments):
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return ordinary(*arguments)

    monkeypatch.setattr(sft, "validate", validate)


def test_the_policy_learns_what_the_subjects_betray(folder):
    result = sft.run(config_of(folder, "sft.epochs=15"))
    best = result.data["validation"]
    assert best["accuracy"] > 0.7
    assert best["val_loss"] == min(epoch["val_loss"] for epoch in epochs_of(folder))
    assert (result.data["train"], result.data["val"]) == (120, 40)
    assert result.data["checkpoint"] == str(folder / "checkpoints" / "best_sft.pt")
    assert f"macro-F1 {best['macro_f1']:.4f}" in result.table
    assert f"best of {result.data['epochs']} epochs: {result.data['best_epoch']} |" in result.table


def test_a_small_validation_is_named_before_the_first_epoch_and_in_the_result(folder, caplog):
    result = sft.run(config_of(folder, "sft.epochs=1"))
    note = "only 40 messages: the accuracy may be off by 15 percentage points"
    assert f"sft: validation has {note}" in caplog.messages
    assert result.data["notes"] == [f"validation: {note}"]
    assert "validation (40 messages) accuracy" in result.table
    assert result.table.endswith(f"best_sft.pt\nvalidation: {note}")


def test_the_checkpoint_alone_gives_the_reported_metrics_back(folder):
    result = sft.run(config_of(folder, "seed=7"))
    checkpoint = load_checkpoint(folder / "checkpoints" / "best_sft.pt")
    val = load_dataset(
        folder / "data" / "val.json", checkpoint.features.settings, cache=folder / "elsewhere", workers=1
    )
    features = checkpoint.features.transform(val)
    logits = predict_logits(checkpoint.policy(torch.device("cpu")), features)
    best = result.data["validation"]
    log_p = torch.from_numpy(checkpoint.calibration.log_probabilities(logits.numpy()))
    assert float((log_p.argmax(dim=1) == val.targets).float().mean()) == pytest.approx(best["accuracy"])
    loss = torch.nn.functional.nll_loss(log_p, val.targets)
    assert float(loss) == pytest.approx(best["val_loss"], rel=1e-5)
    shares = np.bincount(log_p.argmax(dim=1).numpy(), minlength=5) / len(val)
    assert best["predicted_share"] == pytest.approx(dict(zip(ACTION_NAMES, shares, strict=True)))
    assert (checkpoint.scheme, checkpoint.seed, checkpoint.stage) == ("received", 7, "sft")
    assert msgspec.to_builtins(checkpoint.calibration) == best["calibration"]
    assert msgspec.to_builtins(checkpoint.decision) == best["decision"]
    assert checkpoint.epoch == best["epoch"] == result.data["best_epoch"]


def test_every_epoch_has_a_line_of_metrics(folder):
    sft.run(config_of(folder))
    epochs = epochs_of(folder)
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4]
    for epoch in epochs:
        assert sum(epoch["predicted_share"].values()) == pytest.approx(1)
        assert list(epoch["predicted_share"]) == list(ACTION_NAMES)
        assert {"train_loss", "val_loss", "accuracy", "macro_f1", "collapsed", "learning_rate"} <= epoch.keys()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(folder):
    sft.run(config_of(folder, checkpoints="a"))
    sft.run(config_of(folder, checkpoints="b"))
    sft.run(config_of(folder, "sft.seed=43", checkpoints="c"))
    assert files_of(folder, "a") == files_of(folder, "b")
    assert epochs_of(folder, "a") == epochs_of(folder, "b")
    assert files_of(folder, "a") != files_of(folder, "c")


def test_passes_in_bfloat16_give_nearly_the_same_policy_and_weights_in_float32(folder):
    val_losses = {}
    for precision in ("float32", "bfloat16"):
        sft.run(config_of(folder, f"sft.precision={precision}", checkpoints=precision))
        val_losses[precision] = [epoch["val_loss"] for epoch in epochs_of(folder, precision)]
        weights = load_checkpoint(folder / precision / "best_sft.pt").weights
        assert {weight.dtype for weight in weights.values() if weight.is_floating_point()} == {torch.float32}
    assert val_losses["bfloat16"] == pytest.approx(val_losses["float32"], rel=0.05)
    assert val_losses["bfloat16"] != pytest.approx(val_losses["float32"], rel=1e-6)


@pytest.mark.parametrize("after", [1, 3])
def test_a_run_that_was_killed_gives_the_same_bytes_as_one_that_was_not(folder, monkeypatch, caplog, after):
    sft.run(config_of(folder, checkpoints="whole"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, after)
        sft.run(config_of(folder))
    assert not (folder / "checkpoints" / "best_sft.pt").exists()
    with caplog.at_level(logging.INFO):
        sft.run(config_of(folder))
    assert f"resuming after epoch {after} of an unfinished run" in caplog.text
    assert files_of(folder) == files_of(folder, "whole")
    assert epochs_of(folder) == epochs_of(folder, "whole")


CHANGES = [
    "sft.learning_rate=0.01",
    "sft.loss=focal",
    "sft.class_weights=inverse",
    "sft.sampler=balanced",
    "sft.epochs=5",
    "model.hidden=[9]",
    "features.groups=[metadata]",
    "seed=1",
]


@pytest.mark.parametrize("change", CHANGES)
def test_an_unfinished_run_with_another_setting_is_not_resumed(folder, monkeypatch, caplog, change):
    sft.run(config_of(folder, change, checkpoints="fresh"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 2)
        sft.run(config_of(folder))
    with caplog.at_level(logging.INFO):
        sft.run(config_of(folder, change))
    assert "resuming after" not in caplog.text
    assert files_of(folder) == files_of(folder, "fresh")


def test_an_unfinished_run_on_other_mail_is_not_resumed(folder, monkeypatch, caplog, labelled):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 2)
        sft.run(config_of(folder))
    write(folder / "data" / "train.json", labelled(120, 3))
    with caplog.at_level(logging.INFO):
        sft.run(config_of(folder))
    sft.run(config_of(folder, checkpoints="fresh"))
    assert "resuming after" not in caplog.text
    assert files_of(folder) == files_of(folder, "fresh")


def test_resume_false_starts_over(folder, monkeypatch, caplog):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 2)
        sft.run(config_of(folder))
    with caplog.at_level(logging.INFO):
        sft.run(config_of(folder, "sft.resume=false"))
    assert "resuming after" not in caplog.text
    assert len(epochs_of(folder)) == 4


def test_an_interrupted_run_leaves_the_finished_one_as_it_was(folder, monkeypatch):
    sft.run(config_of(folder))
    before = files_of(folder)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 2)
        sft.run(config_of(folder, "sft.loss=focal"))
    assert files_of(folder) == before
    assert stage_run("sft", config_of(folder)).is_up_to_date()
    assert not stage_run("sft", config_of(folder, "sft.loss=focal")).is_up_to_date()


def test_a_finished_run_is_up_to_date_until_its_inputs_or_settings_change(folder, labelled):
    config = config_of(folder)
    assert not stage_run("sft", config).is_up_to_date()
    sft.run(config)
    assert stage_run("sft", config).is_up_to_date()
    assert stage_run("sft", config_of(folder, "sft.resume=false")).is_up_to_date()  # changes nothing in the outcome
    write(folder / "data" / "val.json", labelled(40, 9))
    assert not stage_run("sft", config).is_up_to_date()


def test_a_finished_run_is_extended_if_only_its_epochs_differ(folder, caplog):
    sft.run(config_of(folder))
    with caplog.at_level(logging.INFO):
        result = sft.run(config_of(folder, "sft.epochs=6"))
    assert "extending a finished run from 4 to 6 epochs" in caplog.text
    assert (result.data["epochs"], len(epochs_of(folder))) == (6, 6)
    assert stage_run("sft", config_of(folder, "sft.epochs=6")).is_up_to_date()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        sft.run(config_of(folder, "sft.epochs=8", "features.text.epochs=2"))
    assert "extending" not in caplog.text


def other_people(folder, labelled):
    """The same task in other mailboxes."""
    write(folder / "data" / "train.json", labelled(90, 5, user="owner-d"))
    write(folder / "data" / "val.json", labelled(40, 6, user="owner-e"))


def test_a_warm_start_goes_on_from_a_trained_policy_on_other_data(folder, labelled, caplog):
    sft.run(config_of(folder, "sft.epochs=10", "model.boosting=3"))
    init = folder / "checkpoints" / "best_sft.pt"
    old = load_checkpoint(init)
    other_people(folder, labelled)
    changed = ("model.hidden=[3]", "features.groups=[history]", "sft.epochs=2", f"sft.init={init}")
    with caplog.at_level(logging.INFO):
        result = sft.run(config_of(folder, *changed, checkpoints="warm"))
    assert f"continuing from {init}: features (metadata, history, text), networks (1, dropout 0.2)" in caplog.text
    new = load_checkpoint(folder / "warm" / "best_sft.pt")
    assert (new.init, new.init_digest) == (str(init), hashlib.sha256(init.read_bytes()).hexdigest())
    assert new.model == old.model
    assert new.features.is_same_as(old.features)
    assert all(torch.equal(new.weights[name], old.weights[name]) for name in old.weights if "trees" in name)
    assert not torch.equal(new.weights["members.0.weight"], old.weights["members.0.weight"])
    assert result.data["train"] == 90
    # What it began with is the old policy, on the validation split of now.
    val = load_dataset(folder / "data" / "val.json", old.features.settings, cache=folder / "elsewhere", workers=1)
    logits = predict_logits(old.policy(torch.device("cpu")), old.features.transform(val))
    assert result.data["before"]["reply_auc"] is not None
    assert abs(result.data["before"]["accuracy"] - (logits.argmax(dim=1) == val.targets).float().mean()) < 0.3
    assert "macro-F1" in result.table
    assert "->" in result.table
    assert stage_run("sft", config_of(folder, *changed, checkpoints="warm")).is_up_to_date()
    assert not stage_run("sft", config_of(folder, *changed[:-1], checkpoints="warm")).is_up_to_date()


def test_a_warm_start_begins_with_the_probabilities_of_its_policy(folder, labelled):
    """Whatever weights the classes had when it was trained, and however rare they are now."""
    sft.run(config_of(folder, "sft.class_weights=inverse", "sft.class_weights_power=1"))
    init = folder / "checkpoints" / "best_sft.pt"
    old = load_checkpoint(init)
    assert any(old.calibration.shift)
    rare = [*labelled(60, 5, (Action.ARCHIVE, Action.DELETE)), *labelled(5, 6)]
    write(folder / "data" / "train.json", rare)
    write(folder / "data" / "val.json", labelled(6, 7, user="owner-e"))
    result = sft.run(config_of(folder, f"sft.init={init}", "sft.learning_rate=1e-9", checkpoints="warm"))
    new = load_checkpoint(folder / "warm" / "best_sft.pt")
    assert new.calibration.shift == pytest.approx(old.calibration.shift)
    assert new.calibration.temperature == pytest.approx(old.calibration.temperature, rel=0.5)
    seen = round(1 / old.calibration.prior_weight)
    assert new.calibration.prior_weight == pytest.approx(1 / (seen + 6))
    before, after = result.data["before"], result.data["validation"]
    assert after["val_loss"] == pytest.approx(before["val_loss"], abs=1e-4)


def test_a_warm_start_on_few_messages_is_no_worse_without_a_word(folder, labelled, caplog):
    sft.run(config_of(folder, "sft.epochs=8"))
    init = folder / "checkpoints" / "best_sft.pt"
    for count in (1, 2, 5):
        write(folder / "data" / "train.json", labelled(12, 5, user="owner-d"))
        write(folder / "data" / "val.json", labelled(count, 6, user="owner-e"))
        caplog.clear()
        result = sft.run(config_of(folder, f"sft.init={init}", "sft.learning_rate=0.2", checkpoints=f"warm{count}"))
        before, after = result.data["before"]["val_loss"], result.data["validation"]["val_loss"]
        assert f"loss {before:.4f} -> {after:.4f}" in result.table
        assert ("use that one instead" in caplog.text) == (after >= before)
        assert "to learn from" not in caplog.text
        calibration = load_checkpoint(folder / f"warm{count}" / "best_sft.pt").calibration
        assert 0.3 < calibration.temperature < 3
        assert calibration.probabilities(np.eye(5) * 1e4).min() > 0


def test_a_warm_start_that_was_killed_is_resumed_to_the_same_bytes(folder, labelled, monkeypatch):
    sft.run(config_of(folder))
    other_people(folder, labelled)
    init = f"sft.init={folder / 'checkpoints' / 'best_sft.pt'}"
    sft.run(config_of(folder, init, checkpoints="whole"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 3)
        sft.run(config_of(folder, init, checkpoints="killed"))
    sft.run(config_of(folder, init, checkpoints="killed"))
    assert files_of(folder, "killed") == files_of(folder, "whole")


def test_a_warm_start_refuses_what_it_cannot_go_on_from(folder, labelled):
    small = ("sft.epochs=1", "dpo.epochs=1", "reward_model.epochs=1")
    sft.run(config_of(folder, *small))
    with pytest.raises(
        UsageError, match=r"best_sft\.pt would be replaced by this run; write elsewhere with --set run="
    ):
        sft.run(config_of(folder, "sft.init=best_sft"))
    with pytest.raises(UsageError, match=r"sft_epoch_1\.pt would be replaced"):
        sft.run(config_of(folder, f"sft.init={folder / 'checkpoints' / 'sft_epoch_1.pt'}"))
    reward.run(config_of(folder, *small))
    dpo.run(config_of(folder, *small, "dpo.train=residual"))
    init = folder / "checkpoints"
    with pytest.raises(UsageError, match=r"best_reward\.pt: a reward model"):
        sft.run(config_of(folder, f"sft.init={init / 'best_reward.pt'}", checkpoints="warm"))
    with pytest.raises(UsageError, match=r"best_dpo\.pt: a policy with a residual"):
        sft.run(config_of(folder, f"sft.init={init / 'best_dpo.pt'}", checkpoints="warm"))
    with pytest.raises(UsageError, match=r"no such file"):
        sft.run(config_of(folder, "sft.init=missing.pt", checkpoints="warm"))
    for name in ("train", "val"):
        write(folder / "data" / f"{name}.json", labelled(40, 1, scheme="folder", history=None))
    with pytest.raises(UsageError, match=r"trained on scheme received|scheme has no history|history"):
        sft.run(config_of(folder, f"sft.init={init / 'best_sft.pt'}", "label.scheme=folder", checkpoints="warm"))


def test_a_warm_start_takes_back_what_post_training_folded_in(folder, labelled):
    sft.run(config_of(folder, "sft.epochs=1"))
    dpo.run(config_of(folder, "dpo.epochs=1"))
    init = folder / "checkpoints" / "best_dpo.pt"
    assert bool(load_checkpoint(init).weights["calibration.scale"] != 1)
    sft.run(config_of(folder, "sft.epochs=1", f"sft.init={init}", checkpoints="warm"))
    weights = load_checkpoint(folder / "warm" / "best_sft.pt").weights
    assert weights["calibration.scale"] == 1
    assert not weights["calibration.shift"].any()


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("weighting", ["none", "inverse", "power", "effective"])
@pytest.mark.parametrize("sampler", ["none", "balanced"])
def test_the_objective_has_the_configured_loss_and_sampling(folder, loss, weighting, sampler, labelled):
    config = config_of(
        folder,
        f"sft.loss={loss}",
        f"sft.class_weights={weighting}",
        f"sft.sampler={sampler}",
        "sft.focal_gamma=1.5",
        "sft.class_weights_power=0.3",
        "sft.class_weights_beta=0.9",
        "features.groups=[metadata, history]",
        "sft.mailbox_weights_power=0.7",
        "model.ensemble=2",
    )
    write(folder / "data" / "train.json", labelled(90, 1, (*ACTIONS[:2], *[Action.DELETE] * 4)))
    train, val = (
        load_dataset(folder / "data" / f"{name}.json", config.features, cache=folder, workers=1)
        for name in ("train", "val")
    )
    objective = sft.SftObjective(config, train, val, torch.device("cpu"))
    objective.policy.eval()
    batch = torch.arange(0, 90, 2)
    members = objective.policy.member_logits(objective.transform.transform(train)[batch])
    expected = np.mean([loss_of(logits, train, batch, loss, weighting) for logits in members])
    (found,) = objective.losses(batch)
    assert found.item() == pytest.approx(expected, rel=1e-4)
    order = objective.indices(torch.Generator().manual_seed(0))
    assert (sorted(order.tolist()) == list(range(90))) == (sampler == "none")


def loss_of(logits, train, batch, loss, weighting):
    """The loss of one member by its formulas, in numpy."""
    targets = train.targets.numpy()
    sizes = np.bincount(train.mailbox.numpy())[train.mailbox.numpy()]
    weights = sizes**-0.7 / (sizes**-0.7).mean()
    counts = np.bincount(targets, minlength=5)
    present = np.maximum(counts, 1)
    by_class = {
        "none": np.ones(5),
        "inverse": 1 / present,
        "power": present**-0.3,
        "effective": (1 - 0.9) / (1 - 0.9**present),
    }[weighting]
    by_class = by_class * (counts > 0)
    by_class = by_class * counts.sum() / (by_class * counts).sum()
    rows = batch.numpy()
    values = logits.detach().double().numpy()
    log_p = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    log_p = log_p[np.arange(len(rows)), targets[rows]]
    losses = -log_p * (1 - np.exp(log_p)) ** (1.5 if loss == "focal" else 0)
    total = weights[rows] * by_class[targets[rows]]
    return (losses * total).sum() / total.sum()


def test_every_combination_of_loss_weights_and_sampler_trains(folder):
    for loss in ("cross_entropy", "focal"):
        for weighting in ("none", "inverse", "power", "effective"):
            for sampler in ("none", "balanced"):
                settings = [f"sft.loss={loss}", f"sft.class_weights={weighting}", f"sft.sampler={sampler}"]
                history = sft.run(config_of(folder, *settings, "sft.epochs=6")).data
                assert history["validation"]["accuracy"] > 0.35, settings


def test_messages_that_all_have_the_same_action_are_refused_with_that_sentence(folder, message):
    for name, count in (("train", 30), ("val", 5)):
        write(folder / "data" / f"{name}.json", [message(n, Action.ARCHIVE) for n in range(count)])
    with pytest.raises(
        UsageError, match=r"train\.json: contains only one action, archive \(30 messages\).*; give mail"
    ):
        sft.run(config_of(folder))
    assert not (folder / "checkpoints" / "best_sft.pt").exists()


@pytest.mark.parametrize("count", [8, 30])
def test_a_policy_from_few_messages_stays_near_what_is_usual_and_says_so(folder, labelled, caplog, count):
    write(folder / "data" / "train.json", labelled(count, 1))
    write(folder / "data" / "val.json", labelled(3, 2))
    with caplog.at_level(logging.WARNING):
        sft.run(config_of(folder, "sft.epochs=20", "model.boosting=3"))
    assert f"only {count} messages to learn from" in caplog.text
    assert "sft.init" in caplog.text
    calibration = load_checkpoint(folder / "checkpoints" / "best_sft.pt").calibration
    assert calibration.prior_weight == 1 / 4
    assert calibration.probabilities(np.eye(5) * 1e4).max() < 0.9


def test_an_action_that_no_training_message_has_is_a_warning(folder, caplog, labelled):
    write(folder / "data" / "train.json", labelled(60, 1, (Action.ARCHIVE, Action.DELETE, Action.REPLY_LATER)))
    with caplog.at_level(logging.WARNING):
        result = sft.run(config_of(folder, "sft.class_weights=inverse", "sft.sampler=balanced"))
    assert "no training message has the action reply_now, forward: it cannot be learned" in caplog.text
    assert np.isfinite([epoch["train_loss"] for epoch in epochs_of(folder)]).all()
    class_prior = load_checkpoint(folder / "checkpoints" / "best_sft.pt").features.class_prior
    assert class_prior[[0, 2]].tolist() == [0, 0]
    assert result.data["train"] == 60


def test_no_warning_where_every_action_is_there(folder, caplog):
    with caplog.at_level(logging.WARNING):
        sft.run(config_of(folder))
    assert "cannot be learned" not in caplog.text


def test_a_collapse_is_named(folder, caplog, labelled):
    write(folder / "data" / "train.json", labelled(60, 1, (Action.DELETE,)))
    with caplog.at_level(logging.WARNING):
        sft.run(config_of(folder, "sft.epochs=8"))
    assert epochs_of(folder)[-1]["collapsed"] is True
    assert "the policy has collapsed to delete" in caplog.text


def test_the_history_group_can_be_left_out(folder):
    sft.run(config_of(folder, "features.groups=[metadata]"))
    checkpoint = load_checkpoint(folder / "checkpoints" / "best_sft.pt")
    assert checkpoint.features.settings.groups == ("metadata",)
    assert checkpoint.model.inputs == checkpoint.features.states["metadata"]["quantiles"].shape[1]


def test_a_named_run_has_its_own_folder(folder):
    sft.run(config_of(folder, "run=first"))
    assert (folder / "checkpoints" / "first" / "best_sft.pt").exists()
    assert not (folder / "checkpoints" / "best_sft.pt").exists()


@pytest.mark.parametrize("name", ["train", "val"])
def test_an_empty_split_is_refused(folder, name):
    write(folder / "data" / f"{name}.json", [])
    with pytest.raises(UsageError, match=rf"{name}\.json: the split is empty; run `triage split` with other ratios"):
        sft.run(config_of(folder))
    assert not (folder / "checkpoints" / "best_sft.pt").exists()


@pytest.mark.parametrize("name", ["train", "val"])
def test_messages_without_an_action_are_refused(folder, name, labelled, message):
    write(folder / "data" / f"{name}.json", [*labelled(5, 1), message(5, None)])
    with pytest.raises(UsageError, match=rf"{name}\.json: holds messages without an action; run `triage split`"):
        sft.run(config_of(folder))


def test_splits_of_another_scheme_are_refused(folder, labelled):
    for name in ("train", "val"):
        write(folder / "data" / f"{name}.json", labelled(10, 1, scheme="folder", history=None))
    with pytest.raises(UsageError, match=r"labelled with scheme folder, the configuration says received; run"):
        sft.run(config_of(folder, "features.groups=[metadata]"))
    config = config_of(folder, "features.groups=[metadata]", "label.scheme=folder")
    sft.run(config)
    assert load_checkpoint(folder / "checkpoints" / "best_sft.pt").scheme == "folder"


def test_a_missing_split_names_the_stage_that_makes_it(folder):
    (folder / "data" / "val.json").unlink()
    with pytest.raises(UsageError, match=r"val\.json: no such file or folder; run `triage split` first"):
        sft.run(config_of(folder))


def test_a_loss_that_becomes_nan_fails_and_leaves_the_finished_run(folder, monkeypatch):
    sft.run(config_of(folder))
    before = files_of(folder)
    monkeypatch.setitem(losses.LOSSES, "cross_entropy", lambda settings: lambda logits, *_: logits.sum() * float("nan"))
    with pytest.raises(TriageError, match="the loss became NaN or infinite in epoch 1; lower learning_rate"):
        sft.run(config_of(folder, "sft.epochs=3"))
    assert files_of(folder) == before


def test_the_stage_trains_with_the_settings_of_its_section(folder, monkeypatch):
    seen = {}
    ordinary = trainer.Trainer.train

    def train(self, *, resume):
        seen.update(settings=self.settings, seed=self.seed, resume=resume)
        return ordinary(self, resume=resume)

    monkeypatch.setattr(trainer.Trainer, "train", train)
    config = config_of(folder, "sft.seed=11", "sft.gradient_clip=0.5")
    sft.run(config)
    assert seen == {"settings": config.sft, "seed": 11, "resume": True}
    sft.run(config)  # asked for by name although it is up to date: done again, from the start
    assert seen["resume"] is False


def test_checkpoints_that_cannot_be_written_are_one_clear_line(folder):
    (folder / "checkpoints").write_text("a file where a folder belongs")
    with pytest.raises(TriageError, match=r"stage_1\.pt: cannot be written: ") as error:
        sft.run(config_of(folder))
    assert error.value.exit_status == 1


@pytest.mark.parametrize(
    "imbalance", [["sft.class_weights=inverse"], ["sft.class_weights=none", "sft.sampler=balanced"]]
)
def test_what_weights_and_sampling_do_to_the_probabilities_is_taken_back_unless_it_should_stay(
    folder, labelled, imbalance
):
    # Nothing tells the actions apart: what is learned are their shares, 1 to 4.
    actions = [Action.ARCHIVE, *[Action.DELETE] * 4]
    same = {"subject": "", "body": "", "sender": "a@x.example"}
    write(folder / "data" / "train.json", labelled(200, 1, actions, **same))
    write(folder / "data" / "val.json", labelled(100, 2, actions, **same))
    common = [*imbalance, "features.groups=[metadata]", "sft.mailbox_weights_power=0", "sft.epochs=30"]
    rates = {}
    for keep in ("true", "false"):
        sft.run(config_of(folder, *common, f"decision.keep_class_weights={keep}", "sft.learning_rate=0.01"))
        checkpoint = load_checkpoint(folder / "checkpoints" / "stage_1.pt")
        val = load_dataset(folder / "data" / "val.json", checkpoint.features.settings, cache=folder, workers=1)
        features = checkpoint.features.transform(val)
        logits = predict_logits(checkpoint.policy(torch.device("cpu")), features).numpy()
        shift = checkpoint.calibration.shift
        rates[keep] = Calibration(shift=shift).probabilities(logits)[:, 4].mean()
    assert rates["true"] == pytest.approx(0.5, abs=0.12)
    assert rates["false"] == pytest.approx(0.8, abs=0.12)
