"""Messages that are compressed in their files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

_OPENERS: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\0": lzma.open,
    b"BZh": bz2.open,
}
COMPRESSED = tuple(_OPENERS)


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
