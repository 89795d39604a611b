import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from enron_triage.policy.calibration import Calibration


def sample(temperature, count=20_000):
    """Logits, and targets drawn from them at a temperature."""
    generator = np.random.default_rng(5)
    logits = generator.normal(size=(count, 5)) * 3
    shares = softmax(logits / temperature, axis=1).cumsum(axis=1)
    targets = (generator.random((count, 1)) > shares[:, :-1]).sum(axis=1)
    return logits, targets


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_data_is_found(temperature):
    assert Calibration.fit(*sample(temperature)).temperature == pytest.approx(temperature, rel=0.05)


def test_the_temperature_has_the_least_log_likelihood_of_a_fine_grid():
    logits, targets = sample(1.7, count=300)

    def loss(temperature):
        return -np.log(softmax(logits / temperature, axis=1)[np.arange(300), targets]).mean()

    best = min(np.geomspace(0.1, 10, 2000), key=loss)
    assert Calibration.fit(logits.astype(np.float32), targets).temperature == pytest.approx(best, rel=0.005)


def test_without_messages_the_temperature_is_1():
    assert Calibration.fit(np.empty((0, 5)), np.empty(0, dtype=np.int64)) == Calibration()


def test_a_policy_that_is_always_right_or_always_wrong_keeps_the_temperature_in_bounds():
    logits = np.eye(5) * 4
    sure = Calibration.fit(logits, np.arange(5))
    assert np.exp(-4) <= sure.temperature < 0.1
    assert sure.probabilities(logits).max(axis=1) == pytest.approx(1)
    assert Calibration.fit(logits, (np.arange(5) + 1) % 5).temperature == pytest.approx(np.exp(4), rel=0.01)


def test_probabilities_at_a_temperature_are_the_softmax():
    logits = np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [0, 0, 0, 0, 1e4]], dtype=np.float32)
    got = Calibration(temperature=2.0).probabilities(logits)
    expected = np.exp(logits[0] / 2) / np.exp(logits[0] / 2).sum()
    np.testing.assert_allclose(got[0], expected, rtol=1e-6)
    assert got[1].tolist() == [0, 0, 0, 0, 1]
    assert Calibration(temperature=2.0).probabilities(np.empty((0, 5))).shape == (0, 5)


def test_the_shift_gives_back_what_class_weights_did():
    generator = np.random.default_rng(3)
    truth = generator.dirichlet(np.ones(5), size=200)
    weights = np.array([4.0, 2.0, 1.0, 0.5, 0.25])
    learned = np.log(truth * weights)  # what a policy trained with these weights converges to, up to a constant
    calibration = Calibration(shift=(-np.log(weights)).tolist())
    np.testing.assert_allclose(calibration.probabilities(learned), truth, rtol=1e-9)


def test_the_temperature_is_fitted_after_the_shift():
    logits, targets = sample(1.7, count=5000)
    shift = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    fitted = Calibration.fit(logits - shift, targets, shift)
    assert fitted.shift == shift.tolist()
    assert fitted.temperature == pytest.approx(Calibration.fit(logits, targets).temperature, rel=1e-6)


@pytest.mark.parametrize("scale", [0.1, 1, 10, 1000])
def test_log_probabilities_are_those_of_scipy_as_far_as_floats_go(scale):
    logits = np.random.default_rng(1).normal(scale=scale, size=(1000, 5))
    found = Calibration(temperature=2.0).log_probabilities(logits)
    np.testing.assert_allclose(found, log_softmax(logits / 2, axis=1), rtol=1e-13, atol=1e-13)
    assert Calibration().log_probabilities(logits[:0]).shape == (0, 5)
