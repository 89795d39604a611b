import json
import os

import msgspec
import pytest

from enron_triage.errors import ArtifactError, TriageError, UsageError
from enron_triage.runtime import artifacts


class Row(msgspec.Struct):
    user: str
    number: int


def write_rows(path, rows):
    with artifacts.record_writer(path) as writer:
        for row in rows:
            writer.write(msgspec.json.encode(row))


@pytest.fixture
def rows():
    return [Row("a", 1), Row("a", 2), Row("b", 3)]


def test_records_are_one_json_array_with_one_record_per_line(tmp_path, rows):
    path = tmp_path / "rows.json"
    write_rows(path, rows)
    assert json.loads(path.read_text()) == [{"user": r.user, "number": r.number} for r in rows]
    assert len(path.read_text().splitlines()) == len(rows) + 2
    assert list(artifacts.read_records(path, Row)) == rows


def test_no_records_are_an_empty_array(tmp_path):
    write_rows(tmp_path / "rows.json", [])
    assert json.loads((tmp_path / "rows.json").read_text()) == []
    assert list(artifacts.read_records(tmp_path / "rows.json", Row)) == []


def test_blocks_count_every_record(tmp_path):
    with artifacts.record_writer(tmp_path / "rows.json") as writer:
        writer.write_many(b'{"user":"a","number":1},\n{"user":"a","number":2}', 2)
        writer.write_many(b"", 0)
        assert writer.count == 2
    assert [row.number for row in artifacts.read_records(tmp_path / "rows.json", Row)] == [1, 2]


def test_offsets_point_at_the_records(tmp_path, rows):
    path = tmp_path / "rows.json"
    write_rows(path, rows)
    content = path.read_bytes()
    for offset, line in artifacts.iterate_lines(path):
        assert content[offset : offset + len(line)] == line


def test_an_interrupted_writer_leaves_the_old_artifact_whole(tmp_path, rows):
    path = tmp_path / "rows.json"
    write_rows(path, rows)
    before = path.read_bytes()

    def interrupted():
        with artifacts.record_writer(path) as writer:
            writer.write(b'{"user":"x","number":9}')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["rows.json"]


@pytest.mark.parametrize("cut", [1, 2, 10, 30, -1, -2, -3, -4])
def test_a_truncated_artifact_is_refused_wherever_it_ends(tmp_path, rows, cut):
    path = tmp_path / "emails.json"
    write_rows(path, rows)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    if whole[:cut] == whole.rstrip():  # only the last line end is gone: still whole
        assert list(artifacts.read_records(path, Row)) == rows
        return
    with pytest.raises(UsageError, match=r"emails\.json: "):
        list(artifacts.read_records(path, Row))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'[\n{"user":"a","number":1}\n{"user":"b","number":2}\n]\n',
        b'[\n{"user":"a","number":1},\n]\n',
        b'[\n{"user":"a","number":"one"}\n]\n',
        b'[\n{"user":"a","number":1}\n]\nmore\n',
        b"[\nnot json\n]\n",
        b'[\n{"user":"\xff","number":1}\n]\n',
    ],
)
def test_a_hand_edited_artifact_is_refused_with_one_line(tmp_path, content):
    path = tmp_path / "emails.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"emails\.json") as raised:
        list(artifacts.read_records(path, Row))
    assert "\n" not in str(raised.value)


def test_a_missing_artifact_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"emails_labeled\.json: no such file"):
        list(artifacts.read_records(tmp_path / "emails_labeled.json", Row))


def test_a_folder_where_a_file_belongs_is_refused(tmp_path):
    (tmp_path / "emails.json").mkdir()
    with pytest.raises(ArtifactError, match="is a folder where a file belongs; name a file") as raised:
        list(artifacts.read_records(tmp_path / "emails.json", Row))
    assert str(raised.value.with_command("run `triage parse`")).endswith("; move it away, then run `triage parse`")
    with pytest.raises(UsageError, match="is a folder where a file belongs; name a file"):
        list(artifacts.read_records(tmp_path, Row))
    with pytest.raises(TriageError, match="cannot be written"):
        write_rows(tmp_path / "emails.json", [])


def test_what_cannot_be_written_names_both_options_for_another_place(tmp_path):
    (tmp_path / "checkpoints").write_text("a file where the folder belongs")
    with pytest.raises(TriageError, match=r"best_sft\.pt: cannot be written: .*\(--data-dir, --checkpoint-dir\)"):
        write_rows(tmp_path / "checkpoints" / "best_sft.pt", [])


class LabeledRow(Row):
    action: str


@pytest.mark.parametrize("name", ["emails.json", "mine.json"])
def test_unlabelled_messages_are_not_to_be_made_again_but_labelled(tmp_path, rows, name):
    write_rows(tmp_path / name, rows)
    with pytest.raises(UsageError, match=rf"{name}: line 2: .*`action`; give labelled records, as `triage label`"):
        list(artifacts.read_records(tmp_path / name, LabeledRow))


def test_a_labelled_artifact_that_lost_its_labels_is_refused(tmp_path, rows):
    write_rows(tmp_path / "test.json", rows)
    with pytest.raises(UsageError, match=r"test\.json: line 2: .*`action`; give labelled records"):
        list(artifacts.read_records(tmp_path / "test.json", LabeledRow))


def test_a_full_disk_is_named_and_the_old_artifact_stays(tmp_path, rows, monkeypatch):
    path = tmp_path / "rows.json"
    write_rows(path, rows)
    before = path.read_bytes()

    def full(self, encoded):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts.RecordWriter, "write", full)
    with pytest.raises(TriageError, match=r"rows\.json: cannot be written: No space left on device"):
        write_rows(path, rows)
    assert path.read_bytes() == before


def test_mailboxes_are_found_and_read_alone(tmp_path, rows):
    path = tmp_path / "rows.json"
    write_rows(path, rows)
    spans = artifacts.mailbox_spans(path)
    assert [(span.user, span.count) for span in spans] == [("a", 2), ("b", 1)]
    assert artifacts.read_span(path, spans[0], Row) == rows[:2]
    assert artifacts.read_span(path, spans[1], Row) == rows[2:]


def test_a_mailbox_in_two_places_is_refused(tmp_path, rows):
    path = tmp_path / "rows.json"
    write_rows(path, [rows[0], rows[2], rows[1]])
    with pytest.raises(UsageError, match="mailbox a appears in two places"):
        artifacts.mailbox_spans(path)


def test_a_bad_record_of_a_mailbox_is_named_with_its_line(tmp_path):
    path = tmp_path / "rows.json"
    path.write_bytes(b'[\n{"user":"a","number":1},\n{"user":"b","number":null}\n]\n')
    spans = artifacts.mailbox_spans(path)
    with pytest.raises(UsageError, match="line 3"):
        artifacts.read_span(path, spans[1], Row)


def test_json_values_are_read_back_and_checked(tmp_path):
    path = tmp_path / "split_metadata.json"
    artifacts.write_json(path, Row("a", 1))
    assert artifacts.read_json(path, Row) == Row("a", 1)
    path.write_text('{"user": 3}')
    with pytest.raises(UsageError, match="not what the program wrote there"):
        artifacts.read_json(path, Row)


def test_remove_takes_files_folders_and_what_is_not_there(tmp_path):
    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    for name in ("folder", "file", "nothing"):
        artifacts.remove(tmp_path / name)
    assert os.listdir(tmp_path) == []
