"""What stands before, around and between the lines of a message, and headers that were damaged."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail.headers import MAX_HEADERS
from enron_triage.mail.mime import read

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)
MAIL = b"From: a@x.example\nSubject: one\n two\n\nText.\n\nFrom here on.\n"
EXPECTED = ({"from": "a@x.example", "subject": "one two"}, "Text.\n\nFrom here on.\n")
PLIST = b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "x">\n<plist><dict/></plist>\n'


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + MAIL,
        b"\n" + MAIL,
        b"\r\n \t\r\n" + MAIL.replace(b"\n", b"\r\n"),
        b"From a@x.example Mon Sep  4 08:00:00 2023\n" + MAIL,
        b">From a@x.example Mon Sep  4 08:00:00 2023\n" + MAIL,
        b"\xef\xbb\xbf\n>>From -\n" + MAIL,
        b"Microsoft Mail Internet Headers Version 2.0\n" + MAIL,
        MAIL.replace(b"Subject", b"Microsoft Mail Internet Headers Version 2.0\nSubject"),
        MAIL.replace(b"\n", b"\r\n"),
        MAIL.replace(b"\n", b"\r\r\n"),
        MAIL.replace(b"\n", b"\r"),
        MAIL.replace(b"\n", b"\r\n", 2),
        b"%-10d\n" % len(MAIL) + MAIL + PLIST,
        b"%d\r\n" % len(MAIL.replace(b"\n", b"\r\n")) + MAIL.replace(b"\n", b"\r\n") + PLIST,
        b"%d\n" % (len(MAIL) + 7) + MAIL + PLIST,  # the count is of CRLF
        b"%d\n" % len(MAIL) + MAIL,
        MAIL.decode().encode("utf-16"),
        MAIL.decode().encode("utf-16-le"),
        MAIL.replace(b"\n", b"\n\n"),
        MAIL.replace(b"\n", b"\r\n\r\n"),
    ],
)
def test_what_is_no_part_of_a_message_is_taken_away(raw):
    assert read(raw)[:2] == EXPECTED


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("From: a\nnonsense\nTo: b", {"from": "a", "to": "b"}),
        ("From: a\nnonsense\n folded\nX-Mailer: b", {"from": "a", "x-mailer": "b"}),
        ("From: a\nfirst second: third\nTo: b", {"from": "a", "to": "b"}),
        ("From: a\n: no name\nTo: b", {"from": "a", "to": "b"}),
        (" folded under nothing\nFrom: a", {"from": "a"}),
        ("From : a\nSUBJECT:b", {"from": "a", "subject": "b"}),
        ("From: a\n\t \n b\nTo: c", {"from": "a\t  b", "to": "c"}),
    ],
)
def test_a_damaged_header_costs_no_other(head, expected):
    assert read(f"{head}\n\nText\n".encode())[:2] == (expected, "Text\n")


def test_paragraphs_that_look_like_fields_are_no_doubled_line_ends():
    text = "To: all\n\nFrom: me\nabout: this\n"
    assert read(b"Subject: one\n\n" + text.encode()) == ({"subject": "one"}, text, [])


def test_several_fields_of_ids_are_one_list():
    raw = b"References: <a@x>\nSubject: one\nReferences: <b@x>\nIn-Reply-To: <c@x>\nIn-Reply-To: <d@x>\n\nText"
    assert read(raw)[0] == {"references": "<a@x> <b@x>", "subject": "one", "in-reply-to": "<c@x> <d@x>"}


def test_a_text_may_follow_the_headers_without_an_empty_line():
    raw = b"From: a\nSubject: b\nDear all,\nNote: bring bread.\n\nBye\n"
    assert read(raw) == ({"from": "a", "subject": "b"}, "Dear all,\nNote: bring bread.\n\nBye\n", [])


def test_all_recipients_count_and_all_hosts():
    raw = b"Cc: a@x\nFrom: b@x\nCC: c@x,\n d@x\nReceived: one\nReceived: two\nTo:\nTo: e@x\nFrom: f@x\n\n"
    assert read(raw)[0] == {"cc": "a@x, c@x, d@x", "from": "b@x", "received": "one\ntwo", "to": "e@x"}


def test_raw_letters_in_a_header_are_utf8_or_as_the_text_is():
    raw = b"Subject: \xf0\xd2\xc9\xd7\xc5\xd4\nTo: \xd0\x9f\nContent-Type: text/plain; charset=koi8-r\n\n\xf0\n"
    headers, text, _ = read(raw)
    assert (headers["subject"], headers["to"], text) == ("Привет", "П", "П\n")


def test_headers_beyond_reason_are_refused():
    with pytest.raises(ValueError, match="headers of more than 2 MiB"):
        read(b"Subject: x\n" + b"a:\n" * (MAX_HEADERS // 3) + b"\nText")


@EXAMPLES
@given(st.binary(max_size=60), st.sampled_from([b"\n", b"\r\n", b"12\n", b"From \n", b"\xef\xbb\xbf"]))
def test_any_bytes_are_read(content, before):
    headers, text, _ = read(before + content)
    assert "\r\n" not in text
    assert all(name == name.lower() for name in headers)


HOSTILE = {
    "separators": lambda size: b"From \n" * size + MAIL,
    "blank lines": lambda size: b"\n " * size + MAIL,
    "folded": lambda size: b"Subject: x" + b"\n x" * size + b"\n\n\x80",
    "damaged": lambda size: b"From: a\n" + b"x x\n" * size + b"To: b\n\n",
    "fields": lambda size: b"From: a\n" + b"a:\n" * size + b"\n",
    "recipients": lambda size: b"To: a@x\n" * size + b"\n",
    "plists": lambda size: b"12\nFrom: a\n\n" + b"<?xml " * size,
    "returns": lambda size: b"From: a\r\r" * size,
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_frames_take_no_time(make, assert_linear):
    assert_linear(read, make, 4_000)
