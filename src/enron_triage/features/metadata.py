"""The feature group ``metadata``: what can be seen from a single message, apart from its topic.

Every column is listed in `COLUMNS` with its meaning. None encodes absolute time: of the date, only
the hour and the weekday on the sender's clock are used. Line lengths are left out on purpose: how a
mail system wraps lines tells the year, and with it the habits of the whole company.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import chain
from string import ascii_lowercase, ascii_uppercase, digits

import numpy as np
import numpy.typing as npt

from enron_triage.features import metadata_text
from enron_triage.features.metadata_words import (
    AUTOMATED,
    EVERYONE,
    FREE_MAIL,
    GREETING,
    MEETING,
    PERSON,
    REQUEST,
    URGENT,
)
from enron_triage.mail.addresses import domain_of
from enron_triage.mail.body import BodyParts
from enron_triage.records import Email

COLUMNS: dict[str, str] = {
    # the sender
    "sender_has_name": "From carries a display name",
    "sender_without_domain": "the address has no domain",
    "sender_automated": "the local part is one of programs: no-reply, admin, newsletter, ...",
    "sender_free_mail": "the domain is a public mail provider's",
    "sender_digits": "the local part holds a digit",
    "sender_local_length": "log(1 + letters of the local part)",
    "sender_domain_depth": "labels of the domain, e.g. 3 for news.x.example",
    "sender_is_person": "the local part reads like given.surname",
    # the recipients and how they are addressed
    "to_count": "log(1 + addresses in To)",
    "cc_count": "log(1 + addresses in Cc)",
    "bcc_count": "log(1 + addresses in Bcc)",
    "recipient_count": "log(1 + addresses in To, Cc and Bcc)",
    "single_recipient": "there is exactly one recipient",
    "no_recipient": "there is none: an undisclosed list",
    "mass_mail": "there are more than 20",
    "has_cc": "somebody is in Cc",
    "same_domain_share": "share of the recipients in the sender's domain",
    "sender_among_recipients": "the sender is a recipient too",
    "recipient_domains": "log(1 + different domains of the recipients)",
    "greets_recipient": "the text begins with the name of somebody in To",
    "greets_anyone": "the text begins with hi, hello, dear, ...",
    "greets_all": "the text begins with all, team, everyone, ...",
    # the time of day, on the sender's clock
    "hour_sine": "sine of the hour on a circle of 24",
    "hour_cosine": "cosine of the hour on a circle of 24",
    "weekday_sine": "sine of the weekday on a circle of 7",
    "weekday_cosine": "cosine of the weekday on a circle of 7",
    "is_weekend": "Saturday or Sunday",
    "is_dated": "the Date header is usable",
    # the subject
    "subject_length": "log(1 + characters)",
    "subject_words": "log(1 + words)",
    "subject_empty": "there is none",
    "subject_reply": "begins with re:",
    "subject_forward": "begins with fw: or fwd:",
    "subject_question": "holds a question mark",
    "subject_exclamation": "holds an exclamation mark",
    "subject_capitals": "share of capitals among its letters A to Z",
    "subject_digits": "share of its characters that are digits",
    "subject_urgent": "a word of urgency",
    "subject_request": "a word of request",
    "subject_meeting": "a word of meetings",
    "subject_bracketed": "begins with a [tag], as mailing lists write",
    # the text that the sender wrote, above what is quoted
    "text_length": "log(1 + characters)",
    "text_words": "log(1 + words)",
    "quoted_share": "share of the body that is quoted",
    "is_quoting": "the body quotes a message",
    "questions": "log(1 + question marks)",
    "ends_with_question": "one of the last three lines ends with a question mark",
    "asks_you": "log(1 + phrases such as can you, could you, do you)",
    "requests": "log(1 + words of request: please, let me know, ...)",
    "urgency": "log(1 + words of urgency)",
    "thanks": "log(1 + words of thanks)",
    "meetings": "log(1 + words of meetings)",
    "for_information": "fyi and the like",
    "first_person": "words of the first person, a share of all",
    "second_person": "words of the second person, a share of all",
    "exclamations": "log(1 + exclamation marks)",
    "capitals": "share of capitals among the letters A to Z",
    "digits": "share of the characters that are digits",
    "links": "log(1 + web addresses)",
    "attachments": "log(1 + marks of attachments)",
    "money": "log(1 + dollar signs)",
    "newsletter": "log(1 + phrases of newsletters: unsubscribe, click here, ...)",
    "automation": "log(1 + phrases of programs: do not reply, automatically, ...)",
    "disclaimer": "log(1 + phrases of disclaimers: confidential, intended recipient, ...)",
}

_GREETING_CHARACTERS, _GREETING_WORDS = 60, 3  # of the body: where a greeting is looked for
_MAX_GREETED = 50  # recipients whose names are looked for in the greeting: bounds the work on mass mail
_MASS_MAIL = 20  # more recipients than this
_WORD = re.compile(r"[a-z']+")
_CAPITALS, _SMALL, _DIGITS = (letters.encode() for letters in (ascii_uppercase, ascii_lowercase, digits))


def extract(records: Sequence[Email], bodies: Sequence[BodyParts]) -> npt.NDArray[np.float32]:
    """The group's features.

    Parameters
    ----------
    records : sequence of Email
        The messages.
    bodies : sequence of BodyParts
        What the body of each message consists of.

    Returns
    -------
    array of float32, shape (records, columns)
        The columns are in the order of `COLUMNS`; flags are 0 or 1.
    """
    rows = [(*_sender(record), *_recipients(record), *_time(record), *_subject(record.subject)) for record in records]
    raw = np.empty((len(records), len(COLUMNS)), dtype=np.float32)
    if rows:
        # Several times faster than numpy.array, which looks at the type of each of the rows' values.
        raw[:, : len(rows[0])] = np.fromiter(chain.from_iterable(rows), dtype=np.float64).reshape(len(rows), -1)
        raw[:, len(rows[0]) :] = metadata_text.extract(bodies)
    return raw


def _sender(record: Email) -> tuple[float, ...]:
    local, at, domain = record.sender.rpartition("@")
    if not at:
        local, domain = domain, ""
    return (
        bool(record.sender_name),
        not domain,
        AUTOMATED.search(local) is not None,
        domain in FREE_MAIL,
        any(map(str.isdigit, local)),
        math.log1p(len(local)),
        domain.count(".") + 1 if domain else 0,
        PERSON.fullmatch(local) is not None,
    )


def _recipients(record: Email) -> tuple[float, ...]:
    recipients = [*record.to, *record.cc, *record.bcc]
    count = len(recipients)
    domains = [address.rpartition("@")[2] for address in recipients]
    words = _WORD.findall(record.body[:_GREETING_CHARACTERS].lower())[:_GREETING_WORDS]
    return (
        math.log1p(len(record.to)),
        math.log1p(len(record.cc)),
        math.log1p(len(record.bcc)),
        math.log1p(count),
        count == 1,
        count == 0,
        count > _MASS_MAIL,
        bool(record.cc),
        domains.count(domain_of(record.sender)) / count if count else 0.0,
        record.sender in recipients,
        math.log1p(len(set(domains))),
        _greets(words, record.to[:_MAX_GREETED]),
        words[:1] != [] and words[0] in GREETING,
        not EVERYONE.isdisjoint(words),
    )


def _greets(words: Sequence[str], addresses: Sequence[str]) -> bool:
    """Whether one of the words is among those that the local parts of the addresses consist of."""
    together = " ".join(addresses)
    candidates = {word for word in words if len(word) > 1 and word in together}  # none, as a rule
    return bool(candidates) and any(
        not candidates.isdisjoint(_WORD.findall(address.partition("@")[0])) for address in addresses
    )


def _time(record: Email) -> tuple[float, ...]:
    if record.date is None or record.timestamp is None:
        return (0.0,) * 6
    hour = (int(record.date[11:13]) + int(record.date[14:16]) / 60) * math.tau / 24
    offset = record.date[-6:]
    seconds_east = (int(offset[1:3]) * 60 + int(offset[4:6])) * (-60 if offset[0] == "-" else 60)
    weekday = ((record.timestamp + seconds_east) // 86400 + 3) % 7  # 1 January 1970 was a Thursday
    angle = weekday * math.tau / 7
    return (math.sin(hour), math.cos(hour), math.sin(angle), math.cos(angle), weekday >= 5, 1.0)


def _subject(subject: str) -> tuple[float, ...]:
    low = subject.lower()
    words = _WORD.findall(low)
    return (
        math.log1p(len(subject)),
        math.log1p(len(words)),
        not subject,
        low.startswith("re:"),
        low.startswith(("fw:", "fwd:")),
        "?" in subject,
        "!" in subject,
        _capital_share(subject),
        _digit_share(subject),
        not URGENT.isdisjoint(words),
        not REQUEST.isdisjoint(words),
        not MEETING.isdisjoint(words),
        subject.startswith("["),
    )


def _capital_share(text: str) -> float:
    """The share of capitals among the letters A to Z."""
    encoded = text.encode("ascii", "replace")
    capitals = len(encoded) - len(encoded.translate(None, _CAPITALS))
    letters = capitals + len(encoded) - len(encoded.translate(None, _SMALL))
    return capitals / letters if letters else 0.0


def _digit_share(text: str) -> float:
    encoded = text.encode("ascii", "replace")
    return 1 - len(encoded.translate(None, _DIGITS)) / len(text) if text else 0.0
