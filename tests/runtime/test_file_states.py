import hashlib
import os

import msgspec

from enron_triage.runtime import file_states
from enron_triage.runtime.file_states import file_state


def test_the_state_of_a_file_is_its_size_time_and_hash(tmp_path):
    path = tmp_path / "emails.json"
    path.write_bytes(b"content")
    os.utime(path, ns=(5, 7))
    state = file_state(path)
    assert (state.size, state.modified_ns, state.sha256) == (7, 7, hashlib.sha256(b"content").hexdigest())


def test_a_file_is_read_again_only_if_its_size_or_time_has_changed(tmp_path):
    path = tmp_path / "emails.json"
    path.write_bytes(b"content")
    known = msgspec.structs.replace(file_state(path), sha256="not read")
    assert file_state(path, known) == known
    os.utime(path, ns=(5, 7))
    assert file_state(path, known).sha256 == hashlib.sha256(b"content").hexdigest()


def test_a_folder_changes_with_any_file_in_it(tmp_path):
    root = tmp_path / "maildir"
    (root / "a" / "inbox").mkdir(parents=True)
    (root / "a" / "inbox" / "1.").write_text("x")
    before = file_state(root)
    assert file_state(root) == before
    assert before.size == 1
    (root / "a" / "inbox" / "2.").write_text("y")
    assert file_state(root).sha256 != before.sha256


def test_a_folder_is_walked_through_once_within_a_block_and_again_after_it(tmp_path, monkeypatch):
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "1.").write_text("one")
    walks = []
    monkeypatch.setattr(file_states, "_listed", lambda root, real=file_states._listed: walks.append(root) or real(root))
    with file_states.listed_once():
        before = file_states.file_state(tmp_path / "mail")
        assert file_states.file_state(tmp_path / "mail", before) == before
    assert len(walks) == 1
    (tmp_path / "mail" / "2.").write_text("two")
    assert file_states.file_state(tmp_path / "mail", before).sha256 != before.sha256
    assert len(walks) == 2
