"""The template of preferences: what it asks for, and the way back from a judged file to a policy."""

import json

import pytest
import torch

from enron_triage import pipeline
from enron_triage.annotation import template
from enron_triage.annotation.messages import SplitMessages
from enron_triage.annotation.selection import Queue, Selection
from enron_triage.annotation.strategies import STRATEGIES
from enron_triage.annotation.train_scores import TrainScores, train_log_probabilities
from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.predict.triage import Triage
from enron_triage.training import dpo

pytestmark = pytest.mark.slow  # trains, or draws


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judgements")
    small = ["download.source=demo", "download.demo.mailboxes=8", "download.demo.messages=800"]
    pipeline.run(config_of(folder, *small, "pipeline.stages=[download, parse, label, split, sft]"))
    return folder


def config_of(folder, *overrides):
    small = ["sft.epochs=1", "model.hidden=[8]", "model.ensemble=1", "model.boosting=2", "dpo.epochs=1", "workers=1"]
    return load_config(
        [],
        [*small, *overrides],
        data_dir=str(folder / "data"),
        checkpoint_dir=str(folder / "checkpoints"),
        device="cpu",
        overwrite=True,  # several variants in one folder
    )


def test_the_template_asks_for_the_least_certain_messages_and_can_be_judged(folder, tmp_path):
    path = tmp_path / "pairs.jsonl"
    result = template.run(config_of(folder), 12, path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert result.data["messages"] == len(lines) == 12
    assert f"triage dpo --config dpo_judgements --set dpo.preferences={path}" in result.following
    gaps = [max(line["candidates"].values()) - min(line["candidates"].values()) for line in lines]
    assert gaps == pytest.approx(sorted(gaps), abs=2e-4)  # the file rounds
    everything = tmp_path / "all.jsonl"
    template.run(config_of(folder), 10_000, everything)
    rest = [json.loads(line)["candidates"] for line in everything.read_text().splitlines()][12:]
    assert max(gaps) <= min(max(pair.values()) - min(pair.values()) for pair in rest) + 1e-3
    train = {record["path"]: record for record in json.loads((folder / "data" / "train.json").read_text())}
    for line in lines:
        record = train[line["path"]]
        assert (line["fingerprint"], line["user"]) == (record["fingerprint"], record["user"])
        assert (line["subject"], line["sender"]) == (record["subject"], record["sender"])
        assert line["chosen"] is line["rejected"] is None
        assert "action" not in line  # whoever judges it should not be told
        assert len(line["candidates"]) == 2
        line["chosen"], line["rejected"] = line["candidates"]
    lines[0] |= {"chosen": None, "rejected": None, "tie": True}
    path.write_text("\n".join(map(json.dumps, lines)))
    assert dpo.run(config_of(folder, f"dpo.preferences={path}")).data["pairs"] == 11


def test_the_page_finds_the_same_messages_least_certain_and_every_strategy_takes_a_trained_policy(folder, tmp_path):
    config = config_of(folder)
    template.run(config, 10_000, tmp_path / "all.jsonl")
    gaps = {}
    for line in map(json.loads, (tmp_path / "all.jsonl").read_text().splitlines()):
        gaps[line["user"], line["fingerprint"]] = max(line["candidates"].values()) - min(line["candidates"].values())
    messages = SplitMessages(folder / "data" / "train.json")
    checkpoint = folder / "checkpoints" / "best_sft.pt"
    table = train_log_probabilities(config, checkpoint, messages.count)
    kept = list((folder / "data" / "features").glob("annotate-*.npy"))
    assert (train_log_probabilities(config, checkpoint, messages.count) == table).all()
    assert list((folder / "data" / "features").glob("annotate-*.npy")) == kept
    policy = TrainScores(Triage.load(checkpoint), table, messages.rows)
    for strategy in STRATEGIES:
        chosen = Selection(strategy=strategy, pool=10_000, overlap=0, seed=1, costs=config.rewards.costs)
        queue = Queue(messages, [policy], chosen)
        queue.prepare()
        order = [candidate.key for candidate in queue.candidates()]
        assert sorted(order) == sorted(messages.keys)
        if strategy == "uncertain":
            found = [gaps[key] for key in order]  # which are out of fold, in the template as on the page
            assert found == pytest.approx(sorted(gaps.values()), abs=2e-4)  # the file rounds


def test_the_messages_whose_two_best_actions_are_closest_come_first():
    sure, torn, between = [0.9, 0.04, 0.03, 0.02, 0.01], [0.1, 0.4, 0.05, 0.05, 0.4], [0.5, 0.1, 0.1, 0.2, 0.1]
    found = template.least_certain(torch.tensor([sure, torn, between]).log(), 2)
    assert list(found) == [1, 2]
    assert found[1] == {"reply_later": pytest.approx(0.4, abs=1e-4), "delete": pytest.approx(0.4, abs=1e-4)}
    assert list(found[2]) == ["reply_now", "archive"]
    assert len(template.least_certain(torch.tensor([sure]).log(), 5)) == 1


def test_judgements_are_never_overwritten(folder):
    config = config_of(folder)
    template.run(config, 3)
    path = folder / "data" / "preferences.jsonl"
    before = path.read_bytes()
    with pytest.raises(
        UsageError, match=r"preferences\.jsonl: exists already, and may contain judgements; move it away or choose"
    ):
        template.run(config, 3)
    assert path.read_bytes() == before


def test_a_template_that_nobody_judged_is_called_so(folder, tmp_path):
    template.run(config_of(folder), 5, tmp_path / "empty.jsonl")
    with pytest.raises(UsageError, match=r"empty\.jsonl: no pair of actions on a message of train"):
        dpo.run(config_of(folder, f"dpo.preferences={tmp_path / 'empty.jsonl'}"))
