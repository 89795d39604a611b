"""The names of a message's attachments, for people who judge it; they are not used for features.

Listed is each part that is a file (by its disposition or its name) or that is not read as text, in the order of the
message; not a picture that the text shows by its Content-ID or Content-Location, and not the nameless parts of which a
text, a signature or a report is made up. What lies inside an attached message or TNEF (``winmail.dat``) stays unread.
"""

from __future__ import annotations

from typing import NamedTuple

from enron_triage.mail.encoded_words import decode_words
from enron_triage.mail.headers import Headers, read_headers
from enron_triage.mail.parameters import parameters, text_parameter

_MOST_NAMES = 100
_MAX_NAME = 255  # characters, as in most file systems
_CUT = " [...] "
_KEPT_END = 48  # characters of a name that is cut: it ends in the kind of the file
_MESSAGES = frozenset({"message/rfc822", "message/global"})
# Whose nameless parts are no files of their own: forms, pieces, signatures and reasons of one text.
_OF_ONE_TEXT = frozenset(f"multipart/{name}" for name in ("alternative", "related", "signed", "encrypted", "report"))


class Part(NamedTuple):
    """A part of a message, or the message itself.

    Attributes
    ----------
    headers : dict of str to str
        Its header fields.
    start, stop : int
        Where its body begins and ends in the content of the message.
    type : str
        Its media type, in lower case.
    parameters : dict of str to str
        Those of its Content-Type.
    """

    headers: Headers
    start: int
    stop: int
    type: str
    parameters: dict[str, str]


def is_file(part: Part) -> bool:
    """Whether a part is a file, by its disposition or its name (RFC 2183, RFC 2231).

    Parameters
    ----------
    part : Part
        The part.
    """
    if is_attached(part):
        return True
    disposition = parameters(part.headers.get("content-disposition", ""))
    names = {name.partition("*")[0] for name in (*part.parameters, *disposition)}
    return bool(names & {"name", "filename"})


def is_attached(part: Part) -> bool:
    """Whether a part says itself that it is attached (RFC 2183).

    Parameters
    ----------
    part : Part
        The part.
    """
    return part.headers.get("content-disposition", "").strip().lower().startswith("attachment")


class Attachments:
    r"""Collects the names of the attachments of one message.

    Parameters
    ----------
    content : bytes
        The message; its lines end in ``\n``.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._names: list[str] = []
        self._more = 0

    @property
    def names(self) -> list[str]:
        """The names, cut to 255 characters; after the first 100, one entry says how many more there are."""
        return [*self._names, f"and {self._more:,} more"] if self._more else self._names

    def add(self, part: Part, inside: str) -> None:
        """Take note of a part that is a file, or that is not read as text.

        Parameters
        ----------
        part : Part
            The part.
        inside : str
            The media type of the multipart that it stands in; empty for the message itself.
        """
        if _serves_another(part, inside):
            return
        is_message = part.type in _MESSAGES
        name = _given_name(part)
        if name or is_message or is_attached(part) or inside not in _OF_ONE_TEXT:
            if len(self._names) == _MOST_NAMES:
                self._more += 1
                return
            if not name and is_message:
                name = self._subject_of(part)
            self._names.append(_cut(name or part.type))

    def _subject_of(self, part: Part) -> str:
        """The name that programs give to an attached message: its subject; empty without one."""
        try:
            headers, _ = read_headers(self._content, part.start, part.stop)
        except ValueError:  # headers beyond those of any mail
            return ""
        subject = " ".join(decode_words(headers.get("subject", "")).split())
        return f"{subject}.eml" if subject else ""


def _given_name(part: Part) -> str:
    return text_parameter(part.headers.get("content-disposition", ""), "filename") or text_parameter(
        part.headers.get("content-type", ""), "name"
    )


def _serves_another(part: Part, inside: str) -> bool:
    """Whether a part only serves another: a picture that a page shows, or what Macs keep beside a file (RFC 1740)."""
    if inside == "multipart/appledouble":
        return part.type == "application/applefile"
    is_picture = inside == "multipart/related" and part.type.startswith("image/") and not is_attached(part)
    return is_picture and ("content-id" in part.headers or "content-location" in part.headers)


def _cut(name: str) -> str:
    if len(name) <= _MAX_NAME:
        return name
    return name[: _MAX_NAME - len(_CUT) - _KEPT_END] + _CUT + name[-_KEPT_END:]
