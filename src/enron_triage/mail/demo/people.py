"""The owners of the demo corpus, the people who write to them, and the owners' habits."""

from __future__ import annotations

from random import Random
from typing import Literal

import msgspec

from enron_triage.mail.demo import wording
from enron_triage.mail.demo.messages import Person, QuoteStyle

Relation = Literal["boss", "colleague", "customer", "friend", "newsletter", "alert", "broadcast"]
Outcome = Literal["reply", "forward", "archive", "delete", "nothing"]

OUTCOMES: tuple[Outcome, ...] = ("reply", "forward", "archive", "delete", "nothing")
# Scores by the sender's relation to the owner, in the order of OUTCOMES: a larger one is likelier.
BASE_SCORES: dict[Relation, tuple[float, ...]] = {
    "boss": (1.6, 0.4, 1.2, -1.0, 0.0),
    "colleague": (0.9, 0.0, 0.6, 0.2, 0.2),
    "customer": (1.2, 0.8, 0.8, -0.8, -0.2),
    "friend": (0.8, -1.0, -0.6, 0.8, 0.2),
    "newsletter": (-4.0, -1.5, -0.2, 1.8, 0.2),
    "alert": (-4.0, 0.0, 1.0, 1.0, -0.4),
    "broadcast": (-3.0, -0.8, 0.2, 1.4, 0.4),
}
_CONTACTS: dict[Relation, int] = {"boss": 1, "colleague": 5, "customer": 3, "friend": 2, "newsletter": 3, "alert": 2}


class Owner(msgspec.Struct):
    """A mailbox owner with habits.

    Attributes
    ----------
    person : Person
        The owner's name and main address.
    mailbox : str
        The name of the owner's folder.
    aliases : list of Person
        The owner under each address, the main one first.
    quote_style : str
        How the owner's mail program quotes.
    sent_folders : list of str
        The folders that may hold copies of what the owner sends.
    contacts : dict of str to list of Person
        The people who write to the owner, by their relation.
    habits : dict of str to list of float
        Scores in the order of `OUTCOMES`, by relation, by topic and by sender's address.
    minutes : float
        The median time to an answer.
    filing : list of str
        The folders that the owner files mail in.
    """

    person: Person
    mailbox: str
    aliases: list[Person]
    quote_style: QuoteStyle
    sent_folders: list[str]
    contacts: dict[Relation, list[Person]]
    habits: dict[str, list[float]]
    minutes: float
    filing: list[str]


def make_owners(count: int, random: Random) -> list[Owner]:
    """Invent owners with their contacts and habits.

    Parameters
    ----------
    count : int
        How many, at least 1.
    random : Random
        Where the choices come from.

    Returns
    -------
    list of Owner
        The owners, with mailboxes of different names.
    """
    people = _people(count, random)
    owners = []
    for index, person in enumerate(people):
        aliases = [person]
        if index % 4 == 1:  # their sent mail has several From addresses
            short = f"{person.given[0]}{person.surname}@{wording.COMPANY}"
            aliases.append(msgspec.structs.replace(person, address=short))
        others = [other for other in people if other is not person]
        topics = list(wording.TOPICS)
        owner = Owner(
            person=person,
            mailbox=f"{person.surname}-{person.given[0]}" + (f"{index}" if index >= len(wording.SURNAMES) else ""),
            aliases=aliases,
            quote_style="notes" if index % 2 else "outlook",
            sent_folders=[["sent_items"], ["sent", "_sent_mail"], ["_sent_mail"]][index % 3],
            contacts={relation: _contacts(relation, number, others, random) for relation, number in _CONTACTS.items()},
            habits={},
            minutes=random.choice([30, 60, 180, 600, 1800]),
            filing=[f"{topic}_files" for topic in random.sample(topics, 3)] + ["projects/alpha"],
        )
        names = [*BASE_SCORES, *topics, *(c.address for contacts in owner.contacts.values() for c in contacts)]
        owner.habits = {name: [random.gauss(0, 0.8) for _ in OUTCOMES] for name in names}
        owners.append(owner)
    return owners


def _people(count: int, random: Random) -> list[Person]:
    surnames = [wording.SURNAMES[i % len(wording.SURNAMES)] for i in range(count)]
    people = []
    for index, surname in enumerate(surnames):
        given = random.choice(wording.GIVEN)
        number = "" if index < len(wording.SURNAMES) else str(index)
        people.append(Person(given, surname, f"{given}.{surname}{number}@{wording.COMPANY}"))
    return people


def _contacts(relation: Relation, number: int, others: list[Person], random: Random) -> list[Person]:
    """People who write to an owner; most bosses and colleagues are owners themselves."""
    contacts = []
    for index in range(number):
        given, surname = random.choice(wording.GIVEN), random.choice(wording.SURNAMES)
        address = {
            "boss": f"{given}.{surname}@{wording.COMPANY}",
            "colleague": f"{given}.{surname}@{wording.COMPANY}",
            "customer": f"{given}.{surname}@customer{random.randrange(8)}.example",
            "friend": f"{given}{random.randrange(100)}@hotmail.example",
            "newsletter": f"newsletter@news{random.randrange(12)}.example",
            "alert": random.choice(["operations-desk", "no-reply@alerts.example", f"admin@{wording.COMPANY}"]),
        }[relation]
        is_owner = relation in ("boss", "colleague") and others and index < 3
        contacts.append(random.choice(others) if is_owner else Person(given, surname, address))
    return contacts
