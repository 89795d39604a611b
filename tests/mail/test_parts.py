"""Which parts of a message are its text."""

import base64
import tracemalloc

import pytest

from enron_triage.mail import parts as module
from enron_triage.mail.mime import read
from enron_triage.mail.transfer import decode_transfer


def mail(*headers, body=""):
    return "\n".join(["Subject: parts", *headers, "", body]).encode()


def multipart(*parts, kind="mixed", boundary="frontier"):
    """A multipart message."""
    return mail(f'Content-Type: multipart/{kind}; boundary="{boundary}"', body=parts_below(*parts, boundary=boundary))


def parts_below(*parts, boundary="frontier"):
    return "".join(f"--{boundary}\n{part}\n" for part in parts) + f"--{boundary}--\n"


def plain(text, headers=""):
    return f"Content-Type: text/plain; charset=utf-8{headers}\n\n{text}"


def html(text, headers=""):
    return f"Content-Type: text/html; charset=utf-8{headers}\n\n<p>{text}</p>"


def nested(kind, *parts):
    return f"Content-Type: multipart/{kind}; boundary=inner-{kind}\n\n" + parts_below(*parts, boundary=f"inner-{kind}")


PICTURE = 'Content-Type: image/png; name="map.png"\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo='
LETTER = "Content-Type: message/rfc822\n\nSubject: inner\n\nthe stranger's text"
CALENDAR = (
    "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nDTSTART:16010101T000000\n"
    'END:VTIMEZONE\nBEGIN:VEVENT\nSUMMARY;LANGUAGE=de:Probe\\, lang\nDTSTART;TZID="W. Europe":20230911T180000\n'
    "DESCRIPTION:Bitte\n  Noten mit\n bringen\\nDanke\nBEGIN:VALARM\nDESCRIPTION:REMINDER\nEND:VALARM\n"
    "LOCATION:Halle 2\n"
    "END:VEVENT\nEND:VCALENDAR"
)
CALENDAR_TEXT = "Probe, lang\n2023-09-11 18:00\nBitte Noten mitbringen\nDanke\n"
REPORT = "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\nStatus: 5.1.1\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        # What is attached is not what the sender wrote.
        (multipart(html("mine"), LETTER), "mine"),
        (multipart(LETTER), ""),
        (multipart(plain("mine"), LETTER, kind="digest"), "mine"),
        (multipart("\nSubject: of a digest\n\nthe stranger's text", kind="digest"), ""),
        (multipart(plain("log", '; name="a.log"'), html("mine")), "mine"),
        (multipart(plain("log", "; name*=utf-8''a%20b.log"), html("mine")), "mine"),
        (multipart(plain("log", "\nContent-Disposition: inline; filename*0=a; filename*1=.log"), html("mine")), "mine"),
        (multipart(plain("log", "\nContent-Disposition: ATTACHMENT"), html("mine")), "mine"),
        (multipart(plain("mine"), "Content-Type: text/csv\n\na,b"), "mine"),
        # Forms of one text.
        (multipart(html("marked"), plain("mine"), kind="alternative"), "mine"),
        (multipart(plain(" \u00a0\n"), html("mine"), kind="alternative"), "mine"),
        (multipart(plain("\u200b\n"), html("mine"), kind="alternative"), "mine"),
        (multipart(plain("mine"), nested("mixed", html("marked"), PICTURE), kind="alternative"), "mine"),
        (multipart(nested("mixed", plain("mine"), CALENDAR), html("marked"), kind="alternative"), "mine"),
        (multipart(plain(""), nested("related", html("mine"), PICTURE), CALENDAR, kind="alternative"), "mine"),
        (multipart(plain("one two three four"), html("one two three four")), "one two three four"),
        (multipart(html("one two three four"), plain("one two three four")), "one two three four"),
        # Parts beside each other.
        (multipart(plain("above\n"), PICTURE, plain("below\n")), "above\nbelow\n"),
        (multipart(html("mine"), plain("-- \nthe list\n")), "mine\n-- \nthe list\n"),
        (multipart(nested("alternative", plain("mine"), html("mine")), plain("the list")), "mine\nthe list"),
        (multipart(plain("mine"), "Content-Type: application/pgp-signature\n\nx", kind="signed"), "mine"),
        # Where nothing else is there.
        (mail("Content-Type: text/calendar", body=CALENDAR.partition("\n\n")[2]), CALENDAR_TEXT + "Halle 2\n"),
        (multipart(plain("\n"), CALENDAR), CALENDAR_TEXT + "Halle 2\n"),
        (multipart(plain("\n"), CALENDAR.replace("text/calendar", "text/calendar; name=a.ics", 1)),
         CALENDAR_TEXT + "Halle 2\n"),
        (mail("Content-Type: text/x-markdown", body="mine"), "mine"),
        (mail("Content-Type: text/rtf", body="{\\rtf1 x}"), ""),
        (multipart(REPORT, LETTER, kind="report"), "Reporting-MTA: dns; mx.example\n\nStatus: 5.1.1\n"),
        (multipart(plain("It did not arrive."), REPORT, kind="report"), "It did not arrive."),
        (mail("Content-Type: text/enriched", body="<bold>mine</bold><param>red</param>"), "mine"),
        (mail("Content-Type: image/png", body="x"), ""),
        # Damaged.
        (mail("Content-Type: multipart/mixed", body=parts_below(plain("mine"))), "mine"),
        (mail("Content-Type: multipart/mixed; boundary=other", body=parts_below(plain("mine"))), "mine"),
        (mail("Content-Type: multipart/mixed; boundary=frontier", body="--frontier\n" + plain("mine")), "mine"),
        (mail("Content-Type: multipart/mixed; boundary=a", body="-- \nno parts"), "-- \nno parts"),
        (mail('Content-Type: multipart/mixed; boundary*0="fron"; boundary*1="tier"', body=parts_below(plain("mine"))),
         "mine"),
        (multipart("no header at all\n\nmine"), "no header at all\n\nmine"),
        (multipart("Content-Type: text/plain charset=utf-8\n\nmine ü"), "mine ü"),
        (multipart(nested("mixed", plain("mine")).replace("--inner-mixed--\n", ""), plain("below")), "mine\nbelow"),
        (mail("Content-Type: text/plain; charset=utf-8; charset*x", body="mine"), "mine"),
    ],
)  # fmt: skip
def test_the_text_is_what_the_sender_wrote(raw, text):
    assert read(raw)[1] == text
    assert read(raw.replace(b"\n", b"\r\n"))[1] == text


def test_html_may_declare_its_charset_where_the_header_does_not():
    page = "<head><meta charset=windows-1251></head><p>Добрый день</p>".encode("cp1251")
    head = b"Subject: x\nContent-Type: text/html"
    assert read(head + b"\n\n" + page)[1] == "Добрый день"
    assert read(head + b"; charset=x-unknown\n\n" + page)[1] == "Добрый день"
    assert read(head + b"; charset=utf-8\n\n" + "<meta charset=koi8-r><p>день</p>".encode())[1] == "день"


TEXT = "Schöne Grüße vom See, und bis bald; das Wetter ist so, wie man es hier im Herbst erwarten darf."
BASE64 = base64.encodebytes(TEXT.encode()).decode()
FOOTER = "______\nChoir list, choir@lists.example\n"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (BASE64, TEXT),
        (BASE64.rstrip("=\n"), TEXT),
        (BASE64.replace("\n", "\n\n"), TEXT),
        (BASE64 + FOOTER, f"{TEXT}\n{FOOTER}"),
        (BASE64.rstrip("=\n") + "\n\n" + FOOTER, f"{TEXT}\n{FOOTER}"),
        (BASE64 + "Footer\n", f"{TEXT}\nFooter\n"),
        (BASE64[:8] + "!" + BASE64[8:], TEXT),
        (BASE64 + base64.encodebytes(TEXT.encode()).decode(), TEXT + TEXT),
        ("", ""),
        ("no base64, as everybody can see\n", "no base64, as everybody can see\n"),
    ],
)
def test_base64_is_read_as_far_as_it_goes(content, text):
    headers = ("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: BASE64 (why not)")
    assert read(mail(*headers, body=content))[1] == text


@pytest.mark.parametrize(
    ("line", "encoding"), [(b"QUJD\n", "base64"), (b"\n!", "base64"), (b"#:&5Y\n", "x-uuencode"), (b"=41\n", "7bit")]
)
def test_short_lines_take_no_memory_when_they_are_decoded(line, encoding):
    content = line * (1_200_000 if encoding == "base64" else 60_000)
    tracemalloc.start()
    try:
        decode_transfer(content, encoding)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(content)
    finally:
        tracemalloc.stop()


def test_a_text_is_measured_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(module, "MAX_TEXT", 1000)
    header = "Content-Transfer-Encoding: base64"
    assert read(mail(header, body="QUJD\n" * 200))[1] == "ABC" * 200
    with pytest.raises(ValueError, match="a text of more than"):
        read(mail(header, body="\n" * 2_000))


def test_uuencoded_text_is_read():
    body = "begin 644 note.txt\n#:&5Y\n`\nend\n"
    assert read(mail("Content-Type: text/plain", "Content-Transfer-Encoding: x-uuencode", body=body))[1] == "hey"


def test_parts_beyond_reason_are_refused():
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(200))
    with pytest.raises(ValueError, match="parts"):
        read(f"Subject: x\n{deep}".encode())
    with pytest.raises(ValueError, match="parts"):
        read(multipart(*["\nx"] * 6_000))


def levels(size):
    """Many multiparts, one in the other, over empty lines: each level looks through them."""
    head = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(90))
    return f"Subject: x\n{head}{chr(10) * size}".encode()


HOSTILE = {
    "nested": levels,
    "boundary-like": lambda size: mail("Content-Type: multipart/mixed; boundary=b", body="--b " * size),
    "delimiters": lambda size: mail("Content-Type: multipart/mixed", body="--b\n" * size),
    "parameters": lambda size: mail("Content-Type: text/html" + ';a="' * size, body="x"),
    "pieces of base64": lambda size: mail("Content-Transfer-Encoding: base64", body="YW=\n" * size + "!"),
    "blank base64": lambda size: mail("Content-Transfer-Encoding: base64", body="\n" * size + "!"),
    "uuencoded": lambda size: mail("Content-Transfer-Encoding: uuencode", body="begin 644 x\n" * size),
    "calendar": lambda size: mail("Content-Type: text/calendar", body="BEGIN:VEVENT\n" + "SUMMARY;" * size),
    "enriched": lambda size: mail("Content-Type: text/enriched", body="<param>" * size),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_parts_take_no_time(make, assert_linear):
    assert_linear(read, make, 4_000)
