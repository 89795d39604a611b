import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.training.losses import cross_entropy, focal_loss
from enron_triage.training.policy_gradient import clipped_surrogate, group_advantages
from enron_triage.training.preference_losses import bradley_terry_loss

GENERATOR = np.random.default_rng(4)
LOGITS = torch.tensor(GENERATOR.normal(size=(12, 5)) * 3)
TARGETS = torch.tensor(GENERATOR.integers(0, 5, 12))
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 0.0, 3.0], dtype=torch.float64)


def by_formula(logits, targets, gamma, weights):
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    p = p[np.arange(len(targets)), targets]
    weights = weights[targets]
    return (weights * (1 - p) ** gamma * -np.log(p)).sum() / weights.sum()


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_is_torchs(weights):
    expected = torch.nn.CrossEntropyLoss(weight=weights)(LOGITS, TARGETS)
    torch.testing.assert_close(cross_entropy(LOGITS, TARGETS, weights), expected)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_focal_loss_is_the_papers_formula(gamma, weights):
    expected = by_formula(LOGITS.numpy(), TARGETS.numpy(), gamma, np.ones(5) if weights is None else weights.numpy())
    assert float(focal_loss(LOGITS, TARGETS, weights, gamma=gamma)) == pytest.approx(expected)


def test_focal_loss_with_gamma_0_is_cross_entropy():
    assert torch.equal(focal_loss(LOGITS, TARGETS, WEIGHTS, gamma=0.0), cross_entropy(LOGITS, TARGETS, WEIGHTS))


@given(st.floats(-20, 20), st.floats(0.1, 5), st.integers(0, 4))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_focal_loss_of_one_example_lies_between_0_and_its_cross_entropy(logit, gamma, target):
    logits = torch.zeros(1, 5, dtype=torch.float64)
    logits[0, 0] = logit
    targets = torch.tensor([target])
    assert 0 <= float(focal_loss(logits, targets, gamma=gamma)) <= float(cross_entropy(logits, targets))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradients_agree_with_finite_differences(gamma, weights):
    logits = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(focal_loss(logits, TARGETS, weights, gamma=gamma), logits)
    step = 1e-6
    expected = torch.empty_like(LOGITS)
    for row, column in np.ndindex(*LOGITS.shape):
        shifted = [LOGITS.clone(), LOGITS.clone()]
        shifted[0][row, column] += step
        shifted[1][row, column] -= step
        high, low = (focal_loss(values, TARGETS, weights, gamma=gamma) for values in shifted)
        expected[row, column] = (high - low) / (2 * step)
    torch.testing.assert_close(gradient, expected, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("size", [50.0, 1e4, 1e30])
def test_saturated_logits_stay_finite(gamma, size):
    logits = torch.zeros(2, 5)
    logits[0, 1] = logits[1, 2] = size  # the first certainly right, the second certainly wrong
    logits.requires_grad_()
    loss = focal_loss(logits, torch.tensor([1, 0]), gamma=gamma)
    loss.backward()
    assert loss.item() == pytest.approx(size / 2)
    assert torch.isfinite(logits.grad).all()
    # Right and certain: nothing to learn. Wrong and certain: the slope of cross-entropy.
    assert logits.grad[0].abs().max() < 1e-6
    assert logits.grad[1].tolist() == pytest.approx([-0.5, 0, 0.5, 0, 0], abs=1e-6)


def test_a_batch_without_any_weight_is_worth_nothing():
    logits = LOGITS[:2].clone().requires_grad_()
    loss = cross_entropy(logits, torch.tensor([3, 3]), WEIGHTS)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0


def test_bradley_terry_is_minus_the_log_likelihood_of_the_preferences():
    margin = torch.tensor([0.3, -2.0, 5.0], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    p = 1 / (1 + np.exp(-margin.detach().numpy()))
    expected = -(weights.numpy() * (0.9 * np.log(p) + 0.1 * np.log(1 - p))).sum() / 3.5
    assert bradley_terry_loss(margin, weights, 0.1).item() == pytest.approx(expected)
    assert torch.autograd.gradcheck(lambda m: bradley_terry_loss(m, weights, 0.1), (margin,))


def test_advantages_are_rewards_against_the_mean_of_their_group():
    rewards = torch.tensor([[1.0, 0.0, -3.0], [2.0, 2.0, 2.0]], dtype=torch.float64)
    weights = torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.3, 0.5]], dtype=torch.float64)
    plain = group_advantages(rewards, weights, scale=False)
    assert plain[0].tolist() == pytest.approx([1.25, 0.25, -2.75])
    assert plain[1].tolist() == pytest.approx([0, 0, 0])  # a group without signal
    scaled = group_advantages(rewards, weights, scale=True)
    deviation = np.sqrt(np.average((rewards[0].numpy() + 0.25) ** 2, weights=weights[0].numpy()))
    assert scaled[0].tolist() == pytest.approx((plain[0].numpy() / (deviation + 1e-4)).tolist())
    assert scaled[1].tolist() == pytest.approx([0, 0, 0])


def test_drawn_advantages_are_divided_by_the_unbiased_deviation():
    rewards = torch.tensor([[1.0, 0.0, -3.0, 1.0], [2.0, 2.0, 2.0, 2.0]], dtype=torch.float64)
    scaled = group_advantages(rewards, torch.full_like(rewards, 0.25), scale=True, drawn=True)
    expected = (rewards[0] - rewards[0].mean()) / (rewards[0].std() + 1e-4)  # as in TRL's GRPOTrainer
    assert scaled[0].tolist() == pytest.approx(expected.tolist())
    assert scaled[1].tolist() == [0, 0, 0, 0]
    alone = group_advantages(rewards[:, :1], torch.ones(2, 1, dtype=torch.float64), scale=True, drawn=True)
    assert alone.flatten().tolist() == [0, 0]


def test_the_clipped_surrogate_is_the_papers_formula():
    generator = np.random.default_rng(1)
    log_ratio = torch.tensor(generator.normal(size=(6, 4)), requires_grad=True)
    advantages = torch.tensor(generator.normal(size=(6, 4)))
    ratio, advantage = np.exp(log_ratio.detach().numpy()), advantages.numpy()
    expected = np.minimum(ratio * advantage, np.clip(ratio, 0.9, 1.3) * advantage)
    np.testing.assert_allclose(clipped_surrogate(log_ratio, advantages, 0.1, 0.3).detach(), expected)
    assert torch.autograd.gradcheck(lambda r: clipped_surrogate(r, advantages, 0.1, 0.3), (log_ratio,))


def test_what_is_clipped_has_no_gradient_any_more():
    log_ratio = torch.tensor([1.0, -1.0, 1.0, -1.0], requires_grad=True)
    clipped_surrogate(log_ratio, torch.tensor([2.0, 2.0, -2.0, -2.0]), 0.2, 0.2).sum().backward()
    # A good action that has gained enough and a bad one that has lost enough; the other two have gone astray.
    assert log_ratio.grad[[0, 3]].tolist() == [0, 0]
    assert log_ratio.grad[1] > 0 > log_ratio.grad[2]
