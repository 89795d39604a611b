"""The values to try: a grid, random draws, or what Optuna suggests; to add a search, write its class and add its line.

A search knows nothing of training: it is given what was tried so far, and says what to try next.
"""

from __future__ import annotations

import itertools
import math
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

Values = dict[str, Any]  # a value for each swept key, as plain JSON values

_DIGITS = 4  # significant ones of a drawn number: enough to tell trials apart, few enough to name a run by
_ATTEMPTS = 100  # draws of a trial that has not been there yet


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A swept key that takes one of some values.

    Attributes
    ----------
    values : tuple
        At least one; no two are the same.
    """

    values: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """The value at a share of the way through the values.

        Parameters
        ----------
        share : float, 0 <= share < 1
            Such as a random number.
        """
        return self.values[int(share * len(self.values))]

    def __contains__(self, value: object) -> bool:
        return value in self.values


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """A swept key that takes any number between two.

    Attributes
    ----------
    low, high : float
        The least and the largest number.
    log : bool
        Whether the logarithm is drawn evenly, instead of the number itself.
    integer : bool
        Whether only whole numbers are meant.
    """

    low: float
    high: float
    log: bool
    integer: bool

    def at(self, share: float) -> float:
        """The number at a share of the way from `low` to `high`.

        Parameters
        ----------
        share : float, 0 <= share < 1
            Such as a random number.

        Examples
        --------
        >>> Range(low=1e-4, high=1e-2, log=True, integer=False).at(0.5)
        0.001
        """
        high = self.high + 1 if self.integer else self.high
        if self.log:
            return self.rounded(math.exp(math.log(self.low) + share * (math.log(high) - math.log(self.low))))
        return self.rounded(self.low + share * (high - self.low))

    def rounded(self, value: float) -> float:
        """A number of the range as a trial uses it: whole, or of four significant digits.

        Parameters
        ----------
        value : float
            Any number.
        """
        value = math.floor(value) if self.integer else float(f"{value:.{_DIGITS}g}")
        value = min(max(value, self.low), self.high)
        return int(value) if self.integer else value

    def __contains__(self, value: object) -> bool:
        kind = int if self.integer else int | float
        return isinstance(value, kind) and not isinstance(value, bool) and self.low <= value <= self.high


Space = dict[str, Choice | Range]


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A trial that a search has asked for.

    Attributes
    ----------
    values : dict
        Of the swept keys.
    score : float or None
        The more, the better; None if it failed.
    """

    values: Values
    score: float | None


class Search(ABC):
    """A way to choose trials.

    Attributes
    ----------
    space : dict of str to Choice or Range
        The swept keys.
    total : int
        How many trials there are in all.
    needs_results : bool
        Whether what it asks for depends on earlier results, so that what was asked for has to be remembered.
    """

    space: Space
    total: int
    needs_results = False

    @abstractmethod
    def ask(self, tried: Sequence[Tried], at_once: int) -> list[Values]:
        """The next trials; none when all have been asked for.

        Parameters
        ----------
        tried : sequence of Tried
            All that were asked for so far, in that order, with their results.
        at_once : int
            How many are trained at a time.
        """


class GridSearch(Search):
    """Every combination of the values.

    Parameters
    ----------
    space : dict of str to Choice or Range
        The swept keys; choices only.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.total = combinations(space) or 0

    def ask(self, tried: Sequence[Tried], at_once: int) -> list[Values]:
        """All at once, the last key fastest: see `Search.ask`."""
        lists = (choice.values for choice in self.space.values() if isinstance(choice, Choice))
        return [dict(zip(self.space, values, strict=True)) for values in itertools.product(*lists)][len(tried) :]


class RandomSearch(Search):
    """Independent draws; more trials of the same seed begin with the same ones.

    Parameters
    ----------
    space : dict of str to Choice or Range
        The swept keys.
    trials : int
        How many different ones.
    seed : int
        Of the draws.
    """

    def __init__(self, space: Space, trials: int, seed: int) -> None:
        self.space, self.total, self.seed = space, trials, seed

    def ask(self, tried: Sequence[Tried], at_once: int) -> list[Values]:
        """All at once: see `Search.ask`."""
        generator, found = random.Random(self.seed), list[Values]()
        for _ in range(self.total * _ATTEMPTS):
            if len(found) == self.total:
                break
            values = {key: dimension.at(generator.random()) for key, dimension in self.space.items()}
            if values not in found:
                found.append(values)
        return found[len(tried) :]


class OptunaSearch(Search):
    """What a sampler of Optuna suggests, given the results so far; it depends on nothing else, so it can be resumed.

    Parameters
    ----------
    space : dict of str to Choice or Range
        The swept keys.
    trials : int
        How many different ones.
    seed : int
        Of the sampler.
    sampler : str
        A name of `SAMPLERS`.
    """

    needs_results = True

    def __init__(self, space: Space, trials: int, seed: int, sampler: str) -> None:
        self.space, self.total, self.seed, self.sampler = space, trials, seed, sampler

    def ask(self, tried: Sequence[Tried], at_once: int) -> list[Values]:
        """As many as are trained at a time, or fewer if the space has no more: see `Search.ask`."""
        seen = [trial.values for trial in tried]
        for number in range(len(tried), min(len(tried) + at_once, self.total)):
            for attempt in range(_ATTEMPTS):
                values = self._suggest(tried, number, attempt)
                if values not in seen:
                    seen.append(values)
                    break
        return seen[len(tried) :]

    def _suggest(self, tried: Sequence[Tried], number: int, attempt: int) -> Values:
        """A pure function of its arguments; from the second half of the attempts on, a random draw."""
        draw = random.Random(f"{self.seed} {number} {attempt}")
        if attempt >= _ATTEMPTS // 2:
            return {key: dimension.at(draw.random()) for key, dimension in self.space.items()}
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = getattr(optuna.samplers, SAMPLERS[self.sampler])(seed=draw.randrange(2**32))
        study = optuna.create_study(direction="maximize", sampler=sampler)
        distributions = {key: _distribution(dimension) for key, dimension in self.space.items()}
        for trial in tried:
            if trial.score is not None:
                params = {key: _parameter(self.space[key], value) for key, value in trial.values.items()}
                done = optuna.trial.create_trial(params=params, distributions=distributions, value=trial.score)
                study.add_trial(done)
        suggested = study.ask(distributions).params
        return {
            key: dimension.values[suggested[key]]
            if isinstance(dimension, Choice)
            else dimension.rounded(suggested[key])
            for key, dimension in self.space.items()
        }


# The class in `optuna.samplers` of each name.
SAMPLERS: dict[str, str] = {
    "tpe": "TPESampler",
    "gp": "GPSampler",
}


def combinations(space: Mapping[str, Choice | Range]) -> int | None:
    """How many different trials a space has.

    Parameters
    ----------
    space : mapping of str to Choice or Range
        The swept keys.

    Returns
    -------
    int or None
        None if a key takes any number of a range, whole or not.
    """
    if any(isinstance(dimension, Range) and not dimension.integer for dimension in space.values()):
        return None
    return math.prod(
        len(dimension.values) if isinstance(dimension, Choice) else int(dimension.high - dimension.low) + 1
        for dimension in space.values()
    )


def _distribution(dimension: Choice | Range) -> Any:
    """The dimension for Optuna, which takes plain values only: a choice is its index."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Choice):
        return CategoricalDistribution(range(len(dimension.values)))
    if dimension.integer:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _parameter(dimension: Choice | Range, value: Any) -> Any:
    return dimension.values.index(value) if isinstance(dimension, Choice) else value
