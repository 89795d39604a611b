from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.labels.counters import KnownAction
from enron_triage.labels.history import MailboxHistory, Scopes
from enron_triage.labels.owner import Owner
from enron_triage.records import ACTIONS, Action, ActionCounts

MINUTE, HOUR, DAY = 60, 3600, 86400
NOON = 12_000 * DAY + 12 * HOUR  # UTC
ME = "olivia@home.example"
OWNER = Owner(frozenset({ME}), frozenset({"olivia"}))
JANE, JOHN, MARY = "jane@x.example", "john@x.example", "mary@y.example"


@pytest.fixture(scope="module")
def mail(new_email):
    """A message that reaches the owner."""

    def make(at, sender=JANE, subject="gas", to=(ME,), **fields):
        return new_email(timestamp=at, sender=sender, subject=subject, to=list(to), **fields)

    return make


@pytest.fixture(scope="module")
def sent(mail):
    """A message that the owner sends."""

    def make(at, to=(JANE,), subject="Re: gas", **fields):
        return mail(at, ME, subject, to, **fields)

    return make


@pytest.fixture
def history():
    return MailboxHistory(OWNER)


def counts(**taken):
    return [taken.get(action.value, 0) for action in ACTIONS]


def past(weight=1.0, **taken):
    """Actions that all count alike among the recent ones."""
    return ActionCounts(counts=counts(**taken), recent=[n * weight for n in counts(**taken)])


NOTHING = past()


def test_the_history_of_a_first_message_knows_only_whom_it_is_addressed_to(history, mail, new_history):
    assert history.snapshot_before(mail(NOON)) == new_history(recipient_field="to", recipient_position=0)


# What the owner did


def test_an_action_counts_strictly_after_the_moment_that_it_is_known_from(history, mail, new_history):
    history.add_action(mail(NOON - DAY), KnownAction(NOON, Action.FORWARD))
    addressed = {"recipient_field": "to", "recipient_position": 0}
    assert history.snapshot_before(mail(NOON)) == new_history(**addressed)
    one = past(forward=1)
    assert history.snapshot_before(mail(NOON + 1)) == new_history(
        owner=one,
        domain=one,
        sender=one,
        series=one,
        conversation=one,
        last_sender_action=Action.FORWARD,
        **addressed,
    )


def test_actions_count_for_the_owner_the_domain_and_the_sender(history, mail):
    for sender, action in ((JANE, Action.REPLY_NOW), (JOHN, Action.ARCHIVE), (MARY, Action.DELETE)):
        history.add_action(mail(NOON, sender, sender), KnownAction(NOON, action))
    known = history.snapshot_before(mail(NOON + 1))
    assert known.owner == past(reply_now=1, archive=1, delete=1)
    assert known.domain == past(reply_now=1, archive=1)
    assert known.sender == past(reply_now=1)
    assert known.series == known.conversation == known.recipient == NOTHING


def test_a_stranger_of_a_known_domain_has_only_the_domains_actions(history, mail):
    history.add_action(mail(NOON), KnownAction(NOON, Action.REPLY_NOW))
    known = history.snapshot_before(mail(NOON + 1, "new@x.example", "coal"))
    assert (known.sender, known.domain, known.last_sender_action) == (NOTHING, past(reply_now=1), None)


def test_a_series_is_a_senders_mail_with_one_subject_whatever_its_numbers_and_dates(history, mail):
    history.add_action(mail(NOON, subject="Report 7 - 2001/03/05"), KnownAction(NOON, Action.DELETE))
    history.add_action(mail(NOON, subject="Plans for 2001"), KnownAction(NOON, Action.ARCHIVE))
    history.add_action(mail(NOON, JOHN, "Report 7"), KnownAction(NOON, Action.FORWARD))
    assert history.snapshot_before(mail(NOON + 1, subject="RE: report 8")).series == past(delete=1)
    assert history.snapshot_before(mail(NOON + 1, subject="Reports")).series == NOTHING
    assert history.snapshot_before(mail(NOON + 1, subject="2001")).series == NOTHING


def test_a_subject_without_letters_does_not_make_a_series(history, mail):
    history.add_action(mail(NOON, subject="2001"), KnownAction(NOON, Action.DELETE))
    history.add_received(mail(NOON, subject="2001"))
    known = history.snapshot_before(mail(NOON + 1, subject="2001"))
    assert (known.series, known.received_in_series, known.conversation) == (NOTHING, 0, past(delete=1))


def test_a_conversation_is_the_mail_of_all_senders_with_one_subject(history, mail):
    history.add_action(mail(NOON, MARY, "Gas 7"), KnownAction(NOON, Action.FORWARD))
    assert history.snapshot_before(mail(NOON + 1, JANE, "Re: gas 7")).conversation == past(forward=1)
    assert history.snapshot_before(mail(NOON + 1, JANE, "Re: gas 8")).conversation == NOTHING


def test_mail_without_a_subject_does_not_make_a_conversation(history, mail, sent):
    history.add_action(mail(NOON, subject="Re:"), KnownAction(NOON, Action.FORWARD))
    history.add_received(mail(NOON, subject=""))
    history.add_sent(sent(NOON, subject="Re: "))
    known = history.snapshot_before(mail(NOON + 1, subject=""))
    assert (known.conversation, known.conversation_started) == (NOTHING, None)
    assert (known.conversation_sent, known.conversation_received) == (0, 0)
    assert (known.since_conversation_sent, known.since_conversation_received) == (None, None)


def test_the_recipient_is_the_first_one_unless_that_is_the_owner(history, mail):
    history.add_action(mail(NOON, to=["all@home.example", ME]), KnownAction(NOON, Action.DELETE))
    history.add_action(mail(NOON, to=[ME, MARY]), KnownAction(NOON, Action.ARCHIVE))
    assert history.snapshot_before(mail(NOON + 1, JOHN, to=["all@home.example"])).recipient == past(delete=1)
    assert history.snapshot_before(mail(NOON + 1, to=[MARY, "all@home.example"])).recipient == NOTHING
    assert history.snapshot_before(mail(NOON + 1, to=[ME, "all@home.example"])).recipient == NOTHING
    assert history.snapshot_before(mail(NOON + 1, to=[])).recipient == NOTHING


def test_mail_without_a_sender_counts_for_no_sender(history, mail):
    for _ in range(2):
        history.add_received(mail(NOON, ""))
        history.add_action(mail(NOON, ""), KnownAction(NOON, Action.REPLY_NOW, 100))
    known = history.snapshot_before(mail(NOON + 1, ""))
    assert (known.sender, known.series, known.last_sender_action) == (NOTHING, NOTHING, None)
    assert (known.received_from_sender, known.received_in_series, known.response_to_sender) == (0, 0, None)
    assert (known.owner, known.received, known.response) == (past(reply_now=2), 2, 100)


def test_an_action_loses_half_its_weight_in_30_days(history, mail):
    history.add_action(mail(NOON), KnownAction(NOON, Action.DELETE))
    for days, weight in ((0, 1.0), (30, 0.5), (60, 0.25), (900, 0.0)):
        known = history.snapshot_before(mail(NOON + days * DAY + (not days)))
        assert (known.sender.counts, known.sender.recent) == (counts(delete=1), [0, 0, 0, 0, weight])


def test_recent_actions_add_up(history, mail):
    history.add_action(mail(NOON), KnownAction(NOON, Action.DELETE))
    history.add_action(mail(NOON), KnownAction(NOON, Action.ARCHIVE))
    history.add_action(mail(NOON + 30 * DAY), KnownAction(NOON + 30 * DAY, Action.DELETE))
    known = history.snapshot_before(mail(NOON + 60 * DAY)).owner
    assert known == ActionCounts(counts=counts(archive=1, delete=2), recent=[0, 0, 0, 0.25, 0.75])


def test_an_action_that_replaces_another_removes_it_from_all_counts(history, mail):
    filed, answered = KnownAction(NOON, Action.ARCHIVE), KnownAction(NOON + 30 * DAY, Action.REPLY_LATER, 30 * DAY)
    history.add_action(mail(NOON), KnownAction(NOON, Action.ARCHIVE))  # another message, which stays filed
    history.add_action(mail(NOON), filed)
    history.add_action(mail(NOON), answered, filed)
    before = history.snapshot_before(mail(NOON + 30 * DAY))
    assert (before.sender, before.last_sender_action) == (past(archive=2, weight=0.5), Action.ARCHIVE)
    after = history.snapshot_before(mail(NOON + 60 * DAY))
    assert after.sender.counts == after.owner.counts == counts(archive=1, reply_later=1)
    assert after.sender.recent == after.owner.recent == [0, 0.5, 0, 0.25, 0]
    assert after.last_sender_action is Action.REPLY_LATER


def test_the_last_action_is_the_one_known_last_and_of_two_that_on_the_later_arrival(history, mail):
    history.add_action(mail(NOON + 5), KnownAction(NOON + 30, Action.ARCHIVE))
    history.add_action(mail(NOON + 10), KnownAction(NOON + 20, Action.DELETE))
    history.add_action(mail(NOON + 10, JOHN), KnownAction(NOON + 21, Action.FORWARD))
    assert history.snapshot_before(mail(NOON + 25)).last_sender_action is Action.DELETE
    history.add_action(mail(NOON + 6), KnownAction(NOON + 30, Action.REPLY_LATER))
    assert history.snapshot_before(mail(NOON + 31)).last_sender_action is Action.REPLY_LATER


def test_the_response_is_the_geometric_mean_of_the_replies(history, mail):
    for sender, action, seconds in (
        (JANE, Action.REPLY_NOW, 9),
        (JANE, Action.REPLY_LATER, 999),
        (MARY, Action.REPLY_LATER, 999_999),
        (JANE, Action.FORWARD, 5),
        (JANE, Action.ARCHIVE, None),
    ):
        history.add_action(mail(NOON, sender), KnownAction(NOON, action, seconds))
    assert (history.snapshot_before(mail(NOON)).response, history.snapshot_before(mail(NOON)).response_to_sender) == (
        None,
        None,
    )
    known = history.snapshot_before(mail(NOON + 1))
    assert known.response_to_sender == 99  # (10 * 1000) ** (1 / 2) - 1
    assert known.response == 2153  # (10 * 1000 * 1000000) ** (1 / 3) - 1
    assert history.snapshot_before(mail(NOON + 1, JOHN)).response_to_sender is None


# What the owner sent


def test_sent_mail_counts_once_for_each_recipient_and_is_not_an_action(history, mail, sent):
    history.add_sent(sent(NOON, [JANE, MARY, JANE]))
    history.add_sent(sent(NOON + 10, [MARY], cc=[JANE]))
    history.add_sent(sent(NOON + 20, [MARY], bcc=[JOHN]))
    before = history.snapshot_before(mail(NOON))
    assert (before.sent, before.since_sent) == (0, None)
    assert (before.sent_to_sender, before.since_sent_to_sender, before.sent_to_domain) == (0, None, 0)
    first = history.snapshot_before(mail(NOON + 1))
    assert (first.sent, first.since_sent) == (1, 1)
    assert (first.sent_to_sender, first.since_sent_to_sender, first.sent_to_domain) == (1, 1, 1)
    known = history.snapshot_before(mail(NOON + 25))
    assert (known.sent, known.since_sent) == (3, 5)
    assert (known.sent_to_sender, known.since_sent_to_sender, known.sent_to_domain) == (2, 15, 3)
    assert known.owner == NOTHING
    of_mary = history.snapshot_before(mail(NOON + 25, MARY))
    assert (of_mary.sent_to_sender, of_mary.sent_to_domain) == (3, 3)


def test_mail_exactly_an_hour_or_a_day_old_still_counts_as_of_the_last_hour_or_day(history, mail, sent):
    for announce, make in ((history.add_sent, sent), (history.add_received, mail)):
        for ago in (DAY + 1, DAY, HOUR + 1, HOUR, MINUTE, 0):
            announce(make(NOON - ago))
    known = history.snapshot_before(mail(NOON))
    assert (known.sent_last_hour, known.sent_last_day) == (2, 4)
    assert (known.received_last_hour, known.received_last_day) == (2, 4)
    later = history.snapshot_before(mail(NOON + 2 * DAY))
    assert (later.sent_last_hour, later.sent_last_day, later.sent) == (0, 0, 6)
    assert (later.received_last_hour, later.received_last_day, later.received) == (0, 0, 6)


def test_mail_sent_at_this_hour_counts_on_any_day(history, mail, sent):
    for at in (NOON - 3 * DAY, NOON - 3 * DAY + HOUR - 1, NOON - 3 * DAY + HOUR, NOON - DAY - 1):
        history.add_sent(sent(at))
    assert history.snapshot_before(mail(NOON)).sent_this_hour == 2
    assert history.snapshot_before(mail(NOON + 59 * MINUTE)).sent_this_hour == 2
    assert history.snapshot_before(mail(NOON + HOUR)).sent_this_hour == 1
    assert history.snapshot_before(mail(NOON + 2 * HOUR)).sent_this_hour == 0


# What reached the owner


def test_received_mail_counts_for_the_sender_the_domain_and_the_series(history, mail):
    history.add_received(mail(NOON, JANE, "gas 1", cc=[JOHN]))
    history.add_received(mail(NOON + 10, JANE, "gas 2", to=[MARY, JOHN], bcc=[ME]))
    history.add_received(mail(NOON + 20, JOHN, "gas 3"))
    history.add_received(mail(NOON + 30, MARY, "gas 4"))
    history.add_received(mail(NOON + 40, JANE, "gas 5"))
    known = history.snapshot_before(mail(NOON + 40, JANE, "gas 5"))
    assert (known.received, known.received_from_domain, known.received_from_sender) == (4, 3, 2)
    assert (known.received_in_series, known.since_received_from_sender, known.sender_recipients) == (2, 30, 5)
    assert known.owner == NOTHING
    stranger = history.snapshot_before(mail(NOON + 40, "new@z.example", "gas"))
    assert (stranger.received, stranger.received_from_domain, stranger.received_from_sender) == (4, 0, 0)
    assert (stranger.received_in_series, stranger.since_received_from_sender, stranger.sender_recipients) == (
        0,
        None,
        0,
    )


def test_a_conversation_counts_the_owners_messages_and_those_of_others_separately(history, mail, sent):
    history.add_received(mail(NOON, MARY, "gas"))
    history.add_sent(sent(NOON + 5, [JOHN], "RE: gas"))
    history.add_received(mail(NOON + 7, JOHN, "Re: Gas"))
    history.add_sent(sent(NOON + 8, [JOHN], "gas 2"))
    known = history.snapshot_before(mail(NOON + 10, subject="Fw: gas"))
    assert (known.conversation_received, known.since_conversation_received) == (2, 3)
    assert (known.conversation_sent, known.since_conversation_sent) == (1, 5)


@pytest.mark.parametrize(("first", "started"), [("sent", True), ("received", False)])
def test_whoever_writes_first_starts_a_conversation(history, mail, sent, first, started):
    moments = {"sent": NOON + 2, "received": NOON + 2, first: NOON + 1}
    history.add_sent(sent(moments["sent"], subject="gas"))
    history.add_received(mail(moments["received"]))
    assert history.snapshot_before(mail(NOON + 1)).conversation_started is None
    assert history.snapshot_before(mail(NOON + 2)).conversation_started is started
    assert history.snapshot_before(mail(NOON + 3)).conversation_started is started
    assert history.snapshot_before(mail(NOON + 3, subject="coal")).conversation_started is None


# How the message itself is addressed


def test_a_history_has_the_owners_position_among_the_recipients(history, mail):
    known = history.snapshot_before(mail(NOON, to=[JANE], cc=[JOHN, MARY, ME], body="Dear Olivia,"))
    assert (known.recipient_field, known.recipient_position, known.addressed_by_name) == ("cc", 2, True)
    listed = history.snapshot_before(mail(NOON, to=["all@home.example"], body="All,"))
    assert (listed.recipient_field, listed.recipient_position, listed.addressed_by_name) == (None, None, False)


def test_a_history_says_whether_the_message_comes_from_the_owners_domain(history, mail):
    assert history.snapshot_before(mail(NOON, "boss@home.example")).from_own_domain
    assert not history.snapshot_before(mail(NOON, "boss@away-from-home.example")).from_own_domain


# Time


def test_a_snapshot_may_be_taken_before_the_time_of_the_message(history, mail, sent):
    history.add_sent(sent(NOON - 10))
    history.add_sent(sent(NOON - 5))
    known = history.snapshot_before(mail(NOON), NOON - 5)
    assert (known.sent, known.since_sent) == (1, 5)


def test_events_added_out_of_order_count_in_time_order(mail, sent, history):
    events = [
        lambda on: on.add_received(mail(NOON)),
        lambda on: on.add_sent(sent(NOON + 5)),
        lambda on: on.add_action(mail(NOON), KnownAction(NOON + 5, Action.REPLY_NOW, 5)),
        lambda on: on.add_received(mail(NOON + 9, JOHN)),
    ]
    backwards = MailboxHistory(OWNER)
    for event in events:
        event(history)
    for event in reversed(events):
        event(backwards)
    for later in range(12):
        assert history.snapshot_before(mail(NOON + later)) == backwards.snapshot_before(mail(NOON + later))


def test_a_snapshot_does_not_change_later(history, mail):
    history.add_action(mail(NOON), KnownAction(NOON, Action.DELETE))
    early = history.snapshot_before(mail(NOON + 1))
    history.add_action(mail(NOON + 2), KnownAction(NOON + 2, Action.DELETE))
    assert history.snapshot_before(mail(NOON + 3)).sender.counts == counts(delete=2)
    assert early.sender == early.domain == early.owner == past(delete=1)


# Against an independent count of everything

moments = st.integers(0, 12).map(lambda day: NOON + day * DAY)
people = st.sampled_from([JANE, JOHN, MARY, "local"])
subjects = st.sampled_from(["gas 1", "Re: gas 2", "coal", "7"])
addressees = st.sampled_from([(ME,), ("all@home.example", ME), ()])
messages = st.tuples(moments, people, subjects, addressees)
acts = st.lists(st.tuples(messages, moments, st.sampled_from(ACTIONS)), max_size=12)


def counted(acts, moment):
    """The counts and the recent counts of some actions, from their definition."""
    taken = Counter(action for _, _, action in acts)
    recent = [sum(0.5 ** ((moment - at) / (30 * DAY)) for _, at, one in acts if one is action) for action in ACTIONS]
    return [taken[action] for action in ACTIONS], pytest.approx(recent, abs=1e-4)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    acts,
    st.lists(messages, max_size=8),
    st.lists(st.tuples(moments, st.lists(people, max_size=3), subjects), max_size=6),
    st.lists(messages, max_size=6),
)
def test_the_counts_are_those_of_what_came_strictly_before(mail, sent, actions, received, posted, asked):
    history = MailboxHistory(OWNER)
    for acted_on, known_from, action in actions:
        history.add_action(mail(*acted_on), KnownAction(known_from, action))
    for message in received:
        history.add_received(mail(*message))
    for moment, recipients, subject in posted:
        history.add_sent(sent(moment, recipients, subject))
    for message in sorted(asked):
        moment, sender = message[:2]
        found, scopes = history.snapshot_before(mail(*message)), Scopes.from_email(mail(*message), OWNER)
        known = [act for act in actions if act[1] < moment]
        arrived = [Scopes.from_email(mail(*one), OWNER) for one in received if one[0] < moment]
        assert (found.owner.counts, found.owner.recent) == counted(known, moment)
        for name, key in zip(Scopes._fields, scopes, strict=True):
            alike = [act for act in known if key and getattr(Scopes.from_email(mail(*act[0]), OWNER), name) == key]
            counter = getattr(found, name)
            assert (counter.counts, counter.recent) == counted(alike, moment), name
        assert found.received == len(arrived)
        assert found.received_from_sender == sum(one.sender == sender for one in arrived)
        assert found.received_from_domain == sum(one.domain == scopes.domain for one in arrived)
        assert found.received_in_series == sum(one.series == scopes.series != "" for one in arrived)
        assert found.conversation_received == sum(one.conversation == scopes.conversation for one in arrived)
        assert found.received_last_day == sum(moment - DAY <= one[0] < moment for one in received)
        before = [one for one in posted if one[0] < moment]
        assert found.sent == len(before)
        assert found.since_sent == min((moment - one[0] for one in before), default=None)
        assert found.sent_to_sender == sum(sender in recipients for _, recipients, _ in before)
        of_sender = [act for act in known if act[0][1] == sender]
        latest = max(((act[1], act[0][0]) for act in of_sender), default=None)
        assert found.last_sender_action in {act[2] for act in of_sender if (act[1], act[0][0]) == latest} | (
            set() if of_sender else {None}
        )
