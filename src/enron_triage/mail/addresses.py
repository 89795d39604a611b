"""Mail addresses."""

from __future__ import annotations


def domain_of(address: str) -> str:
    """The domain of an address; of one without a domain, the address itself.

    Parameters
    ----------
    address : str
        A lower-case address.

    Examples
    --------
    >>> domain_of("jane@x.example"), domain_of("jane")
    ('x.example', 'jane')
    """
    return address.rpartition("@")[2]
