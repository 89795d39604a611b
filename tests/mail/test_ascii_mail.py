import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail.ascii_mail import read_ascii
from enron_triage.mail.mime import read_mime
from enron_triage.mail.white_space import single_spaced

TYPE = b"Content-Type: text/plain; charset=us-ascii\n"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    "head", [b"Subject: a\n", b"Subject: a\n b\n\tc\nTo: x@y.example\n", b"X-Odd!: 1\n" + TYPE, b"Subject:\nTo:  x \n"]
)
def test_plain_mail_is_read_as_the_full_reader_reads_it(head, end):
    raw = (head + b"\nOne\n\n two\x0b\n").replace(b"\n", end)
    assert (*read_ascii(raw), []) == read_mime(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"Subject: a\n",  # no body
        b"\nSubject: a\n\nb",
        b"Subject: caf\xc3\xa9\n\nb",
        b"Subject: a\n\ncaf\xe9",
        b"Subject: a\n\nb\rc",
        b"Subject: a\r\n\r\nb\r",
        b"Subject: a\rTo: b\n\nc",
        b"Subject\n\nb",
        b"Subject : a\n\nb",
        b": a\n\nb",
        b" folded: a\nSubject: b\n\nc",
        b"From j@x.example Mon May 14 16:39:00 2001\nSubject: b\n\nc",
        b"Sub\x01ject: a\n\nb",
        b"X" * 77 + b": a\n\nb",
        b"Subject: a\nSubject: b\n\nc",
        b"To: a@x.example\nTO: b@x.example\n\nc",
        b"Received: a\nReceived: b\n\nc",
        b"Subject: " + b"a" * 100_000 + b"\n\nb",
        b"Content-Type: text/html\n\nb",
        b"Content-Type: text/plain; charset=utf-7\n\nb",
        b"Content-Type: text/plain; format=flowed\n\nb",
        b"Content-Transfer-Encoding: base64\n\nYg==",
        b"Content-Transfer-Encoding: quoted-printable\n\nb=\nc",
        b"Content-Disposition: attachment\n\nb",
    ],
)
def test_whatever_may_need_a_decision_is_declined(raw):
    assert read_ascii(raw) is None


lines = st.lists(
    st.sampled_from(["Subject: a", "To: b", " c", "\td", "", "e", "=20", "x\ry", "Cc:f", "G : h"]), max_size=8
)


@settings(max_examples=300, deadline=None)
@given(lines, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\n", "\r\n", "\r"]))
def test_what_is_not_declined_is_read_as_the_full_reader_reads_it(parts, end, last):
    raw = (end.join(parts) + last).encode()
    found = read_ascii(raw)
    assert found is None or (*found, []) == read_mime(raw)


SPACES = "".join(map(chr, [*range(9, 14), *range(28, 33)]))


@settings(max_examples=200, deadline=None)
@given(
    st.text(SPACES + "ab\0\x1b\x7f", max_size=60),
    st.sampled_from([1, 40, 700]),
    st.sampled_from(["", "é", "\u2003", "\x85"]),
)
def test_long_and_short_texts_are_spaced_as_by_split(text, times, odd):
    text = text * times + odd
    assert single_spaced(text) == " ".join(text.split()).encode()
