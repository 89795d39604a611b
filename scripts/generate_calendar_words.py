#!/usr/bin/env python
"""Generate a module of the package with the names of months and weekdays in many languages, from CLDR.

    pip install babel==2.19.0
    python scripts/generate_calendar_words.py > src/enron_triage/mail/calendar_words.py
    ruff format src/enron_triage/mail/calendar_words.py

The table is generated in advance because loading CLDR at run time would take too long.
"""

from __future__ import annotations

import unicodedata

LANGUAGES = (
    "ar bg bn bs ca cs cy da de el en es et eu fa fi fil fr ga gl hi hr hu id is it ja ko lt lv mk ms nb nl nn pl pt "
    "ro ru sk sl sq sr sr_Latn sv sw ta te th tr uk ur vi he ka hy az kk es_MX fr_CA pt_PT de_AT en_GB en_AU en_CA "
    "ar_MA ar_SY"
).split()


def plain(word: str) -> str:
    """A word in the form used for comparison: case-folded, composed, without full stops at the end."""
    folded = unicodedata.normalize("NFC", word.casefold().replace("\u0307", ""))
    return folded.strip(". \u200f\u200e")


def words(kind: str, position: int) -> set[str]:
    """The words for the month or the weekday of that number, in all languages."""
    from babel import Locale

    found: set[str] = set()
    for language in LANGUAGES:
        names = getattr(Locale.parse(language), kind)
        for context in ("format", "stand-alone"):
            for width in ("abbreviated", "wide"):
                found.add(plain(names[context][width][position]))
    # A name of several words is no single token; a number is read as one.
    return {word for word in found if word and " " not in word and not any(letter.isdigit() for letter in word)}


def table(name: str, kind: str, positions: range) -> str:
    """The source text of one table."""
    rows = [f"    {' '.join(sorted(words(kind, position)))!r}," for position in positions]
    return "\n".join([f"{name} = (", *rows, ")"])


def main() -> None:
    """Print the module."""
    import babel

    print('"""The names of months and weekdays in people\'s languages.\n')
    print(f"Generated from CLDR by scripts/generate_calendar_words.py (Babel {babel.__version__}): not to be edited.\n")
    print("Each string holds the words for one month or weekday, in lower case and without a stop at their end.")
    print('A word can stand for several: "listopad" is October in Croatian and November in Czech.\n"""\n')
    print("# ruff: noqa: E501\n")
    print(table("MONTH_WORDS", "months", range(1, 13)))
    print()
    print(table("WEEKDAY_WORDS", "days", range(7)))


if __name__ == "__main__":
    main()
