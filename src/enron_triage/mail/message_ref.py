"""One message of a corpus: where it lies, and its bytes."""

from __future__ import annotations

import os
import re
import stat

import msgspec

MAX_BYTES = 64 * 2**20  # a larger "message" is an accident or an attack
TOO_LARGE = f"larger than {MAX_BYTES >> 20} MiB"
# Without following a link out of the corpus, and without waiting on a pipe.
_PLAIN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)


class MessageRef(msgspec.Struct, array_like=True):
    """One message: a file, a range of bytes of an mbox, or the content of an archive's member.

    Attributes
    ----------
    path : str
        The record's path.
    folder : str
        The record's folder.
    file : str
        The file to read.
    start, stop : int
        The range of bytes in it; ``stop`` of -1 is the whole file.
    problem : str
        Why it must not be read, if it must not.
    content : bytes or None
        What there is to read, where it is at hand.
    """

    path: str
    folder: str
    file: str
    start: int = 0
    stop: int = -1
    problem: str = ""
    content: bytes | None = None


class Batch(msgspec.Struct):
    """Some messages of one mailbox."""

    user: str
    items: list[MessageRef]


def read_message_ref(item: MessageRef) -> bytes:
    """The bytes of one message.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no regular file, is empty, or is larger than any mail.
    """
    if item.problem:
        raise ValueError(item.problem)
    raw = _content(item) if item.content is None else item.content
    if len(raw) > MAX_BYTES:
        raise ValueError(TOO_LARGE)
    if not raw or raw.isspace():
        raise ValueError("empty")
    return raw if item.stop < 0 else _QUOTED_FROM.sub(rb"\1", raw)


def _content(item: MessageRef) -> bytes:
    # os.open and os.pread spare a buffered file's seek and its other calls, which cost as much as the reading.
    descriptor = os.open(item.file, _PLAIN_FILE if item.stop < 0 else os.O_RDONLY)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        stop = status.st_size if item.stop < 0 else item.stop
        if stop - item.start > MAX_BYTES:
            raise ValueError(TOO_LARGE)
        return os.pread(descriptor, stop - item.start, item.start)
    finally:
        os.close(descriptor)
