import pytest

from enron_triage.mail.flags import status_flags
from enron_triage.mail.message import parse_message


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("box/cur/1.M2P3.host:2,RS", ["replied"]),
        ("box/.Sub/cur/1.M2P3.host,S=9,W=10:2,PSabc", ["forwarded"]),  # keywords follow
        ("box/cur/1.host!2,ST", ["deleted"]),  # where a colon is not allowed
        ("box/cur/1.host;2,D", ["draft"]),
        ("box/cur/1.host_2,RT", ["deleted", "replied"]),
        ("box/cur/1.host%3A2,R", ["replied"]),
        ("box/cur/1.host\uf03a2,R", ["replied"]),
        ("box/new/1.host:2,R.eml", ["replied"]),
        ("cur/1.host:2,R", ["replied"]),
        ("box/cur/1.host:2,FS", []),
        ("box/cur/1.host:2,", []),
        ("box/cur/1.host", []),
        ("box/cur/1.host:1,R", []),  # experimental, of no known meaning
        ("box/inbox/note_2,RT", []),  # no Maildir
        ("all.mbox#2", []),
    ],
)
def test_a_maildir_keeps_flags_in_the_name(name, flags):
    assert status_flags(name, {}) == flags


@pytest.mark.parametrize(
    ("headers", "flags"),
    [
        ({"status": "RO", "x-status": "A"}, ["replied"]),
        ({"x-status": "DF"}, ["deleted"]),
        ({"x-status": "T"}, ["draft"]),
        ({"status": "RO", "x-status": ""}, []),
        ({"status": "r"}, ["replied"]),
        ({"x-keywords": "NonJunk $Forwarded"}, ["forwarded"]),
        ({"x-mozilla-keys": "$label1 $forwarded      "}, ["forwarded"]),
        ({"x-mozilla-status": "0001"}, []),
        ({"x-mozilla-status": "1003", "x-mozilla-status2": "00000000"}, ["forwarded", "replied"]),
        ({"x-mozilla-status": "0009"}, ["expunged"]),
        ({"x-mozilla-status": "0001", "x-mozilla-status2": "00200000"}, ["deleted"]),
        ({"x-mozilla-status": "10 zz", "x-mozilla-status2": "f" * 9000}, []),
        ({"x-evolution": "00000a3f-0011"}, ["replied"]),
        ({"x-evolution": "00000a3f-0016"}, ["deleted", "draft"]),
    ],
)
def test_an_mbox_keeps_flags_in_headers(headers, flags):
    assert status_flags("all.mbox#0", headers) == flags


def test_where_the_file_has_flags_headers_came_with_the_message():
    assert status_flags("box/cur/1.host:2,S", {"x-status": "AD", "x-mozilla-status": "0009"}) == []


@pytest.mark.parametrize(("number", "flags"), [(8590195713, []), (4, ["replied"]), (2 | 256, ["deleted", "forwarded"])])
def test_apple_mail_keeps_flags_behind_the_message(number, flags):
    plist = f"<plist><dict>\n\t<key>flags</key>\n\t<integer>{number}</integer>\n</dict></plist>".encode()
    assert status_flags("V9/INBOX.mbox/Messages/7.emlx", {}, b"20\nFrom: a@b.example\n\nx" + plist) == flags
    assert status_flags("V9/INBOX.mbox/7.eml", {}, b"From: a@b.example\n\n" + plist) == []  # the sender's own text


def test_a_record_has_the_flags_of_its_message():
    raw = b"X-Mozilla-Status: 0003\nFrom: a@b.example\nSubject: tea\n\nYes.\n"
    assert parse_message(raw, path="Inbox#0", user="me", folder="Inbox").flags == ["replied"]
    assert parse_message(raw[23:], path="Inbox#0", user="me", folder="Inbox").flags == []
