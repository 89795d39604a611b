"""From the bytes of a message to its raw headers, its text and its attachments' names (RFC 5322, RFC 2045).

Two readers give the same result: `read_plain` understands single-part plain text, which is nearly
all of the archive, and declines anything else; `read_mime` reads all that mail programs write, and
what was damaged on its way. `read` tries the first, then the second.
"""

from __future__ import annotations

import quopri
import re

from enron_triage.mail.ascii_mail import read_ascii
from enron_triage.mail.charsets import decode
from enron_triage.mail.framing import unframe, unix_lines
from enron_triage.mail.headers import MAX_HEADERS, Headers, combine, read_headers
from enron_triage.mail.parts import MAX_TEXT, read_text, unix_text

_PLAIN_TYPE = re.compile(r'text/plain(?:;\s*charset=(?:"([\w.-]+)"|([\w.-]+)))?', re.IGNORECASE)
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary", "quoted-printable"})


def read(raw: bytes) -> tuple[Headers, str, list[str]]:
    r"""Read the headers, the text and the names of the attachments of a message.

    Parameters
    ----------
    raw : bytes
        The message as it is in its file.

    Returns
    -------
    headers : dict of str to str
        Lower-case name to unfolded value; RFC 2047 words are left as they are. Of several headers of one name the first
        counts, but all of the recipients and of ``Received``: see `headers.JOINED`.
    text : str
        The plain text, or HTML reduced to text; line ends are ``\n``.
    attachments : list of str
        The names of what is attached: see `attachments.Attachments`.

    Raises
    ------
    ValueError
        If its headers, its texts, or the number or depth of its parts, are beyond those of any mail.
    """
    is_usual = len(raw) <= MAX_TEXT + MAX_HEADERS
    plain = read_plain(raw) if is_usual else None
    return read_mime(raw) if plain is None else (*plain, [])


def read_plain(raw: bytes) -> tuple[Headers, str] | None:
    """Read a single-part plain message.

    Parameters
    ----------
    raw : bytes
        The message as it is in its file.

    Returns
    -------
    tuple or None
        The headers and the text that `read` returns; None if it is another kind of message, such as one that may have
        attachments.
    """
    plainest = read_ascii(raw)
    if plainest is not None:
        return plainest
    head, _, body = unix_lines(raw).partition(b"\n\n")
    is_doubtful = b"\n" not in head and b":" in body[:80]  # each line end may have been made two
    headers = None if is_doubtful else _plain_headers(head)
    if headers is None:
        return None
    encoding = headers.get("content-transfer-encoding", "").lower()
    content_type = _PLAIN_TYPE.fullmatch(headers.get("content-type", "text/plain"))
    if encoding not in _PLAIN_ENCODINGS or content_type is None:
        return None
    if encoding == "quoted-printable":
        body = quopri.decodestring(body)
    return headers, unix_text(decode(body, content_type[1] or content_type[2] or "us-ascii"))


def read_mime(raw: bytes) -> tuple[Headers, str, list[str]]:
    """Read any message.

    Parameters
    ----------
    raw : bytes
        The message as it is in its file.

    Returns
    -------
    headers, text, attachments
        What `read` returns.

    Raises
    ------
    ValueError
        If its headers, its texts, or the number or depth of its parts, are beyond those of any mail.
    """
    content = unframe(raw)
    headers, start = read_headers(content, 0, len(content))
    return headers, *read_text(headers, content, start)


def _plain_headers(head: bytes) -> Headers | None:
    """The header fields; None if one of the lines is not a field (RFC 5322, 2.2)."""
    if b"\r" in head or not head.isascii() or len(head) > MAX_HEADERS:
        return None
    texts = head.replace(b"\n ", b" ").replace(b"\n\t", b"\t").decode().split("\n")
    headers: Headers = {}
    for line in texts:
        name, colon, value = line.partition(":")
        if not (name and colon and name.isprintable()) or " " in name:
            return None
        headers.setdefault(name.lower(), value.strip(" \t"))
    return headers if len(headers) == len(texts) else combine(texts)
