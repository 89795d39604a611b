"""A policy on numpy arrays predicts and explains as the one in torch does, whatever its form."""

import math

import numpy as np
import pytest
import torch

from enron_triage.policy.array_layers import erf
from enron_triage.policy.array_policy import ArrayPolicy
from enron_triage.policy.attribution import integrated_gradients
from enron_triage.policy.network import new_policy
from enron_triage.policy.spec import PolicySpec
from enron_triage.policy.trees import Trees

INPUTS = 7


def policy_of(**form):
    """A policy all of whose weights are random, calibrations and trees included."""
    trees = form.pop("trees", False)
    policy = new_policy(PolicySpec(inputs=INPUTS, dropout=0.5, **{"hidden": (6, 4), **form}), seed=1).eval()
    if trees:
        policy.set_trees(stumps(30))
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
        for name, buffer in policy.named_buffers():
            if not name.startswith("trees"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return policy


def stumps(count):
    """Trees of one condition or none, and of three leaves."""
    generator = np.random.default_rng(4)
    children, start = [], 0
    for tree in range(count):
        form = ([0], [1, 1, 2], [1, 1, 3, 3, 4])[tree % 3], ([0], [2, 1, 2], [2, 1, 4, 3, 4])[tree % 3]
        children.append((start, [start + left for left in form[0]], [start + right for right in form[1]]))
        start += len(form[0])
    trees = Trees(count, start)
    trees.root = torch.tensor([root for root, _, _ in children])
    trees.left = torch.tensor([node for _, left, _ in children for node in left])
    trees.right = torch.tensor([node for _, _, right in children for node in right])
    trees.action = torch.from_numpy(generator.integers(0, 4, count))  # none for the last action
    trees.feature = torch.from_numpy(generator.integers(0, INPUTS, start))
    for name, size in (("threshold", start), ("value", start), ("base", 5)):
        setattr(trees, name, torch.from_numpy(generator.normal(size=size).astype(np.float32)))
    return trees


def arrays(policy):
    return ArrayPolicy(policy.spec, {name: weight.numpy() for name, weight in policy.detached_weights().items()})


FORMS = [
    {},
    {"hidden": (8,)},
    {"hidden": ()},
    {"ensemble": 3},
    {"stages": "two"},
    {"stages": "two", "ensemble": 2, "trees": True},
    {"trees": True},
    {"residuals": (5,)},
    {"ensemble": 3, "trees": True, "residuals": (5, 3)},
]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("count", [0, 1, 300, 700])
def test_the_logits_are_those_of_torch(form, count):
    policy, features = policy_of(**form), torch.randn(count, INPUTS, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = policy(features) if count else torch.zeros(0, 5)
    np.testing.assert_allclose(arrays(policy).logits(features.numpy()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("count", [0, 1, 40])
def test_the_attributions_are_those_of_torch(form, count):
    generator = torch.Generator().manual_seed(3)
    policy, features = policy_of(**form), torch.randn(count, INPUTS, generator=generator)
    actions = torch.randint(0, 5, (count,), generator=generator)
    found = arrays(policy).integrated_gradients(features.numpy(), actions.numpy())
    for here, there in zip(found, integrated_gradients(policy, features, actions), strict=True):
        np.testing.assert_allclose(here, there, rtol=1e-3, atol=1e-4)


def test_the_gradients_are_finite_differences():
    policy = arrays(policy_of(ensemble=2, residuals=(5,), stages="two"))
    features = np.random.default_rng(5).normal(size=(3, INPUTS)).astype(np.float32)
    actions = np.array([0, 3, 4])

    def total(values):
        """The integral that the gradients sum up to: the change of the log-probability from 0."""
        logits = [policy.logits(where).astype(float) for where in (values, np.zeros_like(values))]
        ends = [(x - np.log(np.exp(x).sum(axis=1, keepdims=True)))[np.arange(3), actions] for x in logits]
        return ends[0] - ends[1]

    attributions, _ = policy.integrated_gradients(features, actions)
    np.testing.assert_allclose(attributions.sum(axis=1), total(features), atol=0.05)


def test_the_error_function_is_that_of_the_standard_library():
    values = np.linspace(-6, 6, 4001, dtype=np.float32)
    np.testing.assert_allclose(erf(values), [math.erf(value) for value in values.tolist()], atol=5e-7)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"members.0.bias": None}, "the weights lack members.0.bias"),
        ({"members.0.bias": np.zeros(6)}, r"members.0.bias have shape \(6,\) in place of \(1, 6\)"),
        ({"members.9.bias": np.zeros(6)}, "members.9.bias do not belong"),
        ({"trees.left": np.full(90, -1)}, "a child that does not exist"),
        ({"trees.root": np.full(30, 90)}, "a root that does not exist"),
        ({"trees.feature": np.full(90, INPUTS)}, "a feature that does not exist"),
        ({"trees.action": np.full(30, 5)}, "an action that does not exist"),
    ],
)
def test_weights_that_do_not_fit_are_refused(damage, message):
    policy = policy_of(trees=True)
    weights = {name: weight.numpy() for name, weight in policy.detached_weights().items()} | damage
    with pytest.raises(ValueError, match=message):
        ArrayPolicy(policy.spec, {name: weight for name, weight in weights.items() if weight is not None})
