import os

import pytest

from enron_triage.errors import TriageError
from enron_triage.runtime.atomic import atomic_open, atomic_path, remove


@pytest.fixture
def old(tmp_path):
    """A file that is about to be written again."""
    path = tmp_path / "rows.json"
    path.write_bytes(b"old")
    return path


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_writer_leaves_the_old_file_and_nothing_else(old, error):
    with pytest.raises(error), atomic_open(old) as file:
        file.write(b"new")
        raise error
    assert old.read_bytes() == b"old"
    assert os.listdir(old.parent) == ["rows.json"]


def test_a_file_appears_only_when_it_is_complete(old):
    with atomic_open(old) as file:
        file.write(b"new")
        file.flush()
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == b"new"
    assert os.listdir(old.parent) == ["rows.json"]


def test_a_folder_can_be_written_like_a_file(tmp_path):
    with atomic_path(tmp_path / "below" / "maildir") as temporary:
        temporary.mkdir()
        (temporary / "1.").write_text("x")
    assert (tmp_path / "below" / "maildir" / "1.").read_text() == "x"
    assert os.listdir(tmp_path / "below") == ["maildir"]


def test_a_full_disk_is_named_and_the_old_file_stays(old):
    with pytest.raises(TriageError, match=r"rows\.json: cannot be written: no space left on device"), atomic_open(old):
        raise OSError(28, "no space left on device")
    assert old.read_bytes() == b"old"


def test_a_file_that_cannot_be_written_is_refused_with_both_options_for_another_place(tmp_path):
    (tmp_path / "checkpoints").write_text("a file where the folder belongs")
    message = r"best_sft\.pt: cannot be written: .*\(--data-dir, --checkpoint-dir\)"
    with pytest.raises(TriageError, match=message), atomic_open(tmp_path / "checkpoints" / "best_sft.pt"):
        pass


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    (tmp_path / "emails.json").mkdir()
    with pytest.raises(TriageError, match="cannot be written"), atomic_open(tmp_path / "emails.json"):
        pass
    assert (tmp_path / "emails.json").is_dir()


def test_remove_deletes_files_and_folders_and_accepts_a_missing_path(tmp_path):
    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    for name in ("folder", "file", "nothing"):
        remove(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_remove_deletes_a_link_and_not_the_folder_that_it_names(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    remove(tmp_path / "link")
    assert os.listdir(tmp_path) == ["folder"]
