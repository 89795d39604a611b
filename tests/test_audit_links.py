"""The audit's own parser of quoted headers, its rule of agreement, and its figures."""

from __future__ import annotations

import datetime
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from enron_triage.config.data import LabelConfig
from enron_triage.records import Email
from enron_triage.runtime import artifacts

pytestmark = pytest.mark.slow  # other processes, or a whole pipeline

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "audit_links.py"
sys.path.insert(0, str(SCRIPT.parent))  # as for a script that is run


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_links", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit_links"] = module
    spec.loader.exec_module(module)
    return module


audit = _load()
headers = importlib.import_module("quoted_headers")


def _utc(year: int, month: int, day: int, hour: int, minute: int) -> int:
    return int(datetime.datetime(year, month, day, hour, minute, tzinfo=datetime.UTC).timestamp())


NOON = _utc(2001, 5, 17, 12, 0)

OUTLOOK = """Fine by me.

 -----Original Message-----
From: \tPlum, Ada [mailto:ada.plum@fruit.example]
Sent:\tThursday, May 17, 2001 12:00 PM
To:\tFig, Bo; Quince, Cy;
\tMedlar, Di
Cc:\tSloe, Ed
Subject:\tRE: the harvest
Importance:\tHigh

Shall we pick on Monday?
"""
NOTES = """Fine by me.


Ada Plum@FRUIT
Sent by: Cy Quince
05/17/2001 12:00 PM
To: Bo Fig/ORCHARD/FRUIT@FRUIT, Di
Medlar/ORCHARD/FRUIT@FRUIT
cc: \x20

Subject: the harvest

Shall we pick on Monday?
"""
NOTES_FROM = """Fine by me.

From:  Ada Plum                           05/17/2001 12:00 PM
\t

To: Bo Fig/ORCHARD/FRUIT@FRUIT
cc:
Subject: the harvest

Shall we pick on Monday?
"""
NOTES_WRAPPED = """Fine by me.

"Plum, Ada of the Upper Orchard" <ada.plum@upper-orchard.fruit.example>
on 05/17/2001
12:00:00 PM
Please respond to ada.plum@fruit.example
To: Bo Fig/ORCHARD/FRUIT@FRUIT
cc:
Subject: the harvest

Shall we pick on Monday?
"""
NOTES_ONE_LINE = """Fine by me.

Ada Plum <ada.plum@fruit.example> 05/17/2001 12:00 PM \t   To: Bo Fig/ORCHARD/FRUIT@FRUIT  cc:   Subject: the harvest

Shall we pick on Monday?
"""
ATTRIBUTION = """Fine by me.

On Thu, 17 May 2001 12:00:00 -0500, Ada Plum
<ada.plum@fruit.example> wrote:
> Shall we pick on Monday?
"""
MARKED = "\n".join(f"> {line}" for line in OUTLOOK.split("\n"))


@pytest.mark.parametrize("body", [OUTLOOK, NOTES, NOTES_FROM, NOTES_WRAPPED, NOTES_ONE_LINE, ATTRIBUTION, MARKED])
def test_sender_and_time_are_read_from_every_style_of_quoting(body: str) -> None:
    header = audit.quoted_headers(body)[0]
    assert header.times == (NOON,)
    assert {"ada", "plum"} <= audit.name_tokens(header.sender)


@pytest.mark.parametrize("body", [OUTLOOK, NOTES, NOTES_FROM, NOTES_WRAPPED, NOTES_ONE_LINE, ATTRIBUTION, MARKED])
def test_hiding_leaves_the_quoted_text_and_no_header(body: str) -> None:
    hidden = [line.strip("> ") for line in audit.hide_quoted_headers(body).split("\n")]
    assert [line for line in hidden if line] == ["Fine by me.", "Shall we pick on Monday?"]


def test_headers_are_found_and_hidden_at_every_depth() -> None:
    body = OUTLOOK + NOTES.replace("12:00 PM", "11:00 AM")
    assert [header.times[0] for header in audit.quoted_headers(body)] == [NOON, NOON - 3600]
    assert audit.quoted_headers(audit.hide_quoted_headers(body)) == []


def test_text_that_only_looks_like_a_header_is_not_one() -> None:
    body = "Date: 17 May\nTime: 12:00\n\nWe meet on 05/17/2001 12:00 PM\n\nTo: be told\n"
    assert audit.quoted_headers(body) == []
    assert audit.hide_quoted_headers(body) == body


def test_a_forward_line_is_not_the_sender_of_the_header_below_it() -> None:
    body = f"See below.\n\n------- Forwarded by Bo Fig/FRUIT on 05/18/2001 09:00 AM -------\n\n{NOTES[13:]}"
    assert audit.quoted_headers(body)[0].times == (NOON,)
    assert "Forwarded" not in audit.hide_quoted_headers(body)


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("Thursday, May 17, 2001 12:00 PM", [(2001, 5, 17, 12, 0)]),
        ("Thursday, May  17, 2001 9:05 AM", [(2001, 5, 17, 9, 5)]),
        ("17 May 2001 00:05", [(2001, 5, 17, 0, 5)]),
        ("Tue 11/13/2001 5:52 PM", [(2001, 11, 13, 17, 52)]),
        ("03/04/00 12:30 AM", [(2000, 3, 4, 0, 30), (2000, 4, 3, 0, 30)]),
        ("2001-05-17 23:59", [(2001, 5, 17, 23, 59)]),
        ("02/29/2000 08:00 AM", [(2000, 2, 29, 8, 0)]),
    ],
)
def test_dates_are_read_in_every_way_that_they_can_be_meant(
    text: str, readings: list[tuple[int, int, int, int, int]]
) -> None:
    assert headers.last_moment(text).readings == tuple(_utc(*reading) for reading in readings)


@pytest.mark.parametrize("text", ["no time at all", "at 12:00", "13/14/2001 10:00", "02/30/2001 10:00"])
def test_what_is_not_a_date_is_not_read(text: str) -> None:
    assert headers.last_moment(text) is None


def _email(number: int, sender: str, at: int, **fields: object) -> Email:
    values: dict[str, object] = {
        "path": f"fig-b/inbox/{number}",
        "user": "fig-b",
        "folder": "inbox",
        "labels": [],
        "message_id": "",
        "date": datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(),
        "timestamp": at,
        "sender": sender,
        "sender_name": "",
        "to": [],
        "cc": [],
        "bcc": [],
        "subject": "the harvest",
        "raw_subject": None,
        "body": "Shall we pick on Monday, as we did in the year before last?",
        "in_reply_to": "",
        "references": [],
        "fingerprint": str(number),
        "raw_sha256": str(number),
    }
    return Email(**(values | fields))  # type: ignore[arg-type]


ADA = "ada.plum@fruit.example"


@pytest.mark.parametrize(
    ("sender", "late", "utc", "local"),
    [
        (ADA, 5 * 3600, True, True),
        (ADA, 5 * 3600 + 120, True, True),
        (ADA, 5 * 3600 + 180, False, False),
        (ADA, 8 * 3600, False, True),  # mountain and Pacific time: by the Date header's own clock
        (ADA, 15 * 3600, False, False),
        ("bo.fig@fruit.example", 5 * 3600, False, False),
    ],
)
def test_agreement_asks_for_the_sender_and_the_minute(sender: str, late: int, utc: bool, local: bool) -> None:
    clock = datetime.timezone(datetime.timedelta(hours=-8))
    at = NOON + late
    message = _email(1, sender, at, date=datetime.datetime.fromtimestamp(at, clock).isoformat())
    header = audit.quoted_headers(OUTLOOK)[0]
    assert audit.agrees(header, message, "utc") is utc
    assert audit.agrees(header, message, "local") is local


def _write_mailbox(path: Path) -> None:
    """Three replies: two whose original is there (one behind an older message), one whose is not."""
    other = NOTES_FROM.replace("the harvest", "the cider").replace("12:00 PM", "10:00 AM")
    missing = OUTLOOK.replace("12:00 PM", "9:13 AM").replace("the harvest", "the fence")
    replies = [(10, OUTLOOK, "harvest"), (11, other, "cider"), (12, missing, "fence")]
    emails = [
        _email(1, ADA, NOON + 5 * 3600),
        _email(2, ADA, NOON + 3 * 3600, subject="the cider"),
        _email(3, ADA, NOON - 86400, subject="the fence", body="The fence is down again by the lower gate."),
        *(
            _email(
                number,
                "bo.fig@fruit.example",
                NOON + 9 * 3600,
                path=f"fig-b/sent/{number}",
                folder="sent",
                to=[ADA],
                subject=f"Re: the {word}",
                body=body,
            )
            for number, body, word in replies
        ),
    ]
    with artifacts.record_writer(path) as writer:
        for email in emails:
            writer.write(msgspec.json.encode(email))


def test_the_audit_tells_present_originals_from_absent_ones(tmp_path: Path) -> None:
    source = tmp_path / "emails.json"
    _write_mailbox(source)
    (span,) = artifacts.mailbox_spans(source)
    figures = audit.report(audit.audit_mailbox(source, LabelConfig(), span))
    assert (figures["replies"], figures["population"]) == (3, 3)
    assert figures["headers_left_after_hiding"] == {"audit": 0, "package": 0}
    assert figures["hour_offsets"] == {"5": 2}
    assert figures["utc"]["present"] == 2
    assert figures["utc"]["shipped"]["linked"] == 2
    assert figures["utc"]["shipped"]["agreement"] == 1
    assert figures["utc"]["shipped"]["unlinked_where_present"] == 0
    assert figures["utc"]["baseline"]["linked"] == 3
    assert figures["utc"]["baseline"]["agreement"] == pytest.approx(2 / 3, abs=1e-4)


def test_the_command_prints_counts_or_one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--data-dir", str(tmp_path), "--json"]
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert "emails.json" in failed.stderr
    _write_mailbox(tmp_path / "emails.json")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert msgspec.json.decode(done.stdout)["local"]["shipped"]["linked"] == 2
    assert "Monday" not in done.stdout
    table = subprocess.run(command[:-1], capture_output=True, text=True, check=True)
    assert table.stdout.startswith("3 replies, 3 quote a sender and a time")
