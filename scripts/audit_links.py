#!/usr/bin/env python
"""Audit how ``triage label`` links replies to the messages that they answer.

    python scripts/audit_links.py --data-dir data [--json]

Reads ``emails.json``, links as ``label`` does, and compares the links with the headers that the
replies quote, read by a parser of its own, so that no mistake of the package's is shared. Then it
takes those headers out of the sent mail, links again, and compares with the same headers. Prints
counts only.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from enron_triage.config.data import LabelConfig
from enron_triage.config.types import seconds
from enron_triage.errors import TriageError
from enron_triage.labels.linking import link_sent
from enron_triage.labels.mailbox import partition_mailbox
from enron_triage.mail.quotes import quoted_header
from enron_triage.records import Email
from enron_triage.runtime import artifacts
from enron_triage.runtime.workers import map_ordered

# ------------------------------------------------------------------ a parser of quoted headers

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = re.compile(r"\b(\d{1,2}):(\d\d)(?::\d\d)?(?:\s*([ap])\.?m\b\.?)?", re.IGNORECASE)
_DAY_NUMBERS = re.compile(r"\b(\d{1,4})([/.-])(\d{1,2})\2(\d{2,4})\b")
_DAY_WORDS = re.compile(r"\b(?:(\d{1,2})[ -])?([a-z]{3})[a-z]*\.?[ -]+(?:(\d{1,2}),?[ -]+)?(\d{4})\b", re.IGNORECASE)
_DAY_LETTERS = 45  # how far before the clock a day may begin: "Wednesday, September 12, 2001 at "
_MARKS = " \t\r\xa0>|*"
_FIELD = re.compile(r"(from|sent|date|to|cc|bcc|subject|importance)[*\s]*:[*\s]*(.*)", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"-{3,}[> ]*(?:original (?:message|appointment)|(?:inline )?forwarded)|begin forwarded", re.IGNORECASE
)
_ASIDE = re.compile(r"sent by:|please respond", re.IGNORECASE)
_ZONE = re.compile(r"[\s,]*(?:\(?[a-z]{2,4}(?:[+-][\d:]+)?\)?)?[\s,:]*", re.IGNORECASE)
_GROUPWISE = re.compile(r"\s*>>>.*\d.*>>>\s*")
_ONE_LINE = re.compile(r"^(.*\d:\d\d(?::\d\d)?\s?[AP]M)[ \t]+(To:.*)$", re.MULTILINE | re.IGNORECASE)
_NEXT_FIELD = re.compile(r"[ \t]+(?=(?:b?cc|Subject):)", re.IGNORECASE)
_HEADER_LINES = 400  # some lists of recipients are that long
_LINES_ABOVE = 9  # name, date, reply-to and blank lines above the To: of Notes
_FULL_LINE = 60  # a line this long may have been wrapped


class Moment(NamedTuple):
    """A date and time in a text: where it stands, and its readings in seconds as if it were UTC."""

    start: int
    stop: int
    readings: tuple[int, ...]


class Quoted(NamedTuple):
    """A quoted header: what it says, and the lines that it takes."""

    sender: str
    times: tuple[int, ...]
    subject: str
    first: int
    stop: int


def last_moment(text: str) -> Moment | None:
    """The last date and time in a text."""
    for clock in reversed(list(_CLOCK.finditer(text))):
        floor = max(0, clock.start() - _DAY_LETTERS)
        days = [day for form in (_DAY_NUMBERS, _DAY_WORDS) for day in form.finditer(text, floor, clock.start())]
        day = max(days, key=lambda found: found.end(), default=None)
        if day is None or len(text[day.end() : clock.start()].strip(" ,at\t\n")) > 0:
            day = _DAY_NUMBERS.match(text, clock.end() + 1)  # "At 10:25 AM 3/31/2000"
        if day is None:
            continue
        hour, minute, half = int(clock[1]), int(clock[2]), (clock[3] or "").lower()
        if half:
            hour = hour % 12 + 12 * (half == "p")
        found = {_seconds(*date, hour, minute) for date in _days(day)}
        readings = tuple(sorted(reading for reading in found if reading is not None))
        if readings:
            return Moment(min(day.start(), clock.start()), max(day.end(), clock.end()), readings)
    return None


def _days(day: re.Match[str]) -> Iterator[tuple[int, int, int]]:
    """Every (year, month, day) that a day can be read as; day and month may be swapped."""
    if day.re is _DAY_WORDS:
        number = day[1] or day[3]
        if number and day[2].lower() in _MONTHS:
            yield int(day[4]), _MONTHS.index(day[2].lower()) + 1, int(number)
        return
    first, second, third = int(day[1]), int(day[3]), int(day[4])
    if first > 99:
        yield first, second, third
        return
    year = third if third > 99 else third + (1900 if third > 50 else 2000)
    yield year, first, second
    yield year, second, first


def _seconds(year: int, month: int, day: int, hour: int, minute: int) -> int | None:
    try:
        return int(datetime.datetime(year, month, day, hour, minute, tzinfo=datetime.UTC).timestamp())
    except ValueError:
        return None  # no day of the calendar: it was the other reading


def quoted_headers(body: str) -> list[Quoted]:
    """Every quoted header of a body, at every depth of quoting, from the top."""
    lines = _lines(body)
    found: list[Quoted] = []
    floor = at = 0
    while at < len(lines):
        header = _attribution(lines, at, floor) or _block(lines, at, floor)
        if header:
            found.append(header)
        at = floor = header.stop if header else at + 1
        if header is None:
            floor = found[-1].stop if found else 0
    return found


def _lines(body: str) -> list[str]:
    """The lines of a body; a Notes header that stands on one line is given its own."""
    return _ONE_LINE.sub(lambda one: f"{one[1]}\n{_NEXT_FIELD.sub(chr(10), one[2])}", body).split("\n")


def _bare(line: str) -> str:
    return line.strip(_MARKS)


def _attribution(lines: Sequence[str], at: int, floor: int) -> Quoted | None:
    """``On <date>, <name> wrote:``, on up to three lines, or GroupWise's ``>>> <name> <date> >>>``."""
    line = _bare(lines[at])
    if _GROUPWISE.fullmatch(lines[at]):
        moment = last_moment(line)
        return Quoted(line[: moment.start], moment.readings, "", at, at + 1) if moment else None
    if not line.lower().endswith(("wrote:", "writes:")):
        return None
    text, first = line, at
    while (moment := last_moment(text)) is None and first > max(floor, at - 2) and _bare(lines[first - 1]):
        first -= 1
        text = f"{_bare(lines[first])} {text}"
    if moment is None:
        return Quoted(line, (), "", at, at + 1)
    return Quoted(text[: moment.start] + text[moment.stop :], moment.readings, "", first, at + 1)


def _block(lines: Sequence[str], at: int, floor: int) -> Quoted | None:
    """A block of fields that opens with From:, or with To: below a name and a date (Notes)."""
    opening = _FIELD.match(_bare(lines[at]))
    if opening is None or opening[1].lower() not in ("from", "to"):
        return None
    fields, stop = _fields(lines, at)
    subject = fields.get("subject", "")
    if "from" in fields:
        written = fields.get("sent") or fields.get("date")
        moment = last_moment(written if written is not None else fields["from"])
        if len(fields) < 3 and moment is None:
            return None
        sender = fields["from"] if written is not None or moment is None else fields["from"][: moment.start]
        return Quoted(sender, moment.readings if moment else (), subject, at, stop)
    above = _name_and_date(lines, at, floor) if len(fields) > 1 else None
    return Quoted(above[0], above[1].readings, subject, above[2], stop) if above else None


def _fields(lines: Sequence[str], at: int) -> tuple[dict[str, str], int]:
    """The fields of a block with their continuation lines, and the line after it."""
    fields: dict[str, str] = {}
    current, blanks, stop = "", 0, at
    for number in range(at, min(len(lines), at + _HEADER_LINES)):
        line = _bare(lines[number])
        field = _FIELD.match(line)
        name = field[1].lower() if field else ""
        if field and name not in fields and (current != "subject" or name in ("importance", "date")):
            fields[name] = field[2]
            current = name
        elif field or current == "importance":
            break
        elif not line:
            blanks += 1
            if blanks > (6 if current == "from" else 2) or current == "subject":
                break
            continue
        elif current == "subject":
            is_last = number + 1 == len(lines) or not _bare(lines[number + 1])
            if len(lines[stop - 1]) < _FULL_LINE or not is_last:
                break
            fields[current] += f" {line}"
        elif blanks and current != "from":
            break
        else:
            fields[current] += f" {line}"
        stop, blanks = number + 1, 0
    return fields, stop


def _name_and_date(lines: Sequence[str], at: int, floor: int) -> tuple[str, Moment, int] | None:
    """What Notes writes above To: the sender, the time, and their first line; either may be wrapped."""
    text = ""
    for number in range(at - 1, max(floor, at - _LINES_ABOVE) - 1, -1):
        line = _bare(lines[number])
        if _SEPARATOR.search(line) or _FIELD.match(line) or line.endswith("---"):
            return None
        if _ASIDE.match(line):
            # Below it stands the date, or what is left of its own wrapped line.
            text = text if last_moment(text) else ""
            continue
        text = f"{line} {text}".strip()
        moment = last_moment(text)
        if moment is None:
            continue
        if not _ZONE.fullmatch(text, moment.stop):
            return None
        sender = re.sub(r"\s+on$", "", text[: moment.start].strip(), flags=re.IGNORECASE)
        if name_tokens(sender) and not sender.startswith("<") and sender.count('"') % 2 == 0:
            return sender, moment, number
    return None


def hide_quoted_headers(body: str) -> str:
    """The body without the header lines of what it quotes, at every depth; the quoted text stays."""
    lines = _lines(body)
    hidden = {number for header in quoted_headers(body) for number in range(header.first, header.stop)}
    for number, line in enumerate(lines):
        if number in hidden:
            continue
        if _SEPARATOR.search(line):
            wrapped = number + 1 < len(lines) and _bare(lines[number + 1]).endswith("---")
            hidden.update((number, number + 1) if wrapped else (number,))
        elif _FIELD.match(_bare(line)):
            fields, stop = _fields(lines, number)
            if len(fields) > 1:  # else a word and a colon in somebody's text
                hidden.update(range(number, stop))
    return "\n".join(line for number, line in enumerate(lines) if number not in hidden)


# ------------------------------------------------------------------ agreement

# Words of quoted senders that name nobody.
_NOBODY = frozenset(
    {"enron", "ect", "hou", "na", "corp", "com", "net", "mailto", "imceanotes", "on", "at", "the", "am", "pm"}
)
_MAX_HOURS = 6
_APART = 120  # seconds
_SUBJECT_MARKS = re.compile(r"(?:\s*(?:re|fwd?|fw|aw|wg|sv)(?:\[\d+\])?\s*:)+", re.IGNORECASE)
READINGS = ("utc", "local")


def name_tokens(text: str) -> set[str]:
    """The words of a name or an address, without domains, organisation units and the company."""
    return set(re.findall(r"[^\W\d_]{2,}", re.sub(r"[@/]\S*", " ", text.lower()))) - _NOBODY


def hour_offset(quoted: Quoted, moment: int) -> int | None:
    """Whole hours from a quoted time to a moment, the fewest; None if the minutes differ by over 2."""
    hours = [round((moment - time) / 3600) for time in quoted.times]
    fitting = [h for h, time in zip(hours, quoted.times, strict=True) if abs(moment - time - 3600 * h) <= _APART]
    return min(fitting, key=abs, default=None)


def agrees(quoted: Quoted, message: Email, reading: str) -> bool:
    """Whether a quoted header can be this message's.

    Parameters
    ----------
    quoted : Quoted
    message : Email
    reading : {"utc", "local"}
        What the quoted wall clock is compared with: the message's time in UTC, or either that or
        the wall clock of its own Date header.
    """
    if name_tokens(quoted.sender).isdisjoint(name_tokens(f"{message.sender} {message.sender_name}")):
        return False
    moments = [_timestamp(message)]
    if reading == "local" and message.date:
        moments.append(int(datetime.datetime.fromisoformat(message.date).replace(tzinfo=datetime.UTC).timestamp()))
    offsets = [hour_offset(quoted, moment) for moment in moments]
    return any(offset is not None and abs(offset) <= _MAX_HOURS for offset in offsets)


def conversation(subject: str) -> str:
    """The subject without marks of replies and forwards."""
    return " ".join(_SUBJECT_MARKS.sub("", subject, count=1).lower().split())


def _timestamp(message: Email) -> int:
    return message.timestamp or 0


# ------------------------------------------------------------------ the audit


def audit_mailbox(source: Path, config: LabelConfig, span: artifacts.Span) -> Counter[str]:
    """Count, over one mailbox, what `report` makes its shares of."""
    mailbox = partition_mailbox(artifacts.read_span(source, span, Email), config)
    sent = [message.email for message in mailbox.sent]
    received = [message.email for message in mailbox.received]
    window = seconds(config.link_window)
    links = {link.sent: link.received for link in link_sent(sent, received, window) if link.kind == "reply"}
    quoted = {reply: header for reply in links if (header := _original(sent[reply].body))}
    masked = [msgspec.structs.replace(email, body=hide_quoted_headers(email.body)) for email in sent]
    masked_links = {link.sent: link.received for link in link_sent(masked, received, window)}
    by_subject: dict[str, list[int]] = {}
    for number, email in enumerate(received):
        by_subject.setdefault(conversation(email.subject), []).append(number)

    counts = Counter(replies=len(links), class_prior=len(quoted))
    for reply, header in quoted.items():
        body = masked[reply].body
        counts["hidden: seen by the audit"] += bool(_original(body))
        counts["hidden: seen by the package"] += quoted_header(body) is not None
        found = links[reply]
        if found is not None:
            offset = hour_offset(header, _timestamp(received[found]))
            counts[f"hours {'other' if offset is None else offset}"] += 1
        subjects = {conversation(sent[reply].subject), conversation(header.subject)}
        candidates = sorted({number for subject in subjects for number in by_subject.get(subject, [])})
        answers = {
            "shipped": found,
            "hidden": masked_links.get(reply),
            "baseline": _baseline(sent[reply], received, by_subject, window),
        }
        for reading in READINGS:
            originals = {number for number in candidates if agrees(header, received[number], reading)}
            _count(counts, reading, header, sent[reply], received, originals, answers, window)
    return counts


def _original(body: str) -> Quoted | None:
    """The topmost quoted header of a body, if it names a sender and a time."""
    first = next(iter(quoted_headers(body)), None)
    return first if first and first.times and name_tokens(first.sender) else None


def _baseline(reply: Email, received: Sequence[Email], by_subject: dict[str, list[int]], window: int) -> int | None:
    """The latest message of the conversation before the reply, from one of its recipients."""
    recipients = {*reply.to, *reply.cc, *reply.bcc}
    candidates = by_subject.get(conversation(reply.subject), [])
    return max(
        (n for n in candidates if received[n].sender in recipients and _is_before(received[n], reply, window)),
        key=lambda number: _timestamp(received[number]),
        default=None,
    )


def _is_before(original: Email, reply: Email, window: int) -> bool:
    return 0 < _timestamp(reply) - _timestamp(original) <= window


def _count(
    counts: Counter[str],
    reading: str,
    header: Quoted,
    reply: Email,
    received: Sequence[Email],
    originals: set[int],
    answers: dict[str, int | None],
    window: int,
) -> None:
    """Add one reply of the population under one reading of the quoted time."""
    present = {number for number in originals if _is_before(received[number], reply, window)}
    if present:
        counts[f"{reading} present"] += 1
    elif originals:
        is_after = any(_timestamp(received[number]) >= _timestamp(reply) for number in originals)
        counts[f"{reading} {'after the reply' if is_after else 'before the window'}"] += 1
    for linker, answer in answers.items():
        key = f"{reading} {linker}"
        if answer is None:
            counts[f"{key} missed"] += bool(present)
            continue
        is_right = agrees(header, received[answer], reading)
        counts[f"{key} linked"] += 1
        counts[f"{key} agreeing"] += is_right
        if present:
            counts[f"{key} linked present"] += 1
            counts[f"{key} agreeing present"] += is_right
            counts[f"{key} elsewhere"] += answer not in present


def report(counts: Counter[str]) -> dict[str, Any]:
    """The shares asked of the linker, from the counts of all mailboxes; an undefined one is None."""
    figures: dict[str, Any] = {
        "replies": counts["replies"],
        "class_prior": counts["class_prior"],
        "headers_left_after_hiding": {
            parser: _share(counts[f"hidden: seen by the {parser}"], counts["class_prior"])
            for parser in ("audit", "package")
        },
        "hour_offsets": {key.split()[1]: counts[key] for key in sorted(counts) if key.startswith("hours ")},
    }
    for reading in READINGS:
        present = counts[f"{reading} present"]
        section: dict[str, Any] = {
            "present": present,
            "only_after_the_reply": counts[f"{reading} after the reply"],
            "only_before_the_window": counts[f"{reading} before the window"],
        }
        for linker in ("shipped", "hidden", "baseline"):
            key = f"{reading} {linker}"
            section[linker] = {
                "linked": counts[f"{key} linked"],
                "agreement": _share(counts[f"{key} agreeing"], counts[f"{key} linked"]),
                "agreement_where_present": _share(counts[f"{key} agreeing present"], counts[f"{key} linked present"]),
                "linked_where_present": _share(counts[f"{key} linked present"], present),
                "unlinked_where_present": _share(counts[f"{key} missed"], present),
                "elsewhere_where_present": _share(counts[f"{key} elsewhere"], present),
            }
        figures[reading] = section
    return figures


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def table(figures: dict[str, Any]) -> str:
    """The figures for people to read."""
    lines = [f"{figures['replies']:,} replies, {figures['population']:,} quote a sender and a time"]
    for reading, meaning in zip(READINGS, ("of UTC", "of UTC or the Date header's clock"), strict=True):
        section = figures[reading]
        lines += [
            "",
            f"quoted times within {_MAX_HOURS} whole hours {meaning}: {section['present']:,} originals present, "
            f"{section['only_after_the_reply']:,} only after the reply, "
            f"{section['only_before_the_window']:,} only before the window",
            f"  {'':<20}{'links':>7}{'agree':>8}   where present:{'linked':>8}{'agree':>8}"
            f"{'unlinked':>10}{'elsewhere':>11}",
        ]
        titles = (("shipped", "(a, b) as shipped"), ("hidden", "(c) headers hidden"), ("baseline", "plain baseline"))
        for linker, title in titles:
            row = {key: value if key == "linked" else _percent(value) for key, value in section[linker].items()}
            lines.append(
                f"  {title:<20}{row['linked']:>7,}{row['agreement']:>8}{row['linked_where_present']:>25}"
                f"{row['agreement_where_present']:>8}{row['unlinked_where_present']:>10}"
                f"{row['elsewhere_where_present']:>11}"
            )
    left = figures["headers_left_after_hiding"]
    hours = sorted(figures["hour_offsets"].items(), key=lambda item: -item[1])
    lines += [
        "",
        f"headers still found after hiding: {_percent(left['audit'])} by this parser, "
        f"{_percent(left['package'])} by the package's",
        "hours from the quoted time to the linked message's in UTC: " + ", ".join(f"{h}: {n:,}" for h, n in hours),
    ]
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def main() -> None:
    """Run the audit from the command line."""
    parser = argparse.ArgumentParser(description="Audit how `triage label` links replies to their originals.")
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="where emails.json lies")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    source = options.data_dir / "emails.json"
    try:
        work = functools.partial(audit_mailbox, source, LabelConfig())
        spans = artifacts.mailbox_spans(source)
        counts: Counter[str] = sum(map_ordered(work, spans, os.cpu_count() or 1), Counter())
    except TriageError as error:
        sys.exit(f"audit_links: {error}")  # status 1
    figures = report(counts)
    print(json.dumps(figures, indent=2) if options.json else table(figures))


if __name__ == "__main__":
    main()
