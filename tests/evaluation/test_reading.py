"""What a report is made from: which files count, and in which order."""

import json

import msgspec
import pytest

from enron_triage.evaluation.reading import read_evaluations, read_histories
from enron_triage.runtime import artifacts


def test_evaluations_are_read_by_policy_in_the_order_of_the_stages(run_folders, compared):
    found = read_evaluations(run_folders / "data" / "eval")
    assert [policy.name for policy in found] == ["best_sft", "best_grpo", "synthetic/best_dpo"]
    assert found == compared
    assert found[0].shown.split == "test"


def test_a_policy_that_was_not_evaluated_on_test_is_shown_on_what_there_is(run_folders):
    (run_folders / "data" / "eval" / "best_sft.test.json").unlink()
    policy, *_ = read_evaluations(run_folders / "data" / "eval")
    assert (policy.name, policy.shown.split) == ("best_sft", "val")


@pytest.mark.parametrize("missing", ["stage", "alternative", "reliability", "mean_reward"])
def test_an_evaluation_of_an_older_form_is_left_out_with_one_line(run_folders, compared, caplog, missing):
    folder = run_folders / "data" / "eval"
    content = msgspec.to_builtins(compared[0].evaluations["test"])
    del content[missing]
    (folder / "best_sft.test.json").write_text(json.dumps(content))
    assert list(read_evaluations(folder)[0].evaluations) == ["val"]
    (line,) = caplog.messages
    assert line.startswith(f"left out: {folder}/best_sft.test.json: ")
    assert f"`{missing}`" in line
    assert line.endswith("run `triage evaluate` again")


def test_what_is_not_an_evaluation_is_left_out_with_a_warning(run_folders, compared, caplog):
    folder = run_folders / "data" / "eval"
    (folder / "notes.json").write_text("{}")
    (folder / "broken.json").write_text("{")
    test = compared[0].evaluations["test"]
    artifacts.write_json(folder / "best_sft.test.old.json", test)
    artifacts.write_json(folder / "best_sft.mine.json", msgspec.structs.replace(test, split="mine", scheme="votes"))
    assert read_evaluations(folder) == compared
    assert "best_sft.test.old.json: a second evaluation of best_sft on test" in caplog.text
    assert "best_sft.mine.json: this version does not know its label scheme, votes" in caplog.text
    assert "notes.json: not what the program wrote there" in caplog.text
    assert "broken.json: not what the program wrote there" in caplog.text


def test_a_policy_is_named_after_its_run_wherever_its_evaluation_lies(run_folders, compared):
    folder = run_folders / "data" / "eval"
    test = compared[0].evaluations["test"]
    elsewhere = msgspec.structs.replace(test, source=msgspec.structs.replace(test.source, run="weighted"))
    artifacts.write_json(folder / "best_sft.test.json", elsewhere)
    found = {policy.name: policy for policy in read_evaluations(folder)}
    assert found["weighted/best_sft"].evaluations == {"test": elsewhere}
    assert list(found["best_sft"].evaluations) == ["val"]
    artifacts.write_json(folder / "other" / "best_sft.test.json", elsewhere)  # of another folder of checkpoints
    names = [policy.name for policy in read_evaluations(folder)]
    assert {"weighted/best_sft", "other/best_sft"} <= set(names)


def test_the_metrics_of_training_are_read_epoch_by_epoch(run_folders, histories):
    assert read_histories(run_folders / "checkpoints") == histories
    (run_folders / "checkpoints" / "synthetic" / "stage_4.pt.meta.json").unlink()
    assert read_histories(run_folders / "checkpoints")["synthetic/stage_4"].val_messages is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no json\n",
        '{"epoch": 2, "best_epoch": 9}\n',
        '{"epoch": 1, "best_epoch": 2, "collapsed": false, "predicted_share": {}}\n',
    ],
    ids=["empty", "not JSON", "another form", "without its best epoch"],
)
def test_what_training_did_not_write_is_left_out_with_a_warning(run_folders, caplog, content):
    (run_folders / "checkpoints" / "stage_3_metrics.jsonl").write_text(content)
    assert list(read_histories(run_folders / "checkpoints")) == ["synthetic/stage_4"]
    assert "stage_3_metrics.jsonl: not what training writes" in caplog.text
