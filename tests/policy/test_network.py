import numpy as np
import torch
from scipy.special import erf
from torch import nn

from enron_triage.policy.inference import predict_logits
from enron_triage.policy.network import Policy, PolicySpec, new_policy


def policy_of(hidden=(6, 4), dropout=0.5, seed=3):
    return new_policy(PolicySpec(inputs=7, hidden=hidden, dropout=dropout), seed=seed)


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


def test_every_hidden_layer_has_its_width():
    linear = [
        layer
        for layer in Policy(PolicySpec(inputs=7, hidden=(6, 4), dropout=0.1)).members[0]
        if isinstance(layer, nn.Linear)
    ]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(7, 6), (6, 4), (4, 5)]
    dropout = [
        layer.p
        for layer in Policy(PolicySpec(inputs=7, hidden=(6, 4), dropout=0.1)).members[0]
        if isinstance(layer, nn.Dropout)
    ]
    assert dropout == [0.1, 0.1]


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
    outputs = policy.members[0](features)
    p = policy(features).exp()  # log-probabilities: nothing is left to normalise
    torch.testing.assert_close(p.sum(dim=1), torch.ones(9))
    respond = torch.sigmoid(outputs[:, 0])
    torch.testing.assert_close(p[:, :3].sum(dim=1), respond)
    torch.testing.assert_close(p[:, :3] / respond[:, None], torch.softmax(outputs[:, 1:4], dim=1))
    torch.testing.assert_close(p[:, 3:] / (1 - respond)[:, None], torch.softmax(outputs[:, 4:], dim=1))
