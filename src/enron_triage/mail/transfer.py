"""Undoing the encodings in which mail transfers its texts (RFC 2045, section 6)."""

from __future__ import annotations

import binascii
import io
import quopri
import re

_NAME = re.compile(r"[\w-]+", re.ASCII)
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]*+={0,2}\s*+")
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_NO_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_MAX_LINES = 2**20  # of base64 among which the end is looked for; a text of 16 MiB has a third of it
_LONG_LINE = 40  # characters without a space: no line of prose, even where some are damaged
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\n]*\n", re.MULTILINE)


def transfer_encoding(value: str) -> str:
    """The name of a transfer encoding, without what some programs write around it.

    Parameters
    ----------
    value : str
        The value of a Content-Transfer-Encoding header; empty if it is missing.

    Returns
    -------
    str
        The name in lower case; empty if there is none.

    Examples
    --------
    >>> transfer_encoding(' "Base64"; ')
    'base64'
    """
    found = _NAME.search(value)
    return found[0].lower() if found else ""


def decode_transfer(content: bytes, encoding: str) -> bytes:
    r"""Undo a transfer encoding; never fails.

    Parameters
    ----------
    content : bytes
        The content of a part, its lines ended by ``\n``.
    encoding : str
        The name, as `transfer_encoding` returns it; what is not known leaves the content as it is.

    Returns
    -------
    bytes
        The text. What follows base64 in clear, such as a mailing list's footer, stands below it.

    Examples
    --------
    >>> decode_transfer(b"U28gbG9uZw\n\nChoir list, 2023\n", "base64")
    b'So long\nChoir list, 2023\n'
    """
    if encoding == "quoted-printable":
        return quopri.decodestring(content)
    if encoding in ("base64", "base-64"):
        return _from_base64(content)
    if encoding in ("x-uuencode", "uuencode", "uue", "x-uue"):
        return _from_uuencode(content)
    return content


def _from_base64(content: bytes) -> bytes:
    if _BASE64.fullmatch(content) or content.count(b"\n") > _MAX_LINES:
        return _decode_base64(content.translate(None, _NO_BASE64))
    lines = content.split(b"\n")
    end = _end_of_base64(lines)
    clear = b"\n".join(lines[end:])
    return b"\n".join(filter(None, (_decode_chunks(lines[:end]), clear.lstrip(b"\n"))))


def _end_of_base64(lines: list[bytes]) -> int:
    """Where lines in clear begin; blank lines above them are among these."""
    length = end = 0
    closed = False  # base64 has come to an end: what follows must look very much like base64 to be taken for it
    for number, line in enumerate(lines):
        data = line.strip()
        if not data:
            closed |= end == 1 or (end > 1 and len(lines[end - 1].strip()) < length)
            continue
        whole = _BASE64_LINE.fullmatch(data) is not None
        if (len(data) < _LONG_LINE and (closed or not whole)) or (not whole and b" " in data):
            break
        length = max(length, len(data))
        closed = data.endswith(b"=")
        end = number + 1
    return end


def _decode_chunks(lines: list[bytes]) -> bytes:
    """Decode lines of base64, of which each with a padding ends a chunk."""
    chunks: list[list[bytes]] = [[]]
    for line in lines:
        chunks[-1].append(line.translate(None, _NO_BASE64))
        if line.rstrip().endswith(b"="):
            chunks.append([])
    return b"".join(_decode_base64(b"".join(chunk)) for chunk in chunks)


def _decode_base64(data: bytes) -> bytes:
    """Decode base64 without its padding; a character that is too few for a byte is dropped."""
    data = data[: len(data) - (len(data) % 4 == 1)]
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


def _from_uuencode(content: bytes) -> bytes:
    begin = _UU_BEGIN.search(content)
    decoded = bytearray()
    for line in io.BytesIO(content[begin.end() if begin else 0 :]):
        if line.strip() in (b"end", b"`"):
            break
        try:
            decoded += binascii.a2b_uu(line.removesuffix(b"\n"))
        except binascii.Error:
            continue
    return bytes(decoded)
