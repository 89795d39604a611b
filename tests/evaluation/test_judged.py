"""A policy against what people judged: which judgements count, and which interval they have."""

import json

import numpy as np
import pytest

from enron_triage.errors import UsageError
from enron_triage.evaluation.formatting import evaluation_table
from enron_triage.evaluation.judged import judged_metrics, judged_notes
from enron_triage.policy.origin import InputFile, Origin

ARCHIVES = np.log([0.05, 0.05, 0.1, 0.5, 0.3])  # what the policy says of every message


@pytest.fixture
def judge(tmp_path):
    """Measures a policy that archives everything on 24 messages in a number of mailboxes."""

    def measure(*lines, mailboxes=12):
        records = [{"user": f"mail-{row % mailboxes}", "fingerprint": f"m{row}"} for row in range(24)]
        (tmp_path / "val.json").write_text("[\n" + ",\n".join(map(json.dumps, records)) + "\n]\n")
        path = tmp_path / "judgements.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        log_p = np.tile(ARCHIVES, (24, 1))
        return judged_metrics(path, tmp_path / "val.json", log_p, log_p.argmax(axis=1), np.arange(24) % mailboxes)

    return measure


def pair(row, chosen, rejected, mailboxes=12, **fields):
    return {
        **{"fingerprint": f"m{row}", "user": f"mail-{row % mailboxes}", "chosen": chosen, "rejected": rejected},
        **fields,
    }


def test_each_judgement_of_a_message_that_was_evaluated_counts_once(judge):
    found = judge(
        pair(0, "archive", "delete", annotator="anna"),
        pair(0, "delete", "archive", annotator="ben"),
        pair(1, "delete", "forward", annotator="ben"),  # right, although it would archive
        {"fingerprint": "m2", "action": "archive", "kind": "action"},
        {"fingerprint": "m3", "action": "forward", "candidates": ["archive", "delete"]},  # neither of the two
        {"fingerprint": "m4", "tie": True, "candidates": ["archive", "delete"]},
        {"fingerprint": "m5", "skipped": True},
        {"fingerprint": "m6"},
        pair(7, "archive", "delete", id="1"),
        {"fingerprint": "m7", "undoes": "1"},
        {"fingerprint": "somewhere else", "chosen": "archive", "rejected": "delete"},
        pair(8, "archive", "delete") | {"user": "nobody"},
    )
    assert (found.pairs.count, found.pairs.accuracy) == (3, pytest.approx(2 / 3))
    assert (found.actions.count, found.actions.accuracy) == (2, 0.5)
    assert (found.ties, found.elsewhere) == (1, 2)
    assert (found.messages, found.mailboxes, found.annotators) == (4, 4, 3)


def test_the_interval_is_over_mailboxes_where_there_are_enough(judge):
    found = judge(*(pair(row, *("archive", "delete") if row % 3 else ("delete", "archive")) for row in range(24))).pairs
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.interval_method == "jackknife over mailboxes"
    of_one_kind = [pair(row, *("archive", "delete") if row % 12 < 8 else ("delete", "archive")) for row in range(24)]
    clustered = judge(*of_one_kind).pairs  # the same share, but mailboxes differ
    assert clustered.accuracy == pytest.approx(2 / 3)
    assert clustered.interval[1] - clustered.interval[0] > found.interval[1] - found.interval[0]


def test_few_mailboxes_and_those_without_a_difference_have_wilsons_interval(judge):
    lines = [pair(row, *("archive", "delete") if row else ("delete", "archive"), mailboxes=5) for row in range(10)]
    found = judge(*lines, mailboxes=5).pairs
    assert found.interval_method.startswith("Wilson")
    assert found.interval == pytest.approx([0.596, 0.982], abs=5e-4)  # of 9 in 10 (Wilson 1927)
    all_right = judge(*(pair(row, "archive", "delete") for row in range(24))).pairs
    assert all_right.accuracy == 1.0
    assert all_right.interval[0] < 0.9  # not sure, as no spread between mailboxes would be


def test_judgements_of_other_messages_alone_are_refused(judge):
    with pytest.raises(UsageError, match=r"judgements\.jsonl: contains no judgement of a message of .*val\.json"):
        judge({"fingerprint": "other", "chosen": "archive", "rejected": "delete"})
    with pytest.raises(UsageError, match="contains no judgement of a message"):
        judge({"fingerprint": "m1", "tie": True})


def test_a_policy_that_was_trained_on_them_is_called_so(judge, tmp_path):
    found = judge(pair(0, "archive", "delete"))
    path = tmp_path / "judgements.jsonl"
    trained = Origin(stage="dpo", data={"preferences": InputFile(path="moved.jsonl", sha256=found.sha256)})
    later = Origin(stage="grpo", parents={"init": trained})
    (note,) = judged_notes(later, path, found)
    assert note.startswith("the policy was trained on judgements of ")
    appended = Origin(stage="dpo", data={"preferences": InputFile(path=str(path), sha256="of an earlier state")})
    assert judged_notes(appended, path, found) == [note]
    assert judged_notes(Origin(stage="sft"), path, found) == []


def test_the_table_shows_them(judge, new_evaluation):
    few = judge(
        *(pair(row, "archive", "delete", mailboxes=5) for row in range(10)),
        {"fingerprint": "m1", "kind": "action", "action": "delete"},
        mailboxes=5,
    )
    text = evaluation_table(new_evaluation(judgements=few))
    assert max(map(len, text.splitlines())) <= 80
    assert "the better of two actions             10      1.0000" in text
    assert "what should be done                    1      0.0000" in text
    assert "Wilson" in text
    assert "judgements" not in evaluation_table(new_evaluation())
