"""The ids in threading headers, in one normal form: between angle brackets (RFC 5322, section 3.6.4)."""

from __future__ import annotations

import html
import re

from enron_triage.mail.encoded_words import decode_words

_BRACKETED = re.compile(r"<{1,4}\s{0,9}([^<>\s]{1,998})\s{0,9}>")
_BROKEN = re.compile(r"<[^<>@]{1,500}@[^<>@]{1,500}>")  # an id that was folded in its middle
_BARE = re.compile(r"[^<>\s\"',;()]{1,900}@[^<>\s\"',;()]{1,255}")
_MAX_HEADER = 100_000  # characters that are looked at, the last: References ends with the nearest


def message_ids(header: str) -> list[str]:
    """The ids in a Message-ID, In-Reply-To or References header, each between angle brackets.

    Words around them are left out, and spaces inside; a header without brackets names an id if one word of it has an
    ``@``. Some programs encode long ids as if they were text (RFC 2047).

    Parameters
    ----------
    header : str
        The unfolded value; empty if the header is missing.

    Examples
    --------
    >>> message_ids('Your message of "Mon, 4 Sep" <<1@x.example>>')
    ['<1@x.example>']
    >>> message_ids("1@x.example")
    ['<1@x.example>']
    """
    if not header:
        return []
    header = header[-_MAX_HEADER:]
    if "=?" in header or "&lt;" in header:  # encoded like a text, which no id should be
        header = html.unescape(decode_words(header))
    found = _BRACKETED.findall(header)
    if not found:
        found = ["".join(name.split()).strip("<>") for name in _BROKEN.findall(header)] or _BARE.findall(header)
    return [f"<{name}>" for name in found]


def id_key(message_id: str) -> str:
    """What two ids have in common if they are the same: neither brackets nor the domain's case count.

    Parameters
    ----------
    message_id : str
        An id, or a Message-ID header.

    Examples
    --------
    >>> id_key("<Ab1@Mail.X.example>") == id_key("Ab1@mail.x.example ")
    True
    """
    found = message_ids(message_id)
    local, at, domain = (found[0] if found else message_id.strip()).strip("<>").rpartition("@")
    return f"{local}{at}{domain.lower()}"
