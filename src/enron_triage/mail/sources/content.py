"""What a file is, by its first bytes: a message, an mbox, or something that is not read."""

from __future__ import annotations

import re
from typing import Literal

from enron_triage.mail.sources.separators import begins_mbox

Kind = Literal[
    "message",
    "mbox",
    "gzip",
    "xz",
    "bzip2",
    "zstd",
    "zip",
    "tar",
    "pst",
    "olm",
    "ole",
    "dbx",
    "nsf",
    "damaged",
    "empty",
    "other",
]

HEAD = 16 * 1024  # bytes that are looked at
_TAR_MAGIC = slice(257, 262)
_SIGNATURES: tuple[tuple[bytes, Kind], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),  # an empty one
    (b"!BDN", "pst"),
    (b"\xcf\xad\x12\xfe", "dbx"),
    (b"\x1a\0\0\4\0\0", "nsf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
)
_FIRST_LINES = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*"
    rb"(?:>*From [^\r\n]*\s+|Microsoft Mail Internet Headers[^\r\n]*\s+|\d{1,12}\s+)?"
)
_HEADER = re.compile(rb"[!-9;-~]{1,80}[ \t]*:")
_MAIL_HEADER = re.compile(
    rb"(?:^|[\r\n])(?:From|To|Cc|Bcc|Date|Subject|Received|Message-ID|Return-Path|Delivered-To|MIME-Version|Sender"
    rb"|Reply-To|In-Reply-To|References|Content-Type|X-[!-9;-~]+)[ \t]*:",
    re.IGNORECASE,
)


def kind_of(head: bytes) -> Kind:
    """What a file is.

    Parameters
    ----------
    head : bytes
        Its first 16 KiB, or all of a shorter one.

    Returns
    -------
    str
        ``message``, ``mbox``, the name of a compression or an archive, ``pst`` (a store of Outlook), ``ole`` (a message
        that Outlook saved, or another file of Microsoft Office), ``dbx`` (Outlook Express), ``nsf`` (Notes), ``empty``,
        or ``other``; never ``damaged``, which is what a compressed file is that cannot be expanded, nor ``olm``, which
        only its name tells.
    """
    if not head or head.isspace():
        return "empty"
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[_TAR_MAGIC] == b"ustar":
        return "tar"
    if begins_mbox(head):
        return "mbox"
    return "message" if _is_message(head) else "other"


def _is_message(head: bytes) -> bool:
    """Whether header lines stand at the top, below what programs put above them."""
    first = _FIRST_LINES.match(head)
    begin = first.end() if first else 0
    if not _HEADER.match(head, begin):
        return False
    headers = re.split(rb"\r*\n\r*\n|\r\r", head[begin:], maxsplit=1)[0]
    return _MAIL_HEADER.search(headers) is not None
