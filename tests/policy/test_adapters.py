"""What post-training puts on top of a policy: a calibration, and residuals."""

import torch

from enron_triage.policy.network import PolicySpec, new_policy


def policy_of(hidden=(6, 4), dropout=0.5, seed=3):
    return new_policy(PolicySpec(inputs=7, hidden=hidden, dropout=dropout), seed=seed)


def features_of(count):
    return torch.randn(count, 7, generator=torch.Generator().manual_seed(1))


def test_a_calibration_that_is_folded_in_is_part_of_the_policys_own_probabilities():
    policy, features = (
        new_policy(PolicySpec(inputs=7, hidden=(6,), dropout=0.1, ensemble=2), seed=2).eval(),
        features_of(9),
    )
    plain, shift = policy(features), torch.tensor([0.5, -1.0, 0.0, 2.0, 0.0])
    policy.fold_calibration(shift.tolist(), 1.5)
    torch.testing.assert_close(policy(features), (plain + shift) / 1.5)
    policy.fold_calibration([1.0, 0.0, 0.0, 0.0, 0.0], 2.0)
    expected = ((plain + shift) / 1.5 + torch.tensor([1.0, 0, 0, 0, 0])) / 2
    torch.testing.assert_close(policy(features), expected)


def test_a_residual_changes_nothing_at_first_and_is_all_that_is_trained():
    policy, features = policy_of().eval(), features_of(4)
    policy.fold_calibration([0.1, 0.0, 0.0, 0.0, -0.1], 1.5)
    before = policy(features)
    residual = policy.add_residual(6, 0.0)
    torch.testing.assert_close(policy(features), before)
    policy(features).square().sum().backward()
    assert {p for p in policy.parameters() if p.requires_grad} == set(residual.parameters())
    assert all(p.grad is None for p in policy.members.parameters())
    assert residual.network[-1].weight.grad.abs().sum() > 0
    policy.fold_calibration([0.0] * 5, 2.0)  # comes after the residual
    torch.testing.assert_close(policy(features), before / 2)
    assert policy.spec == PolicySpec(inputs=7, hidden=(6, 4), dropout=0.5, residuals=(6,))
    again = new_policy(policy.spec, seed=1)
    again.load_state_dict(policy.state_dict())
    torch.testing.assert_close(again.eval()(features), policy(features))


def test_what_explains_a_refined_policy_is_refined_too():
    policy, features = policy_of().eval(), features_of(4)
    residual = policy.add_residual(6, 0.0)
    torch.nn.init.normal_(residual.network[-1].weight)
    policy.fold_calibration([0.1, 0.0, 0.0, 0.0, 0.0], 1.5)
    torch.testing.assert_close(
        policy.differentiable_logits(features), policy(features)
    )  # without trees they are the same
    assert not torch.allclose(policy.differentiable_logits(features), policy.network_logits(features))
