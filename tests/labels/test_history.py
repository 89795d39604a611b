from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.actions import ACTIONS, Action
from enron_triage.labels.history import MailboxHistory, domain_of
from enron_triage.records import History

JANE, JOHN, MARY = "jane@x.example", "john@x.example", "mary@y.example"
NOTHING = History(
    sender_actions=[0] * 5, domain_actions=[0] * 5, owner_actions=[0] * 5, sent_to_sender=0, last_sender_action=None
)


def test_a_new_mailbox_knows_nothing():
    assert MailboxHistory().before(100, JANE) == NOTHING


def test_an_action_counts_strictly_after_the_moment_that_it_is_known_from():
    history = MailboxHistory()
    history.announce_action(100, 50, JANE, Action.FORWARD)
    assert history.before(100, JANE) == NOTHING
    assert history.before(101, JANE) == History(
        sender_actions=[0, 0, 1, 0, 0],
        domain_actions=[0, 0, 1, 0, 0],
        owner_actions=[0, 0, 1, 0, 0],
        sent_to_sender=0,
        last_sender_action=Action.FORWARD,
    )


def test_actions_count_for_the_sender_the_domain_and_the_owner():
    history = MailboxHistory()
    history.announce_action(1, 1, JANE, Action.REPLY_NOW)
    history.announce_action(2, 2, JOHN, Action.ARCHIVE)
    history.announce_action(3, 3, MARY, Action.DELETE)
    known = history.before(4, JANE)
    assert known.sender_actions == [1, 0, 0, 0, 0]
    assert known.domain_actions == [1, 0, 0, 1, 0]
    assert known.owner_actions == [1, 0, 0, 1, 1]


def test_a_stranger_of_a_known_domain_has_only_the_domains_actions():
    history = MailboxHistory()
    history.announce_action(1, 1, JANE, Action.REPLY_NOW)
    known = history.before(2, "new@x.example")
    assert known.sender_actions == [0] * 5
    assert known.domain_actions == [1, 0, 0, 0, 0]
    assert known.last_sender_action is None


def test_mail_sent_counts_once_for_each_recipient_and_is_no_action():
    history = MailboxHistory()
    history.announce_sent(10, (JANE, MARY, JANE))
    history.announce_sent(20, (JANE,))
    assert history.before(10, JANE).sent_to_sender == 0
    assert history.before(11, JANE).sent_to_sender == 1
    assert history.before(21, JANE).sent_to_sender == 2
    assert history.before(21, MARY).sent_to_sender == 1
    assert history.before(21, JANE).owner_actions == [0] * 5


def test_the_last_action_is_the_one_known_last_and_of_two_the_later_arrival():
    history = MailboxHistory()
    history.announce_action(30, 5, JANE, Action.ARCHIVE)
    history.announce_action(20, 10, JANE, Action.DELETE)
    assert history.before(25, JANE).last_sender_action is Action.DELETE
    history.announce_action(30, 6, JANE, Action.REPLY_LATER)
    assert history.before(31, JANE).last_sender_action is Action.REPLY_LATER


def test_a_history_handed_out_does_not_change_later():
    history = MailboxHistory()
    history.announce_action(1, 1, JANE, Action.DELETE)
    early = history.before(2, JANE)
    history.announce_action(3, 3, JANE, Action.DELETE)
    assert history.before(4, JANE).sender_actions == [0, 0, 0, 0, 2]
    assert early.sender_actions == early.domain_actions == early.owner_actions == [0, 0, 0, 0, 1]


def test_the_domain_of_an_address_without_one_is_the_address():
    assert domain_of("jane@x.example") == "x.example"
    assert domain_of("jane") == "jane"
    assert domain_of('"odd@name"@x.example') == "x.example"


moments = st.integers(0, 12)
people = st.sampled_from([JANE, JOHN, MARY, "local"])
acts = st.lists(st.tuples(moments, moments, people, st.sampled_from(ACTIONS)), max_size=12)
mails = st.lists(st.tuples(moments, st.lists(people, max_size=3)), max_size=6)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(acts, mails, st.lists(st.tuples(moments, people), max_size=6))
def test_the_counts_are_those_of_what_came_strictly_before(actions, sent, asked):
    history = MailboxHistory()
    for known_from, arrival, sender, action in actions:
        history.announce_action(known_from, arrival, sender, action)
    for moment, recipients in sent:
        history.announce_sent(moment, recipients)
    for moment, sender in sorted(asked):
        known = [act for act in actions if act[0] < moment]
        of_sender = [act for act in known if act[2] == sender]
        of_domain = [act for act in known if act[2].split("@")[-1] == sender.split("@")[-1]]
        found = history.before(moment, sender)
        for counted, chosen in (
            (found.sender_actions, of_sender),
            (found.domain_actions, of_domain),
            (found.owner_actions, known),
        ):
            counts = Counter(act[3] for act in chosen)
            assert counted == [counts[action] for action in ACTIONS]
        assert found.sent_to_sender == sum(sender in recipients for at, recipients in sent if at < moment)
        latest = max(((act[0], act[1]) for act in of_sender), default=None)
        assert found.last_sender_action in {act[3] for act in of_sender if act[:2] == latest} | (
            set() if of_sender else {None}
        )
