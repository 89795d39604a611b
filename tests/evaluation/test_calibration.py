import numpy as np
import pytest
from scipy.special import softmax

from enron_triage.evaluation.calibration import calibrated, fit_temperature


def sample(temperature, count=20_000):
    """Logits, and targets drawn from them at a temperature."""
    generator = np.random.default_rng(5)
    logits = generator.normal(size=(count, 5)) * 3
    shares = softmax(logits / temperature, axis=1).cumsum(axis=1)
    targets = (generator.random((count, 1)) > shares[:, :-1]).sum(axis=1)
    return logits, targets


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_data_is_found(temperature):
    assert fit_temperature(*sample(temperature)) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_has_the_least_log_likelihood_of_a_fine_grid():
    logits, targets = sample(1.7, count=300)

    def loss(temperature):
        return -np.log(softmax(logits / temperature, axis=1)[np.arange(300), targets]).mean()

    best = min(np.geomspace(0.1, 10, 2000), key=loss)
    assert fit_temperature(logits.astype(np.float32), targets) == pytest.approx(best, rel=0.005)


def test_without_messages_the_temperature_is_1():
    assert fit_temperature(np.empty((0, 5)), np.empty(0, dtype=np.int64)) == 1.0


def test_a_policy_that_is_always_right_or_always_wrong_keeps_the_temperature_in_bounds():
    logits = np.eye(5) * 4
    sure = fit_temperature(logits, np.arange(5))
    assert np.exp(-4) <= sure < 0.1
    assert calibrated(logits, sure).max(axis=1) == pytest.approx(1)
    assert fit_temperature(logits, (np.arange(5) + 1) % 5) == pytest.approx(np.exp(4), rel=0.01)


def test_probabilities_at_a_temperature_are_the_softmax():
    logits = np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [0, 0, 0, 0, 1e4]], dtype=np.float32)
    got = calibrated(logits, 2.0)
    expected = np.exp(logits[0] / 2) / np.exp(logits[0] / 2).sum()
    np.testing.assert_allclose(got[0], expected, rtol=1e-6)
    assert got[1].tolist() == [0, 0, 0, 0, 1]
    assert calibrated(np.empty((0, 5)), 2.0).shape == (0, 5)
