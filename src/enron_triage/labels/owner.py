"""Whose mailbox it is: the owner's addresses and names, and how a message addresses the owner."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

import msgspec

from enron_triage.records import Email

RecipientField = Literal["to", "cc", "bcc"]

# An address is the owner's if it sent this many messages, and this share of them; assistants send less.
_MIN_MESSAGES = 2
_MIN_SHARE = 0.02
_NAME = re.compile(r"[^\W\d_]{3,}")
_SALUTATION_LENGTH = 120  # characters: a text that names its recipient does so this early


def owner_addresses(senders_of_sent_mail: Iterable[str]) -> frozenset[str]:
    """The owner's addresses: those on at least 2, and at least 2 %, of the sent messages.

    Parameters
    ----------
    senders_of_sent_mail : iterable of str
        The From address of every message in the sent folders of one mailbox; an empty one is ignored.

    Returns
    -------
    frozenset of str
        Empty if there is too little sent mail to know.
    """
    counts = Counter(sender for sender in senders_of_sent_mail if sender)
    minimum = max(_MIN_MESSAGES, _MIN_SHARE * counts.total())
    return frozenset(address for address, count in counts.items() if count >= minimum)


class Owner(msgspec.Struct, frozen=True):
    """The identity of a mailbox owner.

    Attributes
    ----------
    addresses : frozenset of str
        The lower-case addresses from which the owner writes; empty if the owner is not known.
    names : frozenset of str
        The lower-case words of the owner's name.
    """

    addresses: frozenset[str]
    names: frozenset[str]

    @classmethod
    def from_mail(cls, addresses: frozenset[str], sent: Iterable[Email]) -> Owner:
        """The owner of some addresses, with the names in the mail that these addresses sent.

        Parameters
        ----------
        addresses : frozenset of str
            The owner's lower-case addresses; the words before their ``@`` count as names too.
        sent : iterable of Email
            Messages of which some are from these addresses; the others are ignored.
        """
        display_names = {email.sender_name for email in sent if email.sender in addresses}
        text = " ".join(name.partition("@")[0] for name in (*display_names, *addresses))  # a name may be an address
        return cls(addresses, frozenset(_NAME.findall(text.lower())))

    def find_recipient(self, email: Email) -> tuple[RecipientField | None, int | None]:
        """Where a message names the owner as a recipient.

        Parameters
        ----------
        email : Email
            Any message.

        Returns
        -------
        field : {"to", "cc", "bcc"} or None
            The first of these headers that has one of the owner's addresses; None if none does.
        position : int or None
            The position of that address in the header, from 0.
        """
        fields: list[tuple[RecipientField, list[str]]] = [("to", email.to), ("cc", email.cc), ("bcc", email.bcc)]
        for name, addresses in fields:
            for position, address in enumerate(addresses):
                if address in self.addresses:
                    return name, position
        return None, None

    def is_named_in(self, email: Email) -> bool:
        """Whether the text opens with the owner's name.

        Parameters
        ----------
        email : Email
            Any message; only the first 120 characters of its body count.
        """
        return not self.names.isdisjoint(_NAME.findall(email.body[:_SALUTATION_LENGTH].lower()))

    def shares_domain(self, domain: str) -> bool:
        """Whether a domain is that of one of the owner's addresses.

        Parameters
        ----------
        domain : str
            A lower-case domain, without ``@``.
        """
        return any(address.endswith(f"@{domain}") for address in self.addresses)
