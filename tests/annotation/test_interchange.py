"""Judgements go to Label Studio and Argilla and come back, in those programs' own JSON."""

import json

import pytest

from enron_triage.annotation import interchange
from enron_triage.annotation.argilla import annotator_id
from enron_triage.config.load import load_config
from enron_triage.errors import UsageError
from enron_triage.labels.judgements import judgements_in_force, read_judgements

SCRIPT = "Hello <script>alert(1)</script>\x00 ünïcode"


@pytest.fixture
def config(tmp_path):
    records = [
        {
            **{"user": "mail-a", "fingerprint": f"train{row}", "subject": f"Subject {row}", "body": SCRIPT},
            **{"sender": "ann@hall.example", "to": ["bo@hall.example"], "cc": ["cy@hall.example"], "date": None},
        }
        for row in range(3)
    ]
    (tmp_path / "train.json").write_text("[\n" + ",\n".join(map(json.dumps, records)) + "\n]\n")
    return load_config([], [], data_dir=str(tmp_path))


PAIR = {"candidates": ["archive", "delete"], "strategy": "random", "policy": {"archive": 0.25, "delete": 0.5}}
LINES = [
    {"fingerprint": "train0", "chosen": "archive", "rejected": "delete", "annotator": "Änne", "seconds": 2.5, **PAIR},
    {"fingerprint": "train0", "chosen": "delete", "rejected": "archive", "annotator": "ben", **PAIR},
    {"fingerprint": "train1", "tie": True, "annotator": "ben", "note": "no matter", **PAIR},
    {"fingerprint": "train1", "action": "forward", "annotator": "cem", **PAIR},  # neither
    {"fingerprint": "train2", "kind": "action", "action": "reply_now", "annotator": "ben"},
    {"fingerprint": "train2", "kind": "action", "action": "archive"},  # by whoever gave no name
    {"fingerprint": "elsewhere", "candidates": {"archive": 0.4, "forward": 0.6}},  # a template's: not judged
]
SKIPPED = {"fingerprint": "train2", "skipped": True, "annotator": "Änne", "kind": "action"}


def write(config, *lines, name="judgements.jsonl"):
    path = config.data / name
    text = "".join(
        json.dumps({"user": "mail-a", "id": f"id {number}", **line}) + "\n" for number, line in enumerate(lines)
    )
    path.write_text(text)
    return path


def edit(target, *changes):
    text = json.dumps(json.loads(target.read_text()), separators=(",", ":"))
    for old, new in changes:
        text = text.replace(old, new)
    target.write_text(text)


def answers(path):
    found = judgements_in_force(path)
    return sorted(
        (
            *(each.annotator or "", each.fingerprint, each.user, each.kind, each.skipped, each.note, each.tie),
            *map(str, (each.chosen, each.rejected, each.action)),
        )
        for each in found
        if each.is_judged or each.skipped
    )


@pytest.mark.parametrize("name", interchange.FORMATS)
def test_what_was_judged_comes_back_as_it_was(config, name):
    lines = [*LINES, SKIPPED] if name == "label-studio" else LINES  # Argilla's file does not hold who skipped
    path, target = write(config, *lines), config.data / "export.json"
    result = interchange.export_file(config, path, name, target)
    assert result.data["tasks"] == 4
    assert result.data["without_text"] == 1
    again = config.data / "again.jsonl"
    came = interchange.import_file(config, again, name, target)
    assert (came.data["added"], came.data["unclear"], came.data["in_no_split"]) == (len(lines) - 1, [], 0)
    assert answers(again) == answers(path)
    first = judgements_in_force(again)[0]
    assert (first.policy, first.strategy) == ({"archive": 0.25, "delete": 0.5}, "random")
    known = interchange.import_file(config, path, name, target)  # into the file that it was made from
    assert (known.data["added"], known.data["changed"], known.data["known"]) == (0, 0, len(lines) - 1)


@pytest.mark.parametrize("name", interchange.FORMATS)
def test_judgements_of_other_mail_are_counted(config, name, tmp_path):
    target = config.data / "export.json"
    interchange.export_file(config, write(config, *LINES), name, target)
    other = load_config([], [], data_dir=str(tmp_path / "other"))
    came = interchange.import_file(other, other.data / "judgements.jsonl", name, target)
    assert came.data["in_no_split"] == came.data["added"] == len(LINES) - 1
    assert "in no split of" in came.table
    assert "they may belong to other mail: give its folder with --config or --data-dir" in came.table
    with pytest.raises(
        UsageError, match=r"none of its messages is in a split of .*other; they may belong to other mail"
    ):
        interchange.export_file(other, other.data / "judgements.jsonl", name, tmp_path / "again.json")
    assert not (tmp_path / "again.json").exists()


def test_a_folder_is_not_made_for_an_export(config, tmp_path):
    path = write(config, *LINES)
    with pytest.raises(UsageError, match=r"export\.json: there is no folder .*typo; make it"):
        interchange.export_file(config, path, "argilla", tmp_path / "typo" / "export.json")
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("name", interchange.FORMATS)
def test_another_answer_takes_the_earlier_one_back(config, name):
    path, target = write(config, LINES[0]), config.data / "export.json"
    interchange.export_file(config, path, name, target)
    edit(target, ('"value":"first"', '"value":"second"'), ('["first"]', '["second"]'))
    assert interchange.import_file(config, path, name, target).data["changed"] == 1
    assert [(each.chosen, each.rejected) for each in read_judgements(path)] == [("delete", "archive")]
    assert len(path.read_text().splitlines()) == 3  # nothing is removed


def test_label_studio_gets_its_own_tasks(config):
    target = config.data / "export.json"
    interchange.export_file(config, write(config, *LINES, SKIPPED), "label-studio", target)
    tasks = json.loads(target.read_text())
    assert tasks[0]["data"]["text"] == SCRIPT
    assert tasks[0]["data"]["to"] == "bo@hall.example, cy@hall.example"
    assert (tasks[0]["data"]["first"], tasks[0]["data"]["second"]) == ("archive", "delete")
    annotation = tasks[0]["annotations"][0]
    choice = {"from_name": "better", "to_name": "text", "type": "choices", "value": {"choices": ["first"]}}
    assert annotation["result"][0] == choice
    assert annotation["lead_time"] == 2.5
    assert not annotation["was_cancelled"]
    assert "predictions" not in tasks[0]  # it would show them
    assert tasks[2]["annotations"][-1]["was_cancelled"]
    assert tasks[3]["annotations"] == []


def test_what_label_studio_adds_is_understood(config, tmp_path, caplog):
    data = {"fingerprint": "train0", "user": "mail-a", "first": "archive", "second": "delete"}

    def annotation(better="", action="", **fields):
        chosen = {"better": better, "action": action}
        result = [
            {"id": "x", "origin": "manual", "from_name": name, "type": "choices", "value": {"choices": [value]}}
            for name, value in chosen.items()
            if value
        ]
        return {"id": 7, "result": result, "ground_truth": False, "was_cancelled": False, "lead_time": 4.2, **fields}

    annotations = [
        annotation("second", completed_by={"id": 3, "email": "dora@hall.example"}, created_at="2026-11-26T10:00:00Z"),
        annotation("tie", completed_by=5),
        annotation("neither", "forward", completed_by=6),
        annotation("neither", completed_by=7),
        annotation("first", "forward", completed_by=8),
        annotation(completed_by=9),
    ]
    source = tmp_path / "from_label_studio.json"
    source.write_text(json.dumps([{"id": 1, "data": data, "annotations": annotations, "predictions": [], "meta": {}}]))
    result = interchange.import_file(config, config.data / "new.jsonl", "label-studio", source)
    assert (result.data["added"], len(result.data["unclear"])) == (3, 3)
    assert "task 1: neither, but not what should be done; left out" in caplog.text
    assert "task 1: both first and forward; left out" in caplog.text
    found = judgements_in_force(config.data / "new.jsonl")
    assert [each.annotator for each in found] == ["dora@hall.example", "label-studio 5", "label-studio 6"]
    assert (found[0].chosen, found[0].seconds, found[0].time) == ("delete", 4.2, "2026-11-26T10:00:00Z")
    assert found[2].action == "forward"


def test_argilla_gets_its_own_records(config):
    target = config.data / "export.json"
    interchange.export_file(config, write(config, *LINES), "argilla", target)
    records = json.loads(target.read_text())
    assert records[0].keys() == {"id", "fields", "metadata", "suggestions", "responses", "vectors"}
    assert records[0]["fields"]["text"] == SCRIPT
    assert all(isinstance(value, str) for value in records[0]["fields"].values())
    assert records[0]["responses"]["better"][0] == {"value": "first", "user_id": annotator_id("Änne")}
    assert records[0]["suggestions"] == {}  # it would show them
    assert len({record["id"] for record in records}) == len(records)


def test_users_that_argilla_knows_by_itself_keep_their_ids(config):
    path, target = write(config, LINES[0]), config.data / "export.json"
    interchange.export_file(config, path, "argilla", target)
    records = json.loads(target.read_text())
    records[0]["responses"]["better"].append({"value": "tie", "user_id": "a-user-of-the-server"})
    target.write_text(json.dumps(records))
    interchange.import_file(config, path, "argilla", target)
    assert {each.annotator for each in judgements_in_force(path)} == {"Änne", "a-user-of-the-server"}


@pytest.mark.parametrize("name", interchange.FORMATS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b'[{"data": {}}]',
        b"\xff\xfe",
        b'[{"annotations": []',
        b"[" * 100_000,
        b'[{"fingerprint": 1}]',
    ],
)
def test_a_bad_file_is_one_clear_line_and_leaves_everything_as_it_was(config, tmp_path, name, content):
    source = tmp_path / "bad.json"
    source.write_bytes(content)
    path = write(config, LINES[0])
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"bad\.json: not what .* exports of .* `triage annotate --export") as error:
        interchange.import_file(config, path, name, source)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"first"]', '"First"]'), "task 1: better: 'First' is not one of first, second, tie, neither"),
        (('"second":"delete"', '"second":"archive"'), "task 1: first and second must be two actions"),
        (('"second":"delete"', '"third":"delete"'), "task 1: first and second must be two actions"),
        (('"second":"delete"', '"second":"burn"'), "Invalid enum value 'burn'"),
    ],
)
def test_a_word_that_nobody_offered_is_refused(config, change, message):
    path, target = write(config, LINES[0]), config.data / "export.json"
    interchange.export_file(config, path, "label-studio", target)
    before = json.loads(target.read_text())
    edit(target, change)
    assert json.loads(target.read_text()) != before
    with pytest.raises(UsageError, match=message):
        interchange.import_file(config, path, "label-studio", target)


def test_files_that_are_there_or_missing_are_told(config, tmp_path):
    path, target = write(config, LINES[0]), config.data / "export.json"
    target.write_text("mine")
    with pytest.raises(UsageError, match=r"export\.json: exists"):
        interchange.export_file(config, path, "argilla", target)
    assert target.read_text() == "mine"
    with pytest.raises(UsageError, match=r"none\.json: no such file or folder; give the file that argilla"):
        interchange.import_file(config, path, "argilla", tmp_path / "none.json")
    with pytest.raises(UsageError, match="prodigy: unknown format; allowed: label-studio, argilla"):
        interchange.import_file(config, path, "prodigy", target)
    empty = write(config, {"fingerprint": "train0", "tie": True}, name="empty.jsonl")
    with pytest.raises(UsageError, match=r"empty\.jsonl: contains no question"):
        interchange.export_file(config, empty, "argilla", tmp_path / "new.json")


def test_a_line_that_broke_off_gives_way_to_what_is_appended(config):
    path, target = write(config, LINES[0]), config.data / "export.json"
    interchange.export_file(config, path, "label-studio", target)
    other = write(config, LINES[1], name="other.jsonl")
    for end in (b'{"fingerprint": "tra', b'{"fingerprint": "train2"}'):
        other.write_bytes(other.read_bytes() + end)
        interchange.import_file(config, other, "label-studio", target)
        assert {each.annotator for each in judgements_in_force(other) if each.is_judged} == {"Änne", "ben"}
