import base64
import io
import json
import logging
import os
import tarfile

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.config.load import load_config
from enron_triage.errors import TriageError, UsageError
from enron_triage.mail import batches, message_ref, parse
from enron_triage.mail.batches import Batch, make_batches, parse_batch
from enron_triage.mail.message_ref import MessageRef
from enron_triage.mail.sources import SOURCES, enron_archive, open_tree
from enron_triage.records import Email, ParseError
from enron_triage.runtime.artifacts import read_records

FROM = b"From jane@x.example Mon May 14 16:39:00 2001\n"
RECORDS = msgspec.json.Decoder(list[Email])


def mail(number, body="Hello"):
    return (
        f"Message-ID: <{number}@x.example>\r\nDate: Mon, 14 May 2001 16:39:00 -0700\r\n"
        f"From: jane@x.example\r\nTo: bob@x.example\r\nSubject: number {number}\r\n\r\n{body}\r\n"
    ).encode()


def write(root, contents):
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def run(source, data="data", *overrides, **top_level):
    config = load_config((), [f"parse.source={source}", *overrides], data_dir=str(data), **{"workers": 1, **top_level})
    return parse.run(config)


def outcome(data):
    """The records' and the errors' paths."""
    records = json.loads((data / "emails.json").read_text())
    errors = json.loads((data / "parse_errors.json").read_text())
    return [record["path"] for record in records], {error["path"]: error["error"] for error in errors}


def parse_raw(raw):
    """What `parse_batch` makes of one message that is at hand."""
    return parse_batch(Batch("doe-j", [MessageRef("doe-j/1.", "", "", content=raw)]))


def parse_bytes(folder, *messages):
    """What `parse_batch` makes of some messages; checks that none is lost and all are valid JSON."""
    refs = []
    for number, raw in enumerate(messages):
        path = folder / f"{number}."
        path.write_bytes(raw)
        refs.append(MessageRef(f"doe-j/{number}.", "", str(path)))
    parsed = parse_batch(Batch("doe-j", refs))
    records = RECORDS.decode(b"[" + parsed.records + b"]")
    assert parsed.user == "doe-j"
    assert len(records) == parsed.count
    assert sorted(r.path for r in [*records, *parsed.errors]) == sorted(ref.path for ref in refs)
    assert msgspec.json.decode(msgspec.json.encode(parsed.errors), type=list[ParseError]) == parsed.errors
    return records, parsed.errors


# The stage


def test_every_file_ends_as_a_record_or_an_error(tmp_path):
    source = write(
        tmp_path / "maildir",
        {
            "doe-j/inbox/1.": mail(1),
            "doe-j/inbox/2.": b"",
            "doe-j/inbox/3.": b"no mail at all\n",
            "doe-j/sent/sub/4.": mail(4),
            "roe-r/5.": mail(5),
        },
    )
    (source / "doe-j/inbox/6.").symlink_to(source / "doe-j/inbox/1.")
    os.mkfifo(source / "doe-j/inbox/7.")
    result = run(source, tmp_path / "data")
    records, errors = outcome(tmp_path / "data")
    assert records == ["doe-j/inbox/1.", "doe-j/sent/sub/4.", "roe-r/5."]
    assert errors == {
        "doe-j/inbox/2.": "ValueError: empty",
        "doe-j/inbox/3.": "ValueError: no mail headers",
        "doe-j/inbox/6.": "Too many levels of symbolic links",
        "doe-j/inbox/7.": "ValueError: not a regular file",
    }
    assert result.data == {"files": 7, "records": 3, "errors": 4, "mailboxes": 2, "not_read": 0, "format": "enron"}
    assert "7 messages in 2 mailboxes: 3 records, 4 errors" in result.table
    meta = json.loads((tmp_path / "data" / "emails.json.meta.json").read_text())
    assert meta["counts"] == {"files": 7, "records": 3, "errors": 4, "mailboxes": 2, "not_read": 0}


def test_a_record_knows_where_it_lies(tmp_path):
    source = write(tmp_path / "maildir", {"doe-j/a/b/1.": mail(1, "caf\u00e9")})
    run(source, tmp_path / "data")
    (record,) = read_records(tmp_path / "data" / "emails.json", Email)
    assert (record.path, record.user, record.folder) == ("doe-j/a/b/1.", "doe-j", "a/b")
    assert (record.subject, record.body, record.timestamp) == ("number 1", "café\n", 989_883_540)


def test_without_a_source_the_maildir_of_the_data_folder_is_read(tmp_path):
    write(tmp_path / "data" / "maildir", {"doe-j/1.": mail(1)})
    config = load_config((), (), data_dir=str(tmp_path / "data"), workers=1)
    assert parse.run(config).data["records"] == 1


def test_no_errors_give_an_empty_array(tmp_path, tiny_corpus):
    result = run(tiny_corpus, tmp_path / "data")
    assert json.loads((tmp_path / "data" / "parse_errors.json").read_text()) == []
    files = sum(path.is_file() for path in tiny_corpus.rglob("*"))
    assert result.data == {
        "files": files,
        "records": files,
        "errors": 0,
        "mailboxes": 3,
        "not_read": 0,
        "format": "enron",
    }


def test_one_worker_and_two_give_the_same_bytes(tmp_path, tiny_corpus, monkeypatch):
    bad = {f"{owner.name}/inbox/bad{n}": b"x" for owner in tiny_corpus.iterdir() for n in range(3)}
    source = tmp_path / "maildir"
    source.mkdir()
    for path in tiny_corpus.rglob("*"):
        if path.is_file():
            write(source, {str(path.relative_to(tiny_corpus)): path.read_bytes()})
    write(source, bad)
    monkeypatch.setattr("enron_triage.mail.batches._BATCH", 7)
    for workers in (1, 2):
        run(source, tmp_path / str(workers), workers=workers)
    for name in ("emails.json", "parse_errors.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    records, errors = outcome(tmp_path / "2")
    assert records == sorted(records)
    assert list(errors) == sorted(bad)
    assert set(errors.values()) == {"ValueError: no mail headers"}


def test_the_first_errors_are_shown_and_the_rest_counted(tmp_path, caplog):
    source = write(tmp_path / "maildir", {"a/0.": mail(0), **{f"a/{n}.": b"" for n in range(1, 6)}})
    with caplog.at_level(logging.WARNING):
        run(source, tmp_path / "data")
    assert [record.getMessage() for record in caplog.records] == [
        "a/1.: ValueError: empty",
        "a/2.: ValueError: empty",
        "a/3.: ValueError: empty",
        f"2 more files could not be parsed; see {tmp_path / 'data' / 'parse_errors.json'}",
    ]


def test_the_limit_counts_files(tmp_path):
    source = write(tmp_path / "maildir", {f"{user}/{n}.": mail(n) for user in "ab" for n in range(3)})
    write(source, {"a/0.": b""})
    result = run(source, tmp_path / "data", "parse.limit=4")
    assert outcome(tmp_path / "data") == (["a/1.", "a/2.", "b/0."], {"a/0.": "ValueError: empty"})
    assert (result.data["files"], result.data["mailboxes"]) == (4, 2)


def pack(archive, contents, top="maildir"):
    """An archive of some files, in this order."""
    with tarfile.open(archive, f"w:{archive.suffix[1:]}") as tar:
        for name, content in contents:
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive


SCATTERED = [
    ("doe-j/sent/2.", mail(1)),
    ("beside.txt", b"no mailbox"),
    ("roe-b/inbox/1.", mail(2)),
    ("doe-j/inbox/deep/3.", mail(3)),
    ("doe-j/inbox/1.", b""),
    ("doe-j/inbox.txt", mail(4)),
    ("adam-x/all/10.", b"no headers"),
    ("adam-x/all/9.", mail(5)),
]


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz"])
@pytest.mark.parametrize("top", ["maildir", "./maildir"])
def test_an_archive_gives_the_same_bytes_as_the_folder_that_it_unpacks_to(tmp_path, caplog, suffix, top):
    run(write(tmp_path / "tree", dict(SCATTERED)), tmp_path / "tree_data")
    for workers in (1, 2):
        data = tmp_path / f"data{workers}"
        result = run(pack(tmp_path / f"mail.{suffix}", SCATTERED, top), data, workers=workers)
        assert result.data["format"] == "enron"
        assert result.data["mailboxes"] == 3
        for name in ("emails.json", "parse_errors.json"):
            assert (data / name).read_bytes() == (tmp_path / "tree_data" / name).read_bytes()
    assert "files next to the mailboxes are not read: 1 (beside.txt)" in caplog.text
    assert len(list(tmp_path.glob("data1/*"))) == 4  # two artifacts and their meta data: nothing temporary is left


def test_an_archive_of_large_messages_is_read_in_smaller_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "_BATCH_BYTES", 1000)
    archive = pack(tmp_path / "mail.tar.gz", [(f"doe-j/inbox/{n}.", mail(n, "x" * 400)) for n in range(7)])
    assert [len(batch.refs) for batch in make_batches(SOURCES["enron"].mailboxes(open_tree(archive)))] == [2, 2, 2, 1]
    assert run(archive, tmp_path / "data").data["records"] == 7
    assert run(archive, tmp_path / "data", "parse.limit=3").data["records"] == 3


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([("doe-j/inbox/1.", mail(1)), ("doe-j/inbox/1.", mail(2))], "'doe-j/inbox/1.' appears twice"),
        ([("doe-j/inbox/1.", mail(1)), ("doe-j/inbox/1.", b"")], "'doe-j/inbox/1.' appears twice"),
        ([("doe-j/inbox", mail(1)), ("doe-j/inbox/1.", mail(2))], "'doe-j/inbox/1.' is below a file"),
        ([("doe-j/inbox/1.", mail(1)), ("doe-j/inbox", mail(2))], "'doe-j/inbox' appears twice"),
        ([("doe-j/../../1.", mail(1))], "would be written outside"),
        ([("beside.txt", b"no mail")], r"no mail in it; not read: 1 files \(\*\.txt\)"),
        ([], "no mail in it; set parse.source to a folder"),
    ],
)
def test_a_bad_archive_is_refused_and_the_old_artifact_kept(tmp_path, tiny_corpus, contents, message):
    run(tiny_corpus, tmp_path / "data")
    before = (tmp_path / "data" / "emails.json").read_bytes()
    with pytest.raises(TriageError, match=message):
        run(pack(tmp_path / "mail.tar.gz", contents), tmp_path / "data", overwrite=True)
    assert (tmp_path / "data" / "emails.json").read_bytes() == before


@pytest.mark.parametrize("headers", [{"GNU.sparse.map": "abc,de"}, {"GNU.sparse.size": "abc"}])
def test_hostile_headers_of_an_archive_are_damage(tmp_path, headers):
    archive = tmp_path / "mail.tar.gz"
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("doe-j/1.")
        member.pax_headers = headers
        tar.addfile(member)
    with pytest.raises(TriageError, match="truncated or damaged"):
        run(archive, tmp_path / "data")


def test_a_huge_member_of_an_archive_is_an_error_like_a_huge_file(tmp_path, monkeypatch):
    monkeypatch.setattr(enron_archive, "MAX_BYTES", 500)
    monkeypatch.setattr(message_ref, "MAX_BYTES", 500)
    contents = [("doe-j/1.", mail(1, "x" * 500)), ("doe-j/2.", mail(2))]
    run(pack(tmp_path / "mail.tar.gz", contents), tmp_path / "data")
    assert outcome(tmp_path / "data") == (["doe-j/2."], {"doe-j/1.": "ValueError: larger than 64 MiB"})
    run(write(tmp_path / "tree", dict(contents)), tmp_path / "tree_data")
    assert outcome(tmp_path / "tree_data") == outcome(tmp_path / "data")


def test_a_truncated_archive_is_refused_by_parse(tmp_path):
    archive = pack(tmp_path / "mail.tar.xz", [(f"doe-j/{n}.", os.urandom(3000)) for n in range(30)])
    archive.write_bytes(archive.read_bytes()[:50_000])
    with pytest.raises(TriageError, match="truncated or damaged; fetch it again"):
        run(archive, tmp_path / "data")
    assert not (tmp_path / "data" / "emails.json").exists()


def test_a_missing_source_is_one_clear_line_and_writes_nothing(tmp_path):
    message = r"nowhere: no such file or folder; set parse\.source to a folder of mailboxes"
    with pytest.raises(UsageError, match=message) as error:
        run(tmp_path / "nowhere", tmp_path / "data")
    assert error.value.exit_status == 2
    with pytest.raises(UsageError, match=message):
        run(tmp_path / "nowhere", tmp_path / "data", "parse.format=mbox")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({}, r"contains no mail, read as files; set parse\.source to a folder of mailboxes, a Maildir or an mbox"),
        (
            {"a/inbox/1.": b"", "a/inbox/2.": b"junk"},
            r"no message found, read as enron \(2 files could not be parsed\)",
        ),
    ],
)
def test_a_corpus_without_a_message_is_refused_and_the_old_artifact_kept(tmp_path, contents, message):
    data = write(tmp_path / "data", {"emails.json": b"old", "parse_errors.json": b"old"})
    (tmp_path / "maildir").mkdir()
    write(tmp_path / "maildir", contents)
    with pytest.raises(UsageError, match=rf"maildir: {message}"):
        run(tmp_path / "maildir", data)
    assert {path.name: path.read_bytes() for path in data.iterdir()} == {
        "emails.json": b"old",
        "parse_errors.json": b"old",
    }


def test_an_mbox_of_no_bytes_is_said_to_be_empty(tmp_path):
    write(tmp_path, {"mine.mbox": b""})
    with pytest.raises(UsageError, match=r"mine\.mbox: an empty file; export the mail again"):
        run(tmp_path / "mine.mbox", tmp_path / "data")


@pytest.mark.parametrize("layout", ["enron", "maildir"])
def test_a_file_where_a_folder_belongs_is_refused(tmp_path, layout):
    write(tmp_path, {"export": FROM + mail(1)})
    with pytest.raises(UsageError, match=r"a file, but a folder is expected; set parse\.format=mbox"):
        run(tmp_path / "export", tmp_path / "data", f"parse.format={layout}")


def test_a_full_disk_is_one_clear_line(tmp_path):
    source = write(tmp_path / "maildir", {"a/1.": mail(1)})
    (tmp_path / "data").write_bytes(b"a file")
    with pytest.raises(TriageError, match=r"emails\.json: cannot be written"):
        run(source, tmp_path / "data")


def test_an_mbox_becomes_a_mailbox_of_its_name(tmp_path):
    messages = [
        b"X-Gmail-Labels: Inbox,Unread\n" + mail(0, ">From here it goes on").replace(b"\r", b""),
        b"X-Nothing: not a mail\n",
        b"X-Gmail-Labels: Sent\n" + mail(2, "text\n\nFrom here too.").replace(b"\r", b""),
    ]
    source = tmp_path / "mine.mbox"
    source.write_bytes(b"".join(FROM + message + b"\n" for message in messages))
    result = run(source, tmp_path / "data")
    records = list(read_records(tmp_path / "data" / "emails.json", Email))
    assert [(r.user, r.path, r.folder, r.labels) for r in records] == [
        ("mine", "mine.mbox#0", "", ["Inbox", "Unread"]),
        ("mine", "mine.mbox#2", "", ["Sent"]),
    ]
    assert [r.body.strip() for r in records] == ["From here it goes on", "text\n\nFrom here too."]
    assert outcome(tmp_path / "data")[1] == {"mine.mbox#1": "ValueError: no mail headers"}
    assert result.data == {"files": 3, "records": 2, "errors": 1, "mailboxes": 1, "not_read": 0, "format": "mbox"}


def test_an_unfinished_delivery_of_a_maildir_is_an_error(tmp_path):
    source = write(tmp_path / "me", {"cur/1:2,S": mail(1), "new/2": mail(2), "tmp/3": mail(3), ".A/tmp/5": mail(5)})
    write(source, {".A/cur/4:2,": mail(4), ".A/new/6": mail(6)})
    result = run(source, tmp_path / "data")
    records = list(read_records(tmp_path / "data" / "emails.json", Email))
    assert [(r.user, r.folder, r.subject) for r in records] == [
        *[("me", "", "number 1"), ("me", "", "number 2")],
        *[("me", "A", "number 4"), ("me", "A", "number 6")],
    ]
    errors = outcome(tmp_path / "data")[1]
    assert [path.rpartition("/")[2] for path in errors] == ["3", "5"]
    assert set(errors.values()) == {"ValueError: an unfinished delivery in a Maildir's tmp"}
    assert result.data == {"files": 6, "records": 4, "errors": 2, "mailboxes": 1, "not_read": 0, "format": "maildir"}


def test_a_folder_named_tmp_in_a_tree_is_a_folder_like_any_other(tmp_path):
    source = write(tmp_path / "maildir", {"doe-j/tmp/1.": mail(1), "tmp/inbox/2.": mail(2), "tmp/3.": mail(3)})
    run(source, tmp_path / "data")
    assert outcome(tmp_path / "data") == (["doe-j/tmp/1.", "tmp/3.", "tmp/inbox/2."], {})


@pytest.mark.parametrize("layout", ["enron", "maildir", "mbox"])
def test_a_mailbox_whose_name_is_not_utf_8_is_parsed(tmp_path, layout):
    odd = os.fsdecode(b"caf\xe9")
    names = {"enron": ["1.", "2."], "maildir": ["cur/1", "new/2"], "mbox": []}[layout]
    contents = {f"{odd}/{name}": content for name, content in zip(names, [mail(1), b""], strict=False)}
    contents = contents or {f"{odd}.mbox": FROM + mail(1).replace(b"\r", b"") + b"\n" + FROM + b"\n\n"}
    result = run(write(tmp_path / "source", contents), tmp_path / "data", f"parse.format={layout}")
    assert (result.data["records"], result.data["errors"]) == (1, 1)
    (record,) = read_records(tmp_path / "data" / "emails.json", Email)
    assert (record.user, record.subject) == ("caf\\xe9", "number 1")


# Hostile mail


def nested(depth, leaf=b"Content-Type: text/plain\n\nthe leaf\n"):
    head = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth))
    return b"Subject: nested\n" + head + leaf


HOSTILE = {
    "parts nested 100 deep": nested(100),
    "parts nested 5,000 deep": nested(5000),
    "messages nested 5,000 deep": b"Subject: x\n" + b"Content-Type: message/rfc822\n\n" * 5000 + b"x",
    "10,000 parts": b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 10_000,
    "an endless boundary": b"Subject: x\nContent-Type: multipart/mixed; boundary=" + b"b" * 100_000 + b"\n\n--b\n\nx",
    "100,000 parentheses": b"From: " + b"(" * 100_000 + b"\nTo: " + b"(" * 100_000 + b"a@x.example\n\nx",
    "100,000 quotes": b"From: " + b'"' * 100_000 + b"<\nCc: " + b"<" * 100_000 + b"\n\nx",
    "an address of 60,000 letters": b"From: " + b"a." * 30_000 + b"<\n\nx",
    "100,000 semicolons in quotes": b'Subject: x\nContent-Type: text/html; x="' + b";" * 100_000 + b"\n\n<p>x",
    "semicolons behind a carriage return": b'Subject: x\rContent-Type: text/html; x="' + b";" * 120_000 + b"\n\n<p>x",
    "100,000 parameters": b"Subject: x\nContent-Type: text/html; " + b"x=y;" * 50_000 + b"\n\n<p>x",
    "encoded words that never end": b"Subject: " + b"=?a?q?x " * 14_000 + b"\n\nx",
    "20,000 encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 20_000 + b"\n\nx",
    "a slow charset": b"Subject: x\nContent-Type: text/plain; charset=punycode\n\n" + b"a-" + b"b9" * 100_000,
    "a slow charset in HTML": b"Subject: x\nContent-Type: text/html; charset=idna\n\n" + b"a" * 300_000,
    "a slow charset in a subject": b"Subject: =?punycode?q?a-" + b"b9" * 100_000 + b"?=\n\nx",
    "a charset that is no text": b"Subject: =?zlib?q?x?=\nContent-Type: text/plain; charset=bz2\n\nx",
    "escapes": b"Subject: x\nContent-Type: text/plain; charset=unicode_escape\n\n\\d \\ud800 \\N{no such}",
    "a charset with NUL": b"Subject: =?a\0b?q?x?=\nContent-Type: text/html; charset=a\0b\n\n<p>x",
    "NUL bytes": b"Subject: a\0b\0\nFrom: \0@\0\nDate: \0\nX-From: \0\nMessage-ID: \0\n\n\0\0x\0",
    "NUL bytes in HTML": b"Subject: x\nContent-Type: text/html\n\n<p>\0a\1b</p>\x0b<br>\x1f",
    "lone surrogates": b"Subject: =?utf-7?q?+2AA-?= \xed\xa0\x80\nFrom: =?utf-7?q?+2AA-?= <\xed\xa0\x80@x>\n"
    b"X-Gmail-Labels: =?utf-7?q?+2AA-?=\nContent-Type: text/plain; charset=utf-7\n\n+2AA-",
    "lone surrogates in HTML": b"Subject: x\nContent-Type: text/html; charset=utf-7\n\n<p>+2AA-&#xD800;</p>",
    "broken base64": b"Subject: x\nContent-Transfer-Encoding: base64\n\n=a=b=\xff\0",
    "broken uuencode": b"Subject: x\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n\xff\xff\n",
    "a body of equals signs": b"Subject: x\nContent-Transfer-Encoding: quoted-printable\n\n" + b"=" * 500_000,
    "a header of 5 MB": b"Subject: " + b"x" * 5_000_000 + b"\n\nx",
    "200,000 folds": b"Subject: x\n" + b" y\n" * 200_000 + b"\nx",
    "100,000 headers": b"X-A: b\n" * 100_000 + b"Subject: x\nContent-Type: text/html\n\nx",
    "carriage returns": b"Subject: x" + b"\r" * 100_000 + b"\n\n" + b"\r" * 100_000,
    "a date of 100,000 digits": b"Date: 14 May " + b"9" * 100_000 + b"\n\nx",
    "tags nested 100,000 deep": b"Subject: x\nContent-Type: text/html\n\n" + b"<div>" * 100_000,
    "header names only": b":\n: \nFrom\n\n",
    "binary": bytes(range(256)) * 40,
}

GROWING = {
    "a body of equals signs": lambda n: (
        b"Subject: x\nContent-Transfer-Encoding: quoted-printable\n\n" + b"=" * (60 * n)
    ),
    "a header of megabytes": lambda n: b"Subject: " + b"x" * (600 * n) + b"\n\nx",
    "folds": lambda n: b"Subject: x\n" + b" y\n" * (25 * n) + b"\nx",
    "headers": lambda n: b"X-A: b\n" * (12 * n) + b"Subject: x\nContent-Type: text/html\n\nx",
    "carriage returns": lambda n: b"Subject: x" + b"\r" * (12 * n) + b"\n\n" + b"\r" * (12 * n),
    "a date of digits": lambda n: b"Date: 14 May " + b"9" * (12 * n) + b"\n\nx",
    "one endless line": lambda n: b"Subject: x\n\n" + b"on a:" * (60 * n),
    "nested tags": lambda n: b"Subject: x\nContent-Type: text/html\n\n" + b"<div>" * (12 * n),
}


@pytest.mark.slow
@pytest.mark.parametrize("make", GROWING.values(), ids=GROWING)
def test_a_hostile_message_costs_no_time(make, assert_linear):
    assert_linear(parse_raw, make, 1000)


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_message_costs_at_most_an_entry(tmp_path, raw):
    records, _ = parse_bytes(tmp_path, mail(1), raw, mail(2))
    assert (records[0].subject, records[-1].subject) == ("number 1", "number 2")


def test_hostile_messages_are_still_read_where_they_can_be(tmp_path):
    names = ["parts nested 100 deep", "100,000 parentheses", "a slow charset", "NUL bytes", "lone surrogates"]
    records, errors = parse_bytes(tmp_path, *(HOSTILE[name] for name in names))
    assert errors == []
    deep, parentheses, slow, nul, surrogates = records
    assert deep.body.strip() == "the leaf"
    assert (parentheses.sender, parentheses.to) == ("", ["a@x.example"])
    assert len(slow.body) == 200_002
    assert (nul.subject, nul.body, nul.date, nul.sender_name) == ("a\0b\0", "\0\0x\0", None, "\0")
    assert (surrogates.subject[:3], surrogates.body, surrogates.labels) == ("���", "���", ["���"])
    assert surrogates.raw_subject.startswith("=?utf-7?q?+2AA-?= ")


def test_parts_nested_beyond_reason_are_an_error(tmp_path):
    records, errors = parse_bytes(tmp_path, nested(5000))
    assert records == []
    assert errors[0].error.startswith("ValueError: more than 5000 parts")


fragments = st.sampled_from(
    [
        b"Subject: ",
        b"From: ",
        b"To: ",
        b"Date: 14 May 2001 16:39:00 +0000",
        b"Content-Type: text/plain; charset=utf-7",
        b"Content-Type: text/html; charset=utf-16",
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-Disposition: attachment",
        b"X-Gmail-Labels: ",
        b"=?utf-7?q?+2AA-?=",
        b"=?utf-8?b?//8=?=",
        b"--b",
        b"--b--",
        b"<p>&#xD800;",
        b"a@x.example",
        b"<",
        b"(",
        b"\n",
        b"\n",
        b"\n\n",
        b"\r\n",
        b"\n ",
        base64.b64encode(b"\xed\xa0\x80"),
    ]
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.lists(fragments | st.binary(max_size=6), max_size=16).map(b"".join), max_size=3))
def test_any_bytes_end_as_records_or_errors(tmp_path_factory, messages):
    parse_bytes(tmp_path_factory.getbasetemp(), *messages)


def test_a_file_that_cannot_be_read_is_an_error_with_the_systems_reason(tmp_path):
    parsed = parse_batch(Batch("a", [MessageRef("a/1.", "", str(tmp_path / "1.")), MessageRef("a/2.", "", "a\0b")]))
    assert [(error.path, error.error) for error in parsed.errors] == [
        ("a/1.", "No such file or directory"),
        ("a/2.", "ValueError: embedded null byte"),
    ]
    assert (parsed.records, parsed.count) == (b"", 0)


def test_a_source_in_the_home_folder_may_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write(tmp_path / "mail", {"doe-j/inbox/1.": mail(1)})
    assert run("~/mail", tmp_path / "data").data["records"] == 1
