"""Whether a position in an mbox is inside a multipart message (RFC 2046, section 5.1) that has not ended yet.

A mailbox that is attached to a message may hold separators of its own; the boundary that comes below them tells.
"""

from __future__ import annotations

import re

_AHEAD = 4 << 20  # bytes that are searched for a boundary
_MAX_SEARCHED = 16  # times the size of the mbox that may be searched in all, beyond the first searches
_MAX_HEADER = 16 * 1024  # bytes that are looked at
_BOUNDARY = re.compile(rb"multipart/[^\0]{1,200}?boundary\s*=\s*\"?([^\"\s;]{4,70})", re.IGNORECASE)
_BLANK_LINES = (b"\n\n", b"\n\r\n", b"\r\r")


class OpenMultipart:
    """The message that is being read of an mbox, as far as its boundary is concerned."""

    def __init__(self) -> None:
        self._boundary = b""
        self._tail = b""
        self._passed = 0
        self._next = 0  # where a boundary was found, in bytes from the beginning of the mbox
        self._searched = -16 * _AHEAD

    @property
    def ahead(self) -> int:
        """How many bytes below a place are needed to tell."""
        return _AHEAD if self._boundary and self._searched < _MAX_SEARCHED * self._passed else 0

    def begin(self, data: bytes, start: int) -> None:
        """Begin a message.

        Parameters
        ----------
        data : bytes
            The mbox from some place on.
        start : int
            Where the message begins.
        """
        stop = start + _MAX_HEADER
        for blank in _BLANK_LINES:
            end = data.find(blank, start, stop)
            stop = stop if end < 0 else end
        found = _BOUNDARY.search(data, start, stop) if data.find(b"oundary", start, stop) >= 0 else None
        self._boundary = found[1] if found else b""
        self._tail, self._next = b"", 0

    def passes(self, content: bytes) -> None:
        """Go on in the message.

        Parameters
        ----------
        content : bytes
            The next part of it; the last boundary ends the multipart.
        """
        self._passed += len(content)
        if self._boundary:
            end = b"--" + self._boundary + b"--"
            if end in self._tail + content[: len(end)] or end in content:
                self._boundary = b""
            self._tail = (self._tail + content)[-len(end) :] if len(content) < len(end) else content[-len(end) :]

    def encloses(self, data: bytes, start: int) -> bool:
        """Whether a place lies in the multipart: its boundary comes again, before a header that declares it anew.

        Parameters
        ----------
        data : bytes
            The mbox from some place on; what comes before `start` has been passed.
        start : int
            The place.
        """
        if not self._boundary or self._passed < self._next:
            return bool(self._boundary)
        if not self.ahead:
            return False
        self._searched += _AHEAD
        found = data.find(self._boundary, start, start + _AHEAD)
        if found < start + 3 or data[found - 2 : found] != b"--" or data[found - 3] not in b"\r\n":
            return False
        self._next = self._passed + found - start
        return True
