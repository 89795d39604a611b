"""Which parts of a message are its text, and how they read (RFC 2045 to 2049).

The text is what the sender wrote: not what is attached, be it a message or a file with a name. The standard ``email``
package is not used for the parts themselves: it reads attached messages as well, ends a message's headers with the
first damaged line, and takes time in proportion to the lines times the depth of the parts.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import NamedTuple

from enron_triage.mail.attachments import Attachments, Part, is_attached, is_file
from enron_triage.mail.calendar_text import calendar_to_text
from enron_triage.mail.charsets import decode, is_known
from enron_triage.mail.headers import Headers, read_headers
from enron_triage.mail.html_text import declared_charset, html_to_text
from enron_triage.mail.parameters import MAX_PARAMETERS, parameters
from enron_triage.mail.transfer import decode_transfer, transfer_encoding

MAX_TEXT = 16 * 2**20  # bytes of a text, and characters of all: a book has one million; as JSON each may take six bytes
_MAX_PARTS = 5_000  # of a message, at any depth
_MAX_DEPTH = 100
_MAX_BOUNDARY = 200  # characters; RFC 2046 allows 70
_TYPE = re.compile(r"\s*([\w.+-]+/[\w.+-]+)", re.ASCII)
_LOOSE_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE | re.ASCII)
# A line that can only be the delimiter of parts, where a header does not tell.
_DELIMITER = re.compile(
    rb"^--(\S[^\n]{0,199}?)[ \t]*\n(?=Content-[A-Za-z-]{1,40}[ \t]*:)", re.MULTILINE | re.IGNORECASE
)
_SEARCHED = 2**16  # bytes at the beginning of a part, for such a line
_AFTER_DELIMITER = re.compile(rb"(--)?[ \t]*(?:\n|\Z)")
_REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status", "message/disposition-notification"})
# Other kinds of text read as plain text (RFC 2046, 4.1.4), except those that are no text to people, or a stranger's.
_NO_TEXT = frozenset(
    "text/rtf text/css text/javascript text/vcard text/x-vcard text/directory text/rfc822-headers text/xml".split()
)
_MARKED_UP = frozenset({"text/enriched", "text/richtext"})  # RFC 1896, RFC 1341
_COMMANDS = re.compile(r"<param>[^<]*</param>|<[A-Za-z/-]{1,60}>", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_BLANK = f"{string.whitespace}\u00a0\u2007\u202f\u3000\u00ad\u034f\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_SAME_TEXT = 0.7  # of the words of two parts: that they hold both makes them two forms of one text


class _Text(NamedTuple):
    kind: str  # "plain", "html", or "other": what is taken only where there is nothing else
    text: str


def _says(text: _Text) -> bool:
    """Whether a text says anything: neither blank, nor of signs without width alone."""
    return bool(text.text.strip(_BLANK))


def read_text(headers: Headers, content: bytes, start: int) -> tuple[str, list[str]]:
    r"""Read the text of a message, and the names of what is attached to it.

    Parameters
    ----------
    headers : dict of str to str
        Its header fields.
    content : bytes
        The message; its lines end in ``\n``.
    start : int
        Where its body begins.

    Returns
    -------
    text : str
        The plain text, or HTML reduced to text; of several parts beside each other all. Where there is neither, what a
        calendar entry or a delivery report says. Lines end in ``\n``.
    attachments : list of str
        See `attachments.Attachments`.

    Raises
    ------
    ValueError
        If there are more parts, they are nested deeper, or a text is longer, than in any mail.
    """
    reader = _Reader(content)
    texts = list(reader.texts(_part(headers, start, len(content), "text/plain"), 0))
    return _chosen(texts), reader.attachments.names


def _chosen(texts: list[_Text]) -> str:
    """The text of a message, of all that its parts give."""
    written = [text for text in texts if text.kind != "other"]
    chosen = [text.text for text in written if _says(text)] or [text.text for text in texts if _says(text)]
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        return written[0].text if written else ""
    return "\n".join([*(text.rstrip("\n") for text in chosen[:-1]), chosen[-1]])


def unix_text(text: str) -> str:
    r"""Give the lines of a text the end that Unix gives them.

    Parameters
    ----------
    text : str
        Lines with any end; only where there is no other end, a lone ``\r`` is one.

    Returns
    -------
    str
        The same lines, ended by ``\n``.

    Examples
    --------
    >>> unix_text("one\r\ntwo"), unix_text("one\rtwo")
    ('one\ntwo', 'one\ntwo')
    """
    if "\r" not in text:
        return text
    text = text.replace("\r\r\n", "\n").replace("\r\n", "\n")
    return text if "\n" in text else text.replace("\r", "\n")


def check_text(size: int) -> None:
    """Refuse a text that is longer than any in mail.

    Parameters
    ----------
    size : int
        Its bytes, or its characters.

    Raises
    ------
    ValueError
        If it is longer.
    """
    if size > MAX_TEXT:
        raise ValueError(f"a text of more than {MAX_TEXT >> 20} MiB")


class _Reader:
    """Reads the parts of one message, and counts them."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._parts = 0
        self.attachments = Attachments(content)

    def texts(self, part: Part, depth: int, inside: str = "") -> Iterator[_Text]:
        """The texts of a part, in their order; `inside` is the type of the multipart that it stands in."""
        self._parts += 1
        if depth > _MAX_DEPTH or self._parts > _MAX_PARTS:
            raise ValueError(f"more than {_MAX_PARTS} parts, or parts nested more than {_MAX_DEPTH} deep")
        is_multipart = part.type.startswith("multipart/")
        is_named = depth > 0 and is_file(part)
        if is_named or not (is_multipart or _is_text(part)):
            self.attachments.add(part, inside)
            # Most programs give a name to an invitation, too; it is read where nothing else is.
            if part.type != "text/calendar" or is_attached(part):
                return
        if not is_multipart:
            yield from self._single(part)
            return
        delimiters = self._delimiters(part)
        if not delimiters:  # no part begins: what is there is the text
            yield from self._single(part._replace(type="text/plain"))
            return
        default = "message/rfc822" if part.type == "multipart/digest" else "text/plain"
        children = [
            list(self.texts(child, depth + 1, part.type)) for child in self._children(part, delimiters, default)
        ]
        yield from _choose(children) if part.type == "multipart/alternative" else _join(children)

    def _single(self, part: Part) -> Iterator[_Text]:
        encoding = transfer_encoding(part.headers.get("content-transfer-encoding", ""))
        check_text((part.stop - part.start) * 2 // 3)  # before it is decoded: an encoding hardly adds more than a half
        content = decode_transfer(self._content[part.start : part.stop], encoding)
        check_text(len(content))
        charset = part.parameters.get("charset", "us-ascii")
        if part.type == "text/html":
            if charset.lower() == "us-ascii" or not is_known(charset):
                charset = declared_charset(content) or charset
            yield _Text("html", html_to_text(decode(content, charset)))
            return
        default = "utf-8" if part.type == "text/calendar" else charset  # RFC 5545, 3.1.4
        text = unix_text(decode(content, part.parameters.get("charset", default)))
        if part.type == "text/plain":
            yield _Text("plain", text)
        elif part.type == "text/calendar":
            yield _Text("other", calendar_to_text(text))
        else:
            yield _Text("other", _COMMANDS.sub("", text) if part.type in _MARKED_UP else text)

    def _children(self, part: Part, delimiters: list[tuple[int, int]], default: str) -> Iterator[Part]:
        """The parts between the delimiters, each without the line end that belongs to the delimiter."""
        stops = [max(start - 1, 0) for start, _ in delimiters[1:]] + [part.stop]
        for (_, start), stop in zip(delimiters, stops, strict=True):
            if start > stop:
                continue
            try:
                headers, body = read_headers(self._content, start, stop)
            except ValueError:  # headers without end: no text is in such a part
                continue
            yield _part(headers, min(body, stop), stop, default)

    def _delimiters(self, part: Part) -> list[tuple[int, int]]:
        """Where each delimiter of a multipart's parts begins and ends, the one behind the last part included."""
        boundary = part.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")[:_MAX_BOUNDARY]
        found = list(self._lines(boundary, part)) if boundary else []
        if not found:
            sure = _DELIMITER.search(self._content, part.start, min(part.stop, part.start + _SEARCHED))
            found = list(self._lines(sure[1], part)) if sure else []
        return found

    def _lines(self, boundary: bytes, part: Part) -> Iterator[tuple[int, int]]:
        delimiter = b"--" + boundary
        start = self._content.find(delimiter, part.start, part.stop)
        while start >= 0:
            end = start + len(delimiter)
            line = _AFTER_DELIMITER.match(self._content, end, part.stop)
            if line and (start == part.start or self._content[start - 1] == ord("\n")):
                end = part.stop + 1 if line[1] else line.end()  # behind the last part there is none
                yield start, end
                if line[1]:
                    return
            start = self._content.find(delimiter, end, part.stop)


def _part(headers: Headers, start: int, stop: int, default: str) -> Part:
    value = headers.get("content-type", "")
    found = _TYPE.match(value)
    given = parameters(value)
    if "charset" not in given and (loose := _LOOSE_CHARSET.search(value[:MAX_PARAMETERS])):
        given["charset"] = loose[1]
    kind = found[1].lower() if found else "text/plain" if value else default
    return Part(headers, start, stop, kind, given)


def _is_text(part: Part) -> bool:
    """Whether a part that holds no parts is read as text."""
    return part.type in _REPORTS or (part.type.startswith("text/") and part.type not in _NO_TEXT)


def _choose(children: list[list[_Text]]) -> list[_Text]:
    """The form of an alternative that reads best: the first that is plain, else the first that says anything."""
    said = [texts for texts in children if any(map(_says, texts))]
    for kinds in ({"plain"}, {"plain", "html"}):
        for texts in said:
            if set() < {text.kind for text in texts if _says(text)} - {"other"} <= kinds:
                return texts
    return [text for texts in said for text in texts]


def _join(children: list[list[_Text]]) -> list[_Text]:
    """Parts beside each other, without those that only repeat the one before in HTML, or in plain text."""
    joined: list[_Text] = []
    for text in (text for texts in children for text in texts):
        before = joined[-1] if joined else None
        if before is None or {before.kind, text.kind} != {"plain", "html"} or not _is_same(before.text, text.text):
            joined.append(text)
        elif text.kind == "plain":
            joined[-1] = text
    return joined


def _is_same(one: str, other: str) -> bool:
    words, others = set(_WORD.findall(one.lower())), set(_WORD.findall(other.lower()))
    return bool(words) and len(words & others) >= _SAME_TEXT * len(words | others)
