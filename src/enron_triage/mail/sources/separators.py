"""The lines that separate the messages of an mbox (RFC 4155), as programs really write them.

A separator is ``From `` at the beginning of a line, whatever else stands in it, with the header of a message below. A
line of a text may begin with ``From `` as well; it is told by what stands below and above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from enron_triage.mail.sources.multipart import OpenMultipart

FROM = b"From "
_BLOCK = 1 << 20  # bytes that are read at once
_LOOK = 16 * 1024  # bytes below a line that are looked at
_BEHIND = 8  # bytes above a line that are looked at
_MAX_LINE = 1000  # bytes of a separator
_MAX_HEADERS = 12  # lines of a header that are looked at
_MAX_ODD = 3  # lines above the header that some program wrote
_ENOUGH = 4  # header lines, one of them of a kind that a message has, and no other line among them
_MARK = b"\xef\xbb\xbf"  # of the byte order
_TOP = re.compile(rb"(?:\xef\xbb\xbf)?\s*")
_LINE_END = re.compile(rb"\r*\n|\r")
_BLANK_ABOVE = re.compile(rb"\n[ \t]*\r*\n\Z|\r[ \t]*\r\Z")
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
# Three ways to write the date: of asctime, of RFC 5322, and of ISO 8601.
_DATED = re.compile(
    _DAY + rb",? +" + _MONTH + rb" +\d{1,2} +\d{1,2}:\d\d.*\d{4}"
    rb"|" + _DAY + rb", +\d{1,2} +" + _MONTH + rb" +\d{4} +\d{1,2}:\d\d"
    rb"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d"
)
# The first line of a patch that git writes: https://git-scm.com/docs/git-format-patch
_GIT = re.compile(rb"From [0-9a-f]{7,64} Mon Sep 17 00:00:00 2001[ \t]*")
_HEADER = re.compile(rb"([!-9;-~]{1,80})[ \t]*:")
_DIGIT = re.compile(rb"\d")
_EXCHANGE = b"Microsoft Mail Internet Headers"
# Headers that a message has, and that a text below a line with From hardly has.
_IDENTIFYING = frozenset(
    b"from date message-id received return-path delivered-to mime-version x-mozilla-status x-account-key x-uidl "
    b"x-gmail-labels x-gm-thrid status x-status envelope-to x-original-to content-type".split()
)
_KNOWN = _IDENTIFYING | frozenset(
    b"to cc bcc subject sender reply-to in-reply-to references resent-from resent-to resent-date content-length lines "
    b"user-agent importance priority thread-topic thread-index organization list-id list-post dkim-signature".split()
)


class Part(NamedTuple):
    """A stretch of an mbox.

    Attributes
    ----------
    content : bytes
        The bytes; a message may be in several parts.
    is_separator : bool
        Whether it is a separator, below which the next message begins.
    """

    content: bytes
    is_separator: bool


class Separators:
    """Finds the separators of one mbox.

    Attributes
    ----------
    not_taken : int
        How many lines look like separators and were not taken for one.
    first_not_taken : int
        Where the first of them stands, in bytes from the beginning.
    """

    def __init__(self) -> None:
        self.not_taken = 0
        self.first_not_taken = 0
        self._styles: set[bytes] = set()
        self._offset = 0
        self._multipart = OpenMultipart()

    def parts(self, stream: BinaryIO) -> Iterator[Part]:
        """Cut an mbox.

        Parameters
        ----------
        stream : binary file
            The mbox, from its beginning.

        Yields
        ------
        Part
            Every byte of it, in order. What stands above the first separator is not a message.
        """
        data, begin, ended = b"", 0, False
        while not ended:
            block = stream.read(_BLOCK)
            ended = not block
            kept = max(0, begin - _BEHIND)  # some of what is settled, to look back at
            data, begin = data[kept:] + block, begin - kept
            settled = len(data) if ended else max(begin, len(data) - len(FROM))
            for start in _candidates(data, begin):
                if start > begin:
                    yield self._passed(data[begin:start], is_separator=False)
                    begin = start
                if not ended and len(data) - start < max(_LOOK, self._multipart.ahead):
                    settled = start
                    break
                stop = self._end_of_separator(data, start)
                if stop:
                    yield self._passed(data[start:stop], is_separator=True)
                    begin = stop
                    self._multipart.begin(data, stop)
            if settled > begin:
                yield self._passed(data[begin:settled], is_separator=False)
                begin = settled

    def _passed(self, content: bytes, *, is_separator: bool) -> Part:
        self._offset += len(content)
        self._multipart.passes(content)
        return Part(content, is_separator)

    def _end_of_separator(self, data: bytes, start: int) -> int:
        """Where the line ends that begins at `start`, if it is a separator, else 0."""
        end = _LINE_END.search(data, start, start + _MAX_LINE)
        stop = end.end() if end else min(len(data), start + _MAX_LINE)
        line = data[start : end.start() if end else stop]
        if not end and len(line) == _MAX_LINE:
            return 0
        above = data[max(0, start - _BEHIND) : start]
        after_blank = not self._styles or not above.strip() or _BLANK_ABOVE.search(above) is not None
        header = _Header.read(data, stop)
        if self._is_separator(line, header, after_blank=after_blank) and not self._multipart.encloses(data, start):
            self._styles.add(_style(line))
            return stop
        if header.names or _DATED.search(line):
            self.first_not_taken = self.first_not_taken if self.not_taken else self._offset
            self.not_taken += 1
        return 0

    def _is_separator(self, line: bytes, header: _Header, *, after_blank: bool) -> bool:
        """Whether a message begins below a line, by how it is written and by the header below it."""
        is_first = not self._styles
        style, dated = _style(line), _DATED.search(line) is not None
        if style == b"git" and style not in self._styles and not is_first:
            return False
        if dated and after_blank and header.is_empty:
            return True
        if is_first and (dated or header.names):
            return True
        known = sum(name in _KNOWN or name.startswith(b"x-") for name in header.names)
        if not known or len(header.names) < 3 * header.broken:
            return False
        if dated or (after_blank and style in self._styles and not header.broken):
            return True
        return len(header.names) > 1 and not header.broken and not _IDENTIFYING.isdisjoint(header.names)


def _candidates(data: bytes, begin: int) -> Iterator[int]:
    """Where ``From `` stands at the beginning of a line; `begin` may be one as well."""
    start = data.find(FROM, begin)
    while start >= 0:
        if not start or data[start - 1] in b"\r\n" or data[max(0, start - 3) : start] == _MARK:
            yield start
        start = data.find(FROM, start + len(FROM))


class _Header(NamedTuple):
    """What stands below a line: the names of header lines, and how many other lines stand among them."""

    names: list[bytes]
    broken: int
    is_empty: bool  # blank lines alone, up to the next dated line with From, or the end

    @classmethod
    def read(cls, data: bytes, start: int) -> _Header:
        """Read the lines from `start` up to a blank one."""
        names: list[bytes] = []
        broken = 0
        limit = start + _LOOK
        for number in range(_MAX_HEADERS):
            end = _LINE_END.search(data, start, limit)
            line = data[start : end.start() if end else limit]
            if not line.strip():
                return cls(names, broken, not number and _is_empty_below(data, start, limit))
            header = _HEADER.match(line)
            if header and not (header[1].lower() == b"date" and line.isascii() and not _DIGIT.search(line)):
                names.append(header[1].lower())
                if len(names) >= _ENOUGH and not broken and not _IDENTIFYING.isdisjoint(names):
                    break
            elif not names and number < _MAX_ODD and _is_odd_first_line(line):
                pass
            elif line.startswith(FROM) or not names:
                return cls(names, broken + 1, False)
            elif line[:1] not in b" \t":
                broken += 1
            if not end:
                break
            start = end.end()
        return cls(names, broken, False)


def _is_odd_first_line(line: bytes) -> bool:
    """Whether a program wrote this line above the header: a quoted separator, a second one, or Exchange's."""
    if line.startswith(_EXCHANGE) or (line.startswith(b">") and line.lstrip(b">").startswith(FROM)):
        return True
    return line.startswith(FROM) and _DATED.search(line) is not None


def _is_empty_below(data: bytes, start: int, limit: int) -> bool:
    rest = data[start:limit].lstrip()
    line = _LINE_END.split(rest, maxsplit=1)[0]
    return not rest or (line.startswith(FROM) and _DATED.search(line) is not None)


def _style(line: bytes) -> bytes:
    """The way in which a separator is written."""
    if _GIT.fullmatch(line):
        return b"git"
    if _DATED.search(line):
        return b"dated"
    return b"bare" if not line[len(FROM) :].strip() else b"address" if b"@" in line else b"other"


def begins_mbox(head: bytes) -> bool:
    """Whether a file is an mbox.

    Parameters
    ----------
    head : bytes
        Its beginning; a byte order mark and blank lines may come first.

    Returns
    -------
    bool
        True if a separator stands at the top.
    """
    top = _TOP.match(head)
    start = top.end() if top else 0
    return head.startswith(FROM, start) and Separators()._end_of_separator(head, start) > 0
