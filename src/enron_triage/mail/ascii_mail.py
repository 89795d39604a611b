"""The fastest of the readers of `mime`: for simple mail in pure ASCII.

It declines whatever may need a decision, and so never answers what the other readers would not.
"""

from __future__ import annotations

import io

_CHARSETS = ("us-ascii", "ansi_x3.4-1968", "utf-8", "iso-8859-1", "windows-1252")  # their first 128 codes are ASCII
_TYPES = frozenset({"text/plain"}).union(
    *(
        (f"text/plain; charset={name}", f'text/plain; charset="{name}"', f"text/plain;charset={name}")
        for name in _CHARSETS
    )
)
_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})
_UNIX_OR_DOS = frozenset({None, "\n", "\r\n", ("\n", "\r\n")})  # what `io.IncrementalNewlineDecoder.newlines` tells
_MAX_HEAD = 100_000  # characters
_MAX_NAME = 76  # characters
# Field names as mail programs spell them; looking one up costs less than to check and convert it.
_NAMES = {
    name: name.lower()
    for name in (
        *("Message-ID", "Message-Id", "Date", "From", "Sender", "Reply-To", "To", "Cc", "CC", "Bcc", "Subject"),
        *("In-Reply-To", "References", "Received", "Return-Path", "Delivered-To", "Status", "X-Status", "X-Mailer"),
        *("MIME-Version", "Mime-Version", "Content-Type", "Content-Transfer-Encoding", "X-Mozilla-Status"),
        *("X-Mozilla-Status2", "X-GM-THRID", "X-Gmail-Labels", "DKIM-Signature", "X-Received", "User-Agent"),
        *("X-From", "X-To", "X-cc", "X-bcc", "X-Folder", "X-Origin", "X-FileName"),
    )
}


def read_ascii(raw: bytes) -> tuple[dict[str, str], str] | None:
    r"""Read a single-part plain message that is all ASCII, not encoded, and repeats no field.

    Parameters
    ----------
    raw : bytes
        The message as it is in its file.

    Returns
    -------
    tuple or None
        What `mime.read_plain` returns; None if it is another kind of message.

    Examples
    --------
    >>> read_ascii(b"Subject: plan\r\n\r\nYes.\r\n")
    ({'subject': 'plan'}, 'Yes.\n')
    """
    if not raw.isascii():
        return None
    lines = io.IncrementalNewlineDecoder(None, translate=True)
    head, empty_line, body = lines.decode(raw.decode("ascii"), final=True).partition("\n\n")
    if not empty_line or ("\n" not in head and ":" in body[:_MAX_NAME]):  # each line end may have been made two
        return None
    if len(head) > _MAX_HEAD or lines.newlines not in _UNIX_OR_DOS:
        return None
    headers = _fields(head)
    if headers is None or "content-disposition" in headers:
        return None
    encoding = headers.get("content-transfer-encoding", "").lower()
    is_plain = headers.get("content-type", "text/plain").lower() in _TYPES and encoding in _ENCODINGS
    return (headers, body) if is_plain else None


def _fields(head: str) -> dict[str, str] | None:
    """The header fields (RFC 5322, 2.2); None if a line is not a field, or a field comes twice."""
    headers: dict[str, str] = {}
    for line in head.split("\n"):
        name, colon, value = line.partition(":")
        key = _NAMES.get(name)
        if key is None or not colon:
            key = _field_name(name) if colon else ""
            if not key:  # perhaps the second line of a field; to look for these first would cost as much as the rest
                unfolded = head.replace("\n ", " ").replace("\n\t", "\t")
                return _fields(unfolded) if unfolded != head else None
        if key in headers:
            return None
        headers[key] = value.strip(" \t")
    return headers


def _field_name(name: str) -> str:
    """The name in lower case; empty if it is not that of a field."""
    return name.lower() if 0 < len(name) <= _MAX_NAME and name.isprintable() and " " not in name else ""
