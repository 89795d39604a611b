"""Prediction in batches and without dropout, on a device that is there."""

import pytest
import torch

from enron_triage.errors import UsageError
from enron_triage.policy.inference import choose_device, predict_logits
from enron_triage.policy.network import PolicySpec, new_policy


def policy_of(hidden=(6, 4), dropout=0.5, seed=3):
    return new_policy(PolicySpec(inputs=7, hidden=hidden, dropout=dropout), seed=seed)


def features_of(count):
    return torch.randn(count, 7, generator=torch.Generator().manual_seed(1))


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


def test_one_of_several_gpus_is_chosen_by_its_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UsageError, match=r"--device cuda:2: no such GPU on this machine; there are: cuda:0, cuda:1$"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["tpu", "cpu:0", "cuda:", "cuda:x", "mps:1"])
def test_a_device_that_does_not_exist_is_refused_with_those_that_do(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(UsageError, match=rf"--device {name}: no such device; use auto, cpu, cuda"):
        choose_device(name)
