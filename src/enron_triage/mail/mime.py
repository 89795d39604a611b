"""From the bytes of a message to its raw headers and its text (RFC 5322, RFC 2045).

Two readers give the same result: `read_plain` understands single-part plain text, which is nearly
all of the archive, and declines anything else; `read_mime` reads whatever the standard ``email``
package does. `read` tries the first, then the second.
"""

from __future__ import annotations

import email
import email.message
import email.policy
import quopri
import re

from enron_triage.mail.ascii_mail import read_ascii
from enron_triage.mail.charsets import decode
from enron_triage.mail.html_text import html_to_text

Headers = dict[str, str]  # lower-case name -> unfolded value, the first of several

_FOLD = re.compile(r"\r?\n(?=[ \t])|\r(?=[ \t])")
_PLAIN_TYPE = re.compile(r'text/plain(?:;\s*charset=(?:"([\w.-]+)"|([\w.-]+)))?', re.IGNORECASE)
# The email package takes time in the square of such a header's length.
_ENDLESS_PARAMETERS = re.compile(
    rb"(?:^|[\r\n])content-(?:type|disposition):(?:[^\r\n]|[\r\n]+[ \t]){4000}", re.IGNORECASE
)
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary", "quoted-printable"})


def read(raw: bytes) -> tuple[Headers, str]:
    r"""Read the headers and the text of a message.

    Parameters
    ----------
    raw : bytes
        The message as it is in its file.

    Returns
    -------
    headers : dict of str to str
        Lower-case name to unfolded value; RFC 2047 words are left as they are.
    text : str
        The plain text, or HTML reduced to text; line ends are ``\n``.

    Raises
    ------
    ValueError
        If a header is made to keep the ``email`` package busy.
    RecursionError
        If the parts are nested too deeply.
    """
    return read_plain(raw) or read_mime(raw)


def read_plain(raw: bytes) -> tuple[Headers, str] | None:
    """Read a single-part plain message.

    Parameters
    ----------
    raw : bytes
        The message as it is in its file.

    Returns
    -------
    tuple or None
        What `read` returns; None if it is another kind of message.
    """
    plainest = read_ascii(raw)
    if plainest is not None:
        return plainest
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


def read_mime(raw: bytes) -> tuple[Headers, str]:
    """Read any message through the standard ``email`` package.

    Parameters
    ----------
    raw : bytes
        The message as it is in its file.

    Returns
    -------
    headers, text
        What `read` returns.

    Raises
    ------
    ValueError
        If a header is made to keep that package busy.
    RecursionError
        If the parts are nested too deeply.
    """
    if _ENDLESS_PARAMETERS.search(raw):
        raise ValueError("a Content-Type or Content-Disposition header beyond reason")
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    headers: Headers = {}
    for name, value in message.raw_items():
        unfolded = _FOLD.sub("", _decode_surrogates(value).replace("\r\n", "\n"))
        headers.setdefault(name.lower(), unfolded.strip(" \t"))
    return headers, _unix_lines(_text_part(message))


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """The header lines and what follows the first empty line; no headers if there is no such line."""
    end = raw.find(b"\n\r\n")
    shorter = raw.find(b"\n\n", 0, end + 1 if end >= 0 else None)
    if shorter >= 0:
        return raw[:shorter], raw[shorter + 2 :]
    return (raw[:end], raw[end + 3 :]) if end >= 0 else (b"", raw)


def _plain_headers(head: bytes) -> Headers | None:
    """The header fields; None if one of the lines is not a field (RFC 5322, 2.2)."""
    lines = head.removesuffix(b"\r").replace(b"\r\n", b"\n")
    if b"\r" in lines:
        return None
    lines = lines.replace(b"\n ", b" ").replace(b"\n\t", b"\t")
    # All at once where they are ASCII, as nearly all are; else each line may be in another character set.
    texts = lines.decode().split("\n") if lines.isascii() else (decode(line, "us-ascii") for line in lines.split(b"\n"))
    headers: Headers = {}
    for line in texts:
        name, colon, value = line.partition(":")
        if not (name and colon and name.isascii() and name.isprintable()) or " " in name:
            return None
        headers.setdefault(name.lower(), value.strip(" \t"))
    return headers


def _text_part(message: email.message.Message) -> str:
    """The first plain text part, else the first HTML part as text, else nothing."""
    markup: str | None = None
    for part in message.walk():
        if part.is_multipart() or (part is not message and part.get_content_disposition() == "attachment"):
            continue
        content_type = part.get_content_type()
        if content_type == "text/plain":
            return _decode_part(part)
        if content_type == "text/html" and markup is None:
            markup = _decode_part(part)
    return html_to_text(markup) if markup is not None else ""


def _decode_part(part: email.message.Message) -> str:
    encoding = part.get("Content-Transfer-Encoding")
    if encoding is not None:  # the package knows an encoding only without the white space around it
        part.replace_header("Content-Transfer-Encoding", str(encoding).strip())
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes), "a part that is not multipart has bytes"
    return decode(payload, part.get_content_charset("us-ascii"))


def _decode_surrogates(value: str) -> str:
    """The package gives the 8-bit bytes of headers as surrogates; decode those bytes."""
    return value if value.isascii() else decode(value.encode("ascii", "surrogateescape"), "us-ascii")


def _unix_lines(text: str) -> str:
    return text.replace("\r\n", "\n") if "\r" in text else text
