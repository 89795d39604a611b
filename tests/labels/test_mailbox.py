import pytest

from enron_triage.config.data import LabelConfig
from enron_triage.labels.mailbox import partition_mailbox
from enron_triage.labels.owner import Owner

NOON = 983793600  # 5 March 2001, 12:00 UTC
OWNER = "owner@home.example"


def test_sent_and_received_messages_are_separated_and_each_in_time_order(message, sent):
    own = [sent(NOON - hours * 3600, f"notice {hours}", sender_name="Olivia Owner") for hours in (1, 2)]
    emails = [message(NOON + 1), sent(NOON), message(NOON, sender="john@x.example"), *own]
    mailbox = partition_mailbox(emails, LabelConfig())
    assert mailbox.owner == Owner(frozenset({OWNER}), frozenset({"olivia", "owner"}))
    assert [m.email.sender for m in mailbox.received] == ["john@x.example", "jane@x.example"]
    assert [m.email.timestamp for m in mailbox.sent] == [NOON - 7200, NOON - 3600, NOON]


def test_given_addresses_of_the_owner_replace_those_learned_from_sent_mail(message, sent):
    emails = [message(NOON), sent(NOON + 1), sent(NOON + 2, to=["john@x.example"])]
    mailbox = partition_mailbox(emails, LabelConfig(), frozenset({"jane@x.example"}))
    assert mailbox.owner.addresses == {"jane@x.example"}
    assert [m.email.timestamp for m in mailbox.sent] == [NOON]
    assert [m.email.timestamp for m in mailbox.received] == [NOON + 1]  # it is to Jane
    assert mailbox.dropped["sent_by_another"] == 1


def test_two_copies_that_differ_by_whole_hours_alone_are_one_message(message):
    text = {"body": "The hall is closed until Thursday, as it is painted."}
    pair = [message(NOON, **text), message(NOON + 11 * 3600, folder="projects", **text)]
    mailbox = partition_mailbox(pair, LabelConfig())
    (merged,) = mailbox.received
    assert (merged.roles, merged.copies, mailbox.dropped["copy"]) == ({"inbox", "filing"}, 2, 1)
    others = [
        message(NOON + 11 * 3600 + 1, **text),  # not whole hours
        message(NOON + 15 * 3600, **text),  # no time zone is that far
        message(NOON + 3600, body="It is open."),
        message(NOON + 3600, sender="john@x.example", **text),
    ]
    for other in others:
        assert len(partition_mailbox([pair[0], other], LabelConfig()).received) == 2
    hourly = [message(NOON + hour * 3600, **text) for hour in range(3)]
    assert len(partition_mailbox(hourly, LabelConfig()).received) == 3


@pytest.mark.parametrize("hashes", [("a", "b"), ("b", "a")])
def test_of_copies_that_differ_by_whole_hours_the_earliest_is_kept_whatever_their_hashes(message, hashes):
    text = {"body": "The hall is closed until Thursday, as it is painted."}
    early, late = hashes
    pair = [message(NOON + 10 * 3600, raw_sha256=late, **text), message(NOON, raw_sha256=early, **text)]
    (merged,) = partition_mailbox(pair, LabelConfig()).received
    assert merged.email.timestamp == NOON
