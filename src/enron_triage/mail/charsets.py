"""From bytes to text: character sets, and the encoded words of headers."""

from __future__ import annotations

import codecs
import email.errors
import email.header
import re

# Quadratic in the length of the text, or not character sets at all: never worth a hostile message.
_REFUSED_CHARSETS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined"})
_SUPERSETS_OF_ASCII = frozenset({"us-ascii", "ascii", "ansi_x3.4-1968", "utf-8", "iso-8859-1", "windows-1252"})
_ENCODED_WORD = r"=\?[^?\s]+\?[bqBQ]\?[^?]*\?="
_ENCODED_WORDS = re.compile(rf"{_ENCODED_WORD}(?:\s+{_ENCODED_WORD})*", re.ASCII)


def decode(content: bytes, charset: str) -> str:
    r"""Decode by a character set, else as UTF-8, else as Windows-1252; never fails.

    Parameters
    ----------
    content : bytes
        The text as it was sent.
    charset : str
        The character set that the message claims; may be unknown or wrong.

    Returns
    -------
    str
        The text, without lone surrogates, which JSON cannot hold.

    Examples
    --------
    >>> decode(b"caf\xe9", "us-ascii"), decode(b"caf\xc3\xa9", "no-such-charset")
    ('café', 'café')
    """
    if content.isascii() and charset.lower() in _SUPERSETS_OF_ASCII:
        return content.decode("ascii")
    for name in (charset, "utf-8", "cp1252"):
        try:
            if codecs.lookup(name).name.replace("_", "-") in _REFUSED_CHARSETS:
                continue
            return _without_surrogates(content.decode(name))
        except (LookupError, ValueError):  # UnicodeDecodeError is a ValueError
            continue
    return content.decode("latin-1")


def decode_words(value: str) -> str:
    """Decode the encoded words of a header (RFC 2047).

    Parameters
    ----------
    value : str
        The unfolded value of a header.

    Returns
    -------
    str
        The value as people read it; what cannot be decoded stays as it is.

    Examples
    --------
    >>> decode_words("=?utf-8?q?caf=C3=A9?= at noon")
    'café at noon'
    """
    return _ENCODED_WORDS.sub(lambda words: _decode_run(words[0]), value) if "=?" in value else value


def _decode_run(words: str) -> str:
    """Decode encoded words that follow each other; the white space between them is not text."""
    try:
        parts = email.header.decode_header(words)
    except (email.errors.HeaderParseError, ValueError):
        return words
    return "".join(part if isinstance(part, str) else decode(part, charset or "us-ascii") for part, charset in parts)


def _without_surrogates(text: str) -> str:
    """Replace lone surrogates, which some codecs let through."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
