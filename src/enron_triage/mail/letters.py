"""Normalising words for comparison, regardless of case: one rule for the word tables of all languages."""

from __future__ import annotations

import unicodedata

_DOTS = str.maketrans({"\u0307": None, "ı": "i"})


def without_case(text: str) -> str:
    """A text without case, and with its accents joined to their letters.

    The dots of the Turkish i do not count: "YANIT" is "yanıt", "İLT" is "ilt", whichever rules changed the case.

    Parameters
    ----------
    text : str
        A word or a line.

    Returns
    -------
    str
        The text, casefolded and in Unicode's normal form C.

    References
    ----------
    The Unicode Standard, section 3.13 (default caseless matching), and SpecialCasing.txt (Turkish).

    Examples
    --------
    >>> without_case("YANIT"), without_case("yanıt"), without_case("İLT")
    ('yanit', 'yanit', 'ilt')
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text.casefold()).translate(_DOTS)
