"""The quoted headers of Lotus Notes: a name and a date above ``To: / cc: / Subject:``, in several arrangements."""

from __future__ import annotations

import re

from enron_triage.mail.attributions import MARKS
from enron_triage.mail.client_words import FORWARDED_BY
from enron_triage.mail.header_fields import NUMERIC_DATE, clean_sender, fields_of, until_field
from enron_triage.mail.wall_clock import wall_clock

# Three hyphens are enough to tell: a longer run would be tried from each of its hyphens.
FORWARDED_BY_LINE = re.compile(rf"--- ?(?:{'|'.join(map(re.escape, FORWARDED_BY))})\b", re.IGNORECASE)
_NOT_THE_SENDER = re.compile(r"[ \t>*|]*(?:sent by|please respond)\b", re.IGNORECASE)
_MAX_ABOVE = 400  # characters above a date in which the name is looked for


def notes_block(body: str, lines: list[str], start: int) -> tuple[str, tuple[int, ...], str | None, int] | None:
    """Read a name and a date, on one line or two, above ``To:``.

    Parameters
    ----------
    body : str
        The text of a message.
    lines : list of str
        Its lines from `start` on, as `lines_from` returns them.
    start : int
        Where the line with the date begins.

    Returns
    -------
    tuple or None
        Sender, times, subject and the offset where the block begins; None if it is none.
    """
    joined = "\n".join(lines)
    date = NUMERIC_DATE.search(joined)
    if date is None or joined[date.end() :].lstrip(" ").startswith("--"):  # the date of "Forwarded by"
        return None
    after = joined[date.end() :].split("\n")
    if after[0].strip():
        return None
    above = [line for line in until_field(after[1:]) if not _NOT_THE_SENDER.match(line)]
    fields = fields_of(after[1:])
    if len(above) > 2 or "to" not in fields:
        return None
    sender = joined[: date.start()].lstrip(MARKS).strip()
    if FORWARDED_BY_LINE.search(sender):
        return None
    # The name may be on the line above, or wrapped from it.
    if len(sender) < 3 or sender.lower() == "on" or sender.endswith((" on", "\non")):
        above_date = [line for line in body[max(0, start - _MAX_ABOVE) : start].split("\n") if line.strip()]
        names = [line for line in above_date if not _NOT_THE_SENDER.match(line)]
        line = names[-1] if names else ""
        if len(sender) < 3 or sender.lower() == "on" or "@" in line or "<" in line:
            sender = f"{line.lstrip(MARKS)} {sender}"
            start = body.rfind(line, 0, start)
    return clean_sender(sender), wall_clock(date[0]), fields.get("subject"), start
