"""What a program sent for its sender, and the ids that threading headers name."""

import pytest

from enron_triage.mail.automatic import is_absence, is_automatic
from enron_triage.mail.message_ids import id_key, message_ids


@pytest.mark.parametrize(
    ("headers", "subject"),
    [
        ({"auto-submitted": "auto-replied (vacation)"}, "Re: gas"),
        ({"auto-submitted": "auto-generated; x=1"}, "gas"),
        ({"x-autoreply": "yes"}, "Re: gas"),
        ({"precedence": "auto_reply"}, "Re: gas"),
        ({"precedence": "bulk"}, "Out of office"),
        ({"x-auto-response-suppress": "All"}, "Abwesenheitsnotiz bis Montag"),
        ({"content-type": "multipart/report; report-type=disposition-notification"}, "Read: gas"),
        ({"content-type": "message/disposition-notification"}, "Read: gas"),
        ({"x-auto-reply-from": "jane@x.example"}, "Re: gas"),
        ({"preference": "auto_reply"}, "Re: gas"),
        ({"x-ms-exchange-generated-message-source": "Mailbox Rules Agent"}, "Re: gas"),
        ({}, "AUTO: Jane Roe is out of the office (returning Monday)"),
        ({}, "Jane Roe is out of the office."),
        ({}, "Auto Re: gas"),
        ({}, "OTOMATİK YANIT: gas"),
        ({}, "Abwesend: gas"),
        ({}, "Automatische Antwort: gas"),
        ({}, "Réponse automatique : gas"),
        ({}, "自動応答：gas"),
    ],
)
def test_an_automatic_message_is_told_by_its_headers_or_subject(headers, subject):
    assert is_automatic(headers, subject)


@pytest.mark.parametrize(
    ("headers", "subject"),
    [
        ({}, "Re: gas"),
        ({"auto-submitted": "no"}, "Re: gas"),
        ({"precedence": "bulk"}, "Re: gas"),
        ({"x-auto-response-suppress": "All"}, "Re: gas"),
        ({"content-type": "multipart/mixed; report-type=none"}, "gas"),
        ({}, "Out of office next week?"),
        ({}, "Re: Automatic reply: gas"),
        ({}, "Re: Jane Roe is out of the office"),
        ({}, "Who is out of office next week?"),
        ({}, "Automatic gates"),
    ],
)
def test_what_a_person_wrote_is_not(headers, subject):
    assert not is_automatic(headers, subject)


def test_an_absence_needs_a_sign_behind_it_unless_it_is_suspected():
    assert not is_absence("Out of office supplies")
    assert is_absence("Out of office until Monday", is_suspected=True)


@pytest.mark.parametrize(
    ("header", "ids"),
    [
        ("<a@x> <b@x>", ["<a@x>", "<b@x>"]),
        ("<a@x><b@x>", ["<a@x>", "<b@x>"]),
        ("a@x", ["<a@x>"]),
        ("<<a@x>>", ["<a@x>"]),
        ("Jane Doe <jane@y> of Monday <a@x> (added by z)", ["<jane@y>", "<a@x>"]),
        ("<a@x> (comment; with <signs>)", ["<a@x>", "<signs>"]),
        ("<a@x.exa mple>", ["<a@x.example>"]),
        ("=?utf-8?q?=3Ca=40x=3E_=3Cb=40x=3E?=", ["<a@x>", "<b@x>"]),
        ("&lt;a@x&gt;", ["<a@x>"]),
        ("", []),
        ("Your message of Monday", []),
    ],
)
def test_ids_are_read_without_what_stands_around_them(header, ids):
    assert message_ids(header) == ids


def test_the_case_of_the_domain_does_not_count():
    assert id_key("<Ab@X.Y>") == id_key("Ab@x.y") != id_key("<ab@x.y>")


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["<", "a@", "<a", "< ", "a@x ", ">"])
def test_a_hostile_header_takes_no_time(unit, assert_linear):
    assert_linear(message_ids, lambda size: unit * size, 5_000)
