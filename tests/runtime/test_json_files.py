import json

import msgspec
import pytest

from enron_triage.errors import ArtifactError, UsageError
from enron_triage.runtime.json_files import open_input, read_json, write_json


class Row(msgspec.Struct):
    user: str
    number: int


def test_a_value_is_written_as_json_and_read_back(tmp_path):
    path = tmp_path / "split_metadata.json"
    write_json(path, Row("a", 1))
    assert json.loads(path.read_text()) == {"user": "a", "number": 1}
    assert read_json(path, Row) == Row("a", 1)


@pytest.mark.parametrize("content", [b'{"user": 3}', b"not json", b'{"user": "\xff", "number": 1}', b""])
def test_a_value_of_another_form_is_refused(tmp_path, content):
    path = tmp_path / "split_metadata.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"split_metadata\.json: not what the program wrote there"):
        read_json(path, Row)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"emails_labeled\.json: no such file"):
        open_input(tmp_path / "emails_labeled.json")


def test_a_folder_where_a_file_belongs_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "emails.json").mkdir()
    with pytest.raises(ArtifactError, match="is a folder, but a file is expected; name a file") as raised:
        open_input(tmp_path / "emails.json")
    assert str(raised.value.with_command("run `triage parse`")).endswith("; move it away, then run `triage parse`")
