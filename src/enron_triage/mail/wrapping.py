"""What mail programs put around the message in its file: Apple Mail's .emlx, and compression."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

EMLX = ".emlx"
_OPENERS: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\0": lzma.open,
    b"BZh": bz2.open,
}
COMPRESSED = tuple(_OPENERS)
# The first line of an .emlx: how many bytes of message follow, before a property list.
_BYTE_COUNT = re.compile(rb"\s*(\d{1,12})[ \t]*\r?\n")


def expand(raw: bytes, max_bytes: int) -> bytes:
    """A message that its file holds compressed, as dovecot and backups keep them.

    Parameters
    ----------
    raw : bytes
        The content of the file, compressed with gzip, xz or bzip2.
    max_bytes : int
        The most that a message may have.

    Returns
    -------
    bytes
        The message; one byte more than `max_bytes` of one that is larger.

    Raises
    ------
    ValueError
        If it is truncated or damaged.
    """
    opener = next(opener for signature, opener in _OPENERS.items() if raw.startswith(signature))
    try:
        with opener(io.BytesIO(raw)) as file:
            content: bytes = file.read(max_bytes + 1)
    except (EOFError, OSError, zlib.error, lzma.LZMAError):
        raise ValueError("compressed, and truncated or damaged") from None
    return content


def without_emlx(raw: bytes) -> bytes:
    """The message in an .emlx file of Apple Mail: a line with the number of its bytes, it, and a property list.

    Parameters
    ----------
    raw : bytes
        The content of the file.

    Returns
    -------
    bytes
        The message; all of it if no number stands at the top.
    """
    count = _BYTE_COUNT.match(raw)
    return raw[count.end() : count.end() + int(count[1])] if count else raw
