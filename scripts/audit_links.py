#!/usr/bin/env python
"""Audit the links that ``triage label`` makes between replies and the messages that they answer.

    python scripts/audit_links.py --data-dir data [--json]

Reads ``emails.json``, links replies as ``label`` does, and compares the links with the headers quoted in the replies,
which an independent parser (``quoted_headers.py``) reads. Then it removes those headers from the sent mail, links
again, and compares with the same headers. Prints counts only.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from quoted_headers import Quoted, conversation, hide_quoted_headers, name_tokens, quoted_headers

from enron_triage.config.data import LabelConfig
from enron_triage.config.types import seconds
from enron_triage.errors import TriageError
from enron_triage.labels.linking import link_sent
from enron_triage.labels.mailbox import partition_mailbox, timestamp_of
from enron_triage.mail.quotes import quoted_header
from enron_triage.records import Email
from enron_triage.runtime import artifacts
from enron_triage.runtime.workers import map_ordered

_MAX_HOURS = 6  # between a quoted wall clock and UTC
_MAX_SECONDS = 120  # between their minutes
READINGS = ("utc", "local")


def hour_offset(quoted: Quoted, moment: int) -> int | None:
    """The number of whole hours between a quoted time and a moment.

    Parameters
    ----------
    quoted : Quoted
        The header; of several readings of its time, the one with the fewest hours counts.
    moment : int
        Seconds UTC.

    Returns
    -------
    int or None
        None if the minutes differ by more than 2.
    """
    hours = [round((moment - time) / 3600) for time in quoted.times]
    fitting = [h for h, time in zip(hours, quoted.times, strict=True) if abs(moment - time - 3600 * h) <= _MAX_SECONDS]
    return min(fitting, key=abs, default=None)


def agrees(quoted: Quoted, message: Email, reading: str) -> bool:
    """Whether a quoted header can be that of a message.

    Parameters
    ----------
    quoted : Quoted
        The header.
    message : Email
        The message.
    reading : {"utc", "local"}
        What the quoted wall clock is compared with: the message's time in UTC, or either that or the wall clock of its
        own Date header.
    """
    if name_tokens(quoted.sender).isdisjoint(name_tokens(f"{message.sender} {message.sender_name}")):
        return False
    moments = [timestamp_of(message)]
    if reading == "local" and message.date:
        moments.append(int(datetime.datetime.fromisoformat(message.date).replace(tzinfo=datetime.UTC).timestamp()))
    offsets = [hour_offset(quoted, moment) for moment in moments]
    return any(offset is not None and abs(offset) <= _MAX_HOURS for offset in offsets)


def audit_mailbox(source: Path, config: LabelConfig, span: artifacts.Span) -> Counter[str]:
    """Compare the links in one mailbox with the quoted headers, and count the results.

    Parameters
    ----------
    source : Path
        The artifact of parsed messages.
    config : LabelConfig
        The settings to link with.
    span : Span
        Where in the artifact the mailbox is.

    Returns
    -------
    Counter of str
        What `report` computes its shares from.
    """
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

    counts = Counter(replies=len(links), population=len(quoted))
    for reply, header in quoted.items():
        body = masked[reply].body
        counts["hidden: seen by the audit"] += bool(_original(body))
        counts["hidden: seen by the package"] += quoted_header(body) is not None
        found = links[reply]
        if found is not None:
            offset = hour_offset(header, timestamp_of(received[found]))
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
    """The first quoted header of a body, if it contains a sender and a time."""
    first = next(iter(quoted_headers(body)), None)
    return first if first and first.times and name_tokens(first.sender) else None


def _baseline(reply: Email, received: Sequence[Email], by_subject: dict[str, list[int]], window: int) -> int | None:
    """The latest message of the conversation before the reply, from one of its recipients."""
    recipients = {*reply.to, *reply.cc, *reply.bcc}
    candidates = by_subject.get(conversation(reply.subject), [])
    return max(
        (n for n in candidates if received[n].sender in recipients and _is_before(received[n], reply, window)),
        key=lambda number: timestamp_of(received[number]),
        default=None,
    )


def _is_before(original: Email, reply: Email, window: int) -> bool:
    return 0 < timestamp_of(reply) - timestamp_of(original) <= window


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
    """Count one reply that quotes a sender and a time, with one interpretation of that time."""
    present = {number for number in originals if _is_before(received[number], reply, window)}
    if present:
        counts[f"{reading} present"] += 1
    elif originals:
        is_after = any(timestamp_of(received[number]) >= timestamp_of(reply) for number in originals)
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
    """The shares that measure the quality of the linker.

    Parameters
    ----------
    counts : Counter of str
        The counts of `audit_mailbox`, added up over all mailboxes.

    Returns
    -------
    dict
        What ``--json`` prints; an undefined share is None.
    """
    figures: dict[str, Any] = {
        "replies": counts["replies"],
        "population": counts["population"],
        "headers_left_after_hiding": {
            parser: _share(counts[f"hidden: seen by the {parser}"], counts["population"])
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
    """The figures as a readable table.

    Parameters
    ----------
    figures : dict
        What `report` returns.
    """
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
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="the folder that contains emails.json")
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
