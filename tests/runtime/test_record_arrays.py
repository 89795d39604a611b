import json

import msgspec
import pytest

from enron_triage.errors import UsageError
from enron_triage.runtime.record_arrays import iterate_lines, mailbox_spans, read_records, read_span, record_writer


class Row(msgspec.Struct):
    user: str
    number: int


def write_rows(path, rows):
    with record_writer(path) as writer:
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
    assert list(read_records(path, Row)) == rows


def test_an_artifact_without_records_is_an_empty_array(tmp_path):
    write_rows(tmp_path / "rows.json", [])
    assert json.loads((tmp_path / "rows.json").read_text()) == []
    assert list(read_records(tmp_path / "rows.json", Row)) == []


def test_records_written_as_a_block_are_counted_one_by_one(tmp_path):
    with record_writer(tmp_path / "rows.json") as writer:
        writer.write_many(b'{"user":"a","number":1},\n{"user":"a","number":2}', 2)
        writer.write_many(b"", 0)
        assert writer.count == 2
    assert [row.number for row in read_records(tmp_path / "rows.json", Row)] == [1, 2]


def test_each_offset_is_where_its_record_begins(tmp_path, rows):
    path = tmp_path / "rows.json"
    write_rows(path, rows)
    content = path.read_bytes()
    for offset, line in iterate_lines(path):
        assert content[offset : offset + len(line)] == line


@pytest.mark.parametrize("cut", [1, 2, 10, 30, -1, -2, -3, -4])
def test_a_truncated_artifact_is_refused_wherever_it_ends(tmp_path, rows, cut):
    path = tmp_path / "emails.json"
    write_rows(path, rows)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    if whole[:cut] == whole.rstrip():  # only the last line end is gone: still whole
        assert list(read_records(path, Row)) == rows
        return
    with pytest.raises(UsageError, match=r"emails\.json: "):
        list(read_records(path, Row))


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
        list(read_records(path, Row))
    assert "\n" not in str(raised.value)


class LabeledRow(Row):
    action: str


@pytest.mark.parametrize("name", ["emails.json", "mine.json"])
def test_unlabelled_records_are_refused_with_the_command_that_labels_them(tmp_path, rows, name):
    write_rows(tmp_path / name, rows)
    with pytest.raises(UsageError, match=rf"{name}: line 2: .*`action`; give labelled records, as `triage label`"):
        list(read_records(tmp_path / name, LabeledRow))


def test_a_split_whose_records_lost_their_labels_is_refused(tmp_path, rows):
    write_rows(tmp_path / "test.json", rows)
    with pytest.raises(UsageError, match=r"test\.json: line 2: .*`action`; give labelled records"):
        list(read_records(tmp_path / "test.json", LabeledRow))


def test_each_mailbox_is_found_and_read_without_the_others(tmp_path, rows):
    path = tmp_path / "rows.json"
    write_rows(path, rows)
    spans = mailbox_spans(path)
    assert [(span.user, span.count) for span in spans] == [("a", 2), ("b", 1)]
    assert read_span(path, spans[0], Row) == rows[:2]
    assert read_span(path, spans[1], Row) == rows[2:]


def test_a_mailbox_in_two_places_is_refused(tmp_path, rows):
    path = tmp_path / "rows.json"
    write_rows(path, [rows[0], rows[2], rows[1]])
    with pytest.raises(UsageError, match="mailbox a appears in two places"):
        mailbox_spans(path)


def test_a_bad_record_of_a_mailbox_is_named_with_its_line(tmp_path):
    path = tmp_path / "rows.json"
    path.write_bytes(b'[\n{"user":"a","number":1},\n{"user":"b","number":null}\n]\n')
    spans = mailbox_spans(path)
    with pytest.raises(UsageError, match="line 3"):
        read_span(path, spans[1], Row)
