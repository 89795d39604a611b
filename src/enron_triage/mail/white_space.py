"""Normalising white space, which mail systems change by wrapping, padding and trimming lines."""

from __future__ import annotations

_SHORT = 600  # characters: below, splitting costs less than arrays
# Each ASCII character that `str.split` takes for white space becomes a space.
_SPACES = bytes(ord(" ") if chr(code).isspace() and code < 128 else code for code in range(256))


def single_spaced(text: str) -> bytes:
    r"""The words of a text, with one space between each two, in UTF-8.

    Parameters
    ----------
    text : str
        A text without lone surrogates.

    Returns
    -------
    bytes
        What ``" ".join(text.split()).encode()`` gives; a long ASCII text takes less than half of its time.

    Examples
    --------
    >>> single_spaced(" one\n two ")
    b'one two'
    """
    if len(text) < _SHORT or not text.isascii():
        return " ".join(text.split()).encode()
    import numpy as np  # here, as the process that only hands out mail to others does without it

    codes = np.frombuffer(b" " + text.encode().translate(_SPACES), np.uint8)
    in_word = codes != ord(" ")
    kept: bytes = codes[1:][in_word[1:] | in_word[:-1]].tobytes()  # of a run of spaces the first
    return kept.rstrip(b" ")
