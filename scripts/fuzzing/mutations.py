"""Hostile mail, made of good mail: a function for each kind of damage, and the table of them.

Each takes a random generator, the message, and how often to repeat what is repeated; it knows where headers end, and
what parts, encodings, quotations, dates and addresses look like.
"""

from __future__ import annotations

import base64
import quopri
from collections.abc import Callable
from random import Random

Mutation = Callable[[Random, bytes, int], bytes]

LARGEST = 2**22  # bytes of what is repeated; a message has at most 64 MiB
_HEADERS = (
    *("Subject", "From", "To", "Cc", "Bcc", "Date", "Message-ID", "In-Reply-To", "References", "Received", "X-From"),
    *("Content-Type", "Content-Transfer-Encoding", "X-Gmail-Labels", "Status", "X-Mozilla-Status", "Reply-To"),
    *("X-Forwarded-Message-Id", "Auto-Submitted", "List-Id", "Precedence", "X-To", "MIME-Version"),
)
_CHARSETS = (
    *("utf-8", "utf-7", "utf-16", "utf-32", "iso-2022-jp", "iso-2022-kr", "hz", "big5", "gb18030", "koi8-r", "idna"),
    *("punycode", "unicode_escape", "raw_unicode_escape", "rot13", "zlib", "bz2", "base64", "hex", "uu", "undefined"),
    *("x-user-defined", "cp437", "us-ascii", "latin-1", "", "mbcs", "x" * 300, "utf-8\0"),
)
_BITS = (
    *(" ", "\t", "\n", "\r", "\r\n", "\0", "-", "_", "=", "*", "~", ">", "> ", "|", ":", ";", ",", "<", ">", "(", ")"),
    *('"', "'", "\\", "@", ".", "[", "]", "re:", "Re[2]: ", "fwd: ", "AW: ", "=?", "?=", "=?utf-8?q?=41?= ", "&#", "&"),
    *("a", "A", "ß", "İ", "語", "\u202e", "\ufeff", "\u00ad", "😀", "0", "9", "/", "%", "#", "$", "\x1b[31m", "\x0b"),
)
_QUOTATIONS = (
    *("-----Original Message-----\n", "From: a\nSent: b\nTo: c\nSubject: d\n\n", "On Monday, Jane wrote:\n", "> "),
    *("Am 14.05.2001 um 10:00 schrieb Jane Doe:\n", "> On 5/14/2001 10:00 AM, Jane\n> wrote:\n", "Begin forwarded"),
    *("---------------------- Forwarded by Jane on 05/14/2001 10:00 AM ---------------------------\n", "-- \n"),
    *("Le lun. 14 mai 2001 à 10:00, Jane a écrit :\n", "jane@x.example on 05/14/2001 10:00:00 AM\n", "________\n"),
    *("To: a, b, c\tcc: d Subject: e\n", "From:\n", "\tFrom:  Jane Doe @ X   05/14/2001 10:00 AM\n", "wrote:\n"),
)
_MARKUP = (
    *("<br>", "<div>", "<p>", "</p>", "<table><tr><td>", "<script>", "<style>", "<!--", "-->", "<a b=c ", "<", ">"),
    *("&nbsp;", "&#1114112;", "&#x0;", "<blockquote>", "<b", "<![CDATA[", "<?xml ", "<svg><math>", "='", '="', "</"),
    *("<meta charset=utf-7>", "<textarea>", "<plaintext>", "<li><ul>", "<font ", "x=y "),
)
_DATES = (
    *("Mon, 31 Feb 2001 25:61:61 +9999", "1 Jan 0000 00:00:00", "1 Jan 99999 00:00:00 GMT", "-", "0", "9" * 5000),
    *("Thu, 1 Jan 1970 00:00:00 -2400", "2001-05-14T18:00:00Z", "14/05/01", "Mon, 14 May 2001 18:00:00 (((PDT", "\0"),
    *("Mon, 14 May 2001 18:00:00 -0700 " * 20, "٣١ مايو ٢٠٠١", "31 Dec 9999 23:59:59 -2359", "1 Jan 1 00:00 +2359"),
)
_ADDRESSES = (
    *("a@b.example,", "group: a@b.example, ", "(", "((", '"', "<", "<@a,@b:c@d.example>", "a@[", "a@b@c, ", ";", "\\"),
    *('"Doe, Jane" <jane@x.example>, ', "=?utf-8?b?", "undisclosed-recipients:;", "@", "a" * 500 + "@x.example", ","),
)


def _split(raw: bytes) -> tuple[list[bytes], bytes]:
    head, _, body = raw.partition(b"\n\n")
    return head.split(b"\n"), body


def _joined(lines: list[bytes], body: bytes) -> bytes:
    return b"\n".join(lines) + b"\n\n" + body


def _repeated(random: Random, bits: tuple[str, ...], count: int) -> bytes:
    chosen = [random.choice(bits).encode("utf-8", "surrogatepass") for _ in range(random.choice((1, 1, 1, 2, 3, 8)))]
    pattern = b"".join(chosen)
    return (pattern * max(1, min(count, LARGEST // len(pattern))))[:LARGEST]


def with_header(raw: bytes, name: str, value: bytes) -> bytes:
    """A message in which a header has a value, at its top; others of that name are left out.

    Parameters
    ----------
    raw : bytes
        The message.
    name : str
        The header's name.
    value : bytes
        Its value.
    """
    lines, body = _split(raw)
    kept = [line for line in lines if not line.lower().startswith(name.lower().encode() + b":")]
    return _joined([name.encode() + b": " + value, *kept], body)


def _header_value(random: Random, raw: bytes, count: int) -> bytes:
    return with_header(raw, random.choice(_HEADERS), _repeated(random, _BITS, count))


def _header_lines(random: Random, raw: bytes, count: int) -> bytes:
    lines, body = _split(raw)
    place = random.randrange(len(lines) + 1)
    damage = random.choice(("delete", "double", "shuffle", "no colon", "many", "fold", "no end", "8 bit"))
    if damage == "delete":
        del lines[place : place + 2]
    elif damage == "double":
        lines += lines
    elif damage == "shuffle":
        random.shuffle(lines)
    elif damage == "many":
        name = random.choice([*_HEADERS, "A", ""]).encode()
        lines[place:place] = [name + b": x"] * min(count, LARGEST // 12)
    elif damage == "fold":
        lines[place:place] = [b" x"] * min(count, LARGEST // 4)
    elif damage == "no end":
        return b"\n".join(lines) + b"\n" + body
    else:
        lines.insert(place, random.randbytes(min(count, 5000)).replace(b"\n", b""))
    return _joined(lines, body)


def _date(random: Random, raw: bytes, count: int) -> bytes:
    value = random.choice(_DATES).encode()
    if random.random() < 0.3:
        value = (value + b" ") * min(count, 1000)
    return with_header(raw, random.choice(("Date", "Date", "Received")), value)


def _addresses(random: Random, raw: bytes, count: int) -> bytes:
    return with_header(raw, random.choice(("From", "To", "Cc", "Bcc", "X-From")), _repeated(random, _ADDRESSES, count))


def _threading(random: Random, raw: bytes, count: int) -> bytes:
    value = random.choice((b"<a@x.example> ", b"<a", b"<1.2@x.example>", b"<>", b'<"a b"@x> '))
    name = random.choice(("Message-ID", "In-Reply-To", "References", "X-Forwarded-Message-Id"))
    return with_header(raw, name, value * min(count, LARGEST // len(value)))


def _nested(random: Random, raw: bytes, count: int) -> bytes:
    lines, body = _split(raw)
    depth = min(count, 20_000)
    kind = random.choice(("mixed", "alternative", "digest", "related", "x", "report"))
    same = random.random() < 0.3
    opened, closed = [], []
    for level in range(depth):
        name = "b" if same else f"b{level}"
        opened.append(f"Content-Type: multipart/{kind}; boundary={name}\n\n--{name}\n")
        closed.append(f"\n--{name}--\n")
    inner = random.choice(("", "Content-Type: text/html\n\n", "Content-Type: message/rfc822\n\nSubject: x\n\n"))
    empty = b"\n" * (min(count, LARGEST // 50) if random.random() < 0.2 else 0)
    closing = "".join(reversed(closed)) if random.random() < 0.5 else ""
    content = "".join(opened).encode() + inner.encode() + b"\n" + empty + body + closing.encode()
    kept = [line for line in lines if not line.lower().startswith(b"content-")]
    return b"\n".join(kept) + b"\n" + content


def _many_parts(random: Random, raw: bytes, count: int) -> bytes:
    _, body = _split(raw)
    boundary = random.choice(("b", "-" * 60, "=_" * 30, "b b", "x" * 5000))
    header = random.choice(("", "Content-Type: text/plain; charset=utf-7\n", "Content-Disposition: attachment\n", "x"))
    part = f"--{boundary}\n{header}\n".encode() + body[:200] + b"\n"
    whole = part * min(count, LARGEST // len(part) + 1)
    quoted = random.choice((f'"{boundary}"', boundary, f"{boundary}; boundary=c", f"*0={boundary}"))
    kind = random.choice(("mixed", "alternative", "digest"))
    return _joined(_split(with_header(raw, "Content-Type", f"multipart/{kind}; boundary={quoted}".encode()))[0], whole)


def _encoding(random: Random, raw: bytes, count: int) -> bytes:
    lines, body = _split(raw)
    name = random.choice(("base64", "quoted-printable", "x-uuencode", "7bit", "binary", "BASE64 ", "yenc", ""))
    if name == "base64":
        body = base64.encodebytes(body)
    elif name == "quoted-printable":
        body = quopri.encodestring(body)
    body = _damaged(random, body)
    if random.random() < 0.1:
        body += _repeated(random, ("=", "=\n", "====", "AAAA", "M", "`", "=4"), count)
    kind = random.choice(("plain", "html", "calendar", "enriched", "xml"))
    raw = with_header(_joined(lines, body), "Content-Transfer-Encoding", name.encode())
    return with_header(raw, "Content-Type", f"text/{kind}; charset={random.choice(_CHARSETS)}".encode())


def _html(random: Random, raw: bytes, count: int) -> bytes:
    lines, body = _split(with_header(raw, "Content-Type", b"text/html; charset=utf-8"))
    return _joined(lines, _repeated(random, _MARKUP, count) + body + _repeated(random, _MARKUP, min(count, 50)))


def _quotation(random: Random, raw: bytes, count: int) -> bytes:
    lines, body = _split(raw)
    place = random.choice((0, len(body), random.randrange(len(body) + 1)))
    return _joined(lines, body[:place] + _repeated(random, _QUOTATIONS, count) + body[place:])


def _long_line(random: Random, raw: bytes, count: int) -> bytes:
    lines, body = _split(raw)
    return _joined(lines, _repeated(random, _BITS, count * 20) + random.choice((b"", b"\n")) + body)


def _control(random: Random, raw: bytes, count: int) -> bytes:
    place = random.randrange(len(raw) + 1)
    odd = random.choice((b"\0", b"\x1b]0;x\x07", b"\xff", b"\x80", b"\r", b"\xef\xbb\xbf", b"\xff\xfe", b"\x85"))
    return raw[:place] + odd * min(count, LARGEST // 6) + raw[place:]


def _bytes(random: Random, raw: bytes, count: int) -> bytes:
    return _damaged(random, raw)


def _damaged(random: Random, raw: bytes) -> bytes:
    content = bytearray(raw)
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        place = random.randrange(len(content) + 1)
        damage = random.randrange(5)
        if damage == 0 and content:
            content[place % len(content)] ^= 1 << random.randrange(8)
        elif damage == 1:
            del content[place : place + random.choice((1, 10, 600))]
        elif damage == 2:
            content[place:place] = content[max(0, place - random.randrange(1, 600)) : place]
        elif damage == 3:
            content[place:place] = random.choice(_BITS).encode()
        elif random.random() < 0.2:
            del content[place:]
    return bytes(content)


MUTATIONS: dict[str, Mutation] = {
    "header value": _header_value,
    "header lines": _header_lines,
    "date": _date,
    "addresses": _addresses,
    "threading headers": _threading,
    "nested parts": _nested,
    "many parts": _many_parts,
    "encoding and charset": _encoding,
    "HTML": _html,
    "quotation": _quotation,
    "long line": _long_line,
    "control characters": _control,
    "bytes": _bytes,
}


def mutated(random: Random, raw: bytes) -> tuple[str, bytes]:
    """A message with one to three kinds of damage.

    Parameters
    ----------
    random : Random
        Decides everything: the same seed gives the same message.
    raw : bytes
        The message.

    Returns
    -------
    kind : str
        The first kind of damage, a key of `MUTATIONS`.
    message : bytes
        The damaged message.
    """
    kinds = random.choices(list(MUTATIONS), k=random.choice((1, 1, 2, 3)))
    largest = random.choice((2, 4, 6, 8, 10, 12) if random.random() < 0.99 else (16, 18, 20, 22))
    for kind in kinds:
        raw = MUTATIONS[kind](random, raw, int(2 ** random.uniform(0, largest)))
    return kinds[0], raw
