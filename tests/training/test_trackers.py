import json
import sys
from pathlib import Path

import msgspec
import pytest
from builders import new_validation

from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.policy.validation import EpochMetrics
from enron_triage.training import trackers
from enron_triage.training.trackers import TRACKERS, Tracking, TrackingContext


def epochs(scores, best_epoch):
    return [
        EpochMetrics(
            epoch=number,
            train_loss=1 / number,
            learning_rate=0.01,
            train_extra={"clip_fraction": 0.25},
            validation=new_validation(score, extra={"kl": 0.5, "undefined": None}),
            best_epoch=min(number, best_epoch),
            seconds=2.0,
        )
        for number, score in enumerate(scores, 1)
    ]


def config_of(*names, **sections):
    return load_config([], [f"{key}={value}" for key, value in sections.items()], tracking=list(names), run="first")


def track(config, history, checkpoint=None):
    """A training of as many epochs, in the folder of the run."""
    with Tracking(config, "sft") as tracking:
        for number in range(1, len(history) + 1):
            tracking.log(history[number - 1], history[:number])
        if checkpoint is not None:
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            checkpoint.write_bytes(b"the best policy")
            tracking.finish(history, checkpoint)


class Recorder:
    """A tracker that writes down what it is told."""

    def __init__(self):
        self.told = []

    def begin(self, context):
        self.told.append(("begin", context.title))

    def log(self, metrics):
        self.told.append(("log", metrics.epoch))

    def finish(self, best, checkpoint):
        self.told.append(("finish", best.epoch, checkpoint.name))

    def abort(self):
        self.told.append(("abort",))


@pytest.fixture
def recorder(monkeypatch):
    made = Recorder()
    monkeypatch.setitem(TRACKERS, "toy", lambda: made)
    return made


def test_a_tracker_is_told_the_beginning_every_epoch_and_the_result(recorder):
    track(config_of("toy"), epochs([0.5, 0.7, 0.6], 2), Path("checkpoints/first/best_sft.pt"))
    assert recorder.told == [("begin", "first/sft"), ("log", 1), ("log", 2), ("log", 3), ("finish", 2, "best_sft.pt")]


def test_a_resumed_run_logs_the_epochs_before_it_too(recorder):
    history = epochs([0.5, 0.7, 0.6], 2)
    with Tracking(config_of("toy"), "sft") as tracking:
        tracking.log(history[2], history)
        tracking.finish(history, Path("best.pt"))
    assert [each[1] for each in recorder.told if each[0] == "log"] == [1, 2, 3]


def test_a_run_that_lacked_its_last_files_only_is_logged_as_well(recorder):
    with Tracking(config_of("toy"), "sft") as tracking:
        tracking.finish(epochs([0.5, 0.7], 1), Path("best.pt"))
    assert recorder.told[1:] == [("log", 1), ("log", 2), ("finish", 1, "best.pt")]


def test_an_interrupted_training_is_told_as_such(recorder):
    history = epochs([0.5], 1)
    with pytest.raises(KeyboardInterrupt), Tracking(config_of("toy"), "sft") as tracking:
        tracking.log(history[0], history)
        raise KeyboardInterrupt
    assert recorder.told[1:] == [("log", 1), ("abort",)]


def test_a_tracker_that_fails_costs_one_warning_and_not_the_training(recorder, caplog, monkeypatch):
    class Failing(Recorder):
        def log(self, metrics):
            raise ConnectionError("no route\nto host")

    monkeypatch.setitem(TRACKERS, "failing", Failing)
    track(config_of("failing", "toy"), epochs([0.5, 0.6], 2), Path("best.pt"))
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning == "tracking: failing failed (ConnectionError: no route); training continues without it"
    assert recorder.told[-1][0] == "finish"


def test_only_the_first_process_tracks(recorder, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    track(config_of("toy"), epochs([0.5], 1), Path("best.pt"))
    assert recorder.told == []


def test_a_users_own_function_gets_each_epoch_and_what_it_belongs_to(tmp_path):
    (tmp_path / "own_logger.py").write_text("calls = []\ndef log(*arguments):\n    calls.append(arguments)\n")
    history = epochs([0.5, 0.6], 2)
    track(config_of("own_logger:log", **{"sft.epochs": 2}), history, Path("best.pt"))
    calls = sys.modules.pop("own_logger").calls
    assert [metrics for metrics, _ in calls] == [epoch.flat() for epoch in history]
    context = calls[0][1]
    assert isinstance(context, TrackingContext)
    assert (context.stage, context.run, context.checkpoint_folder) == ("sft", "first", Path("checkpoints/first"))
    assert context.configuration["sft"]["epochs"] == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_missing:log", "own_missing:log: cannot be imported .*installed or in the working folder"),
        ("own_broken:log", "own_broken:log: cannot be imported .ZeroDivisionError"),
        ("own_empty:log", "the module own_empty has no log"),
        ("own_wrong:log", r"must be a function of two arguments: \(metrics, context\)"),
        ("own_wrong:number", r"must be a function of two arguments: \(metrics, context\)"),
    ],
)
def test_a_function_that_cannot_be_had_is_refused_before_training(tmp_path, name, message):
    (tmp_path / "own_broken.py").write_text("1 / 0\n")
    (tmp_path / "own_empty.py").write_text("")
    (tmp_path / "own_wrong.py").write_text("number = 1\ndef log(metrics):\n    pass\n")
    with pytest.raises(UsageError, match=message):
        Tracking(config_of(name), "sft")
    sys.modules.pop(name.partition(":")[0], None)


def test_a_tracker_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(UsageError, match=r"tracking: unknown name 'tensorbord'; did you mean tensorboard.*module:func"):
        config_of("tensorbord")


@pytest.mark.parametrize(("name", "module"), [("tensorboard", "torch.utils.tensorboard"), ("mlflow", "mlflow")])
def test_a_missing_package_is_one_line_with_the_extra_to_install(name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    if "." in module:
        monkeypatch.delattr("torch.utils.tensorboard", raising=False)
    with pytest.raises(UsageError, match=rf"run `pip install .*\[{name}\]'"):
        Tracking(config_of(name), "sft")


def test_what_tracks_does_not_decide_the_result(tmp_path):
    from enron_triage.pipeline import STAGES, stage_run

    for name in (name for name, stage in STAGES.items() if stage.number):
        plain, tracked = (stage_run(name, config).settings for config in (config_of(), config_of("tensorboard")))
        assert plain == tracked


def events_of(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_tensorboard_gets_every_epoch_the_configuration_and_the_result():
    folder = Path("checkpoints/first/tensorboard/sft")
    track(config_of("tensorboard"), epochs([0.9, 0.9, 0.9], 1))  # an older run, whose events are replaced
    track(config_of("tensorboard"), epochs([0.5, 0.75], 2), Path("checkpoints/first/best_sft.pt"))
    events = events_of(folder)
    assert [(point.step, point.value) for point in events.Scalars("val/macro_f1")] == [(1, 0.5), (2, 0.75)]
    assert [point.value for point in events.Scalars("train/loss")] == [1.0, 0.5]
    tags = events.Tags()
    assert {"val/loss", "val/predicted_share/archive", "train/clip_fraction", "val/kl"} <= set(tags["scalars"])
    assert "val/undefined" not in tags["scalars"]
    assert {"configuration/text_summary", "checkpoint/text_summary"} <= set(tags["tensors"])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_mlflow_gets_every_epoch_the_configuration_and_the_checkpoint(tmp_path, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'store.db'}")
    track(config_of("mlflow", **{"sft.epochs": 2}), epochs([0.5, 0.75], 2), Path("checkpoints/first/best_sft.pt"))
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("enron_triage")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.status, run.info.run_name) == ("FINISHED", "first/sft")
    assert run.data.params["sft.epochs"] == "2"
    assert run.data.params["features.groups"] == '["metadata", "history", "text"]'
    points = client.get_metric_history(run.info.run_id, "val/macro_f1")
    assert [(point.step, point.value) for point in points] == [(1, 0.5), (2, 0.75)]
    kept = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert kept == {"best_metrics.json", "best_sft.pt", "configuration.json"}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_wandb_keeps_a_run_here_when_it_is_offline(monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    track(config_of("wandb"), epochs([0.5, 0.75], 2), Path("checkpoints/first/best_sft.pt"))
    assert list(Path("checkpoints/first/wandb").glob("offline-run-*/*.wandb"))


def test_the_names_of_the_hyperparameters_are_dotted_keys():
    context = TrackingContext.of(config_of(), "sft")
    flat = context.hyperparameters
    assert (flat["sft.epochs"], flat["model.hidden"], flat["scheduler"]) == (8, "[512, 256]", "null")
    assert context.configuration == json.loads(msgspec.json.encode(config_of()))
    assert trackers.tracker.scalars(epochs([0.5], 1)[0])["val/accuracy"] == 0.5
