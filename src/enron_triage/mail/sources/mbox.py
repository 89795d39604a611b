"""mbox files (RFC 4155), each a mailbox: messages one after the other, each below a ``From `` line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from enron_triage.errors import UsageError
from enron_triage.mail.archive import is_archive
from enron_triage.mail.message_ref import MessageRef, json_safe
from enron_triage.mail.sources.folders import list_folder

FROM = b"From "
# The separator line of an mbox (RFC 4155): an address, and a date that ends in the year (and zone).
_FROM_LINE = re.compile(rb"From \S.*\d{4}( [+-]\d{4})?\r?\n?")
# What a compressed file begins with.
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"BZh": "bzip2"}


def matches(path: Path) -> bool:
    """Whether a path is a file other than a tar archive, or a folder with a file named ``*.mbox``.

    Parameters
    ----------
    path : Path
        A folder or file of mail.

    Returns
    -------
    bool
        True for mbox files, by their names only.

    Raises
    ------
    UsageError
        If the folder cannot be listed.
    """
    if path.is_file():
        return not is_archive(path)
    return path.is_dir() and any(child.suffix == ".mbox" and child.is_file() for child in list_folder(path)[1])


def mailboxes(path: Path) -> Iterator[tuple[str, Iterator[MessageRef]]]:
    """List one mbox, or each ``*.mbox`` of a folder.

    Parameters
    ----------
    path : Path
        A file of any name, or a folder.

    Yields
    ------
    user : str
        The name of a file, without ``.mbox``.
    refs : iterator of MessageRef
        Its messages in their order. It raises UsageError if the file is not an mbox or cannot be read.
    """
    files = [path] if path.is_file() else sorted(child for child in path.glob("*.mbox") if child.is_file())
    for file in files:
        yield file.name.removesuffix(".mbox"), list_mbox(file)


def list_mbox(file: Path) -> Iterator[MessageRef]:
    """List the messages of an mbox: each begins with a From line at the top or after a blank line.

    Parameters
    ----------
    file : Path
        The mbox.

    Yields
    ------
    MessageRef
        One for each message; its path is ``<file name>#<index>``, counted from 0.

    Raises
    ------
    UsageError
        If it is not an mbox, or cannot be read.
    """
    try:
        mbox = file.open("rb")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    with mbox:
        index, start, offset, after_blank = 0, -1, 0, True
        for line in mbox:
            if after_blank and line.startswith(FROM) and _FROM_LINE.fullmatch(line):
                if start >= 0:
                    yield MessageRef(f"{json_safe(file.name)}#{index}", "", str(file), start, offset)
                    index += 1
                start = offset + len(line)
            elif start < 0 and line.strip():
                raise UsageError(f"{file}: {_why_not_mbox(line)}")
            after_blank = not line.strip()
            offset += len(line)
        if start >= 0:
            yield MessageRef(f"{json_safe(file.name)}#{index}", "", str(file), start, offset)


def _why_not_mbox(line: bytes) -> str:
    """What a file is that has this line first."""
    for signature, name in _COMPRESSED.items():
        if line.startswith(signature):
            return f"compressed with {name}; unpack it and name the mbox that comes out"
    return "not an mbox: it does not begin with a `From ` line"
