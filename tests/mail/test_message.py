import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail.message import fingerprint, parse_message

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)
MESSAGE_ID = "<12.JavaMail@x.example>"


def parse(*lines, body="Hello\n"):
    raw = "\n".join([*lines, "", body]).encode()
    return parse_message(raw, path="doe-j/inbox/1.", user="doe-j", folder="inbox")


def subject(value):
    return parse(f"Subject: {value}").subject


def sender(*lines):
    record = parse("Subject: x", *lines)
    return record.sender, record.sender_name


def test_a_record_holds_what_the_message_says():
    raw = (
        f"Message-ID: {MESSAGE_ID}\r\n"
        "Date: Mon, 14 May 2001 16:39:00 -0700 (PDT)\r\n"
        "From: Jane.Doe@X.example\r\n"
        "To: bob@x.example, \r\n\tAnn@y.example\r\n"
        "Subject: Re: the plan\r\n"
        'Cc: "Roe, Rick" <Rick@z.example>\r\n'
        "Bcc: Ann@y.example\r\n"
        "In-Reply-To: Your message of Monday <1@x.example>\r\n"
        "References: <0@x.example>\r\n <1@x.example>\r\n"
        "X-From: Doe, Jane </O=X/OU=NA/CN=JDOE>\r\n"
        "\r\nYes.\r\nJane\r\n"
    ).encode()
    record = parse_message(raw, path="bob-b/inbox/1.", user="bob-b", folder="inbox")
    assert (record.path, record.user, record.folder, record.labels) == ("bob-b/inbox/1.", "bob-b", "inbox", [])
    assert (record.message_id, record.date, record.timestamp) == (MESSAGE_ID, "2001-05-14T16:39:00-07:00", 989_883_540)
    assert (record.sender, record.sender_name) == ("jane.doe@x.example", "Doe, Jane")
    assert (record.to, record.cc, record.bcc) == (
        ["bob@x.example", "ann@y.example"],
        ["rick@z.example"],
        ["ann@y.example"],
    )
    assert (record.subject, record.raw_subject, record.body) == ("Re: the plan", None, "Yes.\nJane\n")
    assert (record.in_reply_to, record.references) == ("<1@x.example>", ["<0@x.example>", "<1@x.example>"])
    assert record.raw_sha256 == hashlib.sha256(raw).hexdigest()
    assert record.fingerprint == fingerprint(989_883_540, "jane.doe@x.example", "Re: the plan", "Yes. Jane")


def test_missing_headers_leave_empty_fields():
    record = parse("Subject: alone")
    assert (record.message_id, record.date, record.timestamp, record.sender, record.sender_name) == (
        *("", None, None),
        *("", ""),
    )
    assert (record.to, record.cc, record.bcc, record.in_reply_to, record.references) == ([], [], [], "", [])


@pytest.mark.parametrize("header", ["From: a@x.example", "Date: never", "Message-ID: 1", "Subject:", "To: a@x.example"])
def test_one_identifying_header_makes_a_mail(header):
    assert parse(header, body="text").body == "text"


@pytest.mark.parametrize(
    "raw", [b"just a text\n", b"X-Header: 1\n\ntext", b"\x89PNG\r\n\x1a\n\0\0\0", b"\n\nSubject: late"]
)
def test_a_file_without_mail_headers_is_refused(raw):
    with pytest.raises(ValueError, match="no mail headers"):
        parse_message(raw, path="p", user="u", folder="f")


# Dates


def test_a_date_is_kept_with_its_offset_and_as_seconds():
    record = parse("Date: 14 May 2001 16:39:00 +0530")
    assert (record.date, record.timestamp) == ("2001-05-14T16:39:00+05:30", 989_838_540)


def test_an_unusable_date_leaves_the_fields_empty():
    record = parse("Subject: x", "Date: yesterday")
    assert (record.date, record.timestamp) == (None, None)


# Subjects


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?q?caf=C3=A9?= at noon", "café at noon"),
        ("=?ISO-8859-1?B?Y2Fm6Q==?=", "café"),
        ("=?utf-8?q?one?= =?utf-8?q?_two?=", "one two"),
        ("=?utf-8?q?one?=\n =?iso-8859-1?q?_caf=E9?=", "one café"),
        ("Re: =?windows-1252?q?=93so=94?= it is", "Re: “so” it is"),
        ("=?utf-8*en?q?language?=", "language"),
        ("=?no-such?q?caf=C3=A9?=", "café"),
        ("=?us-ascii?q?caf=E9?=", "café"),
        ("=?punycode?q?a-b?=", "a-b"),
        ("=?utf-7?q?+2AA-?=", "���"),
        ("– =?utf-8?q?caf=C3=A9?= – 5 €", "– café – 5 €"),  # raw UTF-8 beside encoded words
    ],
)
def test_encoded_words_of_a_subject_are_decoded(value, text):
    record = parse(f"Subject: {value}")
    assert record.subject == text
    assert record.raw_subject == value.replace("\n", "")


@pytest.mark.parametrize(
    "value", ["plain", "what =? is ?= this", "=?utf-8?b?abcde?=", "=?utf-8?x?unknown?=", "=?", "5 € café"]
)
def test_what_cannot_be_decoded_stays_as_it_is(value):
    record = parse(f"Subject: {value}")
    assert (record.subject, record.raw_subject) == (value, None)


# Addresses


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["From: Jane@X.example"], ("jane@x.example", "")),
        (["From: Jane Doe <Jane@X.example>", "X-From: Other"], ("jane@x.example", "Jane Doe")),
        (['From: "Doe, Jane" <jane@x.example>'], ("jane@x.example", "Doe, Jane")),
        (["From: jane@x.example (Jane Doe)"], ("jane@x.example", "Jane Doe")),
        (["From: =?utf-8?q?J=C3=BCrgen_Doe?= <j@x.example>"], ("j@x.example", "Jürgen Doe")),
        (['From: "=?utf-8?b?SsO8cmdlbg==?=" <j@x.example>'], ("j@x.example", "Jürgen")),
        (["From: j@x.example", "X-From: Doe, Jane </O=X/OU=NA/CN=JDOE>"], ("j@x.example", "Doe, Jane")),
        (["From: j@x.example", 'X-From: "Jane  Doe" <j@x.example> @ENRON'], ("j@x.example", "Jane Doe")),
        (["From: j@x.example", "X-From: Jane Doe"], ("j@x.example", "Jane Doe")),
        (["X-From: Jane Doe"], ("", "Jane Doe")),
        (["From: <>"], ("", "")),
        (["From: Jane Doe <a@x.example>, Bob <b@x.example>"], ("a@x.example", "Jane Doe")),
        (["From: a@x.example, b@x.example"], ("a@x.example", "")),
        (["From: =?utf-8?b?SsO8cmdlbg==?="], ("jürgen", "")),  # base64 minds the case of letters
    ],
)
def test_the_sender_is_the_first_author_and_x_from_names_one_who_has_no_name(lines, expected):
    assert sender(*lines) == expected


# Gmail


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("", ["Archived"]),
        ("Inbox,Important , Opened", ["Inbox", "Important", "Opened"]),
        ("Inbox,\n Projects/Q1", ["Inbox", "Projects/Q1"]),
        ("=?UTF-8?Q?Bo=C3=AEte,Re=C3=A7us?=", ["Boîte", "Reçus"]),
        (",,", ["Archived"]),
    ],
)
def test_gmail_labels_are_read(value, labels):
    assert parse("Subject: x", f"X-Gmail-Labels: {value}").labels == labels


# Copies

words = st.text(st.characters(blacklist_categories=["Z", "C"]), min_size=1, max_size=5)
white = st.text(" \t\n", min_size=1, max_size=3)


@EXAMPLES
@given(st.lists(words, max_size=6), st.data())
def test_copies_that_are_wrapped_otherwise_share_a_fingerprint(text, data):
    def wrapped():
        return "".join(data.draw(white) + word for word in text) + data.draw(white)

    assert fingerprint(1, "a@x", wrapped(), wrapped()) == fingerprint(1, "a@x", " ".join(text), " ".join(text))


@EXAMPLES
@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 2), words, st.lists(words).map(" ".join), st.lists(words).map(" ".join)),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_different_messages_have_different_fingerprints(pair):
    one, two = (fingerprint(*message) for message in pair)
    assert one != two
    assert len(one) == len(two) == 32


def test_a_copy_is_known_by_time_sender_subject_and_body_only():
    lines = ["Date: Mon, 14 May 2001 16:39:00 -0700", "From: j@x.example", "Subject: =?utf-8?q?caf=C3=A9?=", "To: a"]
    original = parse(*lines, body="One two\nthree\n").fingerprint
    copy = ["From: J@x.example", "Subject: café", "Date: Mon, 14 May 2001 23:39:00 +0000", "Message-ID: <2>", "To: b"]
    assert parse(*copy, body="One  two three \n\n").fingerprint == original
    assert parse(*lines, body="One two\nfour\n").fingerprint != original
    assert parse(lines[0].replace(":00 ", ":01 "), *lines[1:], body="One two\nthree\n").fingerprint != original
    assert parse(lines[0], "From: k@x.example", *lines[2:], body="One two\nthree\n").fingerprint != original
    assert parse(*lines[:2], "Subject: tea", body="One two\nthree\n").fingerprint != original
    assert parse(*lines[1:], body="One two\nthree\n").fingerprint != original
