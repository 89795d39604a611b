import os
import socket

import pytest

from enron_triage.mail.message_ref import MessageRef, read_bytes


def ref(path):
    return MessageRef("doe-j/1.", "", str(path))


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "1.")
    with pytest.raises(ValueError, match="not a regular file"):
        read_bytes(ref(tmp_path / "1."))


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("1.")
        with pytest.raises(OSError, match=r"\[Errno"):
            read_bytes(ref("1."))


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "outside").write_bytes(b"Subject: secret\n\n")
    (tmp_path / "1.").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        read_bytes(ref(tmp_path / "1."))


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\t\n"])
def test_an_empty_file_is_refused(tmp_path, content):
    (tmp_path / "1.").write_bytes(content)
    with pytest.raises(ValueError, match="empty"):
        read_bytes(ref(tmp_path / "1."))


def test_a_file_larger_than_any_mail_is_refused_unread(tmp_path):
    with (tmp_path / "1.").open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    with pytest.raises(ValueError, match="larger than 64 MiB"):
        read_bytes(ref(tmp_path / "1."))


def test_a_file_that_vanished_after_the_listing_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_bytes(ref(tmp_path / "1."))


def test_a_problem_found_while_listing_is_raised_and_nothing_is_read():
    with pytest.raises(ValueError, match="half delivered"):
        read_bytes(MessageRef("doe-j/1.", "", "no such file", problem="half delivered"))


def test_a_range_of_a_file_is_read_and_its_from_lines_lose_one_mark(tmp_path):
    (tmp_path / "a.mbox").write_bytes(b"aaaa>From b\n>>From c\ndddd")
    assert read_bytes(MessageRef("a.mbox#0", "", str(tmp_path / "a.mbox"), 4, 21)) == b"From b\n>From c\n"
