"""Mail addresses: the lists in address headers (RFC 5322, section 3.4), and their parts."""

from __future__ import annotations

import email.utils
import re

from enron_triage.mail.charsets import decode_words

_ADDRESS = re.compile(r"""[^\s<>,;:"()\[\]@]{1,64}@[^\s<>,;:"()\[\]@]{1,255}""")  # lengths: RFC 5321, 4.5.3.1
# An address, or a name and an address in angle brackets, nothing of it quoted.
_PLAIN_ADDRESS = re.compile(
    r"(?:([\w&'/-]+(?: [\w&'/-]+)*) )?<([\w#&'+./-]+@[\w.-]+)>|([\w#&'+./-]+@[\w.-]+)", re.ASCII
)
_NEEDS_PARSING = re.compile(r'["<>():;\\]')

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

    Examples
    --------
    >>> parse_addresses('"Doe, Jane" <Jane@x.example>, bob')
    ['jane@x.example', 'bob']
    """
    if _NEEDS_PARSING.search(value):
        return [address for _, address in _parse_list(value)]
    parts = [part.strip() for part in value.split(",")]
    return [part.lower() for part in (map(decode_words, parts) if "=?" in value else parts) if part]


def parse_named_addresses(value: str) -> list[NamedAddress]:
    """Parse an address header to display names and addresses.

    Parameters
    ----------
    value : str
        The unfolded value of the header; empty if it is missing.

    Returns
    -------
    list of (str, str)
        The display name, not decoded and empty if there is none, and the lower-case address of each.

    Examples
    --------
    >>> parse_named_addresses('"Doe, Jane" <Jane@x.example>, bob@x.example')
    [('Doe, Jane', 'jane@x.example'), ('', 'bob@x.example')]
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
    found = [_PLAIN_ADDRESS.fullmatch(part.strip()) for part in value.split(",")]
    if not all(found):
        return None
    return [(match[1] or "", (match[2] or match[3]).lower()) for match in found if match]


def read_any_list(value: str) -> list[NamedAddress]:
    """Parse any list of addresses, by the standard ``email`` package.

    Parameters
    ----------
    value : str
        The unfolded value of an address header.

    Returns
    -------
    list of (str, str)
        Display names and lower-case addresses. Where the package gives up, whatever looks like an address, without
        names.
    """
    try:
        pairs = email.utils.getaddresses([value])
    except RecursionError:  # thousands of nested comments
        pairs = []
    found = [(name, address.strip().lower()) for name, address in pairs if address.strip()]
    if any(_NEEDS_PARSING.search(address) for _, address in found):  # it gave up on an unclosed quotation
        found = []
    return found or [("", address.lower()) for address in _ADDRESS.findall(value)]


def _parse_list(value: str) -> list[NamedAddress]:
    return read_plain_list(value) or read_any_list(value)
