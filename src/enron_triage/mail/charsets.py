"""From bytes to text: character sets, by the names used in mail and their meaning in browsers.

A name stands for a superset more often than for the standard that bears it ("gb2312" for GBK, "iso-8859-1" for
Windows-1252): the table of names is that of the WHATWG Encoding Standard, from the library ``webencodings``.
"""

from __future__ import annotations

import codecs
import functools
import re

import webencodings
from webencodings.labels import LABELS

# Quadratic in the length of the text, or not character sets at all: never worth a hostile message.
_REFUSED_CHARSETS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined"})
_SUPERSETS_OF_ASCII = frozenset({"us-ascii", "ascii", "ansi_x3.4-1968", "utf-8", "iso-8859-1", "windows-1252"})
_DEFAULT = "us-ascii"  # RFC 2045, 5.2: that of a text which names none
# Python's codecs for what the standard understands by an encoding, the widest first that loses nothing.
_CODECS = {
    "gbk": ("gb18030",),
    "big5": ("big5hkscs", "cp950"),
    "euc-jp": ("euc_jp", "euc_jis_2004"),  # the second has the signs of NEC's row 13
    "utf-16le": ("utf-16",),  # minds a byte order mark
    "iso-2022-jp": ("iso2022_jp", "iso2022_jp_ext"),
}
# Names that neither the standard nor Python knows, by what they stand for; compared without hyphens and the like.
_OTHER_NAMES = {
    "cp50220": "iso-2022-jp",
    "cp50221": "iso-2022-jp",
    "cp50222": "iso-2022-jp",
    "unicode20utf7": "utf-7",
    "macce": "mac-latin2",
    "maccentralroman": "mac-latin2",
    "maccentraleurroman": "mac-latin2",
    "macicelandic": "mac-iceland",
    "macromania": "mac-romanian",
    "macjapanese": "shift_jis",
    "mackorean": "euc-kr",
    "macchinesesimp": "gbk",
    "macchinesetrad": "big5",
}
_AROUND_NAME = re.compile(r"^(?:_|x-|cs(?=[a-z]))+|\$esc$|[_-]?charset$")
_WINDOWS = re.compile(r"^(?:windows|win|ms|cp)(?=\d)")
_MULTIBYTE = frozenset({"gbk", "gb18030", "big5", "euc-jp", "shift_jis", "euc-kr", "iso-2022-jp"})
_HIGH_BYTES = bytes(range(128, 256))
_UTF8_LETTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
_REPLACEMENT = "\ufffd"
_MAX_NAME = 60  # characters; the longest label of the standard has 19


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
        The text, without lone surrogates, which JSON cannot hold. A damaged byte costs one character.

    References
    ----------
    WHATWG Encoding Standard, section 4.2 (names and labels), https://encoding.spec.whatwg.org/.

    Examples
    --------
    >>> decode(b"caf\xe9", "us-ascii"), decode(b"caf\xc3\xa9", "no-such-charset")
    ('café', 'café')
    >>> decode("“5 €”".encode("cp1252"), "iso-8859-1")
    '“5 €”'
    """
    if content.isascii() and charset.lower() in _SUPERSETS_OF_ASCII:
        return content.decode("ascii")
    names, multibyte = _codecs_of(charset)
    if content.startswith(codecs.BOM_UTF8):
        names, content = ("utf-8",), content.removeprefix(codecs.BOM_UTF8)
    if names[:1] == ("utf-16",) and content[:1] == b"\0":  # no mark tells the order of the bytes
        names = ("utf-16-be",)
    if not multibyte and _UTF8_LETTER.search(content) and _is_damaged_utf8(content):
        # No text of a single-byte character set happens to be UTF-8, but a wrong name is common.
        return content.decode("utf-8", "replace")
    for name in names:
        text = _strictly(content, name)
        if text is not None:
            return _without_surrogates(text)
    return _without_surrogates(_decode_damaged(content, names))


def decode_header(content: bytes, charset: str) -> str:
    r"""Decode the 8-bit bytes of a header: as UTF-8 (RFC 6532), else by the character set of the message's text.

    Parameters
    ----------
    content : bytes
        The header as it was sent.
    charset : str
        The character set that the message claims for its text; empty if it claims none.

    Returns
    -------
    str
        The text; never fails.

    Examples
    --------
    >>> decode_header("Grüße".encode(), "koi8-r"), decode_header("Привет".encode("koi8-r"), "koi8-r")
    ('Grüße', 'Привет')
    """
    text = _strictly(content, "utf-8")
    return decode(content, charset or _DEFAULT) if text is None else text


def is_known(charset: str) -> bool:
    """Whether a name is that of a character set.

    Parameters
    ----------
    charset : str
        The name, in any spelling.

    Returns
    -------
    bool
        False for names that nobody knows, and for those that never name the character set of a text.
    """
    return bool(_codecs_of(charset)[0])


def decodes(content: bytes, charset: str) -> bool:
    """Whether bytes are a text of a character set, without damage.

    Parameters
    ----------
    content : bytes
        The bytes.
    charset : str
        The name of the character set.

    Returns
    -------
    bool
        False also where the name is not known.
    """
    return any(_strictly(content, name) is not None for name in _codecs_of(charset)[0])


@functools.lru_cache(maxsize=256)
def _codecs_of(charset: str) -> tuple[tuple[str, ...], bool]:
    """Python's codecs for a name, the best first, and whether a character may take several bytes."""
    label = charset.strip(" \t\r\n\"'").lower()
    if len(label) > _MAX_NAME or not label.isascii():
        return (), False
    bare = "".join(filter(str.isalnum, _AROUND_NAME.sub("", label)))
    for alias in (
        label,
        _python_name(label),
        _labels().get(bare, ""),
        _labels().get(_WINDOWS.sub("windows", bare), ""),
    ):
        encoding = webencodings.lookup(alias)
        if encoding is not None and encoding.name not in ("replacement", "x-user-defined"):
            names = _CODECS.get(encoding.name) or (encoding.codec_info.name,)
            return names, encoding.name in _MULTIBYTE or encoding.name.startswith("utf")
    other = _OTHER_NAMES.get(bare, "")
    if webencodings.lookup(other) is not None:
        return _codecs_of(other)
    # "x-windows-949" is Python's "cp949", "x-mac-greek" its "mac-greek".
    name = _python_name(label) or _python_name(other or _WINDOWS.sub("cp", bare)) or _python_name(label[2:])
    # What browsers refuse or do not know, and mail has: iso-2022-kr, utf-7, cp437.
    return ((name,), True) if name else ((), False)


@functools.cache
def _labels() -> dict[str, str]:
    """The standard's labels by their letters and digits: "win-1251" and "windows1251" are "windows-1251"."""
    return {"".join(filter(str.isalnum, label)): label for label in LABELS}


def _python_name(label: str) -> str:
    """Python's own name of a character set, with hyphens; empty if it has none that is fit for mail."""
    try:
        name = codecs.lookup(label).name.replace("_", "-")
        b"a".decode(name, "ignore")  # fails for what is no character set, such as rot13
    except (LookupError, ValueError):
        return ""
    return "" if name in _REFUSED_CHARSETS else name


def _strictly(content: bytes, name: str) -> str | None:
    try:
        return content.decode(name)
    except ValueError:  # UnicodeDecodeError is a ValueError
        return None


def _decode_damaged(content: bytes, names: tuple[str, ...]) -> str:
    """Decode what no codec takes whole: by the first that loses fewer characters than it reads, else Windows-1252."""
    if "iso2022_jp" in names and b"\x1b$B" in content:  # vendors' signs, which only the later standard has
        later = _strictly(content.replace(b"\x1b$B", b"\x1b$(Q"), "iso2022_jp_2004")
        if later is not None:
            return later
    ascii_count = len(content.translate(None, _HIGH_BYTES))
    for name in dict.fromkeys((*names, "utf-8")):
        text = content.decode(name, "replace")
        lost = text.count(_REPLACEMENT) - content.count(_REPLACEMENT.encode())
        if name.startswith("iso2022") or len(text) - ascii_count - lost >= max(lost, 1):
            return text
    return content.decode("cp1252", "replace")


def _is_damaged_utf8(content: bytes) -> bool:
    """Whether what is not ASCII is UTF-8, most of it at least, whatever the message claims."""
    text = content.decode("utf-8", "replace")
    lost = text.count(_REPLACEMENT)
    return len(text) - len(content.translate(None, _HIGH_BYTES)) - lost > lost


def _without_surrogates(text: str) -> str:
    """Replace lone surrogates, which some codecs let through."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
