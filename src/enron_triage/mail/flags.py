"""The status that a mail program stored with a message: replied, forwarded, deleted, expunged, draft.

Programs keep these flags in the file's name (Maildir), in a header that they add to the message (mbox), or behind the
message (Apple Mail). That a message was read or marked is no action, so it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# https://cr.yp.to/proto/maildir.html: "info" is ":2," and letters; those in lower case are keywords (Dovecot, Courier).
# Where a file's name must not hold a colon, programs write another sign, or an escape.
_MAILDIR_INFO = re.compile(r"(?:^|/)(?:cur|new)/[^/]*?(?:[^\w/]|_|%3[Aa])2,(\w*)(?:\.eml)?$")
_MAILDIR = {"R": "replied", "P": "forwarded", "T": "deleted", "D": "draft"}
# Dovecot, UW IMAP and mutt, in mbox files (https://doc.dovecot.org/main/core/config/mailbox/formats/mbox.html); mutt
# and elm also know an "r" in Status. Pine writes T for a draft.
_X_STATUS = {"A": "replied", "D": "deleted", "T": "draft"}
_STATUS = {"r": "replied"}
_KEYWORDS = {"$forwarded": "forwarded", "forwarded": "forwarded", "\\answered": "replied", "$replied": "replied"}
# Bits of Mozilla's nsMsgMessageFlags, of which X-Mozilla-Status2 holds the upper ones; in hexadecimal digits.
_MOZILLA = {0x0002: "replied", 0x1000: "forwarded", 0x0008: "expunged"}
_MOZILLA_2 = {0x0020_0000: "deleted"}
# Evolution's CamelMessageFlags, in hexadecimal digits behind the hyphen of X-Evolution.
_EVOLUTION = {0x01: "replied", 0x02: "deleted", 0x04: "draft"}
# https://www.jwz.org/blog/2005/07/emlx-flags/
_EMLX = {1 << 1: "deleted", 1 << 2: "replied", 1 << 6: "draft", 1 << 8: "forwarded"}
_EMLX_FLAGS = re.compile(rb"<key>flags</key>\s{0,99}<integer>(\d{1,19})</integer>")
_EMLX_TAIL = 16_384  # bytes; the property list behind the message is some hundreds long
_HEADERS = frozenset(
    ("x-status", "status", "x-keywords", "x-mozilla-keys", "x-mozilla-status", "x-mozilla-status2", "x-evolution")
)
_HEX = re.compile(r"[0-9A-Fa-f]{1,8}")


def status_flags(path: str, headers: Mapping[str, str], raw: bytes = b"") -> list[str]:
    """The flags of a message that tell what its owner did with it.

    Parameters
    ----------
    path : str
        The path of the message's file, of which a Maildir's name holds the flags. Where it does, headers do not count:
        they came with the message.
    headers : mapping of str to str
        The message's headers by lower-case name; the first of several of a name.
    raw : bytes
        The bytes of the file, of which an ``.emlx`` holds the flags at its end.

    Returns
    -------
    list of str
        Some of ``deleted``, ``draft``, ``expunged``, ``forwarded`` and ``replied``, sorted. A message is expunged where
        it was deleted for good, or was moved and left a dead copy behind.
    """
    info = _MAILDIR_INFO.search(path) if "2," in path else None
    if info:
        return sorted({_MAILDIR[letter] for letter in info[1] if letter in _MAILDIR})
    is_emlx = path[-5:].lower() == ".emlx"
    if _HEADERS.isdisjoint(headers) and not is_emlx:  # as in nearly all mail
        return []
    flags = {_X_STATUS[letter] for letter in headers.get("x-status", "") if letter in _X_STATUS}
    flags |= {_STATUS[letter] for letter in headers.get("status", "") if letter in _STATUS}
    keywords = f"{headers.get('x-keywords', '')} {headers.get('x-mozilla-keys', '')}".lower().split()
    flags |= {_KEYWORDS[word] for word in keywords if word in _KEYWORDS}
    flags |= _of_bits(headers.get("x-mozilla-status", ""), _MOZILLA)
    flags |= _of_bits(headers.get("x-mozilla-status2", ""), _MOZILLA_2)
    flags |= _of_bits(headers.get("x-evolution", "").rpartition("-")[2], _EVOLUTION)
    if is_emlx:
        flags |= _of_emlx(raw)
    return sorted(flags)


def _of_bits(digits: str, names: Mapping[int, str]) -> set[str]:
    """The flags whose bits are set in a hexadecimal number; none if it is not one."""
    if not _HEX.fullmatch(digits.strip()):
        return set()
    bits = int(digits, 16)
    return {name for bit, name in names.items() if bits & bit}


def _of_emlx(raw: bytes) -> set[str]:
    """The flags in the property list at the end of an Apple Mail file."""
    numbers = _EMLX_FLAGS.findall(raw[-_EMLX_TAIL:])
    return {name for bit, name in _EMLX.items() if numbers and int(numbers[-1]) & bit}
