"""Removing what programs leave before, around and between the lines of a message."""

from __future__ import annotations

import re

_EMLX = re.compile(rb"\s*(\d{1,10})[ \t]*\r?\n(?=[!-9;-~]+:|From )")
_PLIST = re.compile(rb"\s*<\?xml [^>]*\?>\s*<(?:!DOCTYPE )?plist\b")
_MAX_PLIST = 2**16  # bytes; Apple Mail writes some hundred
_FIRST_LINES = re.compile(
    rb"(?:\xef\xbb\xbf|[ \t]*\n|>*From (?![ \t]*:)[^\n]*\n|Microsoft Mail Internet Headers Version [^\n]*\n)+"
)
_DOUBLED = re.compile(rb"\n[ \t]*\n")
_FIRST_FIELDS = re.compile(rb"(?:[!-9;-~]{1,80}:[^\n]*\n\n){2}(?:[!-9;-~]{1,80}:|[ \t])")
_FIRST_LINE = re.compile(rb"[^\r\n]*")


def unframe(raw: bytes) -> bytes:
    r"""Take away what is no part of a message, and give its lines one kind of end.

    Parameters
    ----------
    raw : bytes
        The message as it is in its file: perhaps with a byte order mark, blank lines, an mbox's separator or Exchange's
        line before its headers, in Apple Mail's ``.emlx`` (a count of bytes before it, a property list after it), with
        line ends that were converted once too often.

    Returns
    -------
    bytes
        The message from its first header on; its lines end in ``\n``.

    Examples
    --------
    >>> unframe(b"\xef\xbb\xbf\r\nSubject: x\r\n\r\nText\r\n")
    b'Subject: x\n\nText\n'
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):  # saved as "Unicode" by an editor
        raw = raw.decode("utf-16", "replace").encode("utf-8", "replace")
    elif raw[1:8:2] == bytes(4):
        raw = raw.decode("utf-16-le", "replace").encode("utf-8", "replace")
    raw = _from_emlx(raw)
    if b"\r" in raw:
        raw = unix_lines(raw)
        first = _FIRST_LINE.match(raw)
        if first is not None and raw[first.end() : first.end() + 1] == b"\r":
            raw = raw.replace(b"\r", b"\n")
    before = _FIRST_LINES.match(raw)
    raw = raw[before.end() :] if before else raw
    return _DOUBLED.sub(b"\n", raw) if _is_doubled(raw) else raw


def unix_lines(content: bytes) -> bytes:
    r"""Give lines the end that Unix gives them.

    Parameters
    ----------
    content : bytes
        Lines that end in ``\n``, in ``\r\n``, or in ``\r\r\n``, which is ``\r\n`` converted once too often.

    Returns
    -------
    bytes
        The same lines, each ended by ``\n``.

    Examples
    --------
    >>> unix_lines(b"one\r\r\ntwo\r\nthree\n")
    b'one\ntwo\nthree\n'
    """
    content = content.replace(b"\r\n", b"\n")
    return content.replace(b"\r\n", b"\n") if b"\r" in content else content


def _is_doubled(raw: bytes) -> bool:
    """Whether every line end was made two, so that each header field seems to end the headers."""
    if not _FIRST_FIELDS.match(raw):
        return False
    lines = raw.rstrip(b"\n").split(b"\n")
    return not any(map(bytes.strip, lines[1::2]))


def _from_emlx(raw: bytes) -> bytes:
    """The message in a file of Apple Mail; anything else as it is."""
    count = _EMLX.match(raw)
    if count is None:
        return raw
    stop = count.end() + int(count[1])
    if stop != len(raw) and not _PLIST.match(raw, stop):  # the count is of other line ends
        last = raw.rfind(b"<?xml ", max(count.end(), len(raw) - _MAX_PLIST))
        stop = last if last >= 0 and _PLIST.match(raw, last) else len(raw)
    return raw[count.end() : stop]
