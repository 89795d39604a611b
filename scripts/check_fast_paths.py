#!/usr/bin/env python3
"""Read every message of a corpus by the fast readers and by the standard ``email`` package, and compare.

    python scripts/check_fast_paths.py path/to/maildir

Ends with 1 if a record differs, and names the first files that do. Takes some minutes for 245,102 messages: the slow
way is slow.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from enron_triage.errors import TriageError
from enron_triage.mail import addresses, mime
from enron_triage.mail.message_ref import read_bytes
from enron_triage.mail.sources import find_source, open_tree

ADDRESS_HEADERS = ("from", "to", "cc", "bcc")
SHOWN = 5


def main() -> None:
    """Compare both ways to read, and print how often the fast readers answered."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    source = parser.parse_args().source
    read = fast = refused = lists = fast_lists = 0
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
        try:
            slow = mime.read_mime(raw)
        except (ValueError, RecursionError):  # what would keep the package busy; see `mime.read_mime`
            refused += plain is not None
            continue
        fast += plain is not None
        agrees = plain is None or plain == slow
        for value in filter(None, map(slow[0].get, ADDRESS_HEADERS)):
            found = addresses.read_plain_list(value)
            lists += 1
            fast_lists += found is not None
            agrees &= found is None or found == addresses.read_any_list(value)
        if not agrees:
            different.append(ref.path)
    print(
        f"{read:,} messages, {fast:,} by the fast reader; {lists:,} address headers, {fast_lists:,} by the fast pattern"
    )
    print(f"{refused:,} read by the fast reader are refused by the slow one as endless")
    print(f"{len(different):,} differ{':' if different else ''} {', '.join(different[:SHOWN])}".strip())
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
