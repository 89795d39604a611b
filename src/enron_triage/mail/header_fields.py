"""The header fields that a mail program writes above a message that it quotes, in people's languages."""

from __future__ import annotations

import re

from enron_triage.mail.attributions import MARKS
from enron_triage.mail.client_words import FIELDS, FieldKind
from enron_triage.mail.letters import without_case

BLOCK_LINES = 14  # a header block is not longer, nor are the blank lines inside Notes' blocks
MAX_LINE = 1000  # characters of a line that are looked at
_MAX_SHORT_BLOCK = 2000  # characters that a block's lines take up together, unless some are long
MAX_FIELD_NAME = 60  # characters before the colon, marks of quotation included
_MAX_NAME = 40
NUMERIC_DATE = re.compile(
    r"(?<!\d)\d{1,2}/\d{1,2}/(?:\d{4}|\d\d),?\s{1,30}\d{1,2}:\d\d(?::\d\d)?(?:\s{0,3}[AaPp]\.?[Mm])?"
)
# Some of Notes' headers lost their line ends: "name date <tab> To: ... cc: ... Subject: ..."
_FIELDS_IN_ONE_LINE = re.compile(r"(?<=\d [APap][Mm])[ \t]+(?=To:)|(?<=\S)[ \t]+(?=(?:cc|Subject): )")
_NOT_OF_THE_SENDER = re.compile(r"^from:| on$|\[mailto:|[\]*]", re.IGNORECASE)


def lines_from(body: str, start: int) -> list[str]:
    """The lines that a block may take up, from an offset on; fields that lost their line ends are lines of their own.

    Parameters
    ----------
    body : str
        The text of a message.
    start : int
        Where the first of the lines begins.
    """
    lines: list[str] = []
    for line in _next_lines(body, start):
        if line.count(":") > 1:
            lines += _FIELDS_IN_ONE_LINE.split(line)
        else:
            lines.append(line)
        if len(lines) >= BLOCK_LINES:
            break
    return lines


def _next_lines(body: str, start: int) -> list[str]:
    """The next lines, each cut to `MAX_LINE`, as many as a block may take up."""
    near = body[start : start + _MAX_SHORT_BLOCK].split("\n", BLOCK_LINES)
    if len(near) > BLOCK_LINES:  # nearly always
        return [line[:MAX_LINE] for line in near[:BLOCK_LINES]]
    lines: list[str] = []
    while len(lines) < BLOCK_LINES and start <= len(body):
        end = body.find("\n", start)
        end = len(body) if end < 0 else end
        lines.append(body[start : min(end, start + MAX_LINE)])
        start = end + 1
    return lines


def field(line: str) -> tuple[FieldKind, str] | None:
    """The kind and the value of a header field in a block; None if the line is none.

    Parameters
    ----------
    line : str
        A line of a body.

    Examples
    --------
    >>> field("> *Von:* Jane Doe")
    ('from', 'Jane Doe')
    """
    name, colon, value = line.partition(":")
    kind = field_kind(name) if colon else None
    return None if kind is None else (kind, value.removeprefix("*").lstrip(" \t\u00a0"))


def field_kind(name: str) -> FieldKind | None:
    """What a header field is for, by its name in any language; None if it is no field's name.

    Parameters
    ----------
    name : str
        What stands before the colon.
    """
    name = name.strip(" \t>*|\u00a0")
    return FIELDS.get(without_case(name)) if 0 < len(name) <= _MAX_NAME else None


def until_field(lines: list[str]) -> list[str]:
    """The lines above the first header field, without the blank ones.

    Parameters
    ----------
    lines : list of str
        The lines of a block.
    """
    above = []
    for line in lines:
        if field(line):
            break
        if line.strip(MARKS):
            above.append(line)
    return above


def fields_of(lines: list[str]) -> dict[str, str]:
    """The header fields of a block, which ends with Subject, as Outlook and Notes write it, and fields right below.

    Parameters
    ----------
    lines : list of str
        The lines of a block.
    """
    fields: dict[str, str] = {}
    for line in lines:
        found = field(line)
        if found is not None:
            fields.setdefault(found[0], found[1].strip())
        elif "subject" in fields:
            break
    return fields


def clean_sender(sender: str) -> str:
    """The sender of a block without what stands around it.

    Parameters
    ----------
    sender : str
        What the block says.
    """
    sender = _NOT_OF_THE_SENDER.sub(" ", " ".join(sender[:MAX_LINE].split()))
    return " ".join(sender.split())[:300]
