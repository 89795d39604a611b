"""What is fitted on train: ranks among train's values, and cross-fitted text scores."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.config.training import FeaturesConfig, TextConfig
from enron_triage.features import history, metadata
from enron_triage.features.dataset import extract_dataset, transform_dense
from enron_triage.features.transform import Transform, quantile_transform
from enron_triage.records import ACTION_NAMES, ACTIONS

BOTH = ("metadata", "history")
EDGE = 3**0.5
SMALL = TextConfig(min_messages=2, batch_size=16, epochs=4)


@pytest.fixture
def records(new_record, new_history):
    def make(count, seed):
        generator = np.random.default_rng(seed)
        made = []
        for n in generator.integers(0, 30, count).tolist():
            action = ACTIONS[n % 5]
            counts = [n, 0, 0, 0, 0]
            made.append(
                new_record(
                    user=f"owner-{'abcdef'[n % 6]}",
                    subject="a" * n,
                    body=f"{'word ' * n}{action}sign",
                    action=action,
                    history=new_history(owner=counts, domain=counts, sender=counts),
                )
            )
        return made

    return make


def fit(dataset, groups, weights=None):
    config = FeaturesConfig(groups=groups, text=SMALL)
    return Transform.fit(dataset, config, torch.ones(len(dataset)) if weights is None else weights, 1)


def test_what_is_fitted_is_fitted_on_train_only(records):
    train, val = (extract_dataset(records(*arguments), BOTH) for arguments in ((80, 1), (30, 2)))
    transform, features = fit(train, BOTH)
    shares = np.bincount(train.targets.numpy(), minlength=5) / len(train)
    np.testing.assert_allclose(transform.class_prior.numpy(), shares, rtol=1e-6)
    dense = transform_dense(train, BOTH, transform.class_prior).numpy()
    others = transform_dense(val, BOTH, transform.class_prior).numpy()
    quantiles = np.quantile(dense, np.linspace(0, 1, 65), axis=0).astype(np.float32)
    np.testing.assert_allclose(transform.quantiles.numpy(), quantiles, rtol=1e-5, atol=1e-6)
    for column in range(dense.shape[1]):
        bounds = transform.quantiles[:, column].numpy()
        below = (bounds[None, :] < others[:, column, None]).sum(axis=1)
        not_above = (bounds[None, :] <= others[:, column, None]).sum(axis=1)
        expected = ((below + not_above) / 65 - 1) * EDGE
        np.testing.assert_allclose(transform.apply(val)[:, column].numpy(), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(transform.apply(train), features)


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=40), st.floats(-(2.0**100), 2.0**100, width=32))
def test_ranks_are_bounded_and_ordered_and_the_median_is_zero(train, hostile):
    values = torch.tensor(train)[:, None]
    quantiles = torch.quantile(values, torch.linspace(0, 1, 65), dim=0)
    got = quantile_transform(torch.cat([values, torch.tensor([[hostile]])]), quantiles).flatten()
    assert got.abs().max() <= EDGE + 1e-6
    order = torch.argsort(torch.cat([values.flatten(), torch.tensor([hostile])]))
    assert (torch.diff(got[order]) >= 0).all()
    assert abs(float(quantile_transform(quantiles[32:33], quantiles))) < EDGE / 2 + 1e-6
    constant = torch.full((5, 1), train[0])
    assert quantile_transform(constant, torch.full((65, 1), train[0])).abs().max() == 0


def test_columns_follow_the_order_of_the_groups_and_text_comes_last(records):
    dataset = extract_dataset(records(60, 1), (*BOTH, "text"))
    forward, backward = (fit(dataset, groups)[0] for groups in (BOTH, ("text", "history", "metadata")))
    assert list(forward.columns) == [*metadata.COLUMNS, *history.COLUMNS]
    of_text = [f"text_{action}" for action in ACTION_NAMES]
    assert list(backward.columns) == [*history.COLUMNS, *metadata.COLUMNS, *of_text]
    assert backward.apply(dataset).shape == (60, len(backward.columns))
    count = len(metadata.COLUMNS)
    assert torch.equal(forward.apply(dataset)[:, :count], backward.apply(dataset)[:, -5 - count : -5])


def test_a_checkpoint_brings_the_same_transform_back(records):
    train, val = (extract_dataset(records(*arguments), (*BOTH, "text")) for arguments in ((80, 1), (30, 2)))
    transform, _ = fit(train, (*BOTH, "text"))
    file = io.BytesIO()
    torch.save(transform.to_plain(), file)
    file.seek(0)
    again = Transform.from_plain(torch.load(file, weights_only=True))
    assert torch.equal(again.apply(val), transform.apply(val))


def test_the_inputs_for_train_can_be_made_again(records):
    train = extract_dataset(records(80, 1), (*BOTH, "text"))
    transform, features = fit(train, (*BOTH, "text"))
    torch.testing.assert_close(transform.apply_to_train(train, SMALL, torch.ones(80), 1), features)
    assert not torch.allclose(transform.apply(train), features)  # the table has seen these messages
