import importlib.util
import math
import operator
import os

import pytest

from enron_triage.errors import TriageError
from enron_triage.runtime.workers import _PRELOADED, map_ordered

# The functions are from the standard library, because other processes must be able to import them.


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items_whichever_is_ready_first(workers):
    sizes = [20_000, *range(20)]  # the first takes longest
    assert list(map_ordered(math.factorial, sizes, workers)) == [math.factorial(n) for n in sizes]


@pytest.mark.parametrize("name", _PRELOADED)
def test_every_module_that_worker_processes_preload_exists(name):
    assert importlib.util.find_spec(name)  # Python ignores one that it cannot import, and workers would start slowly


def test_only_a_few_items_per_worker_are_read_ahead_of_the_results():
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_ordered(operator.neg, items(), 2)
    next(results)
    assert len(taken) <= 6
    results.close()


def test_a_worker_that_dies_is_reported_in_one_line_with_a_remedy():
    with pytest.raises(
        TriageError, match=r"^a worker process died, perhaps because memory ran out; try again with --set workers=1$"
    ):
        list(map_ordered(os._exit, range(3), 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_worker_is_raised_in_the_caller(workers):
    with pytest.raises(ValueError, match="invalid literal for int"):
        list(map_ordered(int, ["1", "one"], workers))
