import numpy as np
import pytest
import torch
from scipy.special import erf
from torch import nn

from enron_triage.errors import UsageError
from enron_triage.policy.network import Policy, choose_device, new_policy, predict_logits


def policy_of(hidden=(6, 4), dropout=0.5, seed=3):
    return new_policy(inputs=7, hidden=hidden, dropout=dropout, seed=seed)


def features_of(count):
    return torch.randn(count, 7, generator=torch.Generator().manual_seed(1))


def test_the_policy_is_the_formula():
    policy, features = policy_of(), features_of(5)
    weights = {name: weight.detach().numpy().astype(float) for name, weight in policy.members[0].state_dict().items()}
    x = features.numpy().astype(float)
    for layer in (0, 4):
        x = x @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]
        x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
        x = x * weights[f"{layer + 1}.weight"] + weights[f"{layer + 1}.bias"]
        x = x * (1 + erf(x / np.sqrt(2))) / 2
    expected = x @ weights["8.weight"].T + weights["8.bias"]
    np.testing.assert_allclose(predict_logits(policy, features).numpy(), expected, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = policy_of(seed=1)
    assert torch.equal(torch.rand(3), expected)
    again, other = policy_of(seed=1), policy_of(seed=2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.members[0][0].weight, other.members[0][0].weight)


def test_prediction_has_no_dropout_and_restores_the_mode():
    policy, features = policy_of().train(), features_of(20)
    first, second = predict_logits(policy, features), predict_logits(policy, features)
    assert torch.equal(first, second)
    assert policy.training
    torch.manual_seed(0)
    assert not torch.allclose(policy(features), first)  # training has dropout
    policy.eval()
    predict_logits(policy, features)
    assert not policy.training


def test_the_batch_size_does_not_change_the_prediction():
    policy, features = policy_of(), features_of(20)
    whole, parts = predict_logits(policy, features), predict_logits(policy, features, batch_size=3)
    torch.testing.assert_close(whole, parts)
    assert whole.shape == (20, 5)
    assert not whole.requires_grad
    assert predict_logits(policy, features[:0]).shape == (0, 5)


def test_every_hidden_layer_has_its_width():
    linear = [layer for layer in Policy(7, (6, 4), 0.1).members[0] if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(7, 6), (6, 4), (4, 5)]
    dropout = [layer.p for layer in Policy(7, (6, 4), 0.1).members[0] if isinstance(layer, nn.Dropout)]
    assert dropout == [0.1, 0.1]


def test_an_ensemble_gives_the_mean_of_its_members_probabilities():
    policy, features = new_policy(7, (6,), 0.1, ensemble=3, seed=2).eval(), features_of(9)
    members = torch.softmax(policy.member_logits(features), dim=-1)
    assert members.shape == (3, 9, 5)
    assert not torch.allclose(members[0], members[1])
    torch.testing.assert_close(torch.softmax(policy(features), dim=1), members.mean(dim=0))


def test_two_stages_decide_first_whether_to_respond_then_how():
    policy, features = new_policy(7, (6,), 0.1, stages="two", seed=2).eval(), features_of(9)
    outputs = policy.members[0](features)
    p = policy(features).exp()  # log-probabilities: nothing is left to normalise
    torch.testing.assert_close(p.sum(dim=1), torch.ones(9))
    respond = torch.sigmoid(outputs[:, 0])
    torch.testing.assert_close(p[:, :3].sum(dim=1), respond)
    torch.testing.assert_close(p[:, :3] / respond[:, None], torch.softmax(outputs[:, 1:4], dim=1))
    torch.testing.assert_close(p[:, 3:] / (1 - respond)[:, None], torch.softmax(outputs[:, 4:], dim=1))


def test_a_calibration_that_is_absorbed_is_part_of_the_policys_own_probabilities():
    policy, features = new_policy(7, (6,), 0.1, ensemble=2, seed=2).eval(), features_of(9)
    plain, shift = policy(features), torch.tensor([0.5, -1.0, 0.0, 2.0, 0.0])
    policy.fold_calibration(shift.tolist(), 1.5)
    torch.testing.assert_close(policy(features), (plain + shift) / 1.5)
    policy.fold_calibration([1.0, 0.0, 0.0, 0.0, 0.0], 2.0)
    expected = ((plain + shift) / 1.5 + torch.tensor([1.0, 0, 0, 0, 0])) / 2
    torch.testing.assert_close(policy(features), expected)


@pytest.mark.parametrize(("cuda", "mps", "chosen"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_takes_a_gpu_where_there_is_one(monkeypatch, cuda, mps, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto") == torch.device(chosen)
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UsageError, match=f"--device {name}: not available on this machine; use --device auto"):
        choose_device(name)


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
    again = new_policy(inputs=7, hidden=(6, 4), dropout=0.5, residuals=[6], seed=1)
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
