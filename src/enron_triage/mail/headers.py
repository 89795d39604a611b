"""The header fields of a message or of one of its parts, as written, including damaged ones."""

from __future__ import annotations

import re
from collections.abc import Iterable

from enron_triage.mail.charsets import decode_header

Headers = dict[str, str]  # lower-case name -> unfolded value, the first of several; see `JOINED`

# Headers of which all count where there are several, and what stands between their values then.
JOINED = {"to": ", ", "cc": ", ", "bcc": ", ", "received": "\n", "in-reply-to": " ", "references": " "}
MAX_HEADERS = 2 * 2**20  # bytes: 50,000 recipients; more is an attack
_LINE_END = re.compile(rb"\n(?![ \t])")  # of a field: a line that begins with white space goes on with it
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
# A field that a damaged line may stand before; other words with a colon may as well be the text.
_SURE_FIELD = re.compile(
    rb"(?:[A-Za-z0-9]+-[A-Za-z0-9-]+|from|to|cc|bcc|subject|date|sender|received|references|status|precedence|priority"
    rb"|importance|organi[sz]ation|comments|keywords|lines)[ \t]*:(?!//)",
    re.IGNORECASE,
)
_CHARSET = re.compile(
    rb"^content-type:[^\n]{0,500}?\bcharset\s*=\s*[\"']?([\w.:-]{1,60})", re.IGNORECASE | re.MULTILINE
)


def read_headers(content: bytes, start: int, stop: int) -> tuple[Headers, int]:
    r"""Read the header fields at the beginning of a message or part.

    Parameters
    ----------
    content : bytes
        What holds the message; its lines end in ``\n``.
    start, stop : int
        Where the message begins and ends in it.

    Returns
    -------
    headers : dict of str to str
        The fields. A damaged line among them is passed over.
    body : int
        Where the text begins: behind an empty line, or with the first line that is no field and stands before none.

    Raises
    ------
    ValueError
        If the fields are longer than those of any mail.

    References
    ----------
    RFC 5322, section 2.2.

    Examples
    --------
    >>> read_headers(b"From: a\nnonsense\nSubject: b\n c\n\nText", 0, 36)
    ({'from': 'a', 'subject': 'b c'}, 32)
    """
    if content.startswith(b"\n", start, stop):
        return {}, start + 1
    end = content.find(b"\n\n", start, stop)
    head_end, body = (end, end + 2) if end >= 0 else (stop, stop)
    if head_end - start > MAX_HEADERS:
        raise ValueError(f"headers of more than {MAX_HEADERS >> 20} MiB")
    lines = _LINE_END.split(content[start:head_end].removesuffix(b"\n"))
    last = _last_sure_field(lines)
    fields: list[bytes] = []
    for number, line in enumerate(lines):
        if _FIELD.match(line):
            fields.append(line.replace(b"\n", b""))
        elif number > last and line:
            body = start + sum(map(len, lines[:number])) + number
            break
    return combine(fields), body


def combine(fields: Iterable[bytes | str]) -> Headers:
    """Make a mapping of unfolded header fields.

    Parameters
    ----------
    fields : iterable of bytes or str
        Names and values, a colon between; bytes are decoded.

    Returns
    -------
    dict of str to str
        Lower-case names and values: of several the first, or all as `JOINED` says.
    """
    lines = list(fields)
    charset = _charset(lines) if any(isinstance(line, bytes) and not line.isascii() for line in lines) else ""
    several: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = (decode_header(line, charset) if isinstance(line, bytes) else line).partition(":")
        several.setdefault(name.strip(" \t").lower(), []).append(value.strip(" \t\r"))
    return {
        name: JOINED[name].join(filter(None, values)) if name in JOINED else values[0]
        for name, values in several.items()
    }


def _charset(lines: list[bytes | str]) -> str:
    """The character set that the message claims for its text."""
    found = _CHARSET.search(b"\n".join(line for line in lines if isinstance(line, bytes)))
    return found[1].decode() if found else ""


def _last_sure_field(lines: list[bytes]) -> int:
    """The number of the last line that is surely a field."""
    return next((number for number in reversed(range(len(lines))) if _SURE_FIELD.match(lines[number])), -1)
