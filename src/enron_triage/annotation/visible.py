"""Text of other people's mail that is safe to show: no invisible characters, and no changes of text direction.

A browser shows text as text if it is set as such (``textContent``). What remains are characters that are not seen or
that move others: controls, marks of direction (Boucher and Anderson 2021, "Trojan Source"), zero-width and filler
characters, and tags. Each is replaced by its number.
"""

from __future__ import annotations

import re

# Not among them: the line's end and the tab; U+200C and U+200D, which join letters and emoji in everyday text; and the
# soft hyphen, which stands in words.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\ue000-\uf8ff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)


def visible(text: str) -> str:
    r"""A text in which every character can be seen.

    Parameters
    ----------
    text : str
        Anything, such as the body of a message.

    Returns
    -------
    str
        The text with ``\n`` at the ends of lines, and characters that are not seen as ``[U+202E]``.

    Examples
    --------
    >>> visible("invoice\u202egpj.exe\r\n")
    'invoice[U+202E]gpj.exe\n'
    """
    return _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text.replace("\r\n", "\n"))


def visible_line(text: str) -> str:
    """The same of a text that belongs on one line, such as a subject or an address.

    Parameters
    ----------
    text : str
        Anything; its white space becomes single spaces.
    """
    return visible(" ".join(text.replace("\u2028", " ").replace("\u2029", " ").split()))
