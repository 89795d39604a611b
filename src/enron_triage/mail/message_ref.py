"""Where the bytes of one message are, and how they are read."""

from __future__ import annotations

import os
import re
import stat

import msgspec

from enron_triage.mail.compression import COMPRESSED, expand

MAX_BYTES = 64 * 2**20  # a larger "message" is an accident or an attack
TOO_LARGE = f"larger than {MAX_BYTES >> 20} MiB"
# Without following a link out of the corpus, and without waiting on a pipe.
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_QUOTED_FROM = re.compile(rb"(?:^|(?<=\r))>(>*From )", re.MULTILINE)
_LITERAL_ESCAPE = re.compile(r"\\(?=x[0-9a-f]{2})")


class MessageRef(msgspec.Struct, array_like=True):
    """A reference to one message: a file, a range of bytes of an mbox, or the content of an archive's member.

    Attributes
    ----------
    path : str
        The path that the record gets: the file below the corpus, or ``<mbox>#<index>``.
    folder : str
        The mail folder that the record gets; empty at the top of a mailbox.
    file : str
        The file to read; empty where `content` is given.
    start, stop : int
        The range of bytes to read in the file; a `stop` of -1 means the whole file.
    problem : str
        Why the message must not be read; empty if it may be.
    content : bytes or None
        The message itself, where it is already in memory.
    """

    path: str
    folder: str
    file: str
    start: int = 0
    stop: int = -1
    problem: str = ""
    content: bytes | None = None


def read_bytes(ref: MessageRef) -> bytes:
    """Read one message; the quoted ``>From`` lines of an mbox lose one ``>``.

    Parameters
    ----------
    ref : MessageRef
        The message to read.

    Returns
    -------
    bytes
        The message as its sender's system wrote it, headers and body.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not a regular file, is empty, or is larger than any mail.
    """
    if ref.problem:
        raise ValueError(ref.problem)
    raw = _read_file(ref) if ref.content is None else ref.content
    if raw.startswith(COMPRESSED):
        raw = expand(raw, MAX_BYTES)
    if len(raw) > MAX_BYTES:
        raise ValueError(TOO_LARGE)
    if not raw or raw.isspace():
        raise ValueError("empty")
    return raw if ref.stop < 0 else _QUOTED_FROM.sub(rb"\1", raw)


def json_safe(name: str) -> str:
    r"""A file name as text that JSON can hold; different names stay different.

    Parameters
    ----------
    name : str
        A name as Python's functions on files return it, with surrogates for bytes that are not UTF-8.

    Returns
    -------
    str
        The name, with ``\xe9`` for such a byte, and ``\x5c`` for a backslash that would look like the beginning of one.
    """
    if "\\" in name:
        name = _LITERAL_ESCAPE.sub(r"\\x5c", name)
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def _read_file(ref: MessageRef) -> bytes:
    # os.open and os.pread avoid a buffered file's seek and its other calls, which cost as much as the reading.
    descriptor = os.open(ref.file, _OPEN_FLAGS if ref.stop < 0 else os.O_RDONLY)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        stop = status.st_size if ref.stop < 0 else ref.stop
        if stop - ref.start > MAX_BYTES:
            raise ValueError(TOO_LARGE)
        return os.pread(descriptor, stop - ref.start, ref.start)
    finally:
        os.close(descriptor)
