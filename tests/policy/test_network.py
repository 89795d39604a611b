import numpy as np
import pytest
import torch
from scipy.special import erf

from enron_triage.policy.adapters import mlp
from enron_triage.policy.dropout import Dropout
from enron_triage.policy.inference import predict_logits
from enron_triage.policy.network import Policy, PolicySpec, new_policy
from enron_triage.policy.side_by_side import Linears, side_by_side


def policy_of(hidden=(6, 4), dropout=0.5, seed=3):
    return new_policy(PolicySpec(inputs=7, hidden=hidden, dropout=dropout), seed=seed)


def features_of(count):
    return torch.randn(count, 7, generator=torch.Generator().manual_seed(1))


def test_the_policy_is_the_formula():
    policy, features = policy_of(), features_of(5)
    weights = {name: weight[0].numpy().astype(float) for name, weight in policy.members.state_dict().items()}
    x = features.numpy().astype(float)
    for layer in (0, 4):
        x = x @ weights[f"{layer}.weight"] + weights[f"{layer}.bias"]
        x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
        x = x * weights[f"{layer + 1}.weight"] + weights[f"{layer + 1}.bias"]
        x = x * (1 + erf(x / np.sqrt(2))) / 2
    expected = x @ weights["8.weight"] + weights["8.bias"]
    np.testing.assert_allclose(predict_logits(policy, features).numpy(), expected, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = policy_of(seed=1)
    assert torch.equal(torch.rand(3), expected)
    again, other = policy_of(seed=1), policy_of(seed=2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.members[0].weight, other.members[0].weight)


def test_every_hidden_layer_has_its_width():
    layers = list(Policy(PolicySpec(inputs=7, hidden=(6, 4), dropout=0.1, ensemble=2)).members)
    linear = [layer for layer in layers if isinstance(layer, Linears)]
    assert [tuple(layer.weight.shape) for layer in linear] == [(2, 7, 6), (2, 6, 4), (2, 4, 5)]
    assert [layer.p for layer in layers if isinstance(layer, Dropout)] == [0.1, 0.1]


@pytest.mark.parametrize("count", [1, 3])
def test_networks_side_by_side_are_those_one_after_the_other(count):
    torch.manual_seed(4)
    networks = [mlp(7, (6, 4), 0.0, 5) for _ in range(count)]
    for network in networks:
        for parameter in network.parameters():  # layer norms begin with ones and zeros in each
            torch.nn.init.normal_(parameter)
    together, features = side_by_side(networks), features_of(9).requires_grad_()
    outputs = together(features.expand(count, *features.shape))
    expected = torch.stack([network(features) for network in networks])
    torch.testing.assert_close(outputs, expected)
    (of_features,) = torch.autograd.grad(outputs.square().sum(), features, retain_graph=True)
    torch.testing.assert_close(
        of_features, torch.autograd.grad(expected.square().sum(), features, retain_graph=True)[0]
    )
    outputs.square().sum().backward()
    expected.square().sum().backward()
    for layer, *apart in zip(together, *networks, strict=True):
        for name, parameter in layer.named_parameters():
            gradients = torch.stack([getattr(one, name).grad for one in apart])
            if name == "weight" and isinstance(layer, Linears):
                gradients = gradients.mT
            torch.testing.assert_close(parameter.grad, gradients)


def test_the_members_begin_apart_and_drop_other_units():
    policy = new_policy(PolicySpec(inputs=7, hidden=(64,), dropout=0.5, ensemble=2), seed=2)
    first, second = policy.members[0].weight
    assert not torch.equal(first, second)
    assert first.abs().max() <= 7**-0.5  # as torch draws the weights of a linear map
    dropped = policy.members[3](torch.ones(2, 5, 64)) == 0
    assert not torch.equal(dropped[0], dropped[1])


def test_an_ensemble_gives_the_mean_of_its_members_probabilities():
    policy, features = (
        new_policy(PolicySpec(inputs=7, hidden=(6,), dropout=0.1, ensemble=3), seed=2).eval(),
        features_of(9),
    )
    members = torch.softmax(policy.member_logits(features), dim=-1)
    assert members.shape == (3, 9, 5)
    assert not torch.allclose(members[0], members[1])
    torch.testing.assert_close(torch.softmax(policy(features), dim=1), members.mean(dim=0))


def test_two_stages_decide_first_whether_to_respond_then_how():
    policy, features = (
        new_policy(PolicySpec(inputs=7, hidden=(6,), dropout=0.1, stages="two"), seed=2).eval(),
        features_of(9),
    )
    outputs = policy.members(features[None])[0]
    p = policy(features).exp()  # log-probabilities: nothing is left to normalise
    torch.testing.assert_close(p.sum(dim=1), torch.ones(9))
    respond = torch.sigmoid(outputs[:, 0])
    torch.testing.assert_close(p[:, :3].sum(dim=1), respond)
    torch.testing.assert_close(p[:, :3] / respond[:, None], torch.softmax(outputs[:, 1:4], dim=1))
    torch.testing.assert_close(p[:, 3:] / (1 - respond)[:, None], torch.softmax(outputs[:, 4:], dim=1))
