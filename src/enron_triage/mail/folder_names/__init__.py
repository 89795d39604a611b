"""Names of special folders in people's languages, and how names are compared.

The names stand in two tables beside this module: ``imapflow.json``, taken from the library imapflow (MIT licence, in
the file), and ``names.toml``, which adds inboxes, outboxes and Gmail's own, and decides where the two differ.
"""

from __future__ import annotations

import functools
import tomllib
import unicodedata
from pathlib import Path
from typing import Literal

import msgspec

from enron_triage.mail.modified_utf7 import decode_modified_utf7

Role = Literal["sent", "deleted", "junk", "inbox", "drafts", "system", "filing"]

# Their digests, so that labels made with other tables are out of date as after a change of code; a test compares them.
TABLES = {
    "imapflow.json": "14419deab1382cd250967448027961059a5031ef02b45a2ad0f683892e55839f",
    "names.toml": "540015a6598d6bc40f61cc7ce18fa7b95de0ea8f26a0071267b1baca86ed9b71",
}
_FOLDER = Path(__file__).parent
_ROLES: tuple[Role, ...] = ("sent", "deleted", "junk", "inbox", "drafts", "system")
# What Gmail's own lists of names mean. A message that is in All Mail, and in no other place, was archived.
_GMAIL: dict[str, Role] = {
    "snoozed": "inbox",
    "scheduled": "drafts",
    "chats": "system",
    "views": "system",
    "all": "filing",
    "sent_in_gmail": "sent",
}
# Words of rare languages that are other words in common ones.
_MISLEADING = frozenset({"aika", "kaset", "lasa", "padala", "kanta", "titaq", "seq", "kest"})
_LEAST_PLAIN = 6  # letters; shorter names without their accents are other words ("Koš" and the island of Kos)
_LONGEST = 255  # characters, as in a file system; a label comes from a header
# Letters that Unicode does not take apart, though people leave their marks out.
_PLAIN = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ё": "е"})


def fold(name: str) -> str:
    """A name without what does not count when names are compared.

    Parameters
    ----------
    name : str
        The name of a folder or label, as people read it or in modified UTF-7.

    Returns
    -------
    str
        Its letters, marks and digits, without case, width, spaces and punctuation; and without accents, if at least six
        letters are left. What is longer than any name of a folder is cut, and has
        dots at its end, so that it is not one.
    """
    return _fold(name) if len(name) <= _LONGEST else _fold(name[:_LONGEST]) + "..."


@functools.lru_cache(maxsize=4096)
def _fold(name: str) -> str:
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", decode_modified_utf7(name)).casefold())
    text = "".join(sign for sign in text if sign.isalnum() or unicodedata.category(sign)[0] == "M")
    if text.isascii() or len(text) < _LEAST_PLAIN:
        return text
    # The accents of Latin, Greek and Cyrillic go; the vowel signs of other scripts tell words apart.
    bare = "".join(sign for sign in unicodedata.normalize("NFD", text) if not "\u0300" <= sign <= "\u036f")
    return unicodedata.normalize("NFC", bare.translate(_PLAIN))


def special_role(name: str, *, is_gmail: bool = False) -> Role | None:
    """The role of a folder or label by its name alone.

    Parameters
    ----------
    name : str
        The name of one folder, without those above it.
    is_gmail : bool
        Whether it is a label of Gmail or a folder below ``[Gmail]``. Gmail's own names are common words, and so are a
        person's own folders elsewhere.

    Returns
    -------
    str or None
        None if it is a name that people give.
    """
    key = fold(name)
    return (_gmail_names().get(key) if is_gmail else None) or _special_names().get(key)


def is_gmail_view(label: str) -> bool:
    """Whether a Gmail label says nothing of a message's place: Important, Starred, Opened and the like.

    Parameters
    ----------
    label : str
        The label.
    """
    return fold(label) in _gmail_views()


@functools.cache
def _special_names() -> dict[str, Role]:
    """The role of each special folder, by its folded name."""
    names: dict[str, Role] = {}
    imapflow = msgspec.json.decode((_FOLDER / "imapflow.json").read_bytes())
    for role in _ROLES:
        names |= {fold(name): role for name in imapflow.get(role, ())}
    for misleading in _MISLEADING:
        names.pop(misleading, None)
    for language in _languages().values():
        names |= {fold(name): role for role in _ROLES for name in language.get(role, ())}
    return names


@functools.cache
def _gmail_names() -> dict[str, Role]:
    return {
        fold(name): role
        for language in _languages().values()
        for key, role in _GMAIL.items()
        for name in language.get(key, ())
    }


@functools.cache
def _gmail_views() -> frozenset[str]:
    languages = _languages().values()
    return frozenset(fold(name) for language in languages for name in language.get("views", ()))


@functools.cache
def _languages() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((_FOLDER / "names.toml").read_text("utf-8"))
