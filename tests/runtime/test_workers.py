import math
import operator
import os

import pytest

from enron_triage.errors import TriageError
from enron_triage.runtime.workers import map_ordered

# The functions are the standard library's: another process must be able to import them.


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers):
    sizes = [20_000, *range(20)]  # the first takes longest
    assert list(map_ordered(math.factorial, sizes, workers)) == [math.factorial(n) for n in sizes]


def test_items_are_read_only_a_little_ahead():
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_ordered(operator.neg, items(), 2)
    next(results)
    assert len(taken) <= 6
    results.close()


def test_a_worker_that_dies_is_one_clear_line():
    with pytest.raises(TriageError, match="workers=1"):
        list(map_ordered(os._exit, range(3), 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_worker_reaches_the_caller(workers):
    with pytest.raises(ValueError, match="invalid literal for int"):
        list(map_ordered(int, ["1", "one"], workers))
