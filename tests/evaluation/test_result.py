"""The file of an evaluation: its keys, in their order, and that what was read is what was written."""

import json

import msgspec

from enron_triage.evaluation.result import Evaluation
from enron_triage.runtime import artifacts

KEYS = """checkpoint stage split scheme count mailboxes accuracy balanced_accuracy macro_f1 per_class confusion_matrix
predicted_share collapsed mean_reward reply_auc reply_average_precision reply_auc_received received ece ece_calibrated
reliability temperature decision_rule decisions by_earlier_actions intervals per_mailbox mailbox_mean mailbox_confusion
source alternative baselines messages_per_second notes"""


def test_the_keys_of_the_file_are_those_that_programs_know(new_evaluation, new_bayes_baseline):
    content = json.loads(msgspec.json.encode(new_evaluation(bayes_baseline=new_bayes_baseline())))
    assert list(content) == KEYS.split()
    assert list(content["alternative"]) == ["checkpoint", "mean_reward", "gain", "interval", "beaten"]
    assert list(content["per_class"]["archive"]) == ["precision", "recall", "f1", "support", "auc"]
    for decisions in (content["decisions"]["argmax"], content["baselines"]["majority"]):
        assert list(decisions["per_class"]["archive"]) == ["precision", "recall", "f1", "support"]
        assert list(decisions)[-1] == "mean_reward"
    assert content["by_earlier_actions"]["0"] == {"count": 0}
    known = {"count": 12, "accuracy": 0.5, "macro_f1": 0.25, "reply_auc": None}
    assert content["by_earlier_actions"]["1-49"] == known
    assert content["reply_average_precision"] is None


def test_an_evaluation_that_is_read_and_written_again_is_the_same_file(new_evaluation, tmp_path):
    for name, changes in (("one", {}), ("two", {"intervals": {"accuracy": None}})):
        path = tmp_path / f"{name}.json"
        artifacts.write_json(path, new_evaluation(**changes))
        before = path.read_bytes()
        artifacts.write_json(path, artifacts.read_json(path, Evaluation))
        assert path.read_bytes() == before
