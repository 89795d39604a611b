import contextlib
import gzip
import hashlib
import io
import json
import os
import tarfile
import threading
import time
from errno import ECONNREFUSED
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from enron_triage.cli.app import main
from enron_triage.config.load import load_config
from enron_triage.errors import TriageError, UsageError
from enron_triage.mail import download, fetch, http_pool


def make_archive(count=40):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(count):
            content = f"From: a@x.example\r\n\r\nmessage {number}\r\n".encode() * 20
            member = tarfile.TarInfo(f"maildir/a-b/inbox/{number}.")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


CONTENT = make_archive()


class Server:
    """A local HTTP server that behaves as a list of named behaviours says, one a request."""

    def __init__(self):
        self.content = CONTENT
        self.etag = '"one"'
        self.believed = None  # another one, for which the server sends the rest of what it has now
        self.encoding = ""
        self.behaviours = []
        self.requests = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests.append(dict(self.headers))
                behaviour = outer.behaviours.pop(0) if outer.behaviours else "good"
                outer.answer(self, behaviour)

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *arguments: None  # the client may hang up
        self.url = f"http://127.0.0.1:{self.http.server_port}/mail.tar"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, handler, behaviour):
        if isinstance(behaviour, int):
            handler.send_response(behaviour)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if behaviour == "redirect":
            handler.send_response(302)
            handler.send_header("Location", "/elsewhere/mail.tar")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if isinstance(behaviour, bytes):  # a whole answer
            handler.wfile.write(behaviour)
            handler.close_connection = True
            return
        if behaviour in ("slow headers", "slow body"):
            self.drip(handler, behaviour)
            return
        start = 0
        wanted = handler.headers.get("Range", "")
        if wanted and behaviour != "ignore range" and handler.headers.get("If-Range") in (self.etag, self.believed):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start and behaviour == "another range":
            start -= 1
        body = self.content[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body) + (100 if behaviour == "wrong length" else 0)))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        if self.encoding:
            handler.send_header("Content-Encoding", self.encoding)
        if self.etag:
            handler.send_header("ETag", self.etag)
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if behaviour == "cut" else body)
        if behaviour in ("cut", "wrong length"):
            handler.close_connection = True

    def drip(self, handler, behaviour):
        with contextlib.suppress(OSError):  # the client has hung up
            if behaviour == "slow body":
                handler.send_response(200)
                handler.send_header("Content-Length", "1000000")
                handler.end_headers()
            else:
                handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            for _ in range(1000):
                handler.wfile.write(b"x")
                time.sleep(0.01)
        handler.close_connection = True


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def waits():
    return []


def test_a_file_is_fetched_whole(server, tmp_path, waits):
    download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert (tmp_path / "mail.tar").read_bytes() == CONTENT
    assert waits == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mail.tar", "mail.tar.remote.json"]


def test_a_broken_transfer_goes_on_where_it_was(server, tmp_path, waits):
    server.behaviours = ["cut", "cut", "good"]
    download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert (tmp_path / "mail.tar").read_bytes() == CONTENT
    assert waits == [1, 2]  # seconds, doubling
    starts = [int(request.get("Range", "bytes=0-")[6:-1]) for request in server.requests]
    assert 0 == starts[0] < starts[1] <= len(CONTENT) // 2 < starts[2] < len(CONTENT)


def test_a_server_that_sends_another_range_than_asked_for_is_not_spliced(server, tmp_path, waits):
    server.behaviours = ["cut", "another range"]
    download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert (tmp_path / "mail.tar").read_bytes() == CONTENT
    assert "Range" not in server.requests[2]  # started over


def test_an_archive_declared_as_content_encoding_stays_compressed(server, tmp_path, waits):
    # Apache's mod_mime sends .tar.gz like this where it is told "AddEncoding x-gzip .gz".
    server.content, server.encoding = gzip.compress(CONTENT), "x-gzip"
    server.behaviours = ["cut"]
    download.fetch(server.url, tmp_path / "mail.tar.gz", wait=waits.append)
    assert (tmp_path / "mail.tar.gz").read_bytes() == server.content
    assert waits == [1]


def test_a_redirect_is_followed(server, tmp_path, waits):
    server.behaviours = ["redirect"]
    download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert (tmp_path / "mail.tar").read_bytes() == CONTENT
    assert waits == []


def test_what_is_no_url_is_refused_at_once(tmp_path, waits):
    with pytest.raises(UsageError, match="not a URL"):
        download.fetch("http:///mail.tar", tmp_path / "mail.tar", wait=waits.append)
    assert waits == []


def test_a_later_run_goes_on_too(server, tmp_path, waits):
    server.behaviours = ["cut"] * 6
    with pytest.raises(TriageError, match="after 6 tries"):
        download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert waits == [1, 2, 4, 8, 16]
    assert not (tmp_path / "mail.tar").exists()
    server.requests.clear()
    download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert "Range" in server.requests[0]
    assert (tmp_path / "mail.tar").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_is_started_over_with(server, tmp_path, waits):
    server.behaviours = ["cut", "ignore range"]
    download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert (tmp_path / "mail.tar").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_not_spliced(server, tmp_path, waits):
    server.behaviours = ["cut"] * 6
    with pytest.raises(TriageError):
        download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    server.content, server.etag = make_archive(30), '"two"'
    download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert (tmp_path / "mail.tar").read_bytes() == server.content


@pytest.mark.parametrize("etag", ['"two"', '"one"', ""])
def test_a_rest_of_another_file_is_not_joined_to_the_part(server, tmp_path, waits, etag):
    server.behaviours = ["cut"]
    target = tmp_path / "mail.tar"

    def wait(seconds):  # the file changes; the server sends the rest of it, whatever If-Range says
        waits.append(seconds)
        server.content, server.etag, server.believed = make_archive(60), etag, '"one"'

    download.fetch(server.url, target, wait=wait)
    assert target.read_bytes() == server.content
    assert waits == [1, 2]
    assert "Range" in server.requests[1] and "Range" not in server.requests[2]  # noqa: PT018


@pytest.mark.parametrize("name", ["mail.tar", "mail.tar.gz"])
def test_compression_that_was_not_asked_for_is_undone(server, tmp_path, waits, name):
    archive = CONTENT if name == "mail.tar" else gzip.compress(CONTENT)
    server.content, server.encoding = gzip.compress(archive), "gzip"
    server.behaviours = ["cut"]
    target = tmp_path / name
    download.fetch(server.url, target, wait=waits.append)
    assert target.read_bytes() == archive
    download.fetch(server.url, target, wait=waits.append)
    assert "Range" not in server.requests[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, f"{name}.remote.json"]
    server.content, server.etag = CONTENT, '"two"'  # which is not compressed at all
    with pytest.raises(TriageError, match="not encoded as it says"):
        download.fetch(server.url, tmp_path / name, wait=waits.append)
    assert target.read_bytes() == archive


def test_an_encoding_that_cannot_be_undone_is_refused(server, tmp_path, waits):
    server.encoding = "br"
    with pytest.raises(
        TriageError, match=r"an encoding that was not asked for \(br\); download the file in another way"
    ):
        download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert waits == []


def answer(*headers, status="200 OK"):
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (answer("Content-Length: \xb2"), "a Content-Length that is not a number"),
        (answer(f"Content-Length: {'9' * 5000}"), "a Content-Length that is not a number"),
        (answer("Content-Length: -1"), "a Content-Length that is not a number"),
        (answer("Location: http://[bad", status="302 Found"), "the server sends what cannot be used"),
        (answer("Location: ftp://x.example/a.tar", status="302 Found"), "the server sends what cannot be used"),
        (answer("Location: http://x.example:99999999/", status="302 Found"), "the server sends what cannot be used"),
        (answer(f"Location: http://{'a' * 300}.example/", status="302 Found"), "the server sends what cannot be used"),
        (answer("Location: http://a..example/\x01", status="302 Found"), "the server sends what cannot be used"),
        (answer(status="302 Found"), "the server answered 302 Found"),
        (answer("Location: /mail.tar", "Content-Length: 0", status="302 Found"), "redirects more than 5 times"),
        (b"what is not HTTP\r\n\r\n", "not fetched after 6 tries"),
        (answer("X: " + "x" * 70_000), "not fetched after 6 tries"),
    ],
)
def test_whatever_a_server_answers_is_one_short_line(server, tmp_path, waits, sent, says):
    server.behaviours = [sent] * 36
    with pytest.raises(TriageError, match=says) as raised:
        download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert len(str(raised.value)) < 700
    assert not (tmp_path / "mail.tar").exists()


def test_what_a_server_says_reaches_the_terminal_without_control_characters(server, monkeypatch, capfd):
    server.behaviours = [answer(status="404 \x1b]0;owned\x07\x9b31mNo" + "!" * 500)]
    monkeypatch.setattr("sys.argv", ["triage", "download", "--set", f"download.source={server.url}"])
    with pytest.raises(SystemExit):
        main()
    said = capfd.readouterr().err
    assert r"the server answered 404 \x1b]0;owned\x07\x9b31mNo!!!" in said
    assert len(said) < 500
    assert said.count("\n") == 1


@pytest.mark.parametrize(("behaviour", "says"), [("slow headers", "no whole answer"), ("slow body", "less than 1,000")])
def test_a_server_that_sends_a_byte_at_a_time_is_not_waited_for(
    server, tmp_path, waits, caplog, monkeypatch, behaviour, says
):
    monkeypatch.setattr(http_pool, "HEADERS_WITHIN", 0.1)
    monkeypatch.setattr(fetch, "_RATE_WITHIN", 0.1)
    server.behaviours = [behaviour, "good"]
    download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert (tmp_path / "mail.tar").read_bytes() == CONTENT
    assert waits == [1]
    assert says in caplog.text


def test_without_a_validator_a_part_is_not_gone_on_from(server, tmp_path, waits):
    server.etag = ""
    server.behaviours = ["cut"]
    download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert "Range" not in server.requests[1]
    assert (tmp_path / "mail.tar").read_bytes() == CONTENT


def test_a_wrong_length_is_never_taken_for_complete(server, tmp_path, waits):
    server.behaviours = ["wrong length"] * 6
    server.etag = ""
    with pytest.raises(TriageError, match="after 6 tries"):
        download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert not (tmp_path / "mail.tar").exists()


@pytest.mark.parametrize("status", [503, 429, 500, 416])
def test_temporary_failures_are_tried_again(server, tmp_path, waits, status):
    server.behaviours = [status, status]
    download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert len(waits) == 2
    assert (tmp_path / "mail.tar").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_refusal_is_final(server, tmp_path, waits, status):
    server.behaviours = [status]
    with pytest.raises(UsageError, match=str(status)):
        download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    assert waits == []


def test_a_server_that_is_not_there_is_named_once_with_a_short_cause(tmp_path, waits, caplog):
    url = "http://127.0.0.1:9/mail.tar"
    with pytest.raises(TriageError, match="after 6 tries") as raised:
        download.fetch(url, tmp_path / "mail.tar", wait=waits.append)
    assert len(waits) == 5
    cause = f"Failed to establish a new connection: {ConnectionRefusedError(ECONNREFUSED, os.strerror(ECONNREFUSED))}"
    assert caplog.messages == [f"{url}: {cause}; trying again"] * 5
    assert str(raised.value).startswith(f"{url}: not fetched after 6 tries ({cause}); ")


def test_a_transfer_that_breaks_off_has_a_short_cause(server, tmp_path, waits, caplog):
    server.behaviours = ["cut"]
    download.fetch(server.url, tmp_path / "mail.tar", wait=waits.append)
    half = len(CONTENT) // 2
    assert caplog.messages == [
        f"{server.url}: Connection broken: IncompleteRead({half} bytes read, {half} more expected); trying again"
    ]


def test_what_is_here_already_is_not_fetched_again_unless_the_server_has_another(server, tmp_path, waits):
    target = tmp_path / "mail.tar"
    download.fetch(server.url, target, wait=waits.append)
    before = target.stat().st_mtime_ns
    download.fetch(server.url, target, wait=waits.append)
    assert target.stat().st_mtime_ns == before
    server.content, server.etag = make_archive(30), '"two"'
    download.fetch(server.url, target, wait=waits.append)
    assert target.read_bytes() == server.content


def config_for(source, *overrides):
    return load_config([], [f"download.source={source}", *overrides], data_dir="data")


def test_the_stage_leaves_a_maildir_with_its_counts(server):
    result = download.run(config_for(server.url))
    assert result.data["files"] == 40
    assert result.data["mailboxes"] == 1
    assert len(list(Path("data/maildir/a-b/inbox").iterdir())) == 40
    assert json.loads(Path("data/maildir.meta.json").read_text())["counts"]["files"] == 40
    assert not list(Path("data").glob(".maildir*"))


def test_a_right_hash_is_accepted_and_a_wrong_one_keeps_the_old_maildir(server):
    right = hashlib.sha256(CONTENT).hexdigest()
    assert download.run(config_for(server.url, f"download.sha256={right.upper()}")).data["files"] == 40
    with pytest.raises(TriageError, match=f"its SHA-256 is {right}"):
        download.run(config_for(server.url, f"download.sha256={'f' * 64}"))
    assert len(list(Path("data/maildir/a-b/inbox").iterdir())) == 40


def test_a_truncated_archive_keeps_the_old_maildir(server, tmp_path):
    download.run(config_for(server.url))
    (tmp_path / "broken.tar").write_bytes(CONTENT[: len(CONTENT) // 2])
    with pytest.raises(TriageError, match="truncated or damaged"):
        download.run(config_for(tmp_path / "broken.tar", "overwrite=true"))
    assert len(list(Path("data/maildir/a-b/inbox").iterdir())) == 40


def test_a_local_archive_is_unpacked_in_place_of_the_old_one(tmp_path):
    (tmp_path / "mail.tar").write_bytes(CONTENT)
    download.run(config_for(tmp_path / "mail.tar"))
    (tmp_path / "mail.tar").write_bytes(make_archive(3))
    assert download.run(config_for(tmp_path / "mail.tar")).data["files"] == 3
    assert len(list(Path("data/maildir/a-b/inbox").iterdir())) == 3


@pytest.mark.parametrize("source", ["nowhere.tar.gz", ".", "ftp://x.example/mail.tar", "http://x.example/"])
def test_a_source_that_cannot_be_is_refused(source):
    if source == "http://x.example/":
        Path("data/archive").mkdir(parents=True)
    with pytest.raises(UsageError):
        download.run(config_for(source))


def test_the_demo_source_writes_the_demo_corpus():
    result = download.run(config_for("demo", "download.demo.mailboxes=3", "download.demo.messages=150"))
    assert result.data["mailboxes"] == 3
    assert 135 <= result.data["files"] <= 165


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "mail.tar").write_bytes(CONTENT)
    (tmp_path / "data").write_text("a file where the folder belongs")
    with pytest.raises(
        TriageError, match=r"cannot be written: .*; free some space there, or choose another folder \(--data-dir"
    ):
        download.run(config_for(tmp_path / "mail.tar"))


def test_the_cmu_archive_is_fetched_from_its_page(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(download, "fetch", lambda url, target: (asked.append(url), target.write_bytes(CONTENT)))
    Path("data").mkdir()
    download.run(config_for("cmu"))
    assert asked == ["https://www.cs.cmu.edu/~enron/enron_mail_20150507.tar.gz"]


def test_a_fetched_archive_with_a_wrong_hash_is_removed_so_that_the_next_run_fetches_it_again(server):
    right, server.content = hashlib.sha256(CONTENT).hexdigest(), make_archive(3)
    with pytest.raises(TriageError, match=f"download.sha256 says {right}"):
        download.run(config_for(server.url, f"download.sha256={right}"))
    assert list(Path("data").iterdir()) == []
    server.content = CONTENT  # under the same ETag
    assert download.run(config_for(server.url, f"download.sha256={right}")).data["files"] == 40


def test_a_local_archive_with_a_wrong_hash_is_left_alone(tmp_path):
    (tmp_path / "mail.tar").write_bytes(CONTENT)
    with pytest.raises(TriageError, match="its SHA-256 is"):
        download.run(config_for(tmp_path / "mail.tar", f"download.sha256={'f' * 64}"))
    assert (tmp_path / "mail.tar").read_bytes() == CONTENT
    assert not Path("data/maildir").exists()
