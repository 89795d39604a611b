"""Training in several processes: the arithmetic, and real processes that ``torchrun`` starts."""

import json
import logging
import shutil
import subprocess
import sys
import time

import msgspec
import psutil
import pytest
import torch

from enron_triage import cli, pipeline
from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.policy.checkpoint import load_checkpoint
from enron_triage.records import ACTIONS
from enron_triage.runtime import artifacts, distributed

pytestmark = pytest.mark.slow  # other processes, or a whole pipeline

# Without dropout, several processes compute what one does, up to rounding; 7 leaves a last batch of one example.
SETTINGS = {
    "features.groups": "[metadata]",
    "model.dropout": 0,
    "model.boosting": 2,
    "sft.epochs": 3,
    "sft.batch_size": 7,
    "sft.class_weights": "inverse",
    "sft.learning_rate": 0.01,
    "sft.patience": 1000,
    "sft.mailbox_weights_power": 0.5,
}
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def data(tmp_path_factory, new_record):
    folder = tmp_path_factory.mktemp("distributed") / "data"
    for split, count in (("train", 64), ("val", 40)):
        folder.mkdir(exist_ok=True)
        with artifacts.record_writer(folder / f"{split}.json") as writer:
            for number in range(count):
                action = ACTIONS[number % len(ACTIONS)]
                record = new_record(
                    path=f"owner-{number % 3}/inbox/{number}.",
                    user=f"owner-{number % 3}",
                    subject="urgent? " * (number % len(ACTIONS)),
                    body="word " * (number % 11),
                    action=action,
                )
                writer.write(msgspec.json.encode(record))
    return folder


def command(stage, data, checkpoints, *, processes=1, **changes):
    settings = [f"{key}={value}" for key, value in (SETTINGS | changes).items()]
    words = ["-m", "enron_triage", stage, "--data-dir", data, "--checkpoint-dir", checkpoints, "--device", "cpu"]
    words += [word for setting in settings for word in ("--set", setting)]
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes] if processes > 1 else []
    return [sys.executable, *map(str, [*several, *words])]


def train(data, checkpoints, **changes):
    """Train in this process."""
    settings = [f"{key}={value}" for key, value in (SETTINGS | changes).items()]
    folders = {"data_dir": str(data), "checkpoint_dir": str(checkpoints)}
    pipeline.run_stage("sft", load_config([], settings, device="cpu", **folders))


@pytest.fixture(scope="module")
def together(data, tmp_path_factory):
    """A folder of checkpoints that two processes have trained, and what they said."""
    folder = tmp_path_factory.mktemp("together") / "checkpoints"
    done = subprocess.run(command("sft", data, folder, processes=2), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_the_means_over_the_shards_of_a_batch_times_their_shares_sum_to_its_mean(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    weights, values = torch.rand(20) + 0.1, torch.rand(20)
    for batch in (torch.randperm(20)[:8], torch.tensor([4, 2]), torch.tensor([5])):
        for sample_weight in (weights, None):
            mean, seen = 0.0, []
            for rank in range(3):
                monkeypatch.setenv("RANK", str(rank))
                shard, share = distributed.shard_batch(batch, sample_weight)
                w = torch.ones(20) if sample_weight is None else weights
                mean += share * (values[shard] * w[shard]).sum() / w[shard].sum()
                seen += shard.tolist() if share else []
            assert float(mean) == pytest.approx(float((values[batch] * w[batch]).sum() / w[batch].sum()))
            assert sorted(seen) == sorted(batch.tolist())


def test_one_process_has_the_whole_batch_and_starts_no_process_group(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    batch = torch.arange(5)
    assert distributed.shard_batch(batch, torch.ones(5)) == (batch, 1.0)
    with distributed.process_group(torch.device("cpu")), distributed.rank0_first():
        assert distributed.broadcast_from_rank0(lambda: "made") == "made"
    assert not torch.distributed.is_initialized()


def test_every_rank_but_0_draws_its_own_random_numbers(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    drawn = {}
    for rank in (0, 1, 2):
        monkeypatch.setenv("RANK", str(rank))
        for epoch in (0, 1):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(5)
                distributed.seed_per_rank(5, epoch)
                drawn[rank, epoch] = float(torch.rand(()))
    assert drawn[0, 0] == drawn[0, 1]
    assert len(set(drawn.values())) == 5


def test_a_device_without_a_backend_and_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with (
        pytest.raises(UsageError, match="torchrun needs cpu or cuda"),
        distributed.process_group(torch.device("mps")),
    ):
        pass
    with (
        pytest.raises(UsageError, match="cuda:1: torchrun gives each process a GPU of its own; use --device cuda"),
        distributed.process_group(torch.device("cuda:1")),
    ):
        pass
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="1 GPUs on this machine"), distributed.process_group(torch.device("cuda")):
        pass


@pytest.mark.parametrize("name", ["parse", "run", "evaluate"])
def test_other_commands_refuse_to_run_as_several_processes(name, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(sys, "argv", ["triage", name])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert (
        f"triage (process 1): torchrun: `triage {name}` runs as a single process; only sft, reward, dpo, grpo" in said
    )


def test_two_processes_train_the_same_policy_as_one(data, together, tmp_path):
    one, (two, done) = tmp_path / "one", together
    train(data, one)
    assert done.stdout.count("best of 3 epochs") == 1
    assert done.stderr.count("epoch 3/3: train loss") == 1
    assert sorted(p.name for p in one.iterdir()) == sorted(p.name for p in two.iterdir())
    for name in ("stage_1.pt", "best_sft.pt"):
        expected, found = load_checkpoint(one / name), load_checkpoint(two / name)
        assert found.epoch == expected.epoch
        assert_equal_up_to_rounding(found, expected)
    histories = [
        [json.loads(line) for line in (folder / "stage_1_metrics.jsonl").read_text().splitlines()]
        for folder in (one, two)
    ]
    for expected, found in zip(*histories, strict=True):
        assert found["train_loss"] == pytest.approx(expected["train_loss"], abs=TOLERANCE)
        assert found["val_loss"] == pytest.approx(expected["val_loss"], abs=TOLERANCE)


def epochs_of(checkpoints):
    """The lines of the metrics file, without the seconds."""
    lines = (checkpoints / "stage_1_metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


def assert_equal_up_to_rounding(found, expected):
    for key, weight in expected.weights.items():
        assert torch.allclose(found.weights[key].double(), weight.double(), atol=TOLERANCE), key


def test_a_killed_process_ends_the_run_with_a_message_and_another_run_resumes_it(data, tmp_path, caplog):
    changes = {"sft.epochs": 60, "sft.keep_checkpoints": 1000}
    checkpoints = tmp_path / "killed"
    process = subprocess.Popen(
        command("sft", data, checkpoints, processes=2, **changes), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not (checkpoints / "sft_epoch_2.pt").exists():
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.01)
    (second,) = [child for child in psutil.Process(process.pid).children() if child.environ().get("RANK") == "1"]
    second.kill()
    said = process.communicate()[1].decode()
    assert process.returncode != 0
    assert "run the same command" in said
    assert not (checkpoints / "best_sft.pt").exists()
    before = epochs_of(checkpoints)
    assert len(before) >= 2
    with caplog.at_level(logging.INFO):
        train(data, checkpoints, **changes)
    assert "of an unfinished run" in caplog.text
    after = epochs_of(checkpoints)
    assert after[: len(before)] == before
    assert len(after) == 60
    assert (checkpoints / "best_sft.pt").exists()


def test_one_process_resumes_from_the_epochs_that_two_have_trained(data, together, tmp_path, caplog):
    whole, resumed = together[0], tmp_path / "resumed"
    shutil.copytree(whole, resumed)
    for name in ("sft_epoch_3.pt", "stage_1.pt", "best_sft.pt"):
        (resumed / name).unlink()
    with caplog.at_level(logging.INFO):
        train(data, resumed)
    assert "resuming after epoch 2 of an unfinished run" in caplog.text
    assert_equal_up_to_rounding(load_checkpoint(resumed / "stage_1.pt"), load_checkpoint(whole / "stage_1.pt"))
