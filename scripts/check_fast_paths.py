#!/usr/bin/env python3
"""Read every plain message of a corpus with the fast readers, the full readers and the ``email`` package, and compare.

    python scripts/check_fast_paths.py path/to/maildir

Exits with status 1 if a record differs, and lists the first files that do. Takes some minutes for 245,102 messages.
"""

from __future__ import annotations

import argparse
import email
import email.message
import email.policy
import email.utils
import re
import sys
from pathlib import Path

from enron_triage.errors import TriageError
from enron_triage.mail import addresses, mime
from enron_triage.mail.charsets import decode, decode_header
from enron_triage.mail.message_ref import read_bytes
from enron_triage.mail.sources import find_source, open_tree

ADDRESS_HEADERS = ("from", "to", "cc", "bcc")
JOINED = {"to": ", ", "cc": ", ", "bcc": ", ", "received": "\n"}  # headers of which all count
SHOWN = 5


def read_by_email(raw: bytes) -> tuple[dict[str, str], str]:
    """The headers and the text that the ``email`` package reads from a message with one part."""
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    charset = str(message.get_content_charset("us-ascii"))
    headers: dict[str, str] = {}
    for name, value in message.raw_items():
        key, text = name.lower(), decode_header(value.encode("ascii", "surrogateescape"), charset)
        unfolded = re.sub(r"\r?\n(?=[ \t])", "", text).strip(" \t\r\n")
        if key not in headers:
            headers[key] = unfolded
        elif key in JOINED:
            headers[key] = JOINED[key].join(filter(None, (headers[key], unfolded)))
    encoding = message.get("Content-Transfer-Encoding")
    if encoding is not None:  # the package knows an encoding only without the white space around it
        message.replace_header("Content-Transfer-Encoding", str(encoding).strip())
    payload = message.get_payload(decode=True)
    return headers, decode(payload if isinstance(payload, bytes) else b"", charset).replace("\r\n", "\n")


def addresses_by_email(value: str) -> list[tuple[str, str]]:
    """The addresses that the ``email`` package reads from a list."""
    return [(name, address.lower()) for name, address in email.utils.getaddresses([value])]


def main() -> None:
    """Compare both ways of reading, and print how often the fast readers were used."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    source = parser.parse_args().source
    read = fast = lists = fast_lists = 0
    different: list[str] = []
    try:
        tree = open_tree(source)
        _, layout = find_source(tree)
    except TriageError as error:
        parser.error(str(error))
    for ref in (ref for _, refs in layout.mailboxes(tree) for ref in refs):
        try:
            raw = read_bytes(ref)
        except (OSError, ValueError):  # neither reader gets to see it
            continue
        plain = mime.read_plain(raw)
        read += 1
        if plain is None:
            continue
        fast += 1
        agrees = plain == read_by_email(raw) and (*plain, []) == mime.read_mime(raw)
        for value in filter(None, map(plain[0].get, ADDRESS_HEADERS)):
            found = addresses.read_plain_list(value)
            lists += 1
            fast_lists += found is not None
            agrees &= found is None or found == addresses_by_email(value) == addresses.read_any_list(value)
        if not agrees:
            different.append(ref.path)
    print(
        f"{read:,} messages, {fast:,} by the fast reader; {lists:,} address headers, {fast_lists:,} by the fast pattern"
    )
    print(f"{len(different):,} differ{':' if different else ''} {', '.join(different[:SHOWN])}".strip())
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
