import datetime
import math
import re

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.features.metadata import COLUMNS
from enron_triage.features.metadata import extract as extract_parts
from enron_triage.features.metadata_words import KINDS, PHRASES
from enron_triage.mail.body import BodyParts, split_body
from enron_triage.records import Action, Evidence, LabeledEmail

PLAIN = LabeledEmail(
    path="owner-a/inbox/1.",
    user="owner-a",
    folder="inbox",
    labels=[],
    message_id="<1@x.example>",
    date="2001-05-14T18:00:00-07:00",  # a Monday; in UTC already Tuesday
    timestamp=989888400,
    sender="jane.roe@x.example",
    sender_name="",
    to=["owner.a@x.example"],
    cc=[],
    bcc=[],
    subject="numbers",
    raw_subject=None,
    body="the numbers\n",
    in_reply_to="",
    references=[],
    fingerprint="f",
    raw_sha256="s",
    action=Action.ARCHIVE,
    response_seconds=None,
    evidence=Evidence(rule="folder:filing", sent_path=None, folders=["inbox"]),
    history=None,
    scheme="received",
)


def extract(records):
    return extract_parts(records, [split_body(record) for record in records])


def features(**changes):
    return dict(zip(COLUMNS, extract([msgspec.structs.replace(PLAIN, **changes)])[0].tolist(), strict=True))


def log1p(count):
    return pytest.approx(math.log1p(count))


def test_the_table_and_the_extraction_agree():
    matrix = extract([PLAIN, PLAIN])
    assert matrix.shape == (2, len(COLUMNS))
    assert matrix.dtype == np.float32
    assert extract([]).shape == (0, len(COLUMNS))
    assert 50 <= len(COLUMNS) <= 70
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) and meaning for name, meaning in COLUMNS.items())


# Each column, a message on which it has the value, and the value.
SENDERS = [
    ("sender_has_name", "jane@x.example", "Jane Roe", 1),
    ("sender_has_name", "jane@x.example", "", 0),
    ("sender_without_domain", "jane", "", 1),
    ("sender_without_domain", "jane@x.example", "", 0),
    ("sender_automated", "no-reply@x.example", "", 1),
    ("sender_automated", "jane@newsletter.example", "", 0),
    ("sender_free_mail", "jane@hotmail.com", "", 1),
    ("sender_free_mail", "jane@x.example", "", 0),
    ("sender_digits", "jane7@x.example", "", 1),
    ("sender_digits", "jane@x7.example", "", 0),
    ("sender_local_length", "jane@x.example", "", math.log(5)),
    ("sender_local_length", "jane", "", math.log(5)),
    ("sender_domain_depth", "jane@news.x.example", "", 3),
    ("sender_domain_depth", "jane", "", 0),
    ("sender_is_person", "jane.roe@x.example", "", 1),
    ("sender_is_person", "jane.q.roe@x.example", "", 1),
    ("sender_is_person", "jroe@x.example", "", 0),
]


@pytest.mark.parametrize(("column", "sender", "name", "value"), SENDERS)
def test_what_the_sender_says(column, sender, name, value):
    assert features(sender=sender, sender_name=name)[column] == pytest.approx(value)


def test_who_is_addressed():
    got = features(to=["a@x.example", "b@y.example"], cc=["c@x.example", "jane.roe@x.example"], bcc=["d@z.example"])
    assert got["to_count"] == log1p(2)
    assert got["cc_count"] == log1p(2)
    assert got["bcc_count"] == log1p(1)
    assert got["recipient_count"] == log1p(5)
    assert got["recipient_domains"] == log1p(3)
    assert got["same_domain_share"] == pytest.approx(3 / 5)
    assert got["sender_among_recipients"] == 1
    assert got["has_cc"] == 1
    assert (got["single_recipient"], got["no_recipient"], got["mass_mail"]) == (0, 0, 0)


def test_one_none_and_many_recipients_are_told_apart():
    marks = ("single_recipient", "no_recipient", "mass_mail")
    many = [f"p{number}@x.example" for number in range(21)]
    assert [features(to=["a@x.example"])[mark] for mark in marks] == [1, 0, 0]
    assert [features(to=[])[mark] for mark in marks] == [0, 1, 0]
    assert [features(to=many)[mark] for mark in marks] == [0, 0, 1]
    assert features(to=many[:20])["mass_mail"] == 0
    assert features(to=[])["same_domain_share"] == 0
    assert features(to=[])["has_cc"] == 0


@pytest.mark.parametrize(
    ("body", "recipient", "anyone", "everyone"),
    [
        ("Owner, see below", 1, 0, 0),
        ("Hi owner, see below", 1, 1, 0),
        ("Dear all, see below", 0, 1, 1),
        ("Team - see below", 0, 0, 1),
        ("See what is below, owner", 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_greetings(body, recipient, anyone, everyone):
    got = features(body=body, to=["owner.a@x.example"])
    assert (got["greets_recipient"], got["greets_anyone"], got["greets_all"]) == (recipient, anyone, everyone)


def test_hour_and_weekday_are_those_of_the_senders_clock():
    got = features()  # 18:00 on a Monday there, 01:00 on a Tuesday in UTC
    assert got["hour_sine"] == pytest.approx(-1)
    assert got["hour_cosine"] == pytest.approx(0, abs=1e-6)
    assert got["weekday_sine"] == 0
    assert got["weekday_cosine"] == 1
    assert (got["is_weekend"], got["is_dated"]) == (0, 1)


@given(
    st.datetimes(datetime.datetime(1997, 1, 1), datetime.datetime(2002, 12, 31)),
    st.integers(-12 * 4, 14 * 4),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_weekday_is_the_calendars(moment, quarters):
    zone = datetime.timezone(datetime.timedelta(minutes=15 * quarters))
    local = moment.replace(microsecond=0, tzinfo=zone)
    got = features(date=local.isoformat(), timestamp=int(local.timestamp()))
    assert got["weekday_sine"] == pytest.approx(math.sin(local.weekday() * math.tau / 7), abs=1e-6)
    assert got["weekday_cosine"] == pytest.approx(math.cos(local.weekday() * math.tau / 7), abs=1e-6)
    assert got["is_weekend"] == (local.weekday() in (5, 6))
    hour = (local.hour + local.minute / 60) * math.tau / 24
    assert (got["hour_sine"], got["hour_cosine"]) == pytest.approx((math.sin(hour), math.cos(hour)), abs=1e-6)


@pytest.mark.parametrize("missing", [{"date": None, "timestamp": None}, {"timestamp": None}])
def test_a_message_without_a_date_has_no_time(missing):
    got = features(**missing)
    columns = [name for name in COLUMNS if name.startswith(("hour", "weekday")) or name in ("is_weekend", "is_dated")]
    assert len(columns) == 6
    assert [got[name] for name in columns] == [0] * 6


@given(
    st.datetimes(datetime.datetime(1997, 1, 1), datetime.datetime(2002, 12, 31)),
    st.integers(-12, 14),
    st.integers(-300, 300),
    st.text(max_size=80),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_feature_changes_when_a_message_is_moved_by_whole_weeks(moment, hours, weeks, body):
    zone = datetime.timezone(datetime.timedelta(hours=hours))
    first = moment.replace(microsecond=0, tzinfo=zone)
    rows = [
        features(date=when.isoformat(), timestamp=int(when.timestamp()), body=body)
        for when in (first, first + datetime.timedelta(weeks=weeks))
    ]
    assert rows[0] == rows[1]


SUBJECTS = [
    ("subject_length", "abc def", math.log(8)),
    ("subject_words", "abc def", math.log(3)),
    ("subject_empty", "", 1),
    ("subject_empty", "a", 0),
    ("subject_reply", "RE: plan", 1),
    ("subject_reply", "read: plan", 0),
    ("subject_forward", "Fwd: plan", 1),
    ("subject_forward", "FW: plan", 1),
    ("subject_forward", "forward: plan", 0),
    ("subject_question", "lunch?", 1),
    ("subject_question", "lunch", 0),
    ("subject_exclamation", "lunch!", 1),
    ("subject_exclamation", "lunch?", 0),
    ("subject_capitals", "ABcd 12", 0.5),
    ("subject_capitals", "12", 0),
    ("subject_digits", "ab12", 0.5),
    ("subject_digits", "", 0),
    ("subject_urgent", "URGENT matter", 1),
    ("subject_urgent", "insurgents", 0),
    ("subject_request", "Please read", 1),
    ("subject_request", "pleased", 0),
    ("subject_meeting", "Meeting at ten", 1),
    ("subject_meeting", "meetinghouse", 0),
    ("subject_bracketed", "[list] plan", 1),
    ("subject_bracketed", "plan [list]", 0),
]


@pytest.mark.parametrize(("column", "subject", "value"), SUBJECTS)
def test_what_the_subject_says(column, subject, value):
    assert features(subject=subject)[column] == pytest.approx(value)


TEXTS = [
    ("text_length", "abc def", math.log(8)),
    ("text_words", "abc def", math.log(3)),
    ("questions", "a? b? c", math.log(3)),
    ("ends_with_question", "Could it be?\n\nJane\n", 1),
    ("ends_with_question", "Could it be?\na\nb\nc\n", 0),
    ("asks_you", "Can you come? Could you bring it?", math.log(3)),
    ("requests", "please review, and let me know", math.log(4)),
    ("urgency", "urgent, asap", math.log(3)),
    ("thanks", "thanks and thanks", math.log(3)),
    ("meetings", "the meeting agenda", math.log(3)),
    ("for_information", "FYI", 1),
    ("for_information", "no news", 0),
    ("first_person", "i go home now", 1 / 4),
    ("second_person", "you take your hat", 2 / 4),
    ("first_person", "", 0),
    ("exclamations", "no! no!", math.log(3)),
    ("capitals", "ABcd", 0.5),
    ("digits", "ab12", 0.5),
    ("links", "see http://x.example and www.y.example", math.log(3)),
    ("attachments", "attached: plan.doc", math.log(3)),
    ("money", "$5 or $6", math.log(3)),
    ("newsletter", "Click here to unsubscribe", math.log(3)),
    ("automation", "Please do not reply", math.log(2)),
    ("disclaimer", "confidential: for the intended recipient", math.log(3)),
    ("quoted_share", "no quote", 0),
    ("quoted_share", "", 0),
    ("is_quoting", "no quote", 0),
]


@pytest.mark.parametrize(("column", "body", "value"), TEXTS)
def test_what_the_text_says(column, body, value):
    assert features(body=body)[column] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    "quoted",
    [
        "-----Original Message-----\nFrom: Roe, Jane\nSent: Monday, May 14, 2001 4:39 PM\nTo: A\nSubject: x\n\nwhy?\n",
        "From: Roe, Jane\nSent: Monday, May 14, 2001 4:39 PM\nTo: A\nSubject: x\n\nplease? you?\n",
        "-----Original Message-----\nplease? you?\n",
    ],
)
def test_only_what_the_sender_wrote_himself_counts(quoted):
    own = "agreed\n\n"
    got, alone = features(body=own + quoted), features(body=own)
    assert got["is_quoting"] == 1
    assert got["quoted_share"] == pytest.approx(len(quoted) / len(own + quoted))
    assert {**got, "is_quoting": 0, "quoted_share": 0} == alone


def test_a_long_text_is_read_at_its_top_only():
    top = "a" * 4000
    assert features(body=top + "? please")["questions"] == 0
    assert features(body=top + "x" * 1000)["text_length"] == log1p(5000)


@given(st.text(max_size=60), st.text(max_size=200))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_whatever_the_text_the_features_are_finite_and_shares_lie_between_0_and_1(subject, body):
    got = features(subject=subject, body=body)
    assert all(math.isfinite(value) for value in got.values())
    shares = [name for name, meaning in COLUMNS.items() if "share of" in meaning]
    assert len(shares) == 8
    assert all(0 <= got[name] <= 1 for name in [*shares, "first_person", "second_person"])


def test_capitals_are_counted_among_the_letters_a_to_z():
    assert features(subject="İAbcdefg")["subject_capitals"] == pytest.approx(1 / 7)
    assert features(body="A1 2 3 4")["capitals"] == 1
    assert features(body="ÄÖ 12")["capitals"] == 0


SCRAPS = st.sampled_from(
    [
        *KINDS,
        *(phrase for phrases in PHRASES.values() for phrase in phrases),
        "<<",
        "<<<",
        "'",
        "\0",
        "\u0130",
        "\u212a",
        "\ud800",
    ]
)
TEXTS = st.lists(st.one_of(SCRAPS, st.text(max_size=3), st.sampled_from(" \n.?!$A1")), max_size=30).map("".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_texts_counted_together_are_counted_as_each_alone(texts):
    bodies = [BodyParts(text, "", "") for text in texts]
    rows = extract_parts([PLAIN] * len(bodies), bodies).astype(float)
    for text, row in zip(texts, rows, strict=True):
        value = dict(zip(COLUMNS, row.tolist(), strict=True))
        low = text.lower()
        found = re.findall(r"[a-z']+", low)

        def phrases(kind, low=low):
            return sum(low.count(phrase) for phrase in PHRASES[kind])

        def count(kind, found=found):
            return sum(KINDS.get(word) == kind for word in found)

        assert value["text_words"] == log1p(len(found))
        assert value["requests"] == log1p(count("request") + phrases("asks"))
        assert value["attachments"] == log1p(phrases("attachment"))
        assert value["for_information"] == (phrases("informs") > 0)
        names = {"asks_you": "asks you"} | {kind: kind for kind in ("links", "newsletter", "automation", "disclaimer")}
        assert {name: value[name] for name in names} == {name: log1p(phrases(kind)) for name, kind in names.items()}
        names = {"urgency": "urgent", "thanks": "thanks", "meetings": "meeting"}
        assert {name: value[name] for name in names} == {name: log1p(count(kind)) for name, kind in names.items()}
        shares = [value["first_person"], value["second_person"]]
        assert shares == pytest.approx([count(kind) / max(len(found), 1) for kind in ("first", "second")])


def test_occurrences_of_a_phrase_do_not_overlap():
    assert features(body="<<<" * 3)["attachments"] == log1p(4)
    assert features(body="this message was sen" * 3 + "t")["automation"] == log1p(2)  # the first and the third
