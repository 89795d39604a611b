"""Dropout by random words: the same distribution as torch's, whatever the probability."""

import pytest
import torch

from enron_triage.policy.dropout import Dropout

UNITS = 200_000


def dropped(p, shape=(UNITS,), seed=1):
    torch.manual_seed(seed)
    return Dropout(p)(torch.ones(shape))


@pytest.mark.parametrize("p", [0.001, 0.1, 0.25, 0.3, 0.5, 0.75, 0.9])
def test_units_are_dropped_with_the_probability_and_the_others_scaled(p):
    kept = dropped(p)
    assert len(kept.unique()) == 2
    assert kept.max() == pytest.approx(1 / (1 - p), rel=1e-3)
    share = (kept == 0).double().mean()
    assert abs(share - p) < 5 * (p * (1 - p) / UNITS) ** 0.5
    torch.manual_seed(1)
    plain = torch.nn.Dropout(p)(torch.ones(UNITS))
    assert abs(kept.mean() - plain.mean()) < 10 * (p / (1 - p) / UNITS) ** 0.5


@pytest.mark.parametrize("p", [0.3, 0.5])
def test_units_are_independent_within_a_word_and_across_words(p):
    kept = (dropped(p) != 0).double()
    kept = (kept - kept.mean()) / kept.std()
    for distance in (1, 2, 31, 32, 63, 64, UNITS // 32, UNITS // 64, UNITS // 64 + 1, UNITS // 2):
        assert abs((kept[distance:] * kept[:-distance]).mean()) < 5 / (UNITS - distance) ** 0.5
    bits = kept.view(-1, UNITS // 32).mean(dim=1)  # each bit of the words
    assert bits.abs().max() < 5 / (UNITS // 32) ** 0.5


def test_nothing_is_dropped_without_training_nor_with_probability_zero():
    values, layer = torch.randn(3, 5, 7), Dropout(0.5)
    assert torch.equal(layer.eval()(values), values)
    for p in (0.0, 1e-9):
        assert torch.equal(Dropout(p)(values), values)
    assert torch.equal(Dropout(1 - 1e-9)(torch.zeros(9)), torch.zeros(9))


@pytest.mark.parametrize("shape", [(1,), (63,), (64,), (65,), (2, 3, 37), (0, 4)])
def test_any_shape_is_filled_and_the_generator_decides(shape):
    kept = dropped(0.5, shape)
    assert kept.shape == shape
    assert set(kept.unique().tolist()) <= {0.0, 2.0}
    assert torch.equal(kept, dropped(0.5, shape))
    if kept.numel() > 60:
        assert not torch.equal(kept, dropped(0.5, shape, seed=2))


def test_gradients_pass_the_units_that_were_kept():
    torch.manual_seed(3)
    values = torch.randn(500, requires_grad=True)
    kept = Dropout(0.25)(values)
    kept.sum().backward()
    torch.testing.assert_close(values.grad, torch.where(kept == 0, 0.0, 1 / 0.75))
