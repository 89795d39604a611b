"""Items among the mail that are not messages from one person to another: see `ItemKind`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Literal

# "entry": an entry of the mail program's own, in a calendar, a list of tasks, of notes or of contacts.
# "meeting": a meeting request, or its change or cancellation, which the program removes once it is answered.
ItemKind = Literal["", "entry", "meeting"]

# The headings that Lotus Notes gives the entries that it exports.
_NOTES_ENTRY = re.compile(
    r"\s{0,20}(?:(?:CALENDAR|JOURNAL) ENTRY:[ \t]*(?:[A-Z ]{4,20})?\n|TASK ASSIGNMENT\s{1,20}Task [A-Z][a-z]+)",
    re.ASCII,
)
# What Exchange calls the entries, and the requests (MS-OXCMAIL, 2.1.3.2.5, Content-Class).
_CLASS = "urn:content-classes:"
_ENTRY_CLASSES = frozenset(
    f"{_CLASS}{name}" for name in ("appointment", "task", "note", "contact", "person", "activity")
)
_MEETING_CLASS = f"{_CLASS}calendarmessage"
_ENTRY_TYPES = ("text/calendar", "text/vcard", "text/x-vcard", "text/x-vcalendar", "text/directory")
_APPLE_NOTE = "com.apple.mail-note"
# The headers that tell, apart from the content's type; nearly no mail has any.
_TELLING = frozenset(("x-kolab-type", "x-uniform-type-identifier", "x-imap", "content-class"))
_FOLDER_DATA = "don't delete this message -- folder internal data"  # UW IMAP's and pine's, the first of an mbox
# RFC 6047, 2.4: the method stands in the header. An answer (REPLY) stays where it is, and so does what needs none.
_METHOD = re.compile(r"method\s*=\s*\"?(?:request|cancel|add|counter|declinecounter)\b", re.IGNORECASE)
_CALENDAR_PART = re.compile(
    rb"^Content-Type:[ \t]*text/calendar\b[^\n]{0,300}(?:\n[ \t][^\n]{0,300}){0,5}", re.I | re.M
)
_SEARCHED = 2**16  # bytes of a message in which the part with a request is looked for
_OUTLOOK_RULE = "*~*~*~*~*"  # Outlook draws it below the time and place of a meeting, in every language
_MAX_ABOVE, _MAX_LINE = 4, 300  # lines above it, with their names: "When:", "Where:", "Time zone:"; characters of each


def item_kind(headers: Mapping[str, str], body: str, raw: bytes, sender: str, recipients: Collection[str]) -> ItemKind:
    r"""Tell a message from what a mail program keeps beside it, by the mail alone.

    What is addressed to nobody, or to its author alone, is an entry if its headers or the heading that the program gave
    it say so: much that is addressed to nobody is mail whose recipients were left out.

    Parameters
    ----------
    headers : mapping of str to str
        Lower-case names to unfolded values.
    body : str
        The text.
    raw : bytes
        The message as it is in its file, in which a meeting request is looked for among the parts.
    sender : str
        The author's lower-case address.
    recipients : collection of str
        The lower-case addresses of all recipients.

    Returns
    -------
    {"", "entry", "meeting"}
        Empty for a message.

    Examples
    --------
    >>> item_kind({}, "CALENDAR ENTRY:\tAPPOINTMENT\n\nDescription:\n\tLunch", b"", "jane@x.example", [])
    'entry'
    >>> item_kind({}, "When: Monday 10:00\nWhere: Hall\n\n*~*~*~*~*~*~*~*~*~*\n", b"", "", ["bob@x.example"])
    'meeting'
    """
    content_class = ""
    if not _TELLING.isdisjoint(headers):
        if headers.get("x-kolab-type") or _APPLE_NOTE in headers.get("x-uniform-type-identifier", ""):
            return "entry"
        if "x-imap" in headers and _FOLDER_DATA in headers.get("subject", "").lower():
            return "entry"
        content_class = headers.get("content-class", "").strip().lower()
    content_type = headers.get("content-type", "")[:1000].lower().lstrip()
    if not recipients or all(recipient == sender for recipient in recipients):
        is_entry = content_class in _ENTRY_CLASSES or content_type.startswith(_ENTRY_TYPES)
        if is_entry or _NOTES_ENTRY.match(body):
            return "entry"
    if content_class == _MEETING_CLASS or _has_outlook_rule(body) or _is_request(content_type, raw):
        return "meeting"
    return ""


def _has_outlook_rule(body: str) -> bool:
    """Whether a text begins with the lines that Outlook puts above the text of a meeting request."""
    rule = body.find(_OUTLOOK_RULE, 0, (_MAX_ABOVE + 2) * _MAX_LINE)
    if rule < 0:
        return False
    lines = [line for line in body[:rule].split("\n") if line.strip()]
    return 1 <= len(lines) <= _MAX_ABOVE and all(":" in line for line in lines)


def _is_request(content_type: str, raw: bytes) -> bool:
    """Whether a message is a meeting request by its type, or that of one of its parts (RFC 6047)."""
    if content_type.startswith("text/calendar"):
        return _METHOD.search(content_type) is not None
    if not content_type.startswith("multipart/"):
        return False
    own = raw[:_SEARCHED].partition(b"message/rfc822")[0]  # not that of a message attached to it
    parts = _CALENDAR_PART.finditer(own.replace(b"\r\n", b"\n"))
    return any(_METHOD.search(part[0].decode("ascii", "replace")) for part in parts)
