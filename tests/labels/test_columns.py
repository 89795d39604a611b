import json

import msgspec

from enron_triage.labels.columns import UNDATED, read_columns
from enron_triage.records import Action
from enron_triage.runtime import artifacts

NOON = 983793600  # 5 March 2001, 12:00 UTC


def test_the_columns_are_those_of_the_records(tmp_path, new_record):
    path = tmp_path / "emails_labeled.json"
    with artifacts.record_writer(path) as writer:
        for user, at, action, fingerprint in (
            ("user-b", NOON, Action.DELETE, "one"),
            ("user-b", None, Action.REPLY_NOW, "two"),
            ("user-a", NOON + 5, Action.ARCHIVE, "one"),
        ):
            record = new_record(user=user, timestamp=at, action=action, fingerprint=fingerprint, body="gás\n[\n]\n")
            writer.write(msgspec.json.encode(record))
    columns = read_columns(path)
    assert (columns.mailboxes, columns.scheme) == (["user-b", "user-a"], "received")
    assert columns.mailbox.tolist() == [0, 0, 1]
    assert columns.message.tolist() == [0, 1, 0]
    assert columns.action.tolist() == [4, 0, 3]
    assert columns.timestamp.tolist() == [NOON, UNDATED, NOON + 5]
    content = path.read_bytes()
    lines = [json.loads(content[a:b]) for a, b in zip(columns.start, columns.stop, strict=True)]
    assert [line["timestamp"] for line in lines] == [NOON, None, NOON + 5]


def test_undated_sorts_before_every_date():
    assert NOON - 10**6 * 86400 > UNDATED
