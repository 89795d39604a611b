"""The parameters of MIME part headers, split and encoded as programs write them (RFC 2045, RFC 2231)."""

from __future__ import annotations

import email.message
import email.utils
from collections.abc import Sequence

from enron_triage.mail.charsets import decode
from enron_triage.mail.encoded_words import decode_words

_Encoded = tuple[str | None, str | None, str]  # charset, language and text (RFC 2231)
MAX_PARAMETERS = 4_000  # characters of a header; `email.message` takes time in the square of its length


def parameters(value: str) -> dict[str, str]:
    """The parameters of a header, those that are split or encoded as RFC 2231 has it included.

    Parameters
    ----------
    value : str
        The unfolded value of a header, such as Content-Type.

    Returns
    -------
    dict of str to str
        Lower-case names and values; of several of one name the first. Empty where they cannot be told apart.

    Examples
    --------
    >>> parameters('text/plain; charset="utf-8"; format=flowed')
    {'format': 'flowed', 'charset': 'utf-8'}
    """
    pairs = _pairs(value)
    try:
        return {name.lower(): email.utils.collapse_rfc2231_value(text).strip() for name, text in reversed(pairs)}
    except (ValueError, TypeError, LookupError):  # parameters that the package cannot put together
        return {}


def text_parameter(value: str, name: str) -> str:
    """A parameter that people read, such as the name of a file.

    Parameters
    ----------
    value : str
        The unfolded value of a header, such as Content-Disposition.
    name : str
        The parameter's name in lower case.

    Returns
    -------
    str
        Its text, in one line; empty if there is none. Where it is given twice, in the encoding of RFC 2231 and without,
        as for programs that do not know it, the first is taken. Encoded words (RFC 2047), which do not belong into
        parameters but are common there, are decoded.

    Examples
    --------
    >>> text_parameter("attachment; filename=caf.txt; filename*=utf-8''caf%C3%A9.txt", "filename")
    'café.txt'
    """
    found = [text for given, text in _pairs(value) if given.lower() == name]
    encoded = [text for text in found if isinstance(text, tuple)]
    for text in [*encoded, *found]:
        shown = " ".join((_decode(text) if isinstance(text, tuple) else decode_words(text)).split())
        if shown:
            return shown
    return ""


def _decode(text: _Encoded) -> str:
    """Decode a value with its character set (RFC 2231); its bytes are given as characters of Latin-1."""
    charset, _, content = text
    try:
        return decode(content.encode("latin-1"), charset or "us-ascii")
    except UnicodeEncodeError:  # it holds characters that are not encoded at all
        return content


def _pairs(value: str) -> Sequence[tuple[str, str | _Encoded]]:
    """Names and values in their order; a value is its charset, language and text where these are given."""
    if ";" not in value:
        return []
    message = email.message.Message()
    message["Content-Type"] = value[:MAX_PARAMETERS]
    try:
        return list(message.get_params([]))[1:]
    except (ValueError, TypeError, LookupError):  # parameters that the package cannot put together
        return []
