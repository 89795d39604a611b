"""Every feature is bounded and centred, whatever a hostile message holds."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.features.normalization import fit_quantiles, fit_standardization, quantile_transform, standardize

EDGE = 3**0.5


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=40), st.floats(-(2.0**100), 2.0**100, width=32))
def test_ranks_are_bounded_and_ordered_and_the_median_is_zero(train, hostile):
    values = torch.tensor(train)[:, None]
    quantiles = fit_quantiles(values)
    with_hostile = torch.cat([values, torch.tensor([[hostile]])])
    got = quantile_transform(with_hostile.numpy(), quantiles.numpy()).flatten()
    assert np.abs(got).max() <= EDGE + 1e-6
    order = torch.argsort(torch.cat([values.flatten(), torch.tensor([hostile])]))
    assert (np.diff(got[order.numpy()]) >= 0).all()
    assert np.abs(quantile_transform(quantiles[32:33].numpy(), quantiles.numpy())) < EDGE / 2 + 1e-6
    constant = np.full((65, 1), train[0], dtype=np.float32)
    assert np.abs(quantile_transform(constant[:5], constant)).max() == 0


def test_quantiles_are_those_of_each_column_alone():
    values = torch.tensor([[0.0, 64.0], [32.0, 32.0], [64.0, 0.0]])
    assert torch.equal(fit_quantiles(values), torch.arange(65.0)[:, None].repeat(1, 2))


def test_standard_scores_have_mean_0_and_deviation_1_and_are_cut_at_5():
    scores = torch.tensor([[1.0, 7.0], [3.0, 7.0]])
    mean, std = fit_standardization(scores)
    assert mean.tolist() == [2, 7]
    mean, std = mean.numpy(), std.numpy()
    assert standardize(scores.numpy(), mean, std).tolist() == [[-1, 0], [1, 0]]
    assert standardize(np.array([[100, -100]], dtype=np.float32), mean, std).tolist() == [[5, -5]]
