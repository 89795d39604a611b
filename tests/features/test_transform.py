"""What is fitted on train: ranks among train's values, and cross-fitted text scores."""

import io

import msgspec
import numpy as np
import pytest
import torch

from enron_triage.config.training import FeaturesConfig, TextConfig
from enron_triage.features import history_features, metadata
from enron_triage.features.dataset import extract_dataset
from enron_triage.features.transform import FeatureTransform
from enron_triage.records import ACTION_NAMES, ACTIONS

pytestmark = pytest.mark.slow  # trains, or draws

BOTH = ("metadata", "history")
EDGE = 3**0.5
SMALL = TextConfig(min_messages=2, batch_size=16, epochs=2)


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


def of_groups(groups):
    return FeaturesConfig(groups=groups, text=SMALL)


def fit(dataset, groups):
    return FeatureTransform.fit_transform(dataset, of_groups(groups), mailbox_weights_power=0.5, seed=1)


def dense_of(dataset, class_prior):
    """The features of both dense groups before normalisation."""
    of_history = history_features.transform(dataset.raw["history"].numpy(), class_prior.numpy())
    return np.concatenate([dataset.raw["metadata"].numpy(), of_history], axis=1)


def test_what_is_fitted_is_fitted_on_train_only(records):
    train, val = (extract_dataset(records(*arguments), of_groups(BOTH)) for arguments in ((80, 1), (30, 2)))
    transform, features = fit(train, BOTH)
    shares = np.bincount(train.targets.numpy(), minlength=5) / len(train)
    np.testing.assert_allclose(transform.class_prior.numpy(), shares, rtol=1e-6)
    dense = dense_of(train, transform.class_prior)
    others = dense_of(val, transform.class_prior)
    quantiles = np.quantile(dense, np.linspace(0, 1, 65), axis=0).astype(np.float32)
    fitted = torch.cat([transform.states[group]["quantiles"] for group in BOTH], dim=1).numpy()
    np.testing.assert_allclose(fitted, quantiles, rtol=1e-5, atol=1e-6)
    for column in range(dense.shape[1]):
        bounds = fitted[:, column]
        below = (bounds[None, :] < others[:, column, None]).sum(axis=1)
        not_above = (bounds[None, :] <= others[:, column, None]).sum(axis=1)
        expected = ((below + not_above) / 65 - 1) * EDGE
        np.testing.assert_allclose(transform.transform(val)[:, column].numpy(), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(transform.transform(train), features)


def test_columns_are_in_the_order_of_the_table_whatever_the_configuration_says(records):
    dataset = extract_dataset(records(60, 1), of_groups((*BOTH, "text")))
    forward, backward = (fit(dataset, groups)[0] for groups in (BOTH, ("text", "history", "metadata")))
    dense = [*metadata.COLUMNS, *history_features.COLUMNS]
    assert list(forward.columns) == dense
    assert list(backward.columns) == [*dense, *(f"text_{action}" for action in ACTION_NAMES)]
    assert backward.transform(dataset).shape == (60, backward.num_features) == (60, len(dense) + 5)
    assert torch.equal(forward.transform(dataset), backward.transform(dataset)[:, : len(dense)])


def test_a_checkpoint_brings_the_same_transform_back(records):
    train, val = (extract_dataset(records(*arguments), of_groups((*BOTH, "text"))) for arguments in ((80, 1), (30, 2)))
    transform, _ = fit(train, (*BOTH, "text"))
    file = io.BytesIO()
    torch.save(msgspec.to_builtins(transform, builtin_types=(torch.Tensor,)), file)
    file.seek(0)
    content = torch.load(file, weights_only=True)
    again = msgspec.convert(content, FeatureTransform, dec_hook=lambda expected, value: value)
    assert again.is_same_as(transform)
    assert again.settings == transform.settings
    assert torch.equal(again.transform(val), transform.transform(val))


def test_train_is_seen_again_as_it_was_when_the_transform_was_fitted(records):
    train = extract_dataset(records(80, 1), of_groups((*BOTH, "text")))
    transform, features = fit(train, (*BOTH, "text"))
    assert torch.equal(transform.transform_train(train), features)
    assert not torch.allclose(transform.transform(train), features)  # the table has seen these messages


@pytest.mark.parametrize("groups", [("text",), BOTH])
def test_other_messages_to_train_on_are_seen_as_any_others(records, groups):
    train, other = (extract_dataset(records(60, seed), of_groups(groups)) for seed in (1, 2))
    other.targets, other.mailbox = train.targets, train.mailbox
    transform, _ = fit(train, groups)
    assert torch.equal(transform.transform_train(other), transform.transform(other))


def test_transforms_are_the_same_only_if_they_give_the_same_features(records):
    train, other = (extract_dataset(records(60, seed), of_groups(BOTH)) for seed in (1, 2))
    transform, _ = fit(train, BOTH)
    assert transform.is_same_as(fit(train, BOTH)[0])
    assert not transform.is_same_as(fit(other, BOTH)[0])
    assert not transform.is_same_as(fit(train, ("metadata",))[0])
    assert not transform.is_same_as(msgspec.structs.replace(transform, class_prior=transform.class_prior.flip(0)))
