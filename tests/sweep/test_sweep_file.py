"""A mistake in a sweep is answered with one line, before anything runs."""

from pathlib import Path

import pytest

import enron_triage
from enron_triage.config.sources import ConfigSources
from enron_triage.errors import UsageError
from enron_triage.sweep import command
from enron_triage.sweep.names import run_name, short_names
from enron_triage.sweep.plan import make_plan
from enron_triage.sweep.sweep_file import read_sweep

GRID = "grid: {sft.learning_rate: [1e-3, 1e-2]}\n"


def refusal(text, name="s.yaml", **given):
    """The line that a sweep file is answered with; nothing has been written by then."""
    Path(name).write_text(text)
    before = sorted(Path().iterdir())
    with pytest.raises(UsageError) as refused:
        command.run(ConfigSources(**given), Path(name))
    assert sorted(Path().iterdir()) == before
    line = str(refused.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "gird: {a: [1]}",
            "sweep s.yaml: gird: unknown key; did you mean grid? allowed here: config, set, grid, random",
        ),
        ("- 1", "sweep s.yaml: must hold keys and values, not a list"),
        ("grid: [", "sweep s.yaml: not valid YAML: line 1"),
        ("", "sweep s.yaml: does not say what to try; give exactly one of grid, random, optuna"),
        (
            f"{GRID}random: {{trials: 1, space: {{sft.epochs: [1]}}}}",
            "sweep s.yaml: has grid and random; give exactly one",
        ),
        ("grid: 3", "sweep s.yaml: grid: Expected section but got int"),
        ("grid: {}", "sweep s.yaml: grid: names no key to vary"),
        ("grid: {sft.epochs: []}", "sweep s.yaml: grid.sft.epochs: is an empty list; write for example [1e-3, 3e-4]"),
        ("grid: {sft.epochs: 3}", "sweep s.yaml: grid.sft.epochs: must be a list of values; write for example"),
        (
            "grid: {sft.epochs: {low: 1, high: 3}}",
            "sweep s.yaml: grid.sft.epochs: must be a list of values; a range is",
        ),
        ("grid: {sft.epochs: [1, x]}", 'sweep s.yaml: grid: sft.epochs="x": sft.epochs: must be a whole number'),
        ("grid: {sft.epochs: [3, 0]}", "sweep s.yaml: grid: sft.epochs=0: sft.epochs: must be a whole number"),
        ("grid: {sft.epochs: [3, 3]}", "sweep s.yaml: grid: sft.epochs: 3 is listed twice"),
        ("grid: {sft.weight_decay: [1, 1.0]}", "sweep s.yaml: grid: sft.weight_decay: 1.0 is listed twice"),
        ("grid: {sft.epoch: [3]}", "sweep s.yaml: grid: sft.epoch=3: sft.epoch: unknown key; did you mean epochs?"),
        ("grid: {sft: [{epochs: 3}]}", "sweep s.yaml: grid: sft: is a section; name a key in it"),
        ("grid: {'sft epochs': [3]}", "sweep s.yaml: sft epochs: is not a key; write for example sft.epochs"),
        ("grid: {sft.loss: [focal, fcal]}", "sweep s.yaml: grid: sft.loss=\"fcal\": sft.loss: unknown name 'fcal'"),
        (
            "grid: {label.link_window: [5d, 9d]}",
            "label.link_window: changes the data, and trials must share one test set",
        ),
        (
            "grid: {split.by: [user]}",
            "sweep s.yaml: grid: split.by: changes the data, and trials must share one test set",
        ),
        (
            "grid: {dpo.beta: [0.1, 0.2]}",
            "dpo.beta: has no effect in sft; leave it out, or add its stage to `stages`",
        ),
        ("grid: {run: [a, b]}", "sweep s.yaml: grid: run: has no effect in sft"),
        (f"set: {{sft.learning_rate: 1}}\n{GRID}", "sft.learning_rate: is in grid and in set; leave one of them out"),
        (
            f"set: {{sft: {{learning_rate: 1}}}}\n{GRID}",
            "sft.learning_rate: is in grid and in set; leave one of them out",
        ),
        (
            f"set: {{sft.epoch: 1}}\n{GRID}",
            "sweep s.yaml: its configuration: sft.epoch: unknown key; did you mean epochs?",
        ),
        (f"set: {{run: mine}}\n{GRID}", "sweep s.yaml: run: is in set; a sweep names its runs itself"),
        (f"config: [none.yaml]\n{GRID}", "none.yaml: no such file"),
        (f"stages: []\n{GRID}", "sweep s.yaml: stages: Expected list of length >= 1"),
        (f"stages: [sft, evaluate]\n{GRID}", "stages: unknown name 'evaluate'; allowed: sft, reward, dpo, grpo"),
        (f"metric: f1\n{GRID}", "sweep s.yaml: metric: unknown name 'f1'; allowed: loss, macro_f1, accuracy"),
        (f"parallel: 0\n{GRID}", "sweep s.yaml: parallel: Expected int >= 1"),
        (f"parallel: 2\nset: {{scheduler: 'tcp://h:1'}}\n{GRID}", "parallel: the cluster of `scheduler` decides it"),
        (
            "grid: {sft.select_by: [loss, macro_f1]}",
            "metric: is needed where select_by is tried; one of loss, macro_f1",
        ),
        (
            f"set: {{sft: {{select_by: last}}}}\n{GRID}",
            "metric: is needed with sft.select_by last; one of loss, macro_f1",
        ),
        ("random: {space: {sft.epochs: [1, 2]}}", "sweep s.yaml: random: Object missing required field trials"),
        ("random: {trials: 3, spec: {}}", "sweep s.yaml: random: spec: unknown key; did you mean space?"),
        ("random: {trials: 3, space: {sft.epochs: [1, 2]}}", "random.trials: 3 is more than the 2 combinations"),
        ("random: {trials: 3, space: {sft.epochs: {low: 3, high: 1}}}", "sft.epochs: low must be less than high"),
        (
            "random: {trials: 3, space: {sft.epochs: {low: 1, high: .inf}}}",
            "sft.epochs: low must be less than high, and",
        ),
        ("random: {trials: 3, space: {sft.epochs: {low: 1, hi: 2}}}", "sft.epochs: hi: unknown key; did you mean"),
        (
            "random: {trials: 3, space: {sft.epochs: {low: 1.5, high: 2, int: true}}}",
            "with int, low and high must be whole",
        ),
        (
            "random: {trials: 3, space: {sft.weight_decay: {low: 0, high: 2, log: true}}}",
            "with log, low must be more than 0",
        ),
        (
            "random: {trials: 3, space: {model.dropout: {low: 0.5, high: 1.5}}}",
            "model.dropout=1.5: model.dropout: must be a number from 0",
        ),
        (
            "random: {trials: 3, space: {sft.epochs: {low: 1, high: 9}}}",
            "sft.epochs: must be a whole number of at least 1, not 1.0",
        ),
        ("optuna: {trials: 3, sampler: tpo, space: {model.dropout: {low: 0, high: 0.5}}}", "allowed: tpe, gp"),
    ],
)
def test_a_mistake_is_answered_with_one_line_before_anything_runs(text, line):
    assert line in refusal(text)


def test_a_swept_key_on_the_command_line_is_refused():
    assert "sft.learning_rate: is in grid and in --set" in refusal(GRID, overrides=("sft.learning_rate=1",))
    assert "sft.learning_rate: is in grid and in --set" in refusal(GRID, overrides=("sft={learning_rate: 1}",))
    assert "run: is in --set" in refusal(GRID, overrides=("run=mine",))
    device = "grid: {device: [cpu, auto]}"
    assert "device" in refusal(device, top_level={"device": "cpu", "data_dir": None})


def test_a_file_that_is_missing_a_folder_or_badly_named_is_refused(tmp_path):
    for name, line in (("none.yaml", "no such file"), (".", "its name"), ("a b.yaml", "its name begins the names")):
        with pytest.raises(UsageError, match=line):
            command.run(ConfigSources(), Path(name))


def test_the_command_line_wins_over_the_file_and_the_file_over_its_configurations(tmp_path):
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "base.yaml").write_text("sft: {epochs: 2, batch_size: 16, patience: 2}\nrun: base\n")
    file = tmp_path / "sweeps" / "s.yaml"
    file.write_text(f"config: [base.yaml]\nset: {{sft.epochs: 3, sft.batch_size: 32}}\n{GRID}")
    trial = make_plan(read_sweep(file), ConfigSources(overrides=("sft.batch_size=64",))).trial(
        {"sft.learning_rate": 1e-2}
    )
    sft = trial.config.sft
    assert (sft.patience, sft.epochs, sft.batch_size, sft.learning_rate) == (2, 3, 64, 1e-2)
    assert trial.config.run == trial.run == "s-learning_rate-0.01"


def test_a_trial_is_named_after_its_values_and_never_as_another():
    assert run_name("s", {"a.b": 1e-5, "c": True, "d": None}) == "s-b-0.00001-c-true-d-null"
    names = [run_name("s", {"a": value}) for value in ("x/y", "x y", [[1], [2]], [1, 2], "x" * 300, "x" * 301)]
    assert len(set(names)) == len(names)
    assert all(len(name) < 200 and "/" not in name for name in names)
    assert short_names(["sft.seed", "dpo.seed", "sft.loss"]) == {
        "sft.seed": "sft.seed",
        "dpo.seed": "dpo.seed",
        "sft.loss": "loss",
    }


def test_the_shipped_sweeps_are_allowed():
    shipped = sorted((Path(enron_triage.__file__).parents[2] / "configs" / "sweeps").glob("*.yaml"))
    assert shipped
    for file in shipped:
        plan = make_plan(read_sweep(file), ConfigSources())
        assert len(plan.file.search.ask([], 1)) == plan.file.search.total


def test_the_best_is_evaluated_with_the_configuration_of_the_sweep():
    Path("c.yaml").write_text("evaluate: {split: val}\n")
    Path("s.yaml").write_text(f"config: [c.yaml]\nstages: [sft, dpo]\nset: {{sft.epochs: 3, seed: 7}}\n{GRID}")
    plan = make_plan(read_sweep(Path("s.yaml")), ConfigSources(top_level={"data_dir": "my data", "device": None}))
    assert plan.evaluation_command("s-1") == (
        "triage evaluate --config c.yaml --set seed=7 --set evaluate.checkpoint=best_dpo "
        "--set evaluate.split=test --set run=s-1 --data-dir 'my data'"
    )
