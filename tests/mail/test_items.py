import pytest

from enron_triage.mail.message import parse_message

HEADERS = "From: jane@x.example\nDate: Mon, 5 Mar 2001 09:00:00 -0600\nSubject: lunch\n"
TO = "To: bob@x.example\n"
NOTES_ENTRY = "CALENDAR ENTRY:\tAPPOINTMENT\n\nDescription:\n\tLunch\n\nDate:\t\t3/5/2001\n"
NOTES_TASK = "TASK ASSIGNMENT\n\n\nTask Priority:\t\t1\nTask Due On:\t\t\n\nWater the plants\n"
OUTLOOK = (
    "When: Monday, March 05, 2001 10:00 AM-11:00 AM (GMT-06:00) Central Time.\nWhere: Hall\n\n*~*~*~*~*~*~*~*~*~*\n\n"
)
GERMAN = "Zeit: Montag, 5. März 2001 10:00-11:00.\nOrt: Saal\n\n*~*~*~*~*~*~*~*~*~*\n\nBis dann\n"
EVENT = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Lunch\nEND:VEVENT\nEND:VCALENDAR\n"


def item(headers="", body="Hello.\n"):
    raw = f"{HEADERS}{headers}\n{body}".encode()
    return parse_message(raw, path="p", user="u", folder="inbox").item


def invitation(content_type, body=EVENT):
    return (
        "--b\nContent-Type: text/plain\n\nLunch?\n\n"
        f"--b\nContent-Type: {content_type}\nContent-Transfer-Encoding: 7bit\n\n{body}\n--b--\n"
    )


MULTIPART = f'{TO}Content-Type: multipart/alternative; boundary="b"\n'


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("", NOTES_ENTRY),
        ("", "\n" + NOTES_ENTRY.replace("APPOINTMENT", "REMINDER")),
        ("To: jane@x.example\n", NOTES_ENTRY),  # to its author alone
        ("", NOTES_TASK),
        ("Content-Type: text/calendar; charset=utf-8\n", EVENT),
        ("Content-Type: text/vcard\n", "BEGIN:VCARD\nFN:Bob\nEND:VCARD\n"),
        ("Content-Class: urn:content-classes:appointment\n", "Lunch\n"),
        ("Content-Class: urn:content-classes:task\n", "Water the plants\n"),
        ("X-Uniform-Type-Identifier: com.apple.mail-note\n", "Milk, eggs\n"),
        ("To: jane@x.example\nX-Kolab-Type: application/x-vnd.kolab.event\n", "An object\n"),
    ],
)
def test_what_a_mail_program_keeps_for_its_owner_is_an_entry(headers, body):
    assert item(headers, body) == "entry"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (TO, OUTLOOK),
        (TO, "\n" + GERMAN),
        (TO + "Content-Class: urn:content-classes:calendarmessage\n", "Lunch?\n"),
        (TO + "Content-Type: text/calendar; method=REQUEST; charset=UTF-8\n", EVENT),
        (MULTIPART, invitation("text/calendar; charset=UTF-8; method=REQUEST")),
        (MULTIPART, invitation('text/calendar; charset=UTF-8;\n\tmethod="CANCEL"')),
    ],
)
def test_a_meeting_request_is_told_in_whatever_form_a_program_writes_it(headers, body):
    assert item(headers, body) == "meeting"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (TO, "Hello.\n"),
        ("", "As you know, the hall is closed today.\n"),  # to undisclosed recipients
        (TO, NOTES_ENTRY),  # somebody sent it on
        ("", "Calendar entry for Monday: lunch.\n"),
        (TO, "See you then.\n\n> " + OUTLOOK),  # an answer quotes it
        (TO, "A long preface.\n" * 6 + "*~*~*~*~*~*\n"),
        (MULTIPART, invitation("text/calendar; charset=UTF-8; method=REPLY")),
        (MULTIPART, invitation("text/calendar; name=lunch.ics")),  # a file
        (MULTIPART, invitation("message/rfc822", f"Content-Type: text/calendar; method=REQUEST\n\n{EVENT}")),
    ],
)
def test_what_people_write_is_mail_whoever_it_names_as_recipients(headers, body):
    assert item(headers, body) == ""


def test_a_hostile_body_takes_no_time():
    assert item(TO, "When: \n" * 20_000 + "*~*~*~*~*") == ""
    assert item("", "\n" * 100_000 + "CALENDAR ENTRY:") == ""
