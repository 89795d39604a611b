"""Mail addresses: the lists in address headers (RFC 5322, section 3.4), as programs and people really write them.

``email.utils.getaddresses`` gives other results on each version of Python, takes the name for the address where the
name holds an ``@``, and takes time in the square of a long group; no kept library reads lists that break the rules.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from enron_triage.mail.address_lists import Element, split_list
from enron_triage.mail.encoded_words import decode_words

_ADDRESS = re.compile(r"""[^\s<>,;:"()\[\]@]{1,64}@(?:[^\s<>,;:"()\[\]@]{1,255}|\[[^\s\[\]]{1,255}\])""", re.ASCII)
# An address, or a name and an address in angle brackets, nothing of it quoted.
_PLAIN_ADDRESS = re.compile(
    r"(?:([\w&'/-]+(?: [\w&'/-]+)*) )?<([\w#&'+./-]+@[\w.-]+)>|([\w#&'+./-]+@[\w.-]+)", re.ASCII
)
_NEEDS_PARSING = re.compile(
    r"""["'<>():;\\\[\]?\uff0c\uff1b\uff1c\uff20]"""
)  # the question mark is that of encoded words
_NOT_ONE = re.compile(r'[\s<>()"\[]', re.ASCII)
_WORD = re.compile(r"\w")
_SPACED = re.compile(r"[^\s@]+\s*@\s*[^\s@]+")
_QUOTED = re.compile(r'"[^"]*"@[^\s@"]+')  # RFC 5322, 3.4.1
_SCHEME = re.compile(r"(?:mailto|smtp):", re.IGNORECASE)
_SPOKEN = re.compile(r"(\S{1,64}) at (\S{1,255}\.\S{1,63})", re.IGNORECASE)
_SPOKEN_SIGN = re.compile(r" ?[\[({] ?(at|dot) ?[\])}] ?| (dot) ", re.IGNORECASE)  # in text with single spaces
# The full-width signs of East Asian keyboards, where they are those of a list rather than of a name.
_WIDE = re.compile("[\uff1c\uff20]|@[^\\s@]{1,255}[\uff0c\uff1b]")
_NARROW = str.maketrans("\uff1c\uff1e\uff20\uff0c\uff1b", "<>@,;")
_COMMENT = re.compile(r"\([^()]*\)")

NamedAddress = tuple[str, str]  # display name and lower-case address


def domain_of(address: str) -> str:
    """The domain of an address.

    Parameters
    ----------
    address : str
        A lower-case address.

    Returns
    -------
    str
        What follows its ``@``; the address itself if it has none.

    Examples
    --------
    >>> domain_of("jane@x.example"), domain_of("jane")
    ('x.example', 'jane')
    """
    return address.rpartition("@")[2]


def parse_addresses(value: str) -> list[str]:
    """Parse an address header to addresses.

    Parameters
    ----------
    value : str
        The unfolded value of the header; empty if it is missing.

    Returns
    -------
    list of str
        The lower-case addresses in their order, those without a domain included.

    Raises
    ------
    ValueError
        If there are more than in any mail, and not one behind the other as plain as can be.

    Examples
    --------
    >>> parse_addresses('"Doe, Jane" <Jane@x.example>, bob')
    ['jane@x.example', 'bob']
    """
    if not value:
        return []
    if not _NEEDS_PARSING.search(value):
        words = value.lower().split()
        if len(words) <= 1 and "," not in value:
            return words
        joined = " ".join(words).replace(", ", ",").replace(" ,", ",")
        addresses = joined.split(",")
        if " " not in joined and all(addresses):
            return addresses
    return [address for _, address in _parse_list(value)]


def parse_named_addresses(value: str) -> list[NamedAddress]:
    """Parse an address header to display names and addresses.

    Parameters
    ----------
    value : str
        The unfolded value of the header; empty if it is missing.

    Returns
    -------
    list of (str, str)
        The display name, not decoded and empty if there is none, and the lower-case address of each. The address in
        angle brackets is the address, whatever the name holds.

    Raises
    ------
    ValueError
        As `parse_addresses`.

    Examples
    --------
    >>> parse_named_addresses('"Doe, Jane" <Jane@x.example>, bob@x.example')
    [('Doe, Jane', 'jane@x.example'), ('', 'bob@x.example')]
    >>> parse_named_addresses("director@x.example <someone@y.example>")
    [('director@x.example', 'someone@y.example')]
    """
    if _NEEDS_PARSING.search(value):
        return _parse_list(value)
    return [("", address) for address in parse_addresses(value)]


def read_plain_list(value: str) -> list[NamedAddress] | None:
    """Parse a list of addresses without quotation marks or comments, by a regular expression.

    Parameters
    ----------
    value : str
        The unfolded value of an address header.

    Returns
    -------
    list of (str, str), or None
        What `read_any_list` returns; None if the list is not as plain as that.
    """
    found: list[NamedAddress] = []
    for part in value.split(","):
        match = _PLAIN_ADDRESS.fullmatch(part.strip())
        if match is None:
            return None
        found.append((match[1] or "", (match[2] or match[3]).lower()))
    return found


def read_any_list(value: str) -> list[NamedAddress]:
    """Parse any list of addresses.

    Parameters
    ----------
    value : str
        The unfolded value of an address header: also with semicolons for commas, and with commas, brackets or addresses
        in names that are not quoted.

    Returns
    -------
    list of (str, str)
        Display names and lower-case addresses.

    Examples
    --------
    >>> read_any_list("Doe, Jane <jane@x.example>; 'bob@x.example'; <mailto:ann@x.example>; cy at x.example")
    [('Doe, Jane', 'jane@x.example'), ('', 'bob@x.example'), ('', 'ann@x.example'), ('', 'cy@x.example')]
    """
    return list(_read_elements(value, decode=True))


def _parse_list(value: str) -> list[NamedAddress]:
    if "&" in value and "&lt;" in value:
        value = html.unescape(value)
    if not value.isascii() and _WIDE.search(value):
        value = value.translate(_NARROW)
    return read_plain_list(value) or read_any_list(value)


def _read_elements(value: str, *, decode: bool) -> Iterator[NamedAddress]:
    """Read the elements of a list; one without an address is the beginning of the name of the next that has one."""
    words: list[Element] = []
    for element in split_list(value):
        in_angles = [address for address in map(_clean, element.angles) if address]
        if in_angles and (any("@" in address for address in in_angles) or "@" not in element.text):
            if element.opens_group:
                yield from _bare(words, decode=decode)
                words = []
            start = words[0].start if words else element.start
            yield _name(value[start : element.angle_start]), in_angles[0]
            yield from (("", address) for address in in_angles[1:])
            words = []
            continue
        found = _in_text(element, value)
        if found or element.opens_group:
            yield from _bare(words, decode=decode)
            words = []
        yield from found
        if not found and element.text.strip() and "@" not in element.text:
            words.append(element)
    yield from _bare(words, decode=decode)


def _bare(words: list[Element], *, decode: bool) -> Iterator[NamedAddress]:
    """Elements without an address: local names, or a whole mailbox in encoded words."""
    for word in words:
        text = decode_words(word.text.strip())
        if decode and "@" in text:
            yield from _read_elements(text, decode=False)
        elif _WORD.search(text):
            yield "", _name(text).lower()


def _in_text(element: Element, value: str) -> list[NamedAddress]:
    """The addresses of an element that has none in angle brackets; a comment is the name."""
    text = element.text.strip()
    name = " ".join(" ".join(element.comments).split())
    if "@" not in text:
        written = " ".join(value[element.start : element.stop].split())
        spoken = _COMMENT.sub(" ", _SPOKEN_SIGN.sub(_spoken_sign, written))
        found = _SPOKEN.fullmatch(" ".join(spoken.split()))
        name = "" if _SPOKEN_SIGN.search(written) else name
        return [(name, f"{found[1]}@{found[2]}".lower())] if found else []
    if _NOT_ONE.search(text) is None or _QUOTED.fullmatch(text):
        whole = _clean(text)
        return [(name, whole)] if whole.strip("@") and not whole.startswith("@") and not whole.endswith("@") else []
    found_in_text = _ADDRESS.findall(text) or _SPACED.findall(text)
    return [(name if number == 0 else "", _clean(address)) for number, address in enumerate(found_in_text)]


def _spoken_sign(match: re.Match[str]) -> str:
    return " at " if (match[1] or match[2]).lower() == "at" else "."


def _clean(address: str) -> str:
    """An address without what some programs write around it: a scheme, a route, spaces, single quotation marks."""
    address = " ".join(address.split()).replace(" @", "@").replace("@ ", "@")
    scheme = _SCHEME.match(address)
    if scheme:
        address = address[scheme.end() :].partition("?")[0]  # RFC 6068: what follows is for the answer
    if address.startswith("@"):  # a route, RFC 5322, 4.4
        address = address.rpartition(":")[2]
    spoken = _SPOKEN.fullmatch(address)
    if spoken and "@" not in address:
        address = f"{spoken[1]}@{spoken[2]}"
    if '"' in address and _QUOTED.fullmatch(address) is None:  # quotation marks that stand anywhere
        found = list(_ADDRESS.finditer(address))
        address = found[-1][0] if found and found[-1].end() == len(address) else address.replace('"', "")
    if address.endswith("]") and "[" not in address:  # Outlook's "Jane [mailto:jane@x.example]"
        address = address.rstrip("]")
    if address.endswith("'"):
        address = address.rstrip("'").removeprefix("'")
    return address.strip().lower()


def _name(text: str) -> str:
    """A display name without its quotation marks and quoting backslashes."""
    return " ".join(re.sub(r'\\(.)|"', r"\1", text).split())
