import os
import subprocess
import sys

import numpy as np  # noqa: F401 - its threads are looked at
import pytest
from threadpoolctl import threadpool_info

from enron_triage.runtime.threads import one_blas_thread, sleep_while_waiting

VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)


def test_threads_sleep_while_they_wait():
    sleep_while_waiting()
    assert {name: os.environ.get(name) for name in VARIABLES} == {
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": None,
        "KMP_BLOCKTIME": None,
    }


@pytest.mark.parametrize(("name", "value"), [("OMP_WAIT_POLICY", "ACTIVE"), ("GOMP_SPINCOUNT", "9")])
def test_what_the_user_set_stays(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    sleep_while_waiting()
    assert {name: os.environ[name] for name in VARIABLES if name in os.environ} == {name: value}


@pytest.mark.slow
def test_the_program_sets_it_before_torch_is_loaded():
    """What loads OpenMP finds the variable: also in the processes that the program starts."""
    program = """if 1:
        import os, sys
        class Finder:
            def find_spec(self, name, *_):
                if name in ("torch", "lightgbm", "sklearn"):
                    print(name, os.environ.get("OMP_WAIT_POLICY"))
        sys.meta_path.insert(0, Finder())
        from enron_triage import cli
        sys.argv = ["triage", "sft", "--set", "sft.loss=focal"]
        cli.main()
    """
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines()[:1] == ["torch PASSIVE"], ran.stderr


@pytest.mark.slow
def test_importing_the_predictor_sets_it_too():
    program = "import os; from enron_triage.predict import Triage; print(os.environ.get('OMP_WAIT_POLICY'))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "PASSIVE\n"


def test_matrix_products_take_one_thread_within_the_block_and_as_many_as_before_after_it():
    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with one_blas_thread():
        assert set(threads()) <= {1}
    assert threads() == before
