"""From the bytes of a message to its raw headers and its text.

Two readers give the same result: `read_plain` understands single-part plain text, which is nearly
all of the archive, and declines anything else; `read_mime` reads whatever the standard ``email``
package does. `read` tries the first, then the second.
"""

from __future__ import annotations

import codecs
import email
import email.message
import email.policy
import quopri
import re

from lxml import etree, html

Headers = dict[str, str]  # lower-case name -> unfolded value, the first of several

_FOLD = re.compile(r"\r?\n(?=[ \t])|\r(?=[ \t])")
_PLAIN_TYPE = re.compile(r'text/plain(?:;\s*charset=(?:"([\w.-]+)"|([\w.-]+)))?', re.IGNORECASE)
# The email package takes time in the square of such a header's length.
_ENDLESS_PARAMETERS = re.compile(
    rb"(?:^|[\r\n])content-(?:type|disposition):(?:[^\r\n]|[\r\n]+[ \t]){4000}", re.IGNORECASE
)
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary", "quoted-printable"})
# Quadratic in the length of the body, or no character sets at all: never worth a hostile message.
_REFUSED_CHARSETS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined"})
_SUPERSETS_OF_ASCII = frozenset({"us-ascii", "ascii", "ansi_x3.4-1968", "utf-8", "iso-8859-1", "windows-1252"})
_CELLS = frozenset({"td", "th"})
_BLOCKS = frozenset("address blockquote br div h1 h2 h3 h4 h5 h6 hr li p pre table tr".split())


def read(raw: bytes) -> tuple[Headers, str]:
    r"""Headers and text of a message.

    Parameters
    ----------
    raw : bytes
        The message as it lies in its file.

    Returns
    -------
    headers : dict of str to str
        Lower-case name to unfolded value; RFC 2047 words are left as they are.
    text : str
        The plain text, or HTML reduced to text; line ends are ``\n``.
    """
    return read_plain(raw) or read_mime(raw)


def read_plain(raw: bytes) -> tuple[Headers, str] | None:
    """`read` for a single-part plain message; None if it is anything else."""
    head, body = _split(raw)
    headers = _plain_headers(head)
    if headers is None:
        return None
    encoding = headers.get("content-transfer-encoding", "").lower()
    content_type = _PLAIN_TYPE.fullmatch(headers.get("content-type", "text/plain"))
    if encoding not in _PLAIN_ENCODINGS or content_type is None:
        return None
    if encoding == "quoted-printable":
        body = quopri.decodestring(body)
    return headers, _unix_lines(decode(body, content_type[1] or content_type[2] or "us-ascii"))


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """The header lines and what follows the first empty line; no headers if there is no such line."""
    end = raw.find(b"\n\r\n")
    shorter = raw.find(b"\n\n", 0, end + 1 if end >= 0 else None)
    if shorter >= 0:
        return raw[:shorter], raw[shorter + 2 :]
    return (raw[:end], raw[end + 3 :]) if end >= 0 else (b"", raw)


def _plain_headers(head: bytes) -> Headers | None:
    """The fields of a header; None if a line of it is none (RFC 5322, 2.2)."""
    lines = head.removesuffix(b"\r").replace(b"\r\n", b"\n")
    if b"\r" in lines:
        return None
    lines = lines.replace(b"\n ", b" ").replace(b"\n\t", b"\t")
    # A block in one go where it is ASCII, as nearly all are; else each line may be of another charset.
    texts = lines.decode().split("\n") if lines.isascii() else (decode(line, "us-ascii") for line in lines.split(b"\n"))
    headers: Headers = {}
    for line in texts:
        name, colon, value = line.partition(":")
        if not (name and colon and name.isascii() and name.isprintable()) or " " in name:
            return None
        headers.setdefault(name.lower(), value.strip(" \t"))
    return headers


def read_mime(raw: bytes) -> tuple[Headers, str]:
    """`read` through the standard ``email`` package.

    Raises
    ------
    ValueError
        If a header is made to keep that package busy.
    RecursionError
        If the parts are nested beyond reason.
    """
    if _ENDLESS_PARAMETERS.search(raw):
        raise ValueError("a Content-Type or Content-Disposition header beyond reason")
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    headers: Headers = {}
    for name, value in message.raw_items():
        unfolded = _FOLD.sub("", _text_of_surrogates(value).replace("\r\n", "\n"))
        headers.setdefault(name.lower(), unfolded.strip(" \t"))
    return headers, _unix_lines(_text_part(message))


def decode(content: bytes, charset: str) -> str:
    r"""Decode by a charset, else as UTF-8, else as Windows-1252; never fails.

    >>> decode(b"caf\xe9", "us-ascii"), decode(b"caf\xc3\xa9", "no-such-charset")
    ('café', 'café')
    """
    if content.isascii() and charset.lower() in _SUPERSETS_OF_ASCII:
        return content.decode("ascii")
    for name in (charset, "utf-8", "cp1252"):
        try:
            if codecs.lookup(name).name.replace("_", "-") in _REFUSED_CHARSETS:
                continue
            return _encodable(content.decode(name))
        except (LookupError, ValueError):  # UnicodeDecodeError is a ValueError
            continue
    return content.decode("latin-1")


def html_to_text(markup: str) -> str:
    r"""The readable text of an HTML document: no scripts or styles, a line per block.

    >>> html_to_text("<style>p {}</style><p>Hello <b>you</b></p><p>Bye</p>")
    'Hello you\nBye'
    """
    # lxml bounds the depth and the time of hostile markup, which the pure-Python parsers do not.
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        document = html.document_fromstring(markup.replace("\0", "").encode(), parser=parser)
    except etree.ParserError:  # nothing but white space and comments
        return ""
    etree.strip_elements(document, "script", "style", "head", with_tail=False)
    pieces: list[str] = []
    for event, element in etree.iterwalk(document, events=("start", "end")):
        if element.tag in _BLOCKS:
            pieces.append("\n")
        elif element.tag in _CELLS:
            pieces.append(" ")
        pieces.append((element.text if event == "start" else element.tail) or "")
    lines = (" ".join(line.split()) for line in "".join(pieces).split("\n"))
    return "\n".join(line for line in lines if line)


def _text_part(message: email.message.Message) -> str:
    """The first plain text part, else the first HTML part as text, else nothing."""
    markup: str | None = None
    for part in message.walk():
        if part.is_multipart() or (part is not message and part.get_content_disposition() == "attachment"):
            continue
        kind = part.get_content_type()
        if kind == "text/plain":
            return _decoded(part)
        if kind == "text/html" and markup is None:
            markup = _decoded(part)
    return html_to_text(markup) if markup is not None else ""


def _decoded(part: email.message.Message) -> str:
    encoding = part.get("Content-Transfer-Encoding")
    if encoding is not None:  # the package knows an encoding only without the white space around it
        part.replace_header("Content-Transfer-Encoding", str(encoding).strip())
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes), "a part that is not multipart has bytes"
    return decode(payload, part.get_content_charset("us-ascii"))


def _text_of_surrogates(value: str) -> str:
    """Headers come with their 8-bit bytes as surrogates; decode those bytes."""
    return value if value.isascii() else decode(value.encode("ascii", "surrogateescape"), "us-ascii")


def _encodable(text: str) -> str:
    """Without lone surrogates, which some codecs let through and JSON cannot hold."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _unix_lines(text: str) -> str:
    return text.replace("\r\n", "\n") if "\r" in text else text
