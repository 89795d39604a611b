import importlib.util
import math
import operator
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import pytest

from enron_triage.errors import TriageError
from enron_triage.runtime import workers
from enron_triage.runtime.workers import _PRELOADED, Rescue, map_ordered

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


DIES = "__import__('os')._exit(3)"


def test_what_a_worker_died_on_is_found_and_everything_else_is_done():
    items = [*map(str, range(20)), f"20, 21, {DIES}, 22, {DIES}", *map(str, range(23, 40))]
    tried = []

    def divide(item):
        tried.append(item)
        return item.split(", ")

    found = list(map_ordered(eval, items, 2, Rescue(divide, lambda item: f"died on {item}")))
    assert found == [*range(22), f"died on {DIES}", 22, f"died on {DIES}", *range(23, 40)]
    assert len(tried) <= 6  # and what was at work beside it


def test_processes_that_die_on_everything_are_an_error(monkeypatch):
    monkeypatch.setattr(workers, "_MOST_DEATHS", 1)
    rescue = Rescue(lambda item: [item], lambda item: None)
    found = map_ordered(os._exit, range(20), 2, rescue)
    with pytest.raises(TriageError, match="a worker process died"):
        list(found)


def test_a_worker_that_dies_while_another_one_starts_is_no_reason_to_wait_forever(monkeypatch):
    spawn = ProcessPoolExecutor._spawn_process

    def spawn_late(pool):
        """Start a process, but let the pool know of it only when it is broken."""
        known, pool._processes = pool._processes, {}
        spawn(pool)
        pool._processes, new = known, pool._processes
        deadline = time.monotonic() + 300
        while known and not pool._broken and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)  # by now it has terminated the processes that it knows
        known.update(new)

    monkeypatch.setattr(ProcessPoolExecutor, "_spawn_process", spawn_late)
    found = []
    rescue = Rescue(lambda item: [item], lambda item: "died")
    work = threading.Thread(target=lambda: found.extend(map_ordered(eval, [DIES, "1"], 2, rescue)), daemon=True)
    work.start()
    work.join(300)
    assert found == ["died", 1]


def test_an_error_beside_a_worker_that_dies_is_raised():
    rescue = Rescue(lambda item: [item], lambda item: None)
    with pytest.raises(ZeroDivisionError):
        list(map_ordered(eval, ["1", DIES, "1 / 0"], 2, rescue))
