import resource
import threading

import pytest

from enron_triage.runtime.memory_limit import memory_limit

MIB = 2**20


def test_work_that_takes_more_memory_than_it_may_is_refused_it():
    with memory_limit(64 * MIB), pytest.raises(MemoryError):
        bytearray(256 * MIB)


def test_work_within_the_limit_is_done_whatever_the_process_holds():
    held = bytearray(128 * MIB)
    with memory_limit(64 * MIB):
        assert len(bytearray(16 * MIB)) < len(held)


def test_nothing_is_left_behind():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(ZeroDivisionError), memory_limit(64 * MIB):
        raise ZeroDivisionError
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    bytearray(256 * MIB)


def test_in_another_thread_there_is_no_limit():
    done = []

    def work():
        with memory_limit(MIB):
            done.append(len(bytearray(64 * MIB)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [64 * MIB]
