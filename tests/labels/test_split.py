import json
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest

from enron_triage.config.load import load_config
from enron_triage.config.paths import SPLITS
from enron_triage.errors import UsageError
from enron_triage.labels import split
from enron_triage.labels.split_metadata import belongs_to, read_metadata
from enron_triage.records import ACTIONS, Action, Evidence, LabeledEmail
from enron_triage.runtime import artifacts

DAY = 86400
NOON = int(datetime(2001, 3, 5, 12, 0, tzinfo=UTC).timestamp())
RATIOS = (0.75, 0.125, 0.125)


def record(user, at, action=Action.ARCHIVE, fingerprint=None, scheme="received", response_seconds=None):
    identity = f"{user}/{at}"
    return LabeledEmail(
        path=f"{user}/inbox/{at}",
        user=user,
        folder="inbox",
        labels=[],
        message_id="",
        date=None if at is None else datetime.fromtimestamp(at, UTC).isoformat(),
        timestamp=at,
        sender="jane@x.example",
        sender_name="",
        to=[],
        cc=[],
        bcc=[],
        subject="gás",
        raw_subject=None,
        body="Two\nlines, [brackets] and\n]\n",
        in_reply_to="",
        references=[],
        fingerprint=fingerprint or identity,
        raw_sha256=identity,
        action=action,
        response_seconds=response_seconds,
        evidence=Evidence(rule="", sent_path=None, folders=[]),
        history=None,
        scheme=scheme,
    )


def write_labels(root, records):
    with artifacts.record_writer(root / "emails_labeled.json") as writer:
        for one in records:
            writer.write(msgspec.json.encode(one))
    return root / "emails_labeled.json"


def run(root, *overrides):
    return split.run(load_config([], list(overrides), data_dir=str(root)))


def splits(root):
    return [json.loads((root / f"{name}.json").read_bytes()) for name in SPLITS]


def a_corpus(mailboxes=8, messages=5):
    """Mailboxes whose messages are not in time order, with every action."""
    return [
        record(f"user-{user}", NOON + (n * 7 % messages) * DAY + user, ACTIONS[(user + n) % len(ACTIONS)])
        for user in range(mailboxes)
        for n in range(messages)
    ]


# The stage


def test_each_mailbox_goes_whole_into_one_split_in_time_order(tmp_path):
    records = a_corpus()
    write_labels(tmp_path, records)
    result = run(tmp_path)
    parts = splits(tmp_path)
    assert [len({one["user"] for one in part}) for part in parts] == [6, 1, 1]
    assert [len(part) for part in parts] == [30, 5, 5]
    for part in parts:
        times = [one["timestamp"] for one in part]
        assert times == sorted(times)
    by_path = {one.path: msgspec.to_builtins(one) for one in records}
    assert {one["path"]: one for part in parts for one in part} == by_path
    assert result.data["counts"] == {"train": 30, "val": 5, "test": 5}


def test_records_of_one_moment_keep_the_order_of_the_file(tmp_path):
    write_labels(tmp_path, [record(f"user-{n}", NOON + n % 2, fingerprint=str(n)) for n in range(300)])
    run(tmp_path)
    for part in splits(tmp_path):
        places = [(one["timestamp"], int(one["fingerprint"])) for one in part]
        assert places == sorted(places)


def test_the_seed_of_the_configuration_decides_the_split(tmp_path):
    written = []
    for overrides in (["split.seed=1"], ["split.seed=1"], ["split.seed=1", "seed=9"], ["split.seed=2"]):
        write_labels(tmp_path, a_corpus(20, 2))
        run(tmp_path, *overrides)
        written.append([(tmp_path / f"{name}.json").read_bytes() for name in SPLITS])
    assert written[0] == written[1] == written[2]
    assert written[0] != written[3]


def test_the_metadata_account_for_every_message(tmp_path):
    # A broadcast that is in every mailbox, and is archived by some and deleted by others.
    records = a_corpus()
    for user in range(8):
        action = Action.DELETE if user % 2 else Action.ARCHIVE
        records.insert(user * 6, record(f"user-{user}", NOON - DAY, action, fingerprint="broadcast"))
    write_labels(tmp_path, records)
    result = run(tmp_path, "split.seed=7")
    metadata = json.loads((tmp_path / "split_metadata.json").read_bytes())
    assert json.loads(json.dumps(result.data)) == metadata
    assert (metadata["seed"], metadata["by"], metadata["scheme"]) == (7, "user", "received")
    assert metadata["ratios"] == list(RATIOS)
    assert metadata["until"] is None
    assert metadata["counts"] == {"train": 30, "val": 5, "test": 6}
    assert metadata["dropped"] == {
        "train": {"in_a_later_split": 6},
        "val": {"in_a_later_split": 1},
        "test": {"in_a_later_split": 0},
    }
    by_split = metadata["mailboxes"]
    assert sorted(user for users in by_split.values() for user in users) == [f"user-{n}" for n in range(8)]
    for name, part in zip(SPLITS, splits(tmp_path), strict=True):
        assert {one["user"] for one in part} == set(by_split[name])
        assert sum(one["fingerprint"] == "broadcast" for one in part) == (name == "test")
        after = Counter(one["action"] for one in part)
        before = Counter(one.action.value for one in records if one.user in by_split[name])
        assert metadata["actions"][name] == {action: after[action] for action in ACTIONS}
        assert metadata["actions_before"][name] == {action: before[action] for action in ACTIONS}
    meta = json.loads((tmp_path / "train.json.meta.json").read_bytes())
    assert meta["counts"] == metadata["counts"]
    assert meta["settings"]["split"]["seed"] == 7


def test_the_table_shows_the_mailboxes_the_drops_and_the_mix(tmp_path):
    records = [record(f"user-{n}", NOON + n, Action.DELETE if n else Action.FORWARD) for n in range(3)]
    records += [record(f"user-{n}", NOON + DAY, fingerprint="one") for n in range(3)]
    write_labels(tmp_path, sorted(records, key=lambda one: one.user))
    lines = [line.split() for line in run(tmp_path).table.splitlines()]
    assert lines[0] == ["split", "mailboxes", "messages", "dropped", *ACTIONS]
    assert [line[:4] for line in lines[1:]] == [
        ["train", "1", "1", "1"],
        ["val", "1", "1", "1"],
        ["test", "1", "2", "0"],
    ]
    assert lines[3][7] == "50.0%"


def test_the_table_of_a_large_archive_fits_80_columns(tmp_path):
    write_labels(tmp_path, [record(f"user-{n}", NOON + n) for n in range(3)])
    result = run(tmp_path)
    counts = dict.fromkeys(SPLITS, 9999999)
    metadata = msgspec.structs.replace(read_metadata(tmp_path / "split_metadata.json"), counts=counts)
    metadata.actions["train"] = dict.fromkeys(ACTIONS, 9_999_999)  # 100.0% is the widest share
    metadata.dropped["train"] = {"copies": 999_999}
    lines = [*result.table.splitlines(), *split._table(metadata).splitlines()]
    assert max(map(len, lines)) <= 80
    assert len({len(line) for line in lines}) == 1  # the columns stand in line


def test_a_split_by_time_gives_every_mailbox_a_past_and_a_future(tmp_path):
    times = range(0, 400, 4)
    write_labels(tmp_path, [record(user, NOON + day * DAY) for user in ("user-a", "user-b") for day in times])
    run(tmp_path, "split.by=time", "label.link_window=10d")
    metadata = read_metadata(tmp_path / "split_metadata.json")
    assert metadata.by == "time"
    assert metadata.until == {user: [NOON + 300 * DAY, NOON + 348 * DAY] for user in ("user-a", "user-b")}
    assert metadata.counts == {"train": 2 * 73, "val": 2 * 10, "test": 2 * 13}
    assert metadata.dropped["before_a_cut"] == {"outcome_beyond_the_cut": 2 * 4}
    assert metadata.mailboxes == {name: ["user-a", "user-b"] for name in SPLITS}
    days = [sorted({(one["timestamp"] - NOON) // DAY for one in part}) for part in splits(tmp_path)]
    assert days == [list(range(0, 290, 4)), list(range(300, 338, 4)), list(range(348, 400, 4))]
    total = sum(metadata.counts.values()) + sum(n for drops in metadata.dropped.values() for n in drops.values())
    assert total == 200


def test_the_copy_rule_holds_in_a_split_by_time(tmp_path):
    # The later mailbox's past is the earlier one's future.
    shared = {("user-a", 90): "one", ("user-b", 90): "one", ("user-a", 99): "two", ("user-b", 99): "two"}
    records = [
        record(user, NOON + (day + shift) * DAY, fingerprint=shared.get((user, day + shift)))
        for user, shift in (("user-a", 0), ("user-b", 85))
        for day in range(100)
    ]
    write_labels(tmp_path, records)
    run(tmp_path, "split.by=time", "label.link_window=1d")
    train, _, test = splits(tmp_path)
    assert [one["user"] for one in test if one["fingerprint"] in ("one", "two")] == ["user-a", "user-a"]
    assert not [one for one in train if one["fingerprint"] in ("one", "two")]
    assert read_metadata(tmp_path / "split_metadata.json").dropped["train"] == {"in_a_later_split": 2}


def test_one_mailbox_can_be_split_by_time_but_not_by_mailbox(tmp_path):
    write_labels(tmp_path, [record("user-a", NOON + day * DAY) for day in range(300)])
    with pytest.raises(UsageError, match=r"found 1; use --set split\.by=time"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["emails_labeled.json"]
    assert run(tmp_path, "split.by=time", "label.link_window=1d").data["counts"] == {
        "train": 224,
        "val": 36,
        "test": 38,
    }


def test_an_undated_message_is_not_counted_as_before_a_cut(tmp_path):
    write_labels(tmp_path, [record("user-a", at) for at in (None, *(NOON + day * DAY for day in range(100)))])
    run(tmp_path, "split.by=time", "label.link_window=1s")
    dropped = read_metadata(tmp_path / "split_metadata.json").dropped
    assert sum(n for drops in dropped.values() for n in drops.values()) == 1
    assert dropped["before_a_cut"]["outcome_beyond_the_cut"] == 0


# Bad input


def refused(root, *overrides, match):
    """The stage refuses, and leaves what was there."""
    (root / "train.json").write_text("old")
    with pytest.raises(UsageError, match=match):
        run(root, *overrides)
    left = {path.name for path in root.iterdir()}
    assert left <= {"train.json", "emails_labeled.json"}
    assert (root / "train.json").read_text() == "old"


@pytest.mark.parametrize("by", ["user", "time"])
def test_a_small_validation_or_test_is_named_in_one_line_with_what_to_do(tmp_path, caplog, by):
    write_labels(tmp_path, a_corpus(mailboxes=8, messages=40))
    run(tmp_path, f"split.by={by}", "split.ratios=[0.3, 0.1, 0.6]", "label.link_window=1h")
    line = caplog.messages[-1]
    assert line.startswith("val has only ")
    assert "percentage points" in line
    assert line.endswith("Give more mail, or a larger share of it in split.ratios")
    assert ("only 1 mailbox" in line) == (by == "user")  # by time, nothing is to be said of other people
    assert ("; test has only" in line) == (by == "time")


def test_large_splits_are_not_remarked_on(tmp_path, caplog):
    write_labels(tmp_path, a_corpus(mailboxes=8, messages=200))
    run(tmp_path)
    (line,) = caplog.messages
    assert line.endswith("has no metadata: it is not known which mailboxes belong to the same person")


def test_a_split_that_would_be_empty_is_refused(tmp_path):
    # All mail is the same broadcast: test has it, so train and val lose it.
    write_labels(tmp_path, [record(f"user-{n}", NOON, fingerprint="one") for n in range(5)])
    refused(tmp_path, match=r"the train split would be empty \(5 labelled messages in 5 mailboxes\)")
    # All mail has the same date.
    write_labels(tmp_path, [record("user-a", NOON, fingerprint=str(n)) for n in range(20)])
    refused(tmp_path, "split.by=time", match="the others came at 1 different times; give more mail, with its dates")
    # There are two messages.
    write_labels(tmp_path, [record("user-a", NOON), record("user-a", NOON + DAY)])
    refused(tmp_path, "split.by=time", match=r"\(2 labelled messages in 1 mailboxes\).*; give more mail")
    # Of the only three, one was answered after the cut.
    late = {"action": Action.REPLY_LATER, "response_seconds": 9 * DAY}
    write_labels(tmp_path, [record("user-a", NOON, **late), *(record("user-a", NOON + day * DAY) for day in (4, 8))])
    refused(tmp_path, "split.by=time", match=r"1 are too close before a cut.*or a shorter label\.link_window")


@pytest.mark.parametrize("count", [36, 100, 240, 400])
@pytest.mark.parametrize("days", [20, 60, 120, 300, 900])
def test_a_short_mailbox_keeps_train_val_and_test(tmp_path, caplog, count, days):
    write_labels(tmp_path, [record("user-a", NOON + n * days * DAY // count) for n in range(count)])
    run(tmp_path, "split.by=time")
    metadata = read_metadata(tmp_path / "split_metadata.json")
    least = min(30, count // 10)
    assert metadata.counts["train"] >= 0.55 * count
    assert min(metadata.counts["val"], metadata.counts["test"]) >= least
    train, val, test = ([one["timestamp"] for one in part] for part in splits(tmp_path))
    gap = min(min(val) - max(train), min(test) - max(val))
    said = [line for line in caplog.messages if "too short to leave out label.link_window (30 days)" in line]
    if days >= 300:
        assert gap >= 30 * DAY
        assert not said
    else:
        assert gap > days * DAY / 50
        assert len(said) == 1


def test_what_was_answered_after_a_cut_is_in_no_split_before_it(tmp_path):
    answer = {"action": Action.REPLY_LATER, "response_seconds": 5 * DAY}
    records = [record("user-a", NOON + n * DAY // 4, **(answer if n % 2 else {})) for n in range(240)]
    write_labels(tmp_path, records)
    run(tmp_path, "split.by=time")
    metadata = read_metadata(tmp_path / "split_metadata.json")
    train, val, test = splits(tmp_path)
    for part, cut in zip((train, val), metadata.until["user-a"], strict=True):
        answered = [one["timestamp"] + 5 * DAY for one in part if one["response_seconds"]]
        assert max(answered) < cut
        assert cut - 5 * DAY < max(one["timestamp"] for one in part) < cut - 3 * DAY  # filed by then, it is taken
    assert sum(one["response_seconds"] is not None for one in test) == 15


def test_labels_of_another_scheme_are_refused(tmp_path):
    write_labels(tmp_path, [record(f"user-{n}", NOON + n, scheme="folder") for n in range(3)])
    refused(tmp_path, match="scheme folder, the configuration says received.*--set label.scheme=folder")
    (tmp_path / "train.json").unlink()
    result = run(tmp_path, "label.scheme=folder", "features.groups=[metadata]")
    assert result.data["scheme"] == "folder"


def test_a_mixture_of_schemes_is_refused(tmp_path):
    schemes = ("received", "received", "folder")
    write_labels(tmp_path, [record(f"user-{n}", NOON + n, scheme=scheme) for n, scheme in enumerate(schemes)])
    refused(tmp_path, match="mixes label schemes; run `triage label`")


def test_missing_and_empty_labels_are_refused(tmp_path):
    refused(tmp_path, match=r"emails_labeled\.json: no such file or folder; run `triage label` first")
    write_labels(tmp_path, [])
    refused(tmp_path, match="holds no labelled message; run `triage label`")


def test_a_folder_in_place_of_the_labels_is_refused(tmp_path):
    (tmp_path / "emails_labeled.json").mkdir()
    refused(tmp_path, match="is a folder, but a file is expected")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda content: content[: len(content) // 2], "truncated or edited near byte"),
        (lambda content: content[:-3], "truncated or edited near byte"),
        (
            lambda content: content.replace(b'"action":"archive"', b'"action":null', 1),
            "line 5: not a record of this kind",
        ),
        (lambda content: content.replace(b'"archive"', b'"shred"', 1), "line 5: not a record of this kind"),
        (lambda content: content.replace(b"\n{", b"\n{{", 1), "line 2: not a record of this kind"),
        (lambda content: b"", "not an artifact of records"),
    ],
)
def test_a_damaged_artifact_is_refused(tmp_path, damage, says):
    path = write_labels(tmp_path, a_corpus())
    path.write_bytes(damage(path.read_bytes()))
    refused(tmp_path, match=says)


# What the metadata say of unacted messages


def test_an_unacted_message_belongs_to_the_split_of_its_mailbox(tmp_path):
    write_labels(tmp_path, a_corpus())
    run(tmp_path)
    metadata = read_metadata(tmp_path / "split_metadata.json")
    for name in SPLITS:
        for user in metadata.mailboxes[name]:
            assert [belongs_to(metadata, other, user, None) for other in SPLITS] == [other == name for other in SPLITS]
    assert not belongs_to(metadata, "test", "nobody", NOON)


def test_an_unacted_message_belongs_to_the_split_of_its_time(tmp_path):
    write_labels(tmp_path, [record("user-a", NOON + day * DAY) for day in range(100)])
    run(tmp_path, "split.by=time", "label.link_window=1d")
    metadata = read_metadata(tmp_path / "split_metadata.json")
    cuts = metadata.until["user-a"]
    for moment, name in (
        (NOON - DAY, "train"),
        (cuts[0] - 1, "train"),
        (cuts[0], "val"),
        (cuts[1] - 1, "val"),
        (cuts[1], "test"),
        (NOON + 1000 * DAY, "test"),
    ):
        assert [other for other in SPLITS if belongs_to(metadata, other, "user-a", moment)] == [name]
    assert not any(belongs_to(metadata, other, "user-a", None) for other in SPLITS)
    assert not any(belongs_to(metadata, other, "user-b", NOON) for other in SPLITS)


@pytest.mark.parametrize(
    ("name", "value"), [("mailboxes", {"train": ["user-a"], "val": ["user-a"]}), ("until", {"user-a": [NOON]})]
)
def test_metadata_that_lack_a_split_are_refused(tmp_path, name, value):
    write_labels(tmp_path, [record("user-a", NOON + day * DAY) for day in range(100)])
    run(tmp_path, "split.by=time", "label.link_window=1d")
    path = tmp_path / "split_metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), name: value}))
    with pytest.raises(UsageError, match=r"split_metadata\.json: lacks a split; run `triage split`"):
        read_metadata(path)


def test_missing_and_damaged_metadata_are_refused(tmp_path):
    path = tmp_path / "split_metadata.json"
    with pytest.raises(UsageError, match=r"split_metadata\.json: no such file"):
        read_metadata(path)
    path.write_text('{"seed": 1')
    with pytest.raises(UsageError, match=r"split_metadata\.json: not what the program wrote there"):
        read_metadata(path)
