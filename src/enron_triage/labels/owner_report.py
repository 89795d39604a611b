"""The report of the label stage on owners: who was identified as the owner of each mailbox, and who was not."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from enron_triage.errors import UsageError
from enron_triage.labels.owner_identity import OwnerDecision

logger = logging.getLogger(__name__)

_MAX_SHOWN = 3  # mailboxes in one line of the log
_LEAST_MESSAGES = 2  # who sent fewer is counted, and not named in the log
_LONGEST = 60  # characters of an address


def owner_counts(owners: Mapping[str, OwnerDecision]) -> dict[str, Any]:
    """The decisions as plain values, for the metadata of the artifact and for ``--json``.

    Parameters
    ----------
    owners : mapping of str to OwnerDecision
        By mailbox.
    """
    return {user: msgspec.to_builtins(decision) for user, decision in sorted(owners.items())}


def check_mailboxes_of_owners(named: Mapping[str, Any] | tuple[str, ...], mailboxes: Iterable[str]) -> None:
    """Refuse a configured owner of a mailbox that is not there: the name would be misspelt.

    Parameters
    ----------
    named : mapping, or tuple of str
        The key ``label.owner``.
    mailboxes : iterable of str
        The names of the mailboxes.

    Raises
    ------
    UsageError
        If a name is not among them.
    """
    known = list(mailboxes)
    unknown = sorted(set(named) - set(known)) if isinstance(named, Mapping) else []
    if unknown:
        some = ", ".join(known[:_MAX_SHOWN]) + (", ..." if len(known) > _MAX_SHOWN else "")
        raise UsageError(f"label.owner names a mailbox that does not exist: {unknown[0]}; there are {some}")


def people_of(mailboxes: Sequence[str], owners: Mapping[str, Any]) -> list[int]:
    """Whose each mailbox is, by number: two whose owner has the same leading address are one person's.

    Parameters
    ----------
    mailboxes : sequence of str
        The names of the mailboxes.
    owners : mapping
        As `owner_counts` returns them; a mailbox that is not there is another person's.

    Returns
    -------
    list of int
        Equal for the mailboxes of one person.

    Examples
    --------
    >>> owners = {"a": {"addresses": ["jane@x"]}, "c": {"addresses": ["j@x", "jane@x"]}}
    >>> people_of(["a", "b", "c"], owners)
    [0, 1, 0]
    """
    addresses = [list(owners.get(mailbox, {}).get("addresses", ())) for mailbox in mailboxes]
    by_leading: dict[str, list[int]] = defaultdict(list)
    for index, own in enumerate(addresses):
        for leading in own[:1]:
            by_leading[leading].append(index)
    people = list(range(len(mailboxes)))
    for index, own in enumerate(addresses):
        same = {people[other] for address in own for other in by_leading.get(address, ())} | {people[index]}
        if len(same) > 1:
            people = [min(same) if person in same else person for person in people]
    return people


def log_owners(owners: Mapping[str, OwnerDecision]) -> None:
    """Write to the log who owns which mailbox (if verbose), and where other people write from sent folders.

    Parameters
    ----------
    owners : mapping of str to OwnerDecision
        By mailbox.
    """
    shared: list[tuple[int, str]] = []
    for user, decision in owners.items():
        others = ", ".join(f"{_shown(address)} {count:,}" for address, count in decision.others.items())
        addresses = ", ".join(map(_shown, decision.addresses)) or "not known"
        logger.debug("owner of %s (%s): %s; others in its sent folders: %s", user, decision.basis, addresses, others)
        if decision.others and decision.addresses:
            address, most = max(decision.others.items(), key=lambda item: (item[1], item[0]))
            if most >= _LEAST_MESSAGES:
                shared.append((most, f"{user}: {_shown(address)} {most:,}"))
    if shared:
        listed = [text for _, text in sorted(shared, reverse=True)]
        logger.warning(
            "the sent folders of %d mailboxes also contain mail by other people (%s%s), which does not count as the "
            "owner's; if it is the owner's, list all of the owner's addresses in label.owner",
            len(listed),
            "; ".join(listed[:_MAX_SHOWN]),
            "; ..." if len(listed) > _MAX_SHOWN else "",
        )


def _shown(address: str) -> str:
    """An address for the terminal; whoever sent the mail chose it."""
    return "".join(sign if sign.isprintable() else "?" for sign in address[:_LONGEST])
