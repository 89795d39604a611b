"""Whose mailbox it is, learned from the mail: which addresses are evidently those of one person, the owner.

The leading sender of the sent mail is the owner; but where the mailbox bears the name of another who writes there, that
is the owner, and the leading sender an assistant. Every other address is the owner's if its name agrees.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from enron_triage.labels.person_names import (
    Likeness,
    PersonName,
    displayed_name,
    likeness,
    login_likeness,
    name_in_address,
    words_of,
)
from enron_triage.mail.addresses import domain_of
from enron_triage.records import Email

# How the owner was found: from the configuration; the name of the mailbox, or most of its sent mail, tells; not at all.
Basis = Literal["configured", "mailbox_name", "leading_sender", "unknown"]

_MIN_MESSAGES = 2  # from or to an address
_MIN_SHARE = 0.02  # of the sent messages, for an address whose name does not tell whose it is
_LEAST_WORD = 3  # letters of a mailbox's name that are taken for a person's name
_LEAST_ENDING = 5  # letters of it that are looked for at the end of an address
_MIN_ALONE = 0.5  # of the messages to an address, those to no other of the owner's: a colleague is seldom named alone


class OwnerDecision(msgspec.Struct, frozen=True):
    """Who was taken for the owner of a mailbox, and who was not.

    Attributes
    ----------
    addresses : tuple of str
        The owner's lower-case addresses, the leading one first; empty if the owner is not known.
    basis : str
        How the owner was found, one of `Basis`.
    others : dict of str to int
        Who else writes from the sent folders, by address: how many messages.
    """

    addresses: tuple[str, ...]
    basis: Basis
    others: dict[str, int]


def configured_owner(owner: tuple[str, ...] | dict[str, tuple[str, ...]], mailbox: str) -> tuple[str, ...]:
    """The addresses that the configuration gives the owner of a mailbox.

    Parameters
    ----------
    owner : tuple of str, or dict of str to tuple of str
        The key ``label.owner``: addresses for every mailbox, or by the name of the mailbox.
    mailbox : str
        The name of the mailbox.

    Returns
    -------
    tuple of str
        In lower case; empty if they are to be learned.
    """
    addresses = owner.get(mailbox, ()) if isinstance(owner, dict) else owner
    return tuple(dict.fromkeys(address.lower() for address in addresses))


def identify_owner(
    mailbox: str, sent: Sequence[Email], elsewhere: Sequence[Email], given: Sequence[str] = ()
) -> OwnerDecision:
    """Find out whose mailbox it is.

    Parameters
    ----------
    mailbox : str
        Its name, such as ``doe-j``.
    sent : sequence of Email
        The messages of its sent folders, one copy of each.
    elsewhere : sequence of Email
        Its other messages, one copy of each.
    given : sequence of str
        All of the owner's lower-case addresses, if they are known: then nothing is learned.

    Returns
    -------
    OwnerDecision
        Without addresses if there is too little sent mail to know.
    """
    people = _People(mailbox, sent, elsewhere)
    if given:
        return OwnerDecision(tuple(given), "configured", people.others(given))
    principal = people.principal()
    if principal is None:
        return OwnerDecision((), "unknown", people.others(()))
    is_named = people.agreement(principal) > 0
    name = people.name_of_owner(principal, is_named=is_named)
    found = [principal]
    for address, _ in sorted(people.sent.items(), key=lambda item: (-item[1], item[0])):
        if address != principal and people.writes_as(name, address, principal, is_named=is_named):
            found.append(address)
    if name is not None:
        found += people.found_elsewhere(name, found)
    return OwnerDecision(tuple(found), "mailbox_name" if is_named else "leading_sender", people.others(found))


class _People:
    """The addresses of a mailbox, with what tells whose they are."""

    def __init__(self, mailbox: str, sent: Sequence[Email], elsewhere: Sequence[Email]) -> None:
        self._words = words_of(mailbox.partition("@")[0])
        self._elsewhere = elsewhere
        self.sent = Counter(email.sender for email in sent if email.sender)
        self._displayed: dict[str, Counter[str]] = defaultdict(Counter)
        for email in (*sent, *elsewhere):
            if email.sender and email.sender_name:
                self._displayed[email.sender][email.sender_name] += 1

    def others(self, owner: Iterable[str]) -> dict[str, int]:
        """Who else sent how much of the sent mail."""
        return {address: self.sent[address] for address in sorted(set(self.sent).difference(owner))}

    def principal(self) -> str | None:
        """The leading sender of those who agree best with the name of the mailbox."""
        agreement = {address: self.agreement(address) for address in self.sent}
        best = max(agreement.values(), default=0)
        counts = {
            address: count
            for address, count in self.sent.items()
            if agreement[address] == best and (best or count >= _MIN_MESSAGES)
        }
        if best and len(counts) > 1:
            counts = {address: self._weight(address, counts) for address in counts}
        return max(counts, key=lambda address: (counts[address], self.sent[address], address), default=None)

    def _weight(self, address: str, candidates: Iterable[str]) -> int:
        """Of how many messages the person of an address is a sender in the sent mail, or a recipient of the other."""
        name = next(iter(self.names(address)), None)
        own = {other for other in candidates if name and self._judge(name, other) in ("same", "initial")} | {address}
        received = sum(not own.isdisjoint(_recipients(email)) for email in self._elsewhere)
        return sum(self.sent[other] for other in own) + received

    def agreement(self, address: str) -> int:
        """How far an address agrees with the mailbox's name: 2 with its initials too, 1 without, 0 not at all."""
        words = [word for word in self._words if len(word) >= _LEAST_WORD]
        names = [*self.names(address)]
        tokens = {token for text in (*self._displayed[address], address.partition("@")[0]) for token in words_of(text)}
        joined = "".join(words_of(address.partition("@")[0]))
        if not any(_is_in(word, tokens, joined) for word in words):
            return 0
        initials = {word for word in self._words if len(word) == 1}
        known = {initial for name in names for initial in name.initials} or {joined[:1]}
        return 2 if initials <= known else 1

    def names(self, address: str) -> Iterable[PersonName]:
        """The names with which an address writes, the most frequent first, then the one that it spells."""
        for text, _ in sorted(self._displayed[address].items(), key=lambda item: (-item[1], item[0])):
            name = displayed_name(text)
            if name is not None:
                yield name
        name = name_in_address(address)
        if name is not None:
            yield name

    def name_of_owner(self, principal: str, *, is_named: bool) -> PersonName | None:
        """The owner's name, with every initial that the owner's names have; None if none is a person's."""
        by_count = sorted(self.sent, key=lambda address: (address != principal, -self.sent[address], address))
        agreeing = [address for address in by_count if address == principal or (is_named and self.agreement(address))]
        names = [name for address in agreeing for name in self.names(address)]
        best = next((name for name in names if name.given), next(iter(names), None))
        if best is None:
            return self._name_of_mailbox() if is_named else None
        same = [name for name in names if likeness(best, name) == "same"]
        return best._replace(initials=best.initials.union(*(name.initials for name in same)))

    def writes_as(self, name: PersonName | None, address: str, principal: str, *, is_named: bool) -> bool:
        """Whether a sender in the sent folders is the owner."""
        judged = self._judge(name, address) if name is not None else "unknown"
        if judged == "unknown":
            # Nothing tells an alias of the owner's from an assistant, but that an assistant is of the same house.
            if is_named and _is_related(domain_of(address), domain_of(principal)):
                return False
            return self.sent[address] >= max(_MIN_MESSAGES, _MIN_SHARE * self.sent.total())
        return judged != "other"

    def found_elsewhere(self, name: PersonName, known: Sequence[str]) -> list[str]:
        """The owner's addresses among senders and recipients of the other mail."""
        domains = {domain_of(address) for address in known}
        found: set[str] = set()
        weak: set[str] = set()
        for address in {a for email in self._elsewhere for a in (email.sender, *_recipients(email))} - {*known, ""}:
            judged = self._judge(name, address)
            if self._is_anothers(name, address):
                continue
            if judged == "same" and self._spells_out(name, address):
                found.add(address)
            elif judged == "initial" and any(_is_related(domain_of(address), domain) for domain in domains):
                weak.add(address)
        return sorted(found | self._named_alone(weak, {*known, *found}))

    def _named_alone(self, candidates: set[str], known: set[str]) -> set[str]:
        """The candidates that stand in the place of the owner's addresses, rather than beside them."""
        beside: Counter[str] = Counter()
        alone: Counter[str] = Counter()
        for email in self._elsewhere:
            recipients = _recipients(email)
            if email.sender not in known:
                (alone if known.isdisjoint(recipients) else beside).update(candidates & recipients)
        return {
            address
            for address, count in alone.items()
            if count >= _MIN_MESSAGES and count >= _MIN_ALONE * (count + beside[address])
        }

    def _judge(self, name: PersonName, address: str) -> Likeness:
        """What the names of an address say, first those with which most of its messages are signed."""
        judged: Counter[Likeness] = Counter()
        for text, count in sorted(self._displayed[address].items()):
            judged[likeness(name, displayed_name(text))] += count
        del judged["unknown"]
        if judged:
            return judged.most_common(1)[0][0]
        spelled = name_in_address(address)
        if spelled is not None:
            return likeness(name, spelled)
        return login_likeness(name, address.partition("@")[0])

    def _is_anothers(self, name: PersonName, address: str) -> bool:
        """Whether an address names another person, or ever did."""
        return any(likeness(name, other) == "other" for other in self.names(address))

    def _spells_out(self, name: PersonName, address: str) -> bool:
        """Whether an address, or a name with which it writes, has a given name of the owner's in full."""
        texts = [*self._displayed[address], address.partition("@")[0]]
        return any(given in word for given in name.given for text in texts for word in words_of(text))

    def _name_of_mailbox(self) -> PersonName | None:
        """The name of a mailbox such as ``doe-j``, ``jane.doe`` or ``doe``."""
        words = [word for word in self._words if len(word) >= _LEAST_WORD]
        initials = frozenset(word for word in self._words if len(word) == 1)
        if len(words) == 1:
            return PersonName(frozenset(), words[0], initials)
        return name_in_address(" ".join(words)) if words and not initials else None


def _recipients(email: Email) -> set[str]:
    return {*email.to, *email.cc, *email.bcc}


def _is_in(word: str, tokens: set[str], joined: str) -> bool:
    """Whether a word of the mailbox's name is one of a sender's names, alone or behind one or two initials."""
    if word in tokens or (len(word) >= _LEAST_ENDING and joined.endswith(word)):
        return True
    return any(token.endswith(word) and len(token) <= len(word) + 2 for token in tokens)


def _is_related(domain: str, other: str) -> bool:
    """Whether two domains are one, or one is below the other."""
    return domain == other or domain.endswith(f".{other}") or other.endswith(f".{domain}")
