import base64
import hashlib
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail.message import (
    addresses,
    decode_words,
    fingerprint,
    parse_date,
    parse_message,
    parsed_mailboxes,
    plain_mailboxes,
)

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


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ("Mon, 14 May 2001 16:39:00 -0700 (PDT)", "2001-05-14T16:39:00-07:00"),
        ("14 May 2001 16:39:00 +0530", "2001-05-14T16:39:00+05:30"),
        ("Mon, 14 MAY 2001 16:39:00 -0000", "2001-05-14T16:39:00+00:00"),
        ("Mon, 14 May 2001 16:39 +0200", "2001-05-14T16:39:00+02:00"),
        ("Mon,  14 May 2001 16:39:00  -0700 (a (nested) comment)", "2001-05-14T16:39:00-07:00"),
        ("Mon, 14 May 01 16:39:00 -0700", "2001-05-14T16:39:00-07:00"),
        ("Fri, 14 May 99 16:39:00 -0700", "1999-05-14T16:39:00-07:00"),
        ("14 May 2001 16:39:00", "2001-05-14T16:39:00+00:00"),
        ("14 May 2001 16:39:00 GMT", "2001-05-14T16:39:00+00:00"),
        ("14 May 2001 16:39:00 EST", "2001-05-14T16:39:00-05:00"),
        ("Mon May 14 16:39:00 2001", "2001-05-14T16:39:00+00:00"),
        ("Mon, 31 Dec 1979 16:00:00 -0800 (PST)", "1979-12-31T16:00:00-08:00"),
        ("Sat, 02 Jan 2044 00:00:00 +0000", "2044-01-02T00:00:00+00:00"),
        ("29 Feb 2000 12:00:00 +0000", "2000-02-29T12:00:00+00:00"),
    ],
)
def test_a_date_is_read_with_its_offset(value, iso):
    record = parse(f"Date: {value}")
    assert record.date == iso
    assert record.timestamp == datetime.fromisoformat(iso).timestamp()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "\0",
        "29 Feb 2001 12:00:00 +0000",
        "14 Foo 2001 16:39:00 +0000",
        "14 May 2001 25:00:00 +0000",
        "00 May 2001 16:39:00 +0000",
        "14 May 2001 16:39:00 +2400",
        "14 May 2001 16:39:00 +12345678",
        "31 Dec 9999 23:59:59 -0100",  # no such moment in UTC
        "01 Jan 0001 00:00:00 +0100",
        f"14 May {'9' * 5000} 16:39:00 +0000",
        "(" * 50_000,
    ],
)
def test_an_unusable_date_is_none(value):
    assert parse_date(value) is None
    record = parse("Subject: x", f"Date: {value}")
    assert (record.date, record.timestamp) == (None, None)


@EXAMPLES
@given(
    st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30)),
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_every_standard_date_is_read_exactly(moment, zone):
    moment = moment.replace(microsecond=0, tzinfo=zone)
    read = parse_date(format_datetime(moment))
    assert read == moment
    assert read.isoformat() == moment.isoformat()


@EXAMPLES
@given(st.text(max_size=40) | st.text("0123456789:+- ,MonaygJue()", max_size=40))
def test_any_date_header_gives_a_moment_or_none(value):
    moment = parse_date(value)
    assert moment is None or moment.astimezone(UTC) == moment


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


@EXAMPLES
@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=20), st.sampled_from("bBqQ"))
def test_every_text_survives_an_encoded_word(text, way):
    content = text.encode()
    word = base64.b64encode(content).decode() if way in "bB" else "".join(f"={byte:02X}" for byte in content)
    assert decode_words(f"Re: =?UTF-8?{way}?{word}?= end") == f"Re: {text} end"


@EXAMPLES
@given(st.text(max_size=20) | st.text("=?utf-8qb ", max_size=40))
def test_a_header_without_a_whole_encoded_word_is_never_changed(text):
    if "?=" not in text:
        assert decode_words(text) == text
    decoded = decode_words(f"=?{text}?=")
    assert decoded.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass") == decoded


# Addresses


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("A@X.example", ["a@x.example"]),
        ("a@x.example, b , ,c@x.example,", ["a@x.example", "b", "c@x.example"]),
        ("/O=X/OU=NA/CN=JDOE", ["/o=x/ou=na/cn=jdoe"]),
        ('"Doe, Jane" <Jane@x.example>, bob', ["jane@x.example", "bob"]),
        ("Jane (at home) <jane@x.example>", ["jane@x.example"]),
        ("Friends: a@x.example, B@x.example;", ["a@x.example", "b@x.example"]),
        ("undisclosed-recipients:;", []),
        ("=?utf-8?q?Doe=2C_Jane?= <jane@x.example>", ["jane@x.example"]),
        ("<a@x.example> <b@x.example>", ["a@x.example", "b@x.example"]),
        ("<>", []),
        ("<unclosed@x.example", ["unclosed@x.example"]),
        ('"unclosed <a@x.example>', ["a@x.example"]),
        ("(" * 100_000 + " Jane@x.example, @, b@, @c", ["jane@x.example"]),
    ],
)
def test_addresses_are_found_in_order(value, expected):
    assert addresses(value) == expected


def test_a_long_list_of_recipients_is_read_whole():
    assert addresses(", ".join(f"A{n}@x.example" for n in range(5000))) == [f"a{n}@x.example" for n in range(5000)]


address_parts = st.text("aZ9._@#&'+/-=", max_size=6) | st.sampled_from(["a@x.example", ".a@x", "a.@x.", "é@x.example"])
mailbox_texts = st.one_of(
    address_parts,
    st.builds("{} <{}>".format, st.text("aZ9._&'/- é\"", max_size=8), address_parts),
    st.text('a<>()@ \t\\":;[]=?', max_size=6),
)


@settings(EXAMPLES, max_examples=2000)
@given(st.lists(mailbox_texts, min_size=1, max_size=4).map(", ".join))
def test_plain_mailboxes_are_read_as_the_email_package_reads_them(value):
    plain = plain_mailboxes(value)
    assert plain is None or plain == parsed_mailboxes(value)


def test_the_fast_way_answers_for_plain_mailboxes():
    value = "a.b@x.example, Jane Doe <Jane@x.example>,  <c@x.example>"
    assert plain_mailboxes(value) == [("", "a.b@x.example"), ("Jane Doe", "jane@x.example"), ("", "c@x.example")]
    assert plain_mailboxes('"Doe, Jane" <jane@x.example>') is None


@EXAMPLES
@given(
    st.lists(st.tuples(st.text("ab ,;<>()@.é", max_size=8), st.from_regex(r"\A[a-z]{1,5}@x\.example\Z")), max_size=4)
)
def test_quoted_display_names_do_not_disturb_addresses(pairs):
    assert addresses(", ".join(f'"{name}" <{address}>' for name, address in pairs)) == [a for _, a in pairs]


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
        ("", []),
        ("Inbox,Important , Opened", ["Inbox", "Important", "Opened"]),
        ("Inbox,\n Projects/Q1", ["Inbox", "Projects/Q1"]),
        ("=?UTF-8?Q?Bo=C3=AEte,Re=C3=A7us?=", ["Boîte", "Reçus"]),
        (",,", []),
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
