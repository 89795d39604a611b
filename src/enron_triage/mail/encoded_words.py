"""The encoded words of headers (RFC 2047), including malformed ones."""

from __future__ import annotations

import binascii
import itertools
import re
from collections.abc import Iterator

from enron_triage.mail.charsets import decode, decodes, is_known

# Up to eight question marks inside, which RFC 2047 forbids; a bound, so that time stays proportional to length.
_WORD = r"=\?([^?\s]+)\?([bqBQ])\?([^?]*(?:(?<!=)\?(?!=)[^?]*){0,8})\?="
_WORDS = re.compile(_WORD, re.ASCII)
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/]")

Word = tuple[str, str, str]  # charset, encoding and encoded text


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
    return "".join(_pieces(value)) if "=?" in value else value


def _pieces(value: str) -> Iterator[str]:
    """The text between encoded words, and the words, decoded; white space between two words is not text."""
    end = 0
    run: list[re.Match[str]] = []
    for match in _WORDS.finditer(value):
        between = value[end : match.start()]
        if not run or between.strip():
            yield from _decode_run(run)
            run = []
            yield between
        run.append(match)
        end = match.end()
    yield from _decode_run(run)
    yield value[end:]


def _decode_run(run: list[re.Match[str]]) -> Iterator[str]:
    """Decode encoded words that follow each other; a character may begin in one and end in the next."""
    for (charset, encoding), group in itertools.groupby(run, _charset_and_encoding):
        matches = list(group)
        texts = [match[3] for match in matches]
        content = _from_base64(texts, charset) if encoding == "b" else _from_quoted(texts, charset)
        yield " ".join(match[0] for match in matches) if content is None else decode(content, charset)


def _charset_and_encoding(match: re.Match[str]) -> tuple[str, str]:
    return match[1].partition("*")[0].lower(), match[2].lower()  # a language may follow the charset (RFC 2231)


def _from_quoted(texts: list[str], charset: str) -> bytes:
    text = "".join(texts)
    content = text.encode() if text.isascii() else text.encode(charset if _can_hold(text, charset) else "utf-8")
    return binascii.a2b_qp(content, header=True)


def _can_hold(text: str, charset: str) -> bool:
    """Whether a text that stands unencoded in a word was read by the word's charset."""
    try:
        return is_known(charset) and text.encode(charset) is not None
    except (LookupError, ValueError):
        return False


def _from_base64(texts: list[str], charset: str) -> bytes | None:
    """Decode words in base64, each by itself, else as one text that was cut anywhere; None if neither is possible."""
    texts = [_NO_BASE64.sub("", text) for text in texts]
    whole = "".join(texts)
    apart = None if any(len(text) % 4 == 1 for text in texts) else b"".join(map(_decode_base64, texts))
    if apart is not None and (len(texts) == 1 or decodes(apart, charset)):
        return apart
    if len(whole) % 4 != 1:
        joined = _decode_base64(whole)
        if apart is None or decodes(joined, charset):
            return joined
    return apart


def _decode_base64(text: str) -> bytes:
    return binascii.a2b_base64(text + "=" * (-len(text) % 4))
