from datetime import UTC, datetime

import pytest

from enron_triage.labels.linking import Link, link_sent
from enron_triage.labels.response_kinds import response_kind
from enron_triage.mail.subjects import conversation_subject
from enron_triage.records import Email

HOUR, DAY = 3600, 86400
WINDOW = 30 * DAY
NOON = int(datetime(2001, 3, 5, 12, 0, tzinfo=UTC).timestamp())
OWNER, JANE, JOHN = "owner@home.example", "jane.miller@x.example", "john.baker@y.example"
# Each is long enough to be told apart by its text.
QUESTION = "Could you send me the numbers of the western plant before we meet with the auditors tomorrow?"
REMINDER = "This is only to remind everybody that the elevators are out of order until the end of the week."
OWN_WORDS = "I shall look through the contract tonight and call you about the second paragraph in the morning."


def message(at, subject="gas", sender=JANE, body="Hello.", **fields):
    return Email(
        **{
            "path": f"{sender}/{at}",
            "user": "owner-a",
            "folder": "inbox",
            "labels": [],
            "message_id": "",
            "date": None,
            "timestamp": at,
            "sender": sender,
            "sender_name": "",
            "to": [OWNER],
            "cc": [],
            "bcc": [],
            "subject": subject,
            "raw_subject": None,
            "body": body,
            "in_reply_to": "",
            "references": [],
            "fingerprint": f"{sender}/{at}/{subject}",
            "raw_sha256": "s",
            **fields,
        }
    )


def answer(at, subject="Re: gas", to=(JANE,), body="Yes, I am.", **fields):
    return message(at, subject, OWNER, body, to=list(to), folder="sent", **fields)


def outlook(name, at, subject="gas", text=QUESTION):
    moment = datetime.fromtimestamp(at, UTC)
    when = f"{moment:%A, %B} {moment.day}, {moment:%Y %I:%M %p}"
    return f"\n\n-----Original Message-----\nFrom: {name}\nSent: {when}\nTo: Owner\nSubject: {subject}\n\n{text}"


def notes(name, at, subject="gas", text=QUESTION):
    when = f"{datetime.fromtimestamp(at, UTC):%m/%d/%Y %I:%M %p}"
    return f"\n\n\n{name}\n{when}\nTo: Owner\ncc: \nSubject: {subject}\n\n{text}"


def link(sent, *received, window=WINDOW):
    """What links a single sent message."""
    links = link_sent([sent], received, window)
    assert len(links) == 1
    assert links[0].sent == 0
    return links[0]


def linked(sent, *received, window=WINDOW):
    found = link(sent, *received, window=window)
    return found.received, found.rule


@pytest.mark.parametrize(
    ("subject", "conversation"),
    [
        ("RE: Fw:  Gas  prices", "gas prices"),
        ("Re[2]: gas", "gas"),
        ("AW: WG: gas", "gas"),
        ("FWD: re: Forwarded: gas", "gas"),
        ("gas re: prices", "gas re: prices"),
        ("Regarding gas", "regarding gas"),
        ("Re:", ""),
    ],
)
def test_the_conversation_is_the_subject_without_its_marks(subject, conversation):
    assert conversation_subject(subject) == conversation


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"subject": "Re: gas"}, "reply"),
        ({"subject": "re(3): gas"}, "reply"),
        ({"subject": "Fw: Re: gas"}, "forward"),
        ({"subject": "Re: Fw: gas"}, "reply"),
        ({"subject": "FWD: gas"}, "forward"),
        ({"subject": "Forwarded: gas"}, "forward"),
        ({"subject": "gas", "in_reply_to": "<1@x>"}, "reply"),
        ({"subject": "Fw: gas", "in_reply_to": "<1@x>"}, "forward"),
        ({"subject": "gas", "references": ["<1@x>"]}, None),
        ({"subject": "gas"}, None),
        ({"subject": "Regards"}, None),
        (
            {"subject": "gas", "body": "FYI\n---------------------- Forwarded by Owner/HOU/ECT on 03/05/2001\n"},
            "forward",
        ),
        ({"subject": "Re: gas", "body": "---------------------- Forwarded by Owner/HOU/ECT on 03/05/2001\n"}, "reply"),
    ],
)
def test_a_sent_message_replies_forwards_or_neither(fields, kind):
    assert response_kind(answer(NOON, **fields)) == kind


def test_sent_mail_that_neither_replies_nor_forwards_has_no_link():
    sent = [answer(NOON + HOUR, "gas"), answer(NOON + 2 * HOUR), answer(NOON + 3 * HOUR, "Fw: coal")]
    assert link_sent(sent, [message(NOON)], WINDOW) == [
        Link(1, 0, "reply", "conversation"),
        Link(2, None, "forward", "unlinked_no_candidate"),
    ]


# Threading headers


def test_threading_headers_link_whatever_subject_sender_quoted_text_and_time_say():
    original = message(NOON, "coal", JOHN, message_id="<1@y>")
    lookalike = message(NOON + DAY, "gas", JANE, message_id="<2@x>")
    reply = answer(NOON + 90 * DAY, body="Yes." + outlook("Miller, Jane", NOON + DAY), in_reply_to="<1@y>")
    assert link(reply, original, lookalike) == Link(0, 0, "reply", "threading_headers")


def test_without_in_reply_to_the_last_reference_is_the_parent():
    first, second = message(NOON, message_id="<1@x>"), message(NOON + HOUR, message_id="<2@x>")
    late = message(NOON + 2 * HOUR, message_id="<3@x>")
    reply = answer(NOON + 3 * HOUR, references=["<1@x>", "<2@x>"])
    assert linked(reply, first, second, late) == (1, "threading_headers")
    reply.in_reply_to = "<1@x>"
    assert linked(reply, first, second, late) == (0, "threading_headers")


def test_an_in_reply_to_that_names_an_absent_message_falls_back_on_reference_or_quotation():
    original = message(NOON, message_id="<1@x>", body=QUESTION)
    absent = {"in_reply_to": "<0@x>"}
    by_reference = answer(NOON + HOUR, **absent, references=["<9@x>", "<1@x>"])
    assert linked(by_reference, original) == (0, "threading_headers")
    quoting = answer(NOON + HOUR, body="Yes." + outlook("Miller, Jane", NOON), **absent)
    assert linked(quoting, original) == (0, "quoted_header")
    marked = answer(NOON + HOUR, body=f"Yes.\n> {QUESTION}", **absent)
    assert linked(marked, original) == (0, "quoted_text")


@pytest.mark.parametrize(
    ("body", "references"),
    [
        ("Yes.", []),  # nothing is quoted, so the conversation alone would have to decide
        ("Yes." + outlook("Baker, John", NOON), []),
        ("Yes." + outlook("Miller, Jane", NOON, text=REMINDER), []),
        ("Yes." + outlook("Miller, Jane", NOON + 180), []),
        ("Yes." + outlook("Miller, Jane", NOON), ["<5@x>", "<0@x>"]),  # ids of this mailbox's are kept
    ],
)
def test_an_absent_parent_is_not_replaced_by_what_only_resembles_it(body, references):
    received = [message(NOON, message_id="<1@x>", body=QUESTION), message(NOON - DAY, "coal", message_id="<5@x>")]
    reply = answer(NOON + HOUR, body=body, in_reply_to="<0@x>", references=references)
    assert linked(reply, *received) == (None, "unlinked_original_absent")


def test_ids_are_compared_without_brackets_and_without_the_domains_case():
    original = message(NOON, message_id="Ab1@Mail.X.Example (added by a relay)", subject="coal")
    reply = answer(NOON + 9 * DAY, in_reply_to="<jane@y> <Ab1@mail.x.example>")
    assert linked(reply, original) == (0, "threading_headers")
    assert linked(answer(NOON + 9 * DAY, in_reply_to="<ab1@mail.x.example>"), original)[0] is None


def test_whoever_goes_on_where_they_wrote_themselves_answers_nobody():
    first = answer(NOON + HOUR, body=f"Yes.\n> {QUESTION}", message_id="<2@home>")
    second = answer(NOON + 2 * HOUR, body=f"And no.\n> {QUESTION}", in_reply_to="<2@home>")
    assert link_sent([first, second], [message(NOON, body=QUESTION)], WINDOW) == [
        Link(0, 0, "reply", "quoted_text"),
        Link(1, None, "reply", "unlinked_original_absent"),
    ]


def test_what_a_program_sent_for_the_owner_answers_nothing():
    reply = answer(NOON + 60, in_reply_to="<1@x>", automatic=True)
    assert link_sent([reply], [message(NOON, message_id="<1@x>")], WINDOW) == []


def test_a_forward_is_linked_to_every_message_whose_id_it_names():
    received = [message(NOON + at, f"s{at}", message_id=f"<{at}@x>") for at in range(3)]
    forward = answer(NOON + DAY, "Please look", to=["mary@z.example"], forwarded_ids=["<2@x>", "<0@x>", "<7@x>"])
    assert link_sent([forward], received, WINDOW) == [
        Link(0, 0, "forward", "threading_headers"),
        Link(0, 2, "forward", "threading_headers"),
    ]


@pytest.mark.parametrize(("to", "kind"), [(JANE, "reply"), ("mary@z.example", "forward")])
def test_recipients_tell_what_a_mark_of_two_languages_leaves_open(to, kind):
    response = answer(NOON + DAY, "VS: gas", to=[to], in_reply_to="<1@x>")
    assert link(response, message(NOON, message_id="<1@x>")) == Link(0, 0, kind, "threading_headers")


def test_of_two_messages_with_one_message_id_the_earlier_is_linked():
    received = [message(NOON, message_id="<1@x>"), message(NOON + DAY, "gas, again", message_id="<1@x>")]
    reply = answer(NOON + HOUR, in_reply_to="<1@x>")
    assert linked(reply, *received) == (0, "threading_headers")


# Quoted headers


@pytest.mark.parametrize("quote", [outlook, notes], ids=["outlook", "notes"])
@pytest.mark.parametrize("chosen", [0, 1, 2])
def test_the_quoted_header_decides_between_messages_of_one_subject(quote, chosen):
    received = [
        message(NOON, body=QUESTION),
        message(NOON + 90 * 60, sender=JOHN, body=QUESTION),
        message(NOON + 3 * HOUR + 600, body=QUESTION),
    ]
    original = received[chosen]
    name = "Jane Miller" if original.sender == JANE else "John Baker"
    reply = answer(NOON + 5 * HOUR, body="Yes." + quote(name, original.timestamp))
    assert linked(reply, *received) == (chosen, "quoted_header")


@pytest.mark.parametrize(
    ("wrote", "agrees"),
    [
        ("Miller, Jane", True),
        ("Jane Miller/HOU/ECT@ECT", True),
        ("jane.miller@x.example", True),
        ("JANE", True),
        ("Baker, John", False),
        ("Enron Corp", False),
        ("someone <j@x.example>", False),
    ],
)
def test_a_candidate_from_another_sender_than_the_quoted_one_does_not_match(wrote, agrees):
    expected = (0, "quoted_header") if agrees else (None, "unlinked_original_absent")
    original = message(NOON, body=QUESTION)
    assert linked(answer(NOON + HOUR, body="Yes." + outlook(wrote, NOON)), original) == expected


def test_the_senders_display_name_counts_like_the_address():
    original = message(NOON, sender="jm77@x.example", sender_name="Jane Miller")
    assert linked(answer(NOON + HOUR, body=outlook("Miller", NOON)), original) == (0, "quoted_header")


@pytest.mark.parametrize(
    ("off", "agrees"),
    [
        (0, True),
        (60, True),
        (-120, True),
        (120, True),
        (5 * HOUR + 30 * 60, True),  # India
        (-3 * HOUR - 30 * 60, True),  # Newfoundland
        (-6 * HOUR, True),  # the quoting person's wall clock
        (9 * HOUR + 60, True),
        (14 * HOUR, True),
        (-14 * HOUR, True),
        (15 * HOUR, False),
        (-15 * HOUR, False),
        (DAY, False),
    ],
)
def test_a_candidate_from_another_time_than_the_quoted_one_does_not_match(off, agrees):
    expected = (0, "quoted_header") if agrees else (None, "unlinked_original_absent")
    reply = answer(NOON + 2 * DAY, body="Yes." + outlook("Miller, Jane", NOON + off))
    assert linked(reply, message(NOON, body=QUESTION)) == expected


@pytest.mark.parametrize("off", [180, -180, 25 * 60])
def test_a_quoted_time_of_delivery_needs_the_quoted_text_to_agree(off):
    for text, expected in ((QUESTION, (0, "quoted_text")), (REMINDER, (None, "unlinked_original_absent"))):
        reply = answer(NOON + 2 * DAY, body="Yes." + outlook("Miller, Jane", NOON + off, text=text))
        assert linked(reply, message(NOON, body=QUESTION)) == expected
    below = f"{REMINDER}\n\n> {QUESTION}"  # the quoted message quotes it in turn
    reply = answer(NOON + 2 * DAY, body="Yes." + outlook("Miller, Jane", NOON + off, text=below))
    assert linked(reply, message(NOON, body=QUESTION))[0] is None


def test_of_two_messages_in_one_minute_the_quoted_text_decides():
    received = [message(NOON, body=QUESTION), message(NOON + 40, body=REMINDER)]
    for chosen, text in enumerate((QUESTION, REMINDER)):
        reply = answer(NOON + DAY, body="Yes." + outlook("Miller, Jane", NOON, text=text))
        assert linked(reply, *received) == (chosen, "quoted_header")


def test_a_date_that_can_be_read_in_two_ways_agrees_with_either():
    fourth_of_march = int(datetime(2001, 3, 4, 9, 30, tzinfo=UTC).timestamp())
    third_of_april = int(datetime(2001, 4, 3, 9, 30, tzinfo=UTC).timestamp())
    body = "Yes.\n\nJane Miller\n03/04/2001 09:30 AM\nTo: Owner\ncc:\nSubject: gas\n\n" + QUESTION
    for moment in (fourth_of_march, third_of_april):
        assert linked(answer(moment + HOUR, body=body), message(moment)) == (0, "quoted_header")


def test_an_absent_original_leaves_the_reply_unlinked_rather_than_linked_to_an_older_message():
    older = [message(NOON, body=QUESTION), message(NOON + DAY, body=REMINDER)]
    reply = answer(NOON + 2 * DAY, body="Yes." + outlook("Miller, Jane", NOON + 2 * DAY - 17 * 60))
    assert linked(reply, *older) == (None, "unlinked_original_absent")


def test_of_several_that_agree_the_latest_is_answered():
    received = [message(NOON), message(NOON + HOUR)]
    reply = answer(NOON + 2 * HOUR, body="Yes." + outlook("Miller, Jane", NOON))
    assert linked(reply, *received) == (1, "quoted_header")
    assert linked(reply, *reversed(received)) == (0, "quoted_header")


def test_the_quoted_subject_finds_the_original_of_a_reply_that_renamed_it():
    reply = answer(NOON + DAY, "Re: the plant", body="Yes." + outlook("Miller, Jane", NOON - 9 * HOUR))
    assert linked(reply, message(NOON)) == (0, "quoted_header")


def test_the_quoted_minute_finds_the_original_of_another_subject_within_six_hours():
    original = message(NOON, "something else")
    for off, expected in ((-6, (0, "quoted_header")), (-7, (None, "unlinked_original_absent"))):
        reply = answer(NOON + DAY, body="Yes." + outlook("Miller, Jane", NOON + off * HOUR + 60))
        assert linked(reply, original) == expected
    across_the_hour = answer(NOON + DAY, body="Yes." + outlook("Miller, Jane", NOON - 60))
    assert linked(across_the_hour, original) == (0, "quoted_header")


def test_a_message_of_the_subject_is_preferred_to_one_of_another_subject():
    received = [message(NOON), message(NOON + HOUR, "coal")]
    assert linked(answer(NOON + DAY, body=outlook("Miller, Jane", NOON)), *received) == (0, "quoted_header")


def test_an_attribution_line_is_a_quoted_header():
    received = [message(NOON, body=QUESTION), message(NOON + 1800, sender=JOHN, body=REMINDER)]
    body = f"Yes.\n\nOn Mon, 5 Mar 2001 12:00, Jane Miller <{JANE}> wrote:\n> {QUESTION}\n"
    assert linked(answer(NOON + HOUR, body=body), *received) == (0, "quoted_header")


def test_a_quoted_header_without_a_time_decides_by_the_sender():
    received = [message(NOON), message(NOON + HOUR, sender=JOHN)]
    body = f"Yes.\n\nFrom: Jane Miller\nTo: Owner\nSubject: gas\n\n{QUESTION}"
    assert linked(answer(NOON + 2 * HOUR, body=body), *received) == (0, "quoted_header")


# Time order and window


def test_nothing_after_the_reply_is_linked():
    for body in ("Yes.", f"Yes.\n> {QUESTION}"):
        assert linked(answer(NOON, body=body), message(NOON, body=QUESTION)) == (None, "unlinked_no_candidate")
        assert linked(answer(NOON, body=body), message(NOON + 60, body=QUESTION)) == (None, "unlinked_no_candidate")
        assert linked(answer(NOON + 1, body=body), message(NOON, body=QUESTION))[0] == 0
    quoting = "Yes." + outlook("Miller, Jane", NOON + 3 * HOUR)
    assert linked(answer(NOON, body=quoting), message(NOON + 3 * HOUR)) == (None, "unlinked_original_absent")


def test_a_senders_clock_may_be_ahead_if_subject_and_quoted_header_agree():
    ahead = message(NOON + HOUR)
    quoting = "Yes." + outlook("Miller, Jane", NOON + HOUR)
    assert linked(answer(NOON, body=quoting), ahead) == (0, "quoted_header")
    earlier = message(NOON - 4 * HOUR)
    assert linked(answer(NOON, body=quoting), ahead, earlier) == (1, "quoted_header")
    assert linked(answer(NOON, body=quoting), message(NOON + HOUR, "coal"))[0] is None


@pytest.mark.parametrize("body", ["Yes." + outlook("Miller, Jane", NOON), f"Yes.\n> {QUESTION}"])
def test_nothing_outside_the_window_is_linked(body):
    original = message(NOON, body=QUESTION)
    assert linked(answer(NOON + WINDOW, body=body), original)[0] == 0
    assert linked(answer(NOON + WINDOW + 1, body=body), original)[0] is None
    assert linked(answer(NOON + HOUR + 1, body=body), original, window=HOUR)[0] is None


# Quoted text


def test_the_quoted_text_decides_if_there_is_no_quoted_header():
    received = [message(NOON, body=QUESTION), message(NOON + HOUR, body=REMINDER)]
    for chosen, text in enumerate((QUESTION, REMINDER)):
        quoted = "\n".join(f"> {text[start : start + 30]}" for start in range(0, len(text), 30))
        assert linked(answer(NOON + 10 * DAY, body=f"Yes, I am.\n\n{quoted}"), *received) == (chosen, "quoted_text")


def test_the_topmost_quoted_text_is_what_is_answered():
    received = [message(NOON, body=QUESTION), message(NOON + HOUR, body=f"{REMINDER}\n> {QUESTION}")]
    body = f"Yes.\n\n> {REMINDER}\n>> {QUESTION}"
    assert linked(answer(NOON + DAY, body=body), *received) == (1, "quoted_text")
    assert linked(answer(NOON + DAY, body=f"Yes.\n\n> {QUESTION}"), *received) == (0, "quoted_text")


def test_of_equal_texts_the_latest_is_answered():
    received = [message(NOON, body=QUESTION), message(NOON + HOUR, body=QUESTION)]
    assert linked(answer(NOON + DAY, body=f"Yes.\n> {QUESTION}"), *received) == (1, "quoted_text")


def test_a_short_message_is_recognised_by_what_it_quotes_in_turn():
    received = [
        message(NOON, body=f"Thanks.{outlook('Owner', NOON - DAY, text=REMINDER)}"),
        message(NOON + HOUR, body=f"Thanks.{outlook('Owner', NOON - DAY, text=QUESTION)}"),
    ]
    for chosen, text in enumerate((REMINDER, QUESTION)):
        assert linked(answer(NOON + DAY, body=f"Sure.\n> Thanks.\n>> {text}"), *received) == (chosen, "quoted_text")


def test_the_owners_own_words_above_the_quoted_text_leave_the_reply_unlinked():
    original = message(NOON, body=QUESTION)
    first = answer(NOON + HOUR, body=f"{OWN_WORDS}\n> {QUESTION}")
    second = answer(NOON + 2 * DAY, body=f"Fine.\n> I agree.\n>> {OWN_WORDS}\n>>> {QUESTION}")
    assert link_sent([first, second], [original], WINDOW) == [
        Link(0, 0, "reply", "quoted_text"),
        Link(1, None, "reply", "unlinked_no_candidate"),
    ]


def test_the_owners_words_from_before_the_original_do_not_prevent_the_link():
    first = answer(NOON - HOUR, body=OWN_WORDS, subject="gas")
    original = message(NOON, body=f"{QUESTION}\n> {OWN_WORDS}")
    reply = answer(NOON + 5 * DAY, body=f"> {QUESTION}\n>> {OWN_WORDS}")
    assert link_sent([first, reply], [original], WINDOW) == [Link(1, 0, "reply", "quoted_text")]


# The conversation: subject, participants and time


def test_a_reply_that_quotes_nothing_answers_the_recipients_latest_message_of_the_conversation():
    received = [
        message(NOON),
        message(NOON + HOUR, "RE: Gas"),
        message(NOON + 2 * HOUR, sender=JOHN),
        message(NOON + 2 * HOUR, "coal"),
    ]
    assert linked(answer(NOON + 3 * HOUR), *received) == (1, "conversation")
    assert linked(answer(NOON + 3 * HOUR, to=[JANE, JOHN]), *received) == (2, "conversation")
    assert linked(answer(NOON + 3 * HOUR, to=[], cc=[JOHN]), *received) == (2, "conversation")
    assert linked(answer(NOON + 3 * HOUR, to=[], bcc=[JANE]), *received) == (1, "conversation")


def test_a_reply_to_somebody_outside_the_conversation_stays_unlinked():
    reply = answer(NOON + HOUR, to=["mary@z.example"])
    assert linked(reply, message(NOON)) == (None, "unlinked_no_candidate")


def test_a_participant_may_write_from_another_address_of_the_same_name():
    assert linked(answer(NOON + HOUR, to=["jmiller@x.example"]), message(NOON, sender_name="JMiller"))[0] == 0
    assert linked(answer(NOON + HOUR, to=["miller@home.example"]), message(NOON)) == (0, "conversation")


def test_a_forward_may_go_to_somebody_outside_the_conversation():
    forward = answer(NOON + HOUR, "Fw: gas", to=["mary@z.example"])
    assert link(forward, message(NOON), message(NOON + 60, sender=JOHN)) == Link(0, 1, "forward", "conversation")


@pytest.mark.parametrize(
    ("to", "text", "kind"),
    [
        ([JANE], "I changed the last line.", "reply"),
        ([JANE], "", "forward"),
        ([JANE, "mary@z.example"], "I changed the last line.", "forward"),
    ],
)
def test_what_is_called_a_forward_and_goes_back_to_the_sender_alone_with_words_of_its_own_is_a_reply(to, text, kind):
    quotation = (
        "-----Original Message-----\nFrom: Jane Doe\nSent: Monday, March 05, 2001 12:00 PM\nSubject: gas\n\nHello."
    )
    forward = answer(NOON + HOUR, "FW: gas", to=to, body=f"{text}\n\n{quotation}")
    linked = link(forward, message(NOON, sender_name="Jane Doe"))
    assert (linked.received, linked.kind) == (0, kind)


def test_a_forward_by_lotus_notes_is_recognised_without_a_mark_in_its_subject():
    body = (
        f"FYI\n---------------------- Forwarded by Owner/HOU/ECT on 03/05/2001 03:00 PM ---{notes('Jane Miller', NOON)}"
    )
    forward = answer(NOON + 3 * HOUR, "gas", to=["mary@z.example"], body=body)
    received = [message(NOON, body=QUESTION), message(NOON + 1800, body=REMINDER)]
    assert link(forward, *received) == Link(0, 0, "forward", "quoted_header")


def test_an_answer_that_quotes_nothing_is_linked_within_two_days():
    assert linked(answer(NOON + 2 * DAY), message(NOON)) == (0, "conversation")
    assert linked(answer(NOON + 2 * DAY + 1), message(NOON)) == (None, "unlinked_no_candidate")


def test_a_long_answer_that_quotes_no_candidate_stays_unlinked():
    assert linked(answer(NOON + HOUR, body="x" * 500), message(NOON)) == (0, "conversation")
    assert linked(answer(NOON + HOUR, body="x" * 501), message(NOON)) == (None, "unlinked_no_candidate")


# Mailing lists


def test_the_tag_of_a_list_is_no_part_of_the_conversation():
    original = message(NOON, "[choir] The hall", body=QUESTION)
    assert linked(answer(NOON + DAY, "Re: The hall", body=f"Yes.\n> {QUESTION}"), original) == (0, "quoted_text")


def test_the_name_before_via_is_the_senders():
    via = {"sender": "choir@lists.example", "to": ["choir@lists.example"]}
    received = [
        message(NOON, sender_name="Jane Miller via Choir", **via),
        message(NOON + HOUR, sender_name="John Baker via Choir", **via),
    ]
    for chosen, name in enumerate(("Jane Miller via Choir <choir@lists.example>", "John Baker")):
        body = f"Yes.\n\nOn Mon, 5 Mar 2001 {12 + chosen}:00, {name} wrote:\n> Hello.\n"
        assert linked(answer(NOON + 5 * HOUR, body=body), *received) == (chosen, "quoted_header")


def test_an_answer_to_a_list_is_linked_if_one_person_alone_wrote_there():
    to_list = {"to": ["choir@lists.example"]}
    received = [message(NOON, **to_list), message(NOON + HOUR, **to_list)]
    reply = answer(NOON + 2 * HOUR, to=["choir@lists.example"])
    assert linked(reply, *received) == (1, "conversation")
    received.append(message(NOON + 90, sender=JOHN, **to_list))
    assert linked(reply, *received) == (None, "unlinked_no_candidate")


def test_a_header_below_words_that_are_quoted_without_one_is_not_the_originals():
    body = f"Yes.\n\n> {REMINDER}\n>\n>> On Mon, 5 Mar 2001 12:00, Jane Miller wrote:\n>> {QUESTION}\n"
    received = [message(NOON, body=QUESTION), message(NOON + HOUR, sender=JOHN, body=REMINDER)]
    assert linked(answer(NOON + DAY, body=body), *received) == (1, "quoted_text")


# Other scripts


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Когда начинается репетиция в субботу?", "Где лежат ноты для второго хора?"),
        ("土曜日の練習には来られますか。教えてください。", "楽譜はどこに置いてありますか。探しています。"),
        ("星期六的排练你能来吗？请告诉我。", "乐谱放在哪里了？我正在找。"),
    ],
)
def test_texts_of_any_script_are_told_apart(first, second):
    received = [message(NOON, body=first), message(NOON + HOUR, body=second)]
    for chosen, text in enumerate((first, second)):
        assert linked(answer(NOON + 9 * DAY, body=f"OK\n\n> {text}\n"), *received) == (chosen, "quoted_text")


# Time


@pytest.mark.slow
@pytest.mark.parametrize("quoting", ["nothing", "one minute", "other minutes", "texts", "absent texts"])
def test_linking_takes_no_square_of_the_number_of_messages(quoting, assert_linear):
    def mailbox(size):
        received = [message(NOON + at, "gas", f"{at:x}@x.example", f"{at:x} {QUESTION}") for at in range(size)]
        bodies = {
            "nothing": lambda at: "Yes.",
            "one minute": lambda at: f"Yes.\n\nOn Mon, 5 Mar 2001 12:00, {at:x}@x.example wrote:\n> x\n",
            "other minutes": lambda at: f"Yes.\n\nOn Mon, 5 Mar 2001 11:{at % 50:02}, {at:x}@x.example wrote:\n> x\n",
            "texts": lambda at: f"Yes.\n> {at:x} {QUESTION}",
            "absent texts": lambda at: f"Yes.\n> {REMINDER}",
        }
        body = bodies[quoting]
        return [answer(NOON + DAY + at, body=body(at), to=["nobody@z.example"]) for at in range(size)], received

    assert_linear(lambda messages: link_sent(*messages, WINDOW), mailbox, 100)


FORWARDED_BY = (
    "\n---------------------- Forwarded by Owner A/HOU/ECT on 03/05/2001 01:00 PM ---------------------------\n"
)


@pytest.mark.parametrize("above", ["", "FYI - what do you think?\n"])
def test_what_lotus_notes_passes_on_is_a_forward_whatever_mark_its_subject_bears(above):
    original = message(NOON, "Re: gas", body=QUESTION)
    body = above + FORWARDED_BY + notes("Jane Miller", NOON, "Re: gas")
    found = link(answer(NOON + HOUR, "Re: gas", to=["new@y.example"], body=body), original)
    assert (found.received, found.kind) == (0, "forward")


def test_an_answer_is_a_reply_though_a_forward_stands_further_down():
    original = message(NOON, "Re: gas", body=QUESTION)
    body = "Yes." + notes("Jane Miller", NOON, "Re: gas", QUESTION + FORWARDED_BY + "From: Bob\n")
    assert link(answer(NOON + HOUR, "Re: gas", to=["new@y.example"], body=body), original).kind == "reply"
    body = FORWARDED_BY + notes("Jane Miller", NOON, "Re: gas")
    assert link(answer(NOON + HOUR, "Re: gas", body=body), original).kind == "reply"  # to Jane, who asked


def test_a_message_that_quotes_the_answer_is_not_its_original():
    said = "The elevators are closed until Thursday noon."
    own = answer(NOON + HOUR, "Re: gas", body=said)
    thanks = message(NOON + HOUR - 60, "Re: gas", body=f"Thank you!{outlook('Owner', NOON + HOUR, 'Re: gas', said)}")
    asked = message(NOON, "gas", body="When?")
    assert linked(own, thanks) == (None, "unlinked_no_candidate")
    assert linked(own, asked, thanks) == (0, "conversation")
