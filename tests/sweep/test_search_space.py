"""What a search asks for: all of it, nothing twice, the same in every call."""

import math

import pytest

from enron_triage.sweep.search_space import Choice, GridSearch, OptunaSearch, RandomSearch, Range, Tried

RATE = Range(low=1e-4, high=1e-2, log=True, integer=False)
SPACE = {
    "sft.learning_rate": RATE,
    "sft.batch_size": Range(low=64, high=512, log=False, integer=True),
    "model.hidden": Choice(values=([8], [16, 8])),
}


def best_near(target):
    """Results that are the better the nearer the learning rate is to a target."""
    return lambda values: -abs(math.log(values["sft.learning_rate"] / target))


def asked(search, score, at_once=1, tried=()):
    """All trials of a search, from some that are known."""
    tried = list(tried)
    while batch := search.ask(tried, at_once):
        tried += [Tried(values=values, score=score(values)) for values in batch]
    return tried


def test_a_grid_has_every_combination_once_in_the_order_of_the_file():
    space = {"a": Choice(values=(1, 2)), "b": Choice(values=("x", "y", "z"))}
    found = GridSearch(space).ask([], 1)
    assert found == [{"a": a, "b": b} for a in (1, 2) for b in ("x", "y", "z")]
    assert GridSearch(space).ask([Tried(values=values, score=None) for values in found], 1) == []


def test_random_draws_lie_in_the_space_differ_and_are_the_same_for_a_seed():
    found = RandomSearch(SPACE, 40, seed=1).ask([], 1)
    assert len({str(values) for values in found}) == 40
    for values in found:
        assert values.keys() == SPACE.keys()
        assert all(values[key] in dimension for key, dimension in SPACE.items())
        assert float(f"{values['sft.learning_rate']:.4g}") == values["sft.learning_rate"]
    assert RandomSearch(SPACE, 40, seed=1).ask([], 1) == found
    assert RandomSearch(SPACE, 40, seed=2).ask([], 1) != found
    assert RandomSearch(SPACE, 10, seed=1).ask([], 1) == found[:10]  # more trials begin with the same ones


def test_a_logarithmic_range_is_drawn_evenly_in_the_logarithm():
    found = RandomSearch({"a": RATE}, 400, seed=3).ask([], 1)
    below = sum(values["a"] < 1e-3 for values in found)
    assert 160 < below < 240  # half of it lies below the geometric mean


@pytest.mark.parametrize("log", [False, True])
def test_whole_numbers_reach_both_ends(log):
    dimension = Range(low=2, high=5, log=log, integer=True)
    assert {dimension.at(number / 1000) for number in range(1000)} == {2, 3, 4, 5}


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_optuna_finds_the_good_region_and_asks_for_nothing_twice(sampler, recwarn):
    tried = asked(OptunaSearch(SPACE, 25, seed=1, sampler=sampler), best_near(2e-3))
    assert len({str(trial.values) for trial in tried}) == 25
    assert all(trial.values[key] in dimension for trial in tried for key, dimension in SPACE.items())
    late = [abs(trial.score) for trial in tried[15:]]
    assert sorted(late)[len(late) // 2] < 0.6  # a random draw is 1.2 away on average


def test_optuna_goes_on_from_any_interruption_with_the_same_trials():
    search = OptunaSearch(SPACE, 14, seed=1, sampler="tpe")
    whole = asked(search, best_near(2e-3), at_once=2)
    for known in (2, 6, 12):
        assert asked(OptunaSearch(SPACE, 14, seed=1, sampler="tpe"), best_near(2e-3), 2, whole[:known]) == whole
    assert asked(OptunaSearch(SPACE, 20, seed=1, sampler="tpe"), best_near(2e-3), 2)[:14] == whole


def test_optuna_goes_on_where_a_trial_failed():
    assert len(asked(OptunaSearch(SPACE, 12, seed=1, sampler="tpe"), lambda values: None)) == 12


def test_optuna_tries_all_of_a_small_space():
    space = {"a": Choice(values=(1, 2, 3)), "b": Choice(values=(True, False))}
    found = asked(OptunaSearch(space, 6, seed=1, sampler="tpe"), lambda values: float(values["a"]))
    assert sorted((trial.values["a"], trial.values["b"]) for trial in found) == [
        (a, b) for a in (1, 2, 3) for b in (False, True)
    ]
