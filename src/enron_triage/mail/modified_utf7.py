"""Names of mailboxes as IMAP servers store them: modified UTF-7 (RFC 3501, 5.1.3)."""

from __future__ import annotations

import binascii
import re

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")


def decode_modified_utf7(name: str) -> str:
    """Decode the name of a folder.

    Parameters
    ----------
    name : str
        A name in modified UTF-7, or any other.

    Returns
    -------
    str
        The name as people read it. What is not modified UTF-7 stays as it is, such as the name that a person gave to a
        folder on the disk.
    """
    return _SHIFTED.sub(_decode_shifted, name) if "&" in name else name


def _decode_shifted(match: re.Match[str]) -> str:
    digits = match[1]
    if not digits:
        return "&"
    try:
        encoded = binascii.a2b_base64(digits.replace(",", "/") + "=" * (-len(digits) % 4), strict_mode=True)
        return encoded.decode("utf-16-be")
    except ValueError:
        return match[0]
