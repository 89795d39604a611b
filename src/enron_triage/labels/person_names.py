"""The names of people, as display names and addresses spell them: whether two spellings can be one person's."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Literal, NamedTuple

# "same": family name and given name agree. "initial": the family name, and as much as there is of the given name.
# "other": another person's name. "unknown": no name, or too little of one to tell.
Likeness = Literal["same", "initial", "other", "unknown"]

_WORD = re.compile(r"[^\W\d_]+")
_GENERATIONS = frozenset({"jr", "sr", "ii", "iii", "iv"})  # they tell a father from his son
_TITLES = frozenset({"phd", "md", "esq", "dr", "mr", "mrs", "ms"})
# Words that begin a family name of several.
_PARTICLES = frozenset(
    {"st", "van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "la", "le", "el", "al"}
)
_LEAST_SHORT_FORM = 3  # letters: "Dan" and "Daniel", not "D"
_LEAST_CUT = 4  # letters of a family name that a log-in name was cut to: "lcampbe"
_MAX_NAME = 200


class PersonName(NamedTuple):
    """A person's name, in lower case and without accents.

    Attributes
    ----------
    given : frozenset of str
        The given names that are spelled out.
    family : str
        The family name, without spaces and hyphens.
    initials : frozenset of str
        The first letters of all given names, of those included of which nothing else is known.
    generation : str
        What stands behind the name: "jr", "iii" and the like; mostly empty.
    """

    given: frozenset[str]
    family: str
    initials: frozenset[str]
    generation: str = ""


def words_of(text: str) -> list[str]:
    """The words of a name, in lower case and without accents, apostrophes and digits.

    Parameters
    ----------
    text : str
        A display name, or the part of an address before its ``@``; only its first 200 characters count.
    """
    bare = unicodedata.normalize("NFKD", text[:_MAX_NAME].replace("'", "").replace("\u2019", ""))
    return _WORD.findall("".join(sign for sign in bare if not unicodedata.combining(sign)).casefold())


@functools.lru_cache(maxsize=20_000)
def displayed_name(text: str) -> PersonName | None:
    """Read a display name.

    Parameters
    ----------
    text : str
        Such as "Jane K. Doe" or "Doe, Jane K."; an address is read like one.

    Returns
    -------
    PersonName or None
        None if it is not made of a given and a family name.

    Examples
    --------
    >>> displayed_name("Doe Jr., Jane K.").family, sorted(displayed_name("Jane K. Doe").initials)
    ('doe', ['j', 'k'])
    """
    if "@" in text:
        return name_in_address(text)
    text = text.partition("(")[0].partition("/")[0]
    family, comma, given = text.partition(",")
    generation = next((word for word in words_of(text) if word in _GENERATIONS), "")
    if comma and _plain(given):
        return _name(_plain(given), _plain(family), generation)
    return _split(_plain(family), generation)


@functools.lru_cache(maxsize=20_000)
def name_in_address(address: str) -> PersonName | None:
    """Read the name in an address whose words are separated.

    Parameters
    ----------
    address : str
        Such as ``jane.k.doe@x.example`` or ``k..doe@x.example``.

    Returns
    -------
    PersonName or None
        None if there are not two words before the ``@``.

    Examples
    --------
    >>> name_in_address("k..doe@x.example") == PersonName(frozenset(), "doe", frozenset("k"))
    True
    """
    all_words = words_of(address.partition("@")[0])
    words = _plain(address.partition("@")[0])
    if len(words) > 1 and len(words[-1]) == 1:  # "doe.j"
        words = [*words[1:], words[0]]
    return _split(words, next((word for word in all_words if word in _GENERATIONS), ""))


def likeness(name: PersonName, other: PersonName | None) -> Likeness:
    """Whether a name can be that of a certain person.

    Parameters
    ----------
    name : PersonName
        The person's name.
    other : PersonName or None
        The name to be judged.

    Examples
    --------
    >>> jane = displayed_name("Jane K. Doe")
    >>> [likeness(jane, displayed_name(text)) for text in ("Doe, Jane", "J. Doe", "John Doe", "Jane Roe")]
    ['same', 'initial', 'other', 'unknown']
    """
    if other is None:
        return "unknown"
    if other.family in name.given and name.family in other.given:  # in some languages the family name comes first
        return "same"
    if other.family != name.family:
        # Who shares the given name alone may have changed the family name.
        return "other" if name.given.isdisjoint(other.given) else "unknown"
    if name.generation and other.generation and name.generation != other.generation:
        return "other"
    if name.given and other.given:
        middle, others_middle = _middle(name), _middle(other)
        contradict = middle and others_middle and middle.isdisjoint(others_middle)
        return "other" if contradict or not _share_a_given_name(name, other) else "same"
    return "initial" if name.initials & other.initials or not other.initials else "other"


def login_likeness(name: PersonName, login: str) -> Likeness:
    """Whether a log-in name in one word can be that of a certain person.

    Parameters
    ----------
    name : PersonName
        The person's name.
    login : str
        What stands before the ``@``, such as ``jdoe2``: digits do not count, and a long name may have been cut.

    Examples
    --------
    >>> campbell = displayed_name("Larry F. Campbell")
    >>> [login_likeness(campbell, login) for login in ("lcampbe", "lfcampbell", "larrycampbell", "jcampbel")]
    ['initial', 'initial', 'same', 'unknown']
    """
    word = "".join(words_of(login))
    family = name.family
    if any(word in (given + family, family + given) for given in name.given):
        return "same"
    if word == family or (word[:-1] == family and word[-1:] in name.initials):
        return "initial"
    for length in (1, 2):
        cut = word[length:]
        is_cut = len(cut) >= _LEAST_CUT and family.startswith(cut)
        if set(word[:length]) <= name.initials and (cut == family or is_cut):
            return "initial"
    return "unknown"


def _plain(text: str) -> list[str]:
    return [word for word in words_of(text) if word not in _GENERATIONS and word not in _TITLES]


def _split(words: list[str], generation: str) -> PersonName | None:
    """The name of words in their usual order: a family name is the last, and the particles before it."""
    start = len(words) - 1
    while start > 1 and words[start - 1] in _PARTICLES:
        start -= 1
    return _name(words[:start], words[start:], generation) if start > 0 else None


def _name(given: list[str], family: list[str], generation: str) -> PersonName | None:
    if not given or len("".join(family)) < 2:
        return None
    spelled = frozenset(word for word in given if len(word) > 1)
    return PersonName(spelled, "".join(family), frozenset(word[0] for word in given), generation)


def _middle(name: PersonName) -> frozenset[str]:
    """The initials of given names that are not spelled out."""
    return name.initials - {given[0] for given in name.given}


def _share_a_given_name(one: PersonName, other: PersonName) -> bool:
    """Whether a given name of one is one of the other, or its short form."""
    return any(
        a == b or (min(len(a), len(b)) >= _LEAST_SHORT_FORM and (a.startswith(b) or b.startswith(a)))
        for a in one.given
        for b in other.given
    )
