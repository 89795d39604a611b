"""The summary of a file of judgements: counts, shares, and a table that fits 80 columns."""

import json

import msgspec
import pytest

from enron_triage.annotation.summary import share_of, summarize_file
from enron_triage.annotation.summary_table import summary_table
from enron_triage.config.load import load_config
from enron_triage.errors import UsageError


@pytest.fixture
def config(tmp_path):
    for name, actions in {"train": ["archive", "delete", "reply_now"], "val": ["archive"]}.items():
        records = [
            json.dumps({"user": "mail-a", "fingerprint": f"{name}{row}", "action": action})
            for row, action in enumerate(actions)
        ]
        (tmp_path / f"{name}.json").write_text("[\n" + ",\n".join(records) + "\n]\n")
    return load_config([], [], data_dir=str(tmp_path))


def write(config, *lines):
    path = config.data / "judgements.jsonl"
    path.write_text("".join(json.dumps({"user": "mail-a", **line}) + "\n" for line in lines))
    return path


def pair(message, chosen, rejected, **fields):
    return {
        **{"fingerprint": message, "chosen": chosen, "rejected": rejected, "annotator": "anna", "strategy": "random"},
        **{"candidates": [chosen, rejected], **fields},
    }


LINES = [
    pair("train0", "archive", "delete", id="1", seconds=2.0, policy={"archive": 0.4, "delete": 0.6}),
    pair("train1", "archive", "delete", id="2", seconds=4.0, policy={"archive": 0.4, "delete": 0.6}),
    pair("val0", "archive", "delete", id="3", seconds=9.0, candidates=["delete", "archive"], policy_shown=True),
    {"fingerprint": "train2", "kind": "action", "action": "reply_now", "annotator": "ben", "id": "4"},
    {"fingerprint": "train2", "kind": "action", "action": "delete", "annotator": "ben", "id": "5"},
    {"fingerprint": "train2", "annotator": "ben", "undoes": "5"},
    {"fingerprint": "train1", "annotator": "ben", "candidates": ["archive", "delete"], "tie": True},
    {"fingerprint": "train0", "annotator": "ben", "candidates": ["archive", "delete"], "skipped": True},
    {"fingerprint": "elsewhere"},
]


def test_what_was_judged_is_counted_and_compared(config):
    summary = summarize_file(config, write(config, *LINES))
    assert (summary.judged, summary.pairs, summary.actions) == (5, 4, 1)
    assert (summary.messages, summary.mailboxes, summary.labels_known) == (4, 1, 4)
    assert (summary.taken_back, summary.unjudged, summary.policy_shown) == (1, 1, 1)
    anna, ben = summary.annotators["anna"], summary.annotators["ben"]
    assert (anna.judged, anna.ties, anna.skipped, anna.median_seconds) == (3, 0, 0, 4.0)
    assert (ben.judged, ben.ties, ben.skipped, ben.median_seconds) == (2, 1, 1, None)
    assert (anna.with_labels.share, anna.with_labels.count) == (pytest.approx(2 / 3), 3)
    assert (ben.with_labels.share, ben.with_labels.count) == (1.0, 1)  # a tie says nothing of it
    assert (anna.with_policy.share, anna.with_policy.count) == (0.0, 2)
    assert (anna.first_shown.share, anna.first_shown.count) == (pytest.approx(2 / 3), 3)
    assert summary.everybody.judged == 5
    assert summary.agreement.questions == 1
    assert json.loads(msgspec.json.encode(summary))["everybody"]["with_labels"]["count"] == 4


def test_the_table_fits_a_terminal_whatever_the_names(config):
    long = "somebody with a name of more than eighty letters, such as nobody has but a program may well give " * 2
    people = [
        pair(f"train{number // 2}", *chosen, annotator=f"{long}{number}", id=f"line {number}")
        for number, chosen in enumerate([("archive", "delete"), ("delete", "archive")] * 20)
    ]
    text = summary_table(summarize_file(config, write(config, *LINES, *people)))
    lines = text.splitlines()
    assert max(map(len, lines[1:])) <= 80
    assert "opposed" in text
    assert text.count("more: --json") == 3  # people, pairs of them, contradictions
    assert "Krippendorff's alpha" in text
    assert "1 judgement made with the policy's probabilities" in text


def test_a_label_is_used_only_where_the_mailbox_cannot_matter(config):
    nameless = [pair("train0", "archive", "delete", user=""), pair("train1", "archive", "delete", user="mail-b")]
    summary = summarize_file(config, write(config, *nameless))
    assert (summary.everybody.with_labels.count, summary.everybody.with_labels.share) == (1, 1.0)


def test_shares_have_wilson_intervals():
    found = share_of([True] * 9 + [False])
    assert found.interval == pytest.approx([0.596, 0.982], abs=5e-4)  # Wilson (1927) for 9 of 10
    assert share_of([]).interval is None


def test_nothing_judged_is_no_error_and_no_file_is_one(config):
    summary = summarize_file(config, write(config, {"fingerprint": "train0"}))
    assert "0 judgements" in summary_table(summary)
    assert "not yet judged 1" in summary_table(summary)
    with pytest.raises(UsageError, match=r"none\.jsonl: no such file or folder; `triage annotate`"):
        summarize_file(config, config.data / "none.jsonl")


def test_judgements_of_other_mail_are_told_by_their_summary(config):
    table = summary_table(summarize_file(config, write(config, pair("elsewhere", "archive", "delete"))))
    assert "none of these messages is in train, val or test of the data folder" in table
    assert "none of these" not in summary_table(summarize_file(config, write(config, *LINES)))
