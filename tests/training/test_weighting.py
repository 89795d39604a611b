import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.training.weighting import class_weights, sample_indices

COUNTS = torch.tensor([1000, 100, 10, 0, 1])


def normalised(weights):
    """Mean 1 over the examples, and 0 for the class that has none."""
    weights = np.array(weights) * (COUNTS.numpy() > 0)
    return weights * COUNTS.numpy().sum() / (weights * COUNTS.numpy()).sum()


@pytest.mark.parametrize(
    ("weighting", "settings", "formula"),
    [
        ("none", {}, lambda n: 1.0),
        ("inverse", {}, lambda n: 1 / n),
        ("power", {"power": 0.5}, lambda n: n**-0.5),
        ("power", {"power": 0.25}, lambda n: n**-0.25),
        ("effective", {"beta": 0.999}, lambda n: (1 - 0.999) / (1 - 0.999**n)),
        ("effective", {"beta": 0.9}, lambda n: (1 - 0.9) / (1 - 0.9**n)),
    ],
)
def test_class_weights_are_the_formulas(weighting, settings, formula):
    got = class_weights(COUNTS, weighting, **settings)
    expected = normalised([formula(count) if count else 0.0 for count in COUNTS.tolist()])
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-6)
    assert got.dtype == torch.float32
    assert got[3] == 0


def test_known_limits_of_the_weightings():
    inverse = class_weights(COUNTS, "inverse")
    torch.testing.assert_close(class_weights(COUNTS, "power", power=1.0), inverse)
    torch.testing.assert_close(class_weights(COUNTS, "none").tolist(), [1.0, 1.0, 1.0, 0.0, 1.0])
    torch.testing.assert_close(class_weights(COUNTS, "effective", beta=0.0), class_weights(COUNTS, "none"))
    torch.testing.assert_close(class_weights(COUNTS, "effective", beta=1 - 1e-9), inverse, rtol=1e-4, atol=0)


@given(
    st.lists(st.integers(0, 10**6), min_size=5, max_size=5).filter(any),
    st.sampled_from(["none", "inverse", "power", "effective"]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_weights_have_mean_1_over_the_examples_and_the_rarer_class_weighs_more(counts, weighting):
    weights = class_weights(torch.tensor(counts), weighting).double()
    known = torch.tensor(counts).double()
    assert float((weights * known).sum() / known.sum()) == pytest.approx(1, rel=1e-5)
    assert [weight > 0 for weight in weights.tolist()] == [count > 0 for count in counts]
    ordered = [weight for _, weight in sorted(zip(counts, weights.tolist(), strict=True)) if weight]
    assert all(rare >= frequent * (1 - 1e-6) for rare, frequent in itertools.pairwise(ordered))


def test_without_a_sampler_every_example_comes_once():
    targets = torch.zeros(50, dtype=torch.int64)
    generator = torch.Generator().manual_seed(1)
    first, second = (sample_indices(targets, "none", generator) for _ in range(2))
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(50))
    assert first.tolist() != second.tolist() != list(range(50))
    again = sample_indices(targets, "none", torch.Generator().manual_seed(1))
    assert torch.equal(first, again)


def test_the_balanced_sampler_draws_the_classes_equally():
    targets = torch.tensor([0] * 9000 + [1] * 900 + [2] * 90 + [4] * 10)  # class 3 has no example
    order = sample_indices(targets, "balanced", torch.Generator().manual_seed(2))
    assert order.shape == targets.shape
    shares = torch.bincount(targets[order], minlength=5) / len(order)
    # A share of 1/4 over 10,000 draws has a standard deviation of 0.0043.
    assert shares.tolist() == pytest.approx([0.25, 0.25, 0.25, 0, 0.25], abs=0.02)
    drawn = torch.bincount(order[targets[order] == 4] - 9990, minlength=10)
    assert drawn.min() > 150  # each of the ten is drawn some 250 times: within a class all alike
    assert torch.equal(order, sample_indices(targets, "balanced", torch.Generator().manual_seed(2)))
