"""How long replies took, where the clocks of a mailbox are hours apart."""

from datetime import UTC, datetime, timedelta

import pytest
from builders import new_email

from enron_triage.config.data import LabelConfig
from enron_triage.labels.clocks import Reply, reply_times
from enron_triage.labels.received import label_received
from enron_triage.records import Action

MINUTE, HOUR, DAY = 60, 3600, 86400
NOON = datetime(2001, 3, 5, 12, 0, tzinfo=UTC)
OWNER = "owner@x.example"


def at(moment, **fields):
    return new_email(date=moment.isoformat(), timestamp=int(moment.timestamp()), **fields)


def sent_at(moment, body, folder="sent", **fields):
    return at(moment, folder=folder, sender=OWNER, to=["jane@x.example"], body=body, **fields)


def internet_reply(quoted, text="Yes."):
    return f"{text}\n\nOn {quoted:%a, %d %b %Y %H:%M}, Jane Doe <jane@x.example> wrote:\n> Shall we?\n"


def notes_reply(quoted, text="Yes."):
    return f"{text}\n\n\nJane Doe\n{quoted:%m/%d/%Y %I:%M %p}\nTo:\tOwner/HOU/X@X\ncc:\t\nSubject:\tGas\n\nShall we?\n"


def notes_forward(stated, quoted):
    return (
        f"---------------------- Forwarded by Olivia Owner/HOU/X on {stated:%m/%d/%Y} \n{stated:%I:%M %p} "
        f"---------------------------\n\n\n{notes_reply(quoted, '').strip()}\n"
    )


def pair(arrived, replied, body, *, is_proven=False):
    return Reply(sent_at(replied, body), at(arrived), is_proven)


def moments(count):
    return [NOON + timedelta(days=n) for n in range(count)]


def test_a_reply_took_the_difference_of_the_headers_where_nothing_else_is_proven():
    quoted, later = NOON, NOON + timedelta(minutes=25)
    assert reply_times([pair(NOON, later, internet_reply(quoted))], []) == [25 * MINUTE]
    assert reply_times([pair(NOON, later, "Yes.")], []) == [25 * MINUTE]


@pytest.mark.parametrize(("early", "taken"), [(0, 0), (900, 0), (3000, 0), (3001, None), (2 * HOUR, None)])
def test_one_reply_long_before_its_original_tells_no_time(early, taken):
    replied = NOON - timedelta(seconds=early)
    assert reply_times([pair(NOON, replied, internet_reply(replied - timedelta(minutes=5)))], []) == [taken]
    assert reply_times([pair(NOON, replied, "Yes.", is_proven=True)], []) == [0]


@pytest.mark.parametrize("hours", [1, 2, 7])
def test_replies_before_their_originals_prove_how_far_these_were_dated_ahead(hours):
    late = timedelta(hours=hours)
    replies = [
        pair(day + late, day + timedelta(minutes=minutes), internet_reply(day))
        for day, minutes in zip(moments(6), (5, 10, 20, 30, 45, 60 * hours + 90), strict=True)
    ]
    assert reply_times(replies, []) == [minutes * MINUTE for minutes in (5, 10, 20, 30, 45, 60 * hours + 90)]


def test_a_few_replies_before_their_originals_among_many_prove_nothing():
    right = [pair(day, day + timedelta(minutes=50), internet_reply(day)) for day in moments(40)]
    wrong = [pair(day, day - timedelta(hours=2), internet_reply(day)) for day in moments(3)]
    assert reply_times([*right, *wrong], []) == [50 * MINUTE] * 40 + [None] * 3


def test_a_reply_from_a_journey_quotes_another_clock_and_took_what_the_headers_say():
    abroad = timedelta(hours=7)
    replies = [pair(day, day + timedelta(minutes=20), internet_reply(day - abroad)) for day in moments(5)]
    assert reply_times(replies, []) == [20 * MINUTE] * 5


def test_originals_of_one_zone_prove_nothing_of_those_of_another():
    ahead = [pair(day + timedelta(hours=2), day + timedelta(minutes=9), internet_reply(day)) for day in moments(5)]
    right = [pair(day, day + timedelta(hours=3), internet_reply(day)) for day in moments(5)]
    assert reply_times([*ahead, *right], []) == [9 * MINUTE] * 5 + [3 * HOUR] * 5


@pytest.mark.parametrize("ahead", [-2, 1, 6])
@pytest.mark.parametrize("offset", [0, 10])
@pytest.mark.parametrize("minutes", [-14, 0, 44])
def test_a_program_that_states_the_time_of_sent_mail_tells_how_long_replies_took(ahead, offset, minutes):
    of_sent = timedelta(hours=offset, minutes=minutes)  # it was sent a while after, or a clock was slow
    stated = [sent_at(day + of_sent, notes_forward(day, day - timedelta(hours=1))) for day in moments(5)]
    arrived, replied = NOON + timedelta(hours=ahead), NOON + timedelta(minutes=40)
    reply = pair(arrived, replied + timedelta(hours=offset), notes_reply(NOON))
    assert reply_times([reply], stated) == [40 * MINUTE]


def test_statements_that_disagree_or_lie_in_another_folder_or_long_ago_tell_nothing():
    days, ahead = moments(5), timedelta(hours=2)
    reply = pair(NOON + ahead, NOON + ahead + timedelta(minutes=5), notes_reply(NOON))
    unlike = [
        sent_at(day + timedelta(hours=n), notes_forward(day, day - timedelta(hours=1))) for n, day in enumerate(days)
    ]
    elsewhere = [sent_at(day, notes_forward(day, day - timedelta(hours=1)), folder="sent_items") for day in days]
    old = [sent_at(day, notes_forward(day, day - timedelta(hours=1))) for day in (d - timedelta(days=99) for d in days)]
    for statements in (unlike, elsewhere, old, elsewhere[:2]):
        assert reply_times([reply], statements) == [5 * MINUTE]


def test_where_nothing_else_is_known_statements_of_other_folders_tell_if_all_agree():
    stated = [sent_at(day, notes_forward(day, day - timedelta(hours=1))) for day in moments(5)]
    reply = pair(NOON + timedelta(hours=2), NOON + timedelta(minutes=40), notes_reply(NOON))
    filed = Reply(sent_at(NOON + timedelta(minutes=40), notes_reply(NOON), folder="personal"), reply.original, False)
    assert reply_times([filed], stated) == [40 * MINUTE]
    day = NOON + timedelta(hours=3)
    unlike = sent_at(day + timedelta(hours=10), notes_forward(day, day - timedelta(hours=1)), folder="sent_items")
    assert reply_times([filed], [*stated, unlike]) == [None]


def test_what_another_person_forwarded_states_no_time_of_the_owners_mail():
    quoting = [
        sent_at(day, f"See below.\n\n{notes_reply(day)}\n{notes_forward(day - timedelta(hours=5), day)}")
        for day in moments(5)
    ]
    reply = pair(NOON + timedelta(hours=2), NOON + timedelta(hours=2, minutes=5), notes_reply(NOON))
    assert reply_times([reply], quoting) == [5 * MINUTE]


def test_labels_go_by_the_corrected_times():
    late, mail = timedelta(hours=2), []
    for n, day in enumerate(moments(6)):
        subject, minutes = f"plan {n}", 20 if n else 200
        mail.append(at(day + late, subject=subject, fingerprint=f"r{n}", to=[OWNER], body=f"Shall we do {n}?"))
        body = f"Yes.\n\nOn {day:%a, %d %b %Y %H:%M}, Jane <jane@x.example> wrote:\n> Shall we do {n}?\n"
        reply = sent_at(day + timedelta(minutes=minutes), body, subject=f"Re: {subject}", fingerprint=f"s{n}")
        mail.append(reply)
    records = label_received(mail, LabelConfig(owner=[OWNER])).records
    actions = [(record.action, record.response_seconds) for record in records]
    assert actions == [(Action.REPLY_LATER, 200 * MINUTE)] + [(Action.REPLY_NOW, 20 * MINUTE)] * 5
