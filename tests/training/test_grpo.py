"""GRPO: what it maximises on a problem whose optimum is known, its files, and the reward model before it."""

import json

import pytest
import torch

from enron_triage import pipeline
from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.evaluation import evaluate
from enron_triage.features.dataset import Dataset
from enron_triage.pipeline import stage_run
from enron_triage.policy.checkpoint import load_checkpoint
from enron_triage.policy.network import PolicySpec, new_policy
from enron_triage.records import ACTIONS
from enron_triage.training import dpo, grpo, reward
from enron_triage.training.grpo import sample_groups
from enron_triage.training.policy_gradient import entropy, kl_divergence
from enron_triage.training.post_training import PostTrainingObjective
from enron_triage.training.preferences import Pairs
from enron_triage.training.setup import PostTrainingSetup, load_setup

pytestmark = pytest.mark.slow  # trains, or draws

REWARDS = torch.tensor([[0.0, 1.0, -1.0, 0.5, 0.2], [2.0, 0.0, 0.0, -1.0, 1.5], [-0.5, 0.0, 0.3, 0.1, -2.0]])


class Table(torch.nn.Module):
    """A policy that can be anything: the logits of each message are its parameters."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(logits.clone())

    def forward(self, features, fitted=None):
        return self.logits[features[:, 0].long()]


@pytest.fixture
def toy():
    """Three messages, each its own feature; a policy and a frozen reference that are equal at first."""
    logits = torch.randn(3, len(ACTIONS), generator=torch.Generator().manual_seed(3))
    rows = torch.arange(3.0)[:, None]
    dataset = Dataset(
        raw={},
        targets=torch.tensor([1, 0, 2]),
        response_seconds=torch.full((3,), torch.nan),
        mailbox=torch.zeros(3, dtype=torch.int64),
        mailboxes=["owner-a"],
        scheme="received",
    )
    reference = torch.log_softmax(logits, dim=1)
    return PostTrainingSetup(
        checkpoint=None,
        init_digest="",
        policy=Table(logits),
        train=dataset,
        val=dataset,
        features=rows,
        val_features=rows,
        residual=None,
        tree_log_probs=None,
        val_tree_log_probs=None,
        sample_weights=torch.ones(3),
        reference=reference,
        val_reference=reference,
    )


def maximise(start, losses, steps, learning_rate, batch=None):
    """Follow the objective's losses; the probabilities that they lead to."""
    optimizer = torch.optim.Adam(start.policy.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        for loss in losses(torch.arange(3) if batch is None else batch):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return torch.softmax(start.policy.logits, dim=1).detach()


def grpo_losses(start, *overrides):
    config = load_config([], ["grpo.scale_rewards=false", *overrides])
    return grpo.GrpoObjective(config, start, REWARDS).losses


@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_exact_grpo_reaches_the_optimum_that_the_kl_weight_sets(toy, beta):
    # max E[r] - beta KL(pi || reference) is at pi proportional to reference x exp(r / beta).
    expected = torch.softmax(toy.reference + REWARDS / beta, dim=1)
    reached = maximise(toy, grpo_losses(toy, "grpo.estimator=exact", f"grpo.beta={beta}"), 1500, 0.05)
    torch.testing.assert_close(reached, expected, atol=2e-3, rtol=0)


def test_sampled_grpo_reaches_the_same_optimum(toy):
    torch.manual_seed(0)
    expected = torch.softmax(toy.reference + REWARDS / 0.5, dim=1)
    losses = grpo_losses(toy, "grpo.num_generations=64", "grpo.beta=0.5")
    torch.testing.assert_close(maximise(toy, losses, 1500, 0.02), expected, atol=0.03, rtol=0)


@pytest.mark.parametrize("estimator", ["exact", "sampled"])
@pytest.mark.parametrize("scaled", ["true", "false"])
def test_without_a_divergence_grpo_takes_the_action_of_highest_reward(toy, estimator, scaled):
    torch.manual_seed(0)
    losses = grpo_losses(toy, f"grpo.estimator={estimator}", "grpo.beta=0", f"grpo.scale_rewards={scaled}")
    reached = maximise(toy, losses, 600, 0.05)
    assert reached.argmax(dim=1).tolist() == REWARDS.argmax(dim=1).tolist()
    assert (reached.max(dim=1).values > 0.95).all()


def test_the_entropy_bonus_keeps_the_policy_open(toy):
    # max E[r] + bonus x H(pi) is at pi proportional to exp(r / bonus).
    losses = grpo_losses(toy, "grpo.estimator=exact", "grpo.beta=0", "grpo.entropy_bonus=0.7")
    torch.testing.assert_close(
        maximise(toy, losses, 1500, 0.05), torch.softmax(REWARDS / 0.7, dim=1), atol=2e-3, rtol=0
    )


def test_the_sampled_gradient_is_the_exact_one_in_the_mean(toy):
    def gradient(losses, draws):
        total = torch.zeros_like(toy.policy.logits)
        for _ in range(draws):
            (loss,) = losses(torch.arange(3))
            total += torch.autograd.grad(loss, toy.policy.logits)[0]
        return total / draws

    torch.manual_seed(1)
    exact = gradient(grpo_losses(toy, "grpo.estimator=exact"), 1)
    one, many = (gradient(grpo_losses(toy, f"grpo.num_generations={n}"), 200) for n in (4, 256))
    assert (many - exact).abs().max() < 0.01
    # A group's own mean among its rewards shrinks the expectation by (n - 1) / n.
    torch.testing.assert_close(one, exact * 3 / 4, atol=0.05, rtol=0)


def test_further_steps_on_a_group_are_clipped(toy):
    losses = grpo_losses(toy, "grpo.estimator=exact", "grpo.beta=0", "grpo.num_iterations=30", "grpo.epsilon_high=0.1")
    before = torch.softmax(toy.policy.logits, dim=1).detach()
    optimizer = torch.optim.SGD(toy.policy.parameters(), lr=0.3)
    for loss in losses(torch.arange(3)):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    ratio = torch.softmax(toy.policy.logits, dim=1).detach() / before
    best = REWARDS.argmax(dim=1)
    assert (ratio[torch.arange(3), best] > 1.05).all()
    clipped_loss = ratio[torch.arange(3), best].max()
    assert clipped_loss < 1.3  # without clipping, 30 steps go far beyond
    free = grpo_losses(toy, "grpo.estimator=exact", "grpo.beta=0", "grpo.num_iterations=30", "grpo.epsilon_high=99")
    for loss in free(torch.arange(3)):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (torch.softmax(toy.policy.logits, dim=1) / before).max() > 1.3


def test_a_sampled_group_is_drawn_from_the_policy():
    torch.manual_seed(2)
    log_p = torch.tensor([[0.5, 0.2, 0.2, 0.1, 0.0]]).clamp_min(1e-12).log()
    groups = sample_groups(log_p, load_config([], ["grpo.num_generations=20000"]).grpo)
    shares = torch.bincount(groups.actions[0], minlength=5) / 20000
    torch.testing.assert_close(shares, log_p[0].exp(), atol=0.02, rtol=0)
    assert float(groups.weights.sum()) == pytest.approx(1, rel=1e-4)
    exact = sample_groups(log_p, load_config([], ["grpo.estimator=exact"]).grpo)
    assert exact.actions.tolist() == [[0, 1, 2, 3, 4]]
    torch.testing.assert_close(exact.weights, log_p.exp())


def test_dpo_reaches_the_policy_of_the_closed_form(toy):
    """Pairs in Bradley and Terry's shares lead to reference x exp(r / beta) (Rafailov et al., eq. 4)."""
    beta = 0.7
    pairs = [(m, a, b) for m in range(3) for a in range(5) for b in range(5) if a != b]
    message, chosen, rejected = (torch.tensor(column) for column in zip(*pairs, strict=True))
    share = torch.sigmoid(REWARDS[message, chosen] - REWARDS[message, rejected])
    config = load_config([], [f"dpo.beta={beta}"])
    objective = dpo.DpoObjective(
        config, toy, Pairs(message, chosen, rejected, share), Pairs(*[message[:0]] * 3, share[:0])
    )
    reached = maximise(toy, objective.losses, 1500, 0.05, batch=torch.arange(len(pairs)))
    torch.testing.assert_close(reached, torch.softmax(toy.reference + REWARDS / beta, dim=1), atol=2e-3, rtol=0)


def test_a_reward_model_recovers_the_rewards_behind_the_preferences(toy):
    pairs = [(m, a, b) for m in range(3) for a in range(5) for b in range(5) if a != b]
    message, chosen, rejected = (torch.tensor(column) for column in zip(*pairs, strict=True))
    share = torch.sigmoid(REWARDS[message, chosen] - REWARDS[message, rejected])
    none = Pairs(*[message[:0]] * 3, share[:0])
    objective = reward.RewardObjective(load_config([], []), toy, Pairs(message, chosen, rejected, share), none)
    maximise(toy, objective.losses, 1500, 0.05, batch=torch.arange(len(pairs)))
    learned = toy.policy.logits.detach()
    centred = [values - values.mean(dim=1, keepdim=True) for values in (learned, REWARDS)]  # known up to a constant
    torch.testing.assert_close(centred[0], centred[1], atol=5e-3, rtol=0)


SMALL = ["sft.epochs=2", "model.hidden=[8]", "model.ensemble=2", "model.boosting=3", "workers=1"]
SMALL += [f"{section}.epochs=3" for section in ("grpo", "reward_model", "dpo")]
SMALL += [f"{section}.learning_rate=0.005" for section in ("grpo", "reward_model", "dpo")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with splits of the demo corpus and a trained policy."""
    folder = tmp_path_factory.mktemp("grpo")
    small = ["download.source=demo", "download.demo.mailboxes=10", "download.demo.messages=1200"]
    pipeline.run(config_of(folder, *small, "pipeline.stages=[download, parse, label, split, sft]"))
    return folder


def config_of(folder, *overrides, run=None):
    chosen = [f"run={run}", *(f"{s}.init={folder}/checkpoints/best_sft.pt" for s in ("grpo", "dpo", "reward_model"))]
    return load_config(
        [],
        [*SMALL, *(chosen if run else []), *overrides],
        data_dir=str(folder / "data"),
        checkpoint_dir=str(folder / "checkpoints"),
        device="cpu",
        overwrite=True,  # several variants in one folder
    )


FIELDS = {
    *("mean_reward", "train_reward", "clip_fraction", "share_without_signal", "kl", "entropy"),
    *("accuracy", "macro_f1", "collapsed", "val_loss", "predicted_share"),
}


@pytest.mark.parametrize(
    "settings",
    [
        ["grpo.estimator=exact"],
        ["grpo.num_iterations=8", "grpo.epsilon_high=0.01", "grpo.batch_size=64", "rewards.partial_credit=0.5"],
        ["rewards.confidence_penalty=0.5", "grpo.dropout=0.1"],
    ],
)
def test_the_stage_writes_its_files_and_raises_the_reward(folder, settings):
    result = grpo.run(config_of(folder, *settings))
    names = {path.name for path in (folder / "checkpoints").iterdir()}
    assert {"stage_3.pt", "best_grpo.pt", *(f"grpo_epoch_{n}.pt" for n in (1, 2, 3)), "stage_3_metrics.jsonl"} <= names
    lines = (folder / "checkpoints" / "stage_3_metrics.jsonl").read_text().splitlines()
    for line in map(json.loads, lines):
        assert line.keys() >= FIELDS
        assert line["kl"] > 0
        assert 0 <= line["share_without_signal"] <= 1
    before, best = result.data["before"], result.data["validation"]
    assert best["mean_reward"] > before["mean_reward"]
    assert result.data["improved"]
    assert f"mean reward {before['mean_reward']:.4f} -> {best['mean_reward']:.4f}" in result.table
    assert f"on validation ({result.data['val']} messages): accuracy" in result.table
    (note,) = result.data["notes"]
    assert note.startswith(f"validation: only {result.data['val']} messages")
    assert result.table.endswith(f"\n{note}")
    checkpoint = load_checkpoint(folder / "checkpoints" / "best_grpo.pt")
    assert (checkpoint.stage, checkpoint.init) == ("grpo", "best_sft")
    clipped = [json.loads(line)["clip_fraction"] for line in lines]
    assert (max(clipped) > 0) == ("grpo.num_iterations=8" in settings)  # the first step on a group is never clipped


def test_dropout_leaves_out_the_same_of_a_roll_out_and_of_the_steps_on_it(folder):
    config = config_of(folder, "grpo.dropout=0.5")
    setup = load_setup(config, folder / "checkpoints" / "best_sft.pt", torch.device("cpu"), config.grpo)
    setup.policy.train()
    objective = grpo.GrpoObjective(config, setup, grpo.configured_rewards(config, setup))
    rows = torch.arange(32)
    torch.manual_seed(7)
    one, other = objective.roll_out(rows), objective.roll_out(rows)
    assert not torch.allclose(one.old_log_probs, other.old_log_probs)  # dropout is at work, and drawn anew
    for rollout in (one, other):
        steps = [torch.log_softmax(objective.logits(rows, rollout.dropout_seed), dim=1) for _ in range(2)]
        for log_p in steps:
            torch.testing.assert_close(log_p, rollout.old_log_probs)
        expected = (rollout.advantages * rollout.groups.weights).sum(dim=1)  # as the ratio is 1
        expected = expected - config.grpo.beta * kl_divergence(steps[0], setup.reference[rows])
        expected = expected + config.grpo.entropy_bonus * entropy(steps[0])
        torch.testing.assert_close(objective.clipped_objective(rows, rollout), expected)


def test_a_residual_alone_is_trained_on_top_of_a_frozen_policy_again_and_again(folder):
    init = folder / "checkpoints" / "best_sft.pt"
    settings = [f"{name}.{key}" for name in ("grpo", "dpo") for key in ("train=residual", "residual_width=6")]
    grpo.run(config_of(folder, *settings, run="residual"))
    first = load_checkpoint(folder / "checkpoints" / "residual" / "best_grpo.pt")
    start = load_checkpoint(init)
    below = {name for name in start.weights if not name.startswith("calibration")}
    assert all(torch.equal(first.weights[name], start.weights[name]) for name in below)
    assert first.model.residuals == (6,)
    assert any(name.startswith("residuals.0.network") for name in first.weights)
    dpo.run(config_of(folder, *settings, "dpo.init=residual/best_grpo", "dpo.batch_size=64", run="residual"))
    second = load_checkpoint(folder / "checkpoints" / "residual" / "best_dpo.pt")
    assert second.model.residuals == (6, 6)
    trained = "residuals.0.network.0.weight"
    assert torch.equal(second.weights[trained], first.weights[trained])
    config = config_of(folder, "evaluate.checkpoint=residual/best_dpo")
    evaluation = evaluate.run(config).data
    assert evaluation["alternative"]["checkpoint"] == "best_sft"
    assert (folder / "data" / "eval" / "residual" / "best_dpo.test.json").exists()


@pytest.mark.parametrize("name", ["grpo", "dpo", "reward"])
def test_a_stage_that_was_killed_is_resumed_to_the_same_result(folder, name, monkeypatch):
    module, number = {"grpo": (grpo, 3), "dpo": (dpo, 4), "reward": (reward, 2)}[name]
    module.run(config_of(folder, run=f"{name}-whole"))
    ordinary, calls = PostTrainingObjective.validation_of, []

    def stop(self, logits):
        calls.append(1)
        if len(calls) == 3:  # once before training, then after each epoch
            raise KeyboardInterrupt
        return ordinary(self, logits)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(PostTrainingObjective, "validation_of", stop)
        module.run(config_of(folder, run=f"{name}-killed"))
    assert not (folder / "checkpoints" / f"{name}-killed" / f"stage_{number}.pt").exists()
    torch.manual_seed(99)
    module.run(config_of(folder, run=f"{name}-killed"))
    whole, killed = (
        load_checkpoint(folder / "checkpoints" / f"{name}-{end}" / f"stage_{number}.pt") for end in ("whole", "killed")
    )
    assert all(torch.equal(whole.weights[key], killed.weights[key]) for key in whole.weights)
    assert whole.metrics == killed.metrics
    config = config_of(folder, run=f"{name}-killed")
    assert stage_run(name, config).is_up_to_date()


def test_a_reward_model_takes_the_place_of_the_costs(folder):
    result = reward.run(config_of(folder, run="learned"))
    files = folder / "checkpoints" / "learned"
    names = {"stage_2.pt", "best_reward.pt", "reward_epoch_3.pt", "stage_2_metrics.jsonl"}
    assert names <= {path.name for path in files.iterdir()}
    assert load_checkpoint(files / "best_reward.pt").stage == "reward"
    assert result.data["validation"]["preference_accuracy"] > 0.5
    assert result.data["validation"]["val_loss"] < result.data["before"]["val_loss"]
    config = config_of(
        folder, "grpo.reward=best_reward", "grpo.estimator=exact", "grpo.scale_rewards=false", run="learned"
    )
    assert files / "best_reward.pt" in stage_run("grpo", config).inputs.values()
    learned = grpo.run(config).data
    assert learned["before"]["mean_reward"] != learned["validation"]["mean_reward"]
    assert learned["validation"]["entropy"] < learned["before"]["entropy"]  # log-probabilities as rewards sharpen


def test_what_is_not_a_reward_model_or_came_from_another_policy_is_refused(folder):
    with pytest.raises(
        UsageError, match=r"best_sft\.pt: a policy of the stage sft, not a reward model; run `triage re"
    ):
        grpo.run(config_of(folder, "grpo.reward=best_sft"))
    with pytest.raises(UsageError, match=r"nowhere\.pt: no such file"):
        grpo.run(config_of(folder, "grpo.reward=nowhere"))
    other = config_of(folder, "features.groups=[metadata]", "run=other")
    pipeline.run_stage("sft", other)
    reward.run(other)
    with pytest.raises(UsageError, match=r"uses other features than the policy; run `triage reward` with reward_model"):
        grpo.run(config_of(folder, f"grpo.reward={folder}/checkpoints/other/best_reward.pt"))


def test_a_policy_can_be_refined_on_another_mailbox_than_it_was_trained_on(folder):
    """Then nothing of the policy has seen the messages, and their text scores are those that it will predict by."""
    setup = load_setup(config_of(folder), folder / "checkpoints" / "best_sft.pt", torch.device("cpu"))
    transform = setup.checkpoint.features
    assert not torch.equal(setup.features, transform.transform(setup.train))  # cross-fitted
    assert torch.equal(transform.transform_train(setup.val), transform.transform(setup.val))


def test_the_features_are_those_of_the_policy_whatever_the_configuration_says(folder):
    init = folder / "checkpoints" / "best_sft.pt"
    as_trained = load_setup(config_of(folder), init, torch.device("cpu"))
    changes = [
        "sft.mailbox_weights_power=0",
        "features.text.epochs=1",
        "features.text.folds=2",
        "features.text.min_messages=1",
    ]
    other = load_setup(config_of(folder, *changes, "seed=7", "sft.seed=8"), init, torch.device("cpu"))
    assert torch.equal(other.features, as_trained.features)
    assert torch.equal(other.val_features, as_trained.val_features)
    assert torch.equal(other.sample_weights, as_trained.sample_weights)
    assert torch.equal(other.reference, as_trained.reference)


def test_a_policy_on_a_gpu_would_be_fed_from_the_gpu(toy):
    """On the device that is called meta every operation is checked for its placement, without any data."""
    policy = new_policy(PolicySpec(inputs=4, hidden=(6,), dropout=0.0), seed=0).to("meta")
    start = begin_on_meta(toy, policy)
    objective = grpo.GrpoObjective(load_config([], ["grpo.estimator=exact"]), start, REWARDS.to("meta"))
    (loss,) = objective.losses(torch.arange(3))
    assert loss.device.type == "meta"
    pairs = Pairs(torch.arange(3), torch.tensor([1, 0, 2]), torch.tensor([0, 1, 3]), torch.ones(3))
    for objective in (dpo.DpoObjective, reward.RewardObjective):
        (loss,) = objective(load_config([], []), start, pairs, pairs).losses(torch.arange(3))
        assert loss.device.type == "meta"


def begin_on_meta(toy, policy):
    on_meta = {name: getattr(toy, name).to("meta") for name in ("sample_weights", "reference", "val_reference")}
    features = torch.zeros(3, 4, device="meta")
    fields = {
        name: getattr(toy, name)
        for name in ("checkpoint", "init_digest", "train", "val", "residual", "tree_log_probs", "val_tree_log_probs")
    }
    return PostTrainingSetup(**fields, **on_meta, policy=policy, features=features, val_features=features)
