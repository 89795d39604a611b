import base64
import quopri
import runpy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.mail.mime import read, read_mime, read_plain

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_fast_paths.py"
read_by_email = runpy.run_path(str(SCRIPT))["read_by_email"]
EXAMPLES = settings(max_examples=400, deadline=None, derandomize=True)


def mail(*headers, body=b"Hello\n", end=b"\n"):
    return b"".join(header + end for header in headers) + end + body


def multipart(*parts, kind="mixed", boundary="frontier"):
    """A multipart message; a part is its headers and its body."""
    head = f'Subject: parts\nContent-Type: multipart/{kind}; boundary="{boundary}"\n\n'.encode()
    return head + b"".join(b"--frontier\n" + part + b"\n" for part in parts) + b"--frontier--\n"


def part(content_type, body, *headers):
    return b"".join([b"Content-Type: " + content_type + b"\n", *(h + b"\n" for h in headers), b"\n", body])


PLAIN = part(b"text/plain", b"the plain text\n")
HTML = part(b"text/html; charset=utf-8", b"<p>the <b>marked</b> text</p>\n")

# What a plain message may hold, and what makes the fast reader decline.
value_bytes = st.binary(max_size=12) | st.sampled_from(
    [b"plain words", b" padded\t", b"a: b", b"caf\xc3\xa9", b"caf\xe9", b"\x80", b"=?utf-8?q?x?=", b"", b"From x"]
)
clean_value = value_bytes.map(lambda value: value.replace(b"\n", b"").replace(b"\r", b""))
any_value = st.one_of(clean_value, clean_value, clean_value, value_bytes)
name = st.sampled_from([b"Subject", b"subject", b"From", b"To", b"X-To", b"X-Odd!", b"Date", b"Received"])
content_type = st.sampled_from(
    [
        b"text/plain",
        b"text/plain; charset=us-ascii",
        b'Text/Plain;charset="ISO-8859-1"',
        b"text/plain; charset=utf-8",
        b"text/plain;\n\tcharset=windows-1252",
        b"text/plain; charset=utf-7",
        b"text/plain; charset=utf-16",
        b"text/plain; charset=no-such",
        b"text/plain; charset=rot13",
        b"text/plain; charset=us-ascii; format=flowed",
        b"text/html",
        b"text",
        b"",
    ]
)
encoding = st.sampled_from(
    [b"7bit", b"8bit", b"binary", b"Quoted-Printable", b"\n quoted-printable", b"base64", b"odd"]
)
padding = st.sampled_from([b"", b"", b" ", b"\t"])
disposition = st.sampled_from([b"inline", b"attachment", b"attachment; filename=a.txt"])
piece = st.one_of(
    st.binary(max_size=10),
    st.text(max_size=10).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(
        [b"=E9", b"=C3=A9", b"=", b"=\n", b"=\r\n", b"=ZZ", b"\n", b"\r\n", b"\r", b"--frontier\n", b"+2AA-"]
    ),
)


@st.composite
def messages(draw):
    line_end = draw(st.sampled_from([b"\n", b"\r\n"]))
    values = st.lists(any_value, min_size=1, max_size=3)
    fold = draw(st.sampled_from([b"\n ", b"\n\t", b"\n  \n\t"])).replace(b"\n", line_end)
    headers = [(draw(name), fold.join(draw(values))) for _ in range(draw(st.integers(0, 4)))]
    for special, choices in (
        (b"Content-Type", content_type),
        (b"Content-Transfer-Encoding", encoding),
        (b"content-disposition", disposition),
    ):
        if draw(st.integers(0, 2)) == 0:
            choice = draw(choices).replace(b"\n", line_end)
            headers.insert(draw(st.integers(0, len(headers))), (special, choice + draw(padding)))
    colon = draw(st.sampled_from([b": ", b":", b":\t"]))
    body = b"".join(draw(st.lists(piece, max_size=6)))
    return b"".join(key + colon + value + line_end for key, value in headers) + line_end + body


@pytest.mark.slow
@EXAMPLES
@given(messages())
def test_the_fast_reader_agrees_with_the_email_package_wherever_it_answers(raw):
    fast = read_plain(raw)
    if fast is not None:
        assert (*fast, []) == read_mime(raw)
        if b"\r" not in raw.replace(b"\r\n", b""):  # the package takes a lone one for the end of a line
            assert fast == read_by_email(raw)


@EXAMPLES
@given(st.binary(max_size=80) | st.text("ab:\r\n =?\t\x00", max_size=60).map(str.encode))
def test_the_readers_agree_on_arbitrary_bytes(raw):
    fast = read_plain(raw)
    assert fast is None or (*fast, []) == read_mime(raw)
    assert read(raw) == read_mime(raw)


@EXAMPLES
@given(st.text(max_size=30), st.sampled_from(["utf-8", "quoted-printable", "base64"]), st.booleans())
def test_a_text_survives_every_way_to_send_it(text, way, crlf):
    text = text.replace("\r", "").encode("utf-8", "replace").decode()
    content = text.replace("\n", "\r\n").encode() if crlf else text.encode()
    sent = {"utf-8": content, "quoted-printable": quopri.encodestring(content), "base64": base64.encodebytes(content)}
    transfer = b"8bit" if way == "utf-8" else way.encode()
    raw = mail(b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: " + transfer, body=sent[way])
    assert read(raw)[1] == text
    assert (read_plain(raw) is None) == (way == "base64")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_fast_reader_answers_for_plain_mail(end):
    raw = mail(
        b"Subject:  spaces around \t",
        b"TO: a@x.example," + end + b"\tb@x.example",
        b"Content-Type: text/plain; charset=ISO-8859-1",
        b"Content-Transfer-Encoding: 8bit",
        body=b"caf\xe9" + end + b"x",
        end=end,
    )
    expected = {
        "subject": "spaces around",
        "to": "a@x.example,\tb@x.example",
        "content-type": "text/plain; charset=ISO-8859-1",
        "content-transfer-encoding": "8bit",
    }
    assert read_plain(raw) == (expected, "café\nx")
    assert read_mime(raw) == (expected, "café\nx", [])


def test_each_header_is_decoded_by_itself():
    raw = mail(b"From: caf\xc3\xa9", b"Subject: caf\xe9 \x97")
    for reader in (read, read_mime):
        assert reader(raw)[0] == {"from": "café", "subject": "café —"}


def test_the_first_of_several_headers_counts():
    raw = mail(b"Subject: one", b"SUBJECT: two")
    assert (*read_plain(raw), []) == read_mime(raw) == ({"subject": "one"}, "Hello\n", [])


@pytest.mark.parametrize(
    "raw",
    [
        b"no headers at all",
        b"From someone Mon Jan  1 00:00:00 2001\nSubject: a\n\nb",
        b"Subject : space before the colon\n\nb",
        b" begins with a continuation\nSubject: a\n\nb",
        b"\n\nbody only",
        mail(b"Content-Type: text/html"),
        mail(b"Content-Type: multipart/mixed; boundary=x"),
        mail(b"Content-Type: text/plain; format=flowed; charset=utf-8"),
        mail(b"Content-Transfer-Encoding: base64"),
    ],
)
def test_the_fast_reader_declines_what_is_not_plain(raw):
    assert read_plain(raw) is None
    assert read(raw) == read_mime(raw)


@pytest.mark.parametrize(
    "value", [b"quoted-printable", b"Quoted-Printable ", b"\n quoted-printable", b"\tquoted-printable"]
)
def test_quoted_printable_is_undone_however_its_header_is_spaced(value):
    raw = mail(
        b"Content-Type: text/plain; charset=iso-8859-1",
        b"Content-Transfer-Encoding: " + value,
        body=b"caf=E9 a=\nnd tea=3D\n",
    )
    assert read(raw)[1] == "café and tea=\n"
    assert read_mime(raw)[1] == "café and tea=\n"


def test_a_message_that_is_one_text_is_read_whatever_its_disposition():
    raw = mail(b"Content-Disposition: attachment; filename=note.txt")
    assert read(raw)[1] == "Hello\n"
    assert read_mime(raw)[1] == "Hello\n"


@pytest.mark.parametrize("parts", [(PLAIN, HTML), (HTML, PLAIN)])
def test_the_plain_part_of_an_alternative_is_taken(parts):
    assert read(multipart(*parts, kind="alternative"))[1] == "the plain text\n"


def test_html_is_reduced_to_text_where_there_is_no_plain_part():
    assert read(multipart(HTML, kind="alternative"))[1] == "the marked text"
    assert read(mail(b"Content-Type: text/html", body=b"<p>one<p>two &amp; caf\xe9"))[1] == "one\ntwo & café"


def test_attachments_are_passed_over():
    attached = part(b"text/plain", b"a log file", b"Content-Disposition: ATTACHMENT; filename=log.txt")
    picture = part(b"image/png", base64.b64encode(b"\x89PNG"), b"Content-Transfer-Encoding: base64")
    assert read(multipart(attached, picture, PLAIN))[1] == "the plain text\n"
    assert read(multipart(attached, HTML))[1] == "the marked text"
    assert read(multipart(attached, picture))[1] == ""


def test_a_nested_alternative_is_found_below_a_mixed_message():
    inner = multipart(HTML, PLAIN, kind="alternative").replace(b"frontier", b"inner").partition(b"\n")[2]
    assert read(multipart(inner, part(b"application/pdf", b"%PDF")))[1] == "the plain text\n"


def test_a_multipart_without_its_boundary_still_gives_headers():
    raw = b"Subject: broken\nContent-Type: multipart/mixed; boundary=frontier\n\nno part begins\n"
    headers, text, _ = read(raw)
    assert headers["subject"] == "broken"
    assert text == "no part begins\n"


def test_a_slow_charset_costs_no_time(assert_linear):
    def make(size):  # Python's punycode decoder takes time in the square of this
        return mail(b"Content-Type: text/plain; charset=punycode", body=b"a" * size + b"-" + b"b9" * 2 * size)

    assert len(read(make(10_000))[1]) == 50_001
    assert_linear(read, make, 10_000)
