"""The names of what is attached to a message."""

import json

import builders
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.features.metadata import extract
from enron_triage.mail.body import split_body
from enron_triage.mail.message import parse_message
from enron_triage.mail.mime import read

FILE = "application/octet-stream"


def message(*parts, kind="mixed", head=""):
    below = "".join(f"--frontier\n{part}\n" for part in parts)
    return f"Subject: all\n{head}Content-Type: multipart/{kind}; boundary=frontier\n\n{below}--frontier--\n".encode()


def within(kind, *parts):
    below = "".join(f"--in-{kind}\n{part}\n" for part in parts)
    return f"Content-Type: multipart/{kind}; boundary=in-{kind}\n\n{below}--in-{kind}--"


def part(kind, *headers, body="x"):
    return "\n".join([f"Content-Type: {kind}", *headers, "", body])


def attached(parameters, kind=FILE):
    return part(kind, f"Content-Disposition: attachment; {parameters}")


def names(*parts, **fields):
    return read(message(*parts, **fields))[2]


TEXT = part("text/plain", body="mine")
PAGE = part("text/html", body="<p>mine</p>")
PICTURE = 'image/png; name="logo.png"'
LETTER = part(
    "message/rfc822",
    body=f"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n from here\n{within('mixed', attached('filename=inner.txt'))}",
)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ('filename="plan.pdf"', "plan.pdf"),
        ("filename=two words.txt", "two words.txt"),
        ('FileName="a;b, \\"c\\".txt"', 'a;b, "c".txt'),
        ("filename*=utf-8'de'Gr%C3%BC%C3%9Fe.txt", "Grüße.txt"),
        ("filename*0*=koi8-r''%F0%D2; filename*1*=%C9; filename*2=.txt", "При.txt"),
        ('filename*0="a very "; filename*1="long.txt"', "a very long.txt"),
        ("filename=\"plain.txt\"; filename*=utf-8''caf%C3%A9.txt", "café.txt"),
        ("filename*=''caf%E9.txt", "café.txt"),
        ("filename*=no-such''caf%C3%A9.txt", "café.txt"),
        ("filename*=utf-7''+2AA-.txt", "\ufffd\ufffd\ufffd.txt"),  # a lone surrogate, which no JSON can hold
        ('filename="=?utf-8?B?Y2Fmw6k=?= =?utf-8?Q?_two.txt?="', "café two.txt"),
        ("filename==?iso-8859-1?Q?caf=E9.txt?=", "café.txt"),
        ('filename*0="=?utf-8?B?Y2Fm"; filename*1="w6k=?="', "café"),
        ('filename="é.txt"', "é.txt"),
        ('filename="one\n two.txt"', "one two.txt"),
        ('filename="../../a.txt"', "../../a.txt"),
    ],
)
def test_a_name_is_read_however_programs_write_it(parameters, name):
    assert names(TEXT, attached(parameters)) == [name]
    assert names(TEXT, part(f"{FILE}; {parameters.replace('filename', 'name').replace('FileName', 'NAME')}")) == [name]


def test_the_disposition_names_a_file_before_its_type_does():
    assert names(attached("filename=b.txt", f"{FILE}; name=a.txt"), attached("filename=", f"{FILE}; name=a.txt")) == [
        "b.txt",
        "a.txt",
    ]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (message(TEXT, part('application/ms-tnef; name="winmail.dat"')), ["winmail.dat"]),
        (message(TEXT, part("application/pdf"), attached("x", "text/plain")), ["application/pdf", "text/plain"]),
        (message(TEXT, part("text/plain; name=log.txt"), part("text/html; name=page.html")), ["log.txt", "page.html"]),
        (message(part("text/calendar; name=invite.ics"), TEXT), ["invite.ics"]),
        (b"Subject: a\nContent-Type: application/pdf; name=scan.pdf\n\nx", ["scan.pdf"]),
        (b"Subject: a\nContent-Type: image/tiff\n\nx", ["image/tiff"]),
        # An attached message goes by its subject; what it holds is its own.
        (message(TEXT, LETTER), ["Grüße from here.eml"]),
        (message(TEXT, part("message/rfc822; name=old.eml", body="Subject: x\n\ny")), ["old.eml"]),
        (message(TEXT, part("message/rfc822", body="From: a\n\nb")), ["message/rfc822"]),
        (message("\nSubject: one\n\nx", "\nSubject: two\n\nx", kind="digest"), ["one.eml", "two.eml"]),
        (message(TEXT, part("message/delivery-status"), LETTER, kind="report"), ["Grüße from here.eml"]),
        # A picture of the page is none, one beside the text is.
        (message(PAGE, part(PICTURE, "Content-ID: <1>"), kind="related"), []),
        (message(PAGE, part("image/png", "Content-Location: a.png"), kind="related"), []),
        (message(PAGE, part(PICTURE), kind="related"), ["logo.png"]),
        (
            message(PAGE, part(PICTURE, "Content-ID: <1>", "Content-Disposition: attachment"), kind="related"),
            ["logo.png"],
        ),
        (message(PAGE, part("application/x-mso; name=a.mso", "Content-ID: <1>"), kind="related"), ["a.mso"]),
        (message(TEXT, part(PICTURE, "Content-ID: <1>", "Content-Disposition: inline")), ["logo.png"]),
        # Nor are the forms and the signature of a text, or what Macs keep of a file.
        (message(TEXT, PAGE, part("text/x-amp-html"), part("application/rtf"), kind="alternative"), []),
        (message(TEXT, part("application/pgp-signature"), kind="signed"), []),
        (message(TEXT, part("application/pkcs7-signature; name=smime.p7s"), kind="signed"), ["smime.p7s"]),
        (
            message(TEXT, within("appledouble", part("application/applefile; name=a.doc"), attached("filename=a.doc"))),
            ["a.doc"],
        ),
        # The order is that of the message.
        (message(within("mixed", TEXT, attached("filename=1")), attached("filename=2"), PAGE), ["1", "2"]),
        # What is the text is not attached, whatever it is called.
        (b'Subject: a\nContent-Type: text/plain; name="a.txt"\nContent-Disposition: attachment\n\nx', []),
        (b"Subject: a\nContent-Disposition: attachment; filename=a.txt\n\nx", []),
        (message(TEXT, PAGE), []),
        (b"Subject: a\nContent-Type: multipart/mixed; boundary=b\n\nno part begins; name=a.txt", []),
    ],
)
def test_what_is_attached_is_listed_and_nothing_else(raw, expected):
    assert read(raw)[2] == expected
    assert read(raw.replace(b"\n", b"\r\n"))[2] == expected


def test_names_are_bounded_in_length_and_number():
    (name,) = names(attached(f"filename={'a' * 2_000}.pdf"))
    assert len(name) == 255
    assert name.startswith("aaa")
    assert name.endswith(" [...] " + "a" * 44 + ".pdf")
    many = names(*(attached(f"filename={number}") for number in range(1_200)))
    assert many == [*map(str, range(100)), "and 1,100 more"]
    assert names(*(attached(f"filename={number}") for number in range(100)))[-1] == "99"


def test_a_record_holds_the_names_and_leaves_them_out_where_there_are_none():
    def record(raw):
        return json.loads(msgspec.json.encode(parse_message(raw, path="p", user="u", folder="f")))

    with_file = record(message(TEXT, attached("filename=a.txt")))
    assert with_file["attachments"] == ["a.txt"]
    assert with_file["body"].strip() == "mine"
    assert "attachments" not in record(message(TEXT))
    assert "attachments" not in record(b"Subject: plain\n\nText")


def test_no_feature_sees_the_names():
    plain = builders.new_record(subject="the plan", body="see below")
    named = msgspec.structs.replace(plain, attachments=["attached plan.pdf", "urgent?.doc"])
    rows = extract([plain, named], [split_body(plain), split_body(named)])
    assert np.array_equal(rows[0], rows[1])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(), st.sampled_from(("filename", "filename*", "filename*0*", "name", "filename*1", '=?utf-7?q?"')))
def test_any_name_can_be_written(text, parameter):
    raw = message(TEXT, attached(f"{parameter}={text}")).replace(b"\r", b"")
    for name in parse_message(raw, path="p", user="u", folder="f").attachments:
        assert name == " ".join(name.split())
        assert msgspec.json.encode(name)


HOSTILE = {
    "names": lambda size: message(*(attached(f"filename*0*=utf-8''%41; {'a=b; ' * 20}") for _ in range(size // 16))),
    "a name": lambda size: message(attached("filename*1=a;" * size), attached("filename=" + '";' * size)),
    "letters": lambda size: message(*(part("message/rfc822", body="Subject: x") for _ in range(size // 16))),
    "a letter": lambda size: message(
        part("message/rfc822", body="Subject: =?utf-8?q?a?= \n" + " =?utf-8?q?a?=\n" * size)
    ),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_take_no_time(make, assert_linear):
    assert_linear(read, make, 4_000)
