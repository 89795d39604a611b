import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from enron_triage.policy.calibration import Calibration, Evidence


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


# Few messages


COUNTS = [10.0, 5.0, 0.0, 30.0, 15.0]


@pytest.mark.parametrize("count", [0, 1, 3, 20])
@pytest.mark.parametrize("right", [True, False])
def test_few_messages_that_are_all_right_or_all_wrong_make_nothing_certain(count, right):
    targets = np.arange(count) % 5
    logits = np.eye(5)[(targets + (not right)) % 5].reshape(count, 5) * 12
    fitted = Calibration.fit(logits, targets, evidence=Evidence(class_counts=COUNTS))
    assert 0.4 < fitted.temperature < 6
    assert fitted.has_possible_prior
    hostile = np.array([[1e4, 0, 0, 0, 0], [0, 0, -1e4, 0, 0.0]])
    probabilities = fitted.probabilities(hostile)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert probabilities.min() > 0.99 * fitted.prior_weight / 65  # the action that train lacks: once in 60 + 5
    assert probabilities.max() < 1 - 0.99 * fitted.prior_weight * (1 - max(fitted.prior))


def test_the_class_prior_has_the_share_of_one_message_among_those_seen():
    shares = [
        Calibration.fit(np.zeros((n, 5)), np.zeros(n, dtype=int), evidence=Evidence(class_counts=COUNTS)).prior_weight
        for n in (0, 1, 9, 999)
    ]
    assert shares == pytest.approx([1, 1 / 2, 1 / 10, 1 / 1000])
    prior = Calibration.fit(np.empty((0, 5)), np.empty(0, dtype=int), evidence=Evidence(class_counts=COUNTS))
    np.testing.assert_allclose(prior.probabilities(np.eye(5) * 50), [[11 / 65, 6 / 65, 1 / 65, 31 / 65, 16 / 65]] * 5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_with_many_messages_the_evidence_makes_no_difference(temperature):
    logits, targets = sample(temperature)
    plain = Calibration.fit(logits, targets)
    fitted = Calibration.fit(logits, targets, evidence=Evidence(class_counts=COUNTS))
    assert fitted.temperature == pytest.approx(plain.temperature, rel=2e-3)

    def loss(calibration):
        return -calibration.log_probabilities(logits)[np.arange(len(targets)), targets].mean()

    assert loss(fitted) == pytest.approx(loss(plain), abs=5e-4)


def test_a_policy_that_training_went_on_from_is_surer_of_its_temperature():
    logits, targets = sample(1.0, count=12)
    start = Calibration(temperature=2.0, prior_weight=1 / 101, prior=[0.2] * 5)
    evidence = Evidence.of_start(start, COUNTS)
    assert evidence.messages == pytest.approx(100)
    fitted = Calibration.fit(logits, targets, evidence=evidence)
    assert fitted.prior_weight == pytest.approx(1 / 113)
    fresh = Calibration.fit(logits, targets, evidence=Evidence(class_counts=COUNTS, temperature=2.0))
    assert abs(np.log(fitted.temperature / 2)) < abs(np.log(fresh.temperature / 2))
    assert Evidence.of_start(Calibration(), COUNTS).messages == 0  # of an older checkpoint: not known


@pytest.mark.parametrize(
    "fields", [{"prior": []}, {"prior": [0.25] * 4}, {"prior": [0, 0.25, 0.25, 0.25, 0.25]}, {"prior": [0.5] * 5}]
)
def test_an_impossible_class_prior_is_recognised(fields):
    assert not Calibration(prior_weight=0.1, **fields).has_possible_prior
    assert not Calibration(prior_weight=1.5, prior=[0.2] * 5).has_possible_prior
