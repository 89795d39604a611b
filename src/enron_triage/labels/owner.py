"""Whose mailbox it is: the addresses and names, and how a message addresses them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from enron_triage.records import Email

Field = Literal["to", "cc", "bcc"]

_NAME = re.compile(r"[^\W\d_]{3,}")
_OPENING = 120  # characters in which a letter names whom it is for


class Owner(msgspec.Struct, frozen=True):
    """A mailbox owner's identity.

    Attributes
    ----------
    addresses : frozenset of str
        Lower-case.
    names : frozenset of str
        Lower-case words of the name.
    """

    addresses: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, addresses: frozenset[str], sent: Iterable[Email]) -> Owner:
        """The owner of these addresses, named as in the mail that they sent."""
        named = {email.sender_name for email in sent if email.sender in addresses}
        text = " ".join(name.partition("@")[0] for name in (*named, *addresses))  # a name may be an address
        return cls(addresses, frozenset(_NAME.findall(text.lower())))

    def place_in(self, email: Email) -> tuple[Field | None, int | None]:
        """The field that holds the owner, and the place in it; None if no field does."""
        fields: list[tuple[Field, list[str]]] = [("to", email.to), ("cc", email.cc), ("bcc", email.bcc)]
        for name, addresses in fields:
            for position, address in enumerate(addresses):
                if address in self.addresses:
                    return name, position
        return None, None

    def is_named_in(self, email: Email) -> bool:
        """Whether the text opens with the owner's name."""
        return not self.names.isdisjoint(_NAME.findall(email.body[:_OPENING].lower()))

    def shares_domain(self, domain: str) -> bool:
        """Whether a domain is the owner's own."""
        return any(address.endswith(f"@{domain}") for address in self.addresses)
