"""The table of a sweep, for a terminal and for a pipe."""

import pytest

from enron_triage.sweep.results import SweepResults
from enron_triage.sweep.trial import TrialOutcome

METRICS = {"macro_f1": 0.5, "accuracy": 0.6, "loss": 1.0}


@pytest.fixture
def results():
    """Three trials of two keys, whose runs have names as a sweep gives them; the last failed."""
    keys = ("sft.learning_rate", "model.dropout")
    sweep = SweepResults(sweep="learning_rate", stages=("sft",), metric="macro_f1", keys=keys)
    for rate in (0.001, 0.0003):
        values = {"sft.learning_rate": rate, "model.dropout": 0.3}
        metrics = {**METRICS, "macro_f1": rate}
        sweep.record(
            f"learning_rate-learning_rate-{rate}-dropout-0.3", values, TrialOutcome(status="finished", metrics=metrics)
        )
    values = {"sft.learning_rate": 1e30, "model.dropout": 0.3}
    sweep.record("learning_rate-learning_rate-1e30-dropout-0.3", values, TrialOutcome(status="failed", error="NaN"))
    return sweep


def test_a_pipe_gets_a_row_for_each_trial(results):
    head, first, second, third, error = results.table().splitlines()
    assert head.split() == ["rank", "run", "learning_rate", "dropout", "macro_f1", "accuracy", "loss", "status"]
    assert first.split()[:4] == ["1", "learning_rate-learning_rate-0.001-dropout-0.3", "0.001", "0.3"]
    assert second.split()[-1] == "finished"
    assert third.split()[0] == "-"
    assert error == "learning_rate-learning_rate-1e30-dropout-0.3: NaN"


def test_a_terminal_of_80_columns_gets_the_run_and_the_values_below_the_metrics(results):
    lines = results.narrow_table().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["rank", "macro_f1", "accuracy", "loss", "status"]
    assert lines[1].split() == ["1", "0.0010", "0.6000", "1.0000", "finished"]
    assert lines[2:4] == [
        "      learning_rate-learning_rate-0.001-dropout-0.3",
        "      learning_rate 0.001, dropout 0.3",
    ]
    assert lines[-1] == results.table().splitlines()[-1]


def test_a_table_that_fits_is_the_same_in_both(results):
    few = SweepResults(sweep="s", stages=("sft",), metric="macro_f1", keys=("sft.epochs",))
    few.record("s-epochs-2", {"sft.epochs": 2}, TrialOutcome(status="finished", metrics=METRICS))
    assert few.narrow_table() == few.table()
