"""What a mail program noted on a message, as evidence of what the owner did."""

import pytest

from enron_triage.config.data import LabelConfig
from enron_triage.labels.received import label_received
from enron_triage.records import Action

NOON = 983793600  # 5 March 2001, 12:00 UTC
DAY = 86400


@pytest.fixture
def label(sent):
    """A function that labels some messages of a mailbox whose owner is known."""
    own = [sent(NOON - days * DAY, f"notice {days}", to=["mary@z.example"]) for days in (8, 9)]

    def run(*emails):
        return label_received([*own, *emails], LabelConfig())

    return run


@pytest.mark.parametrize(
    ("folder", "flags", "action", "rule"),
    [
        ("inbox", ["replied"], "reply_later", "flag:replied"),
        ("inbox", ["forwarded"], "forward", "flag:forwarded"),
        ("inbox", ["forwarded", "replied"], "reply_later", "flag:replied"),
        ("inbox", ["deleted"], "delete", "flag:deleted"),
        ("inbox", ["expunged"], "delete", "flag:deleted"),
        ("inbox", ["deleted", "replied"], "reply_later", "flag:replied"),
        ("projects", ["forwarded"], "forward", "flag:forwarded"),
        ("projects", ["deleted"], "delete", "flag:deleted"),
        ("junk", ["replied"], "reply_later", "flag:replied"),
        ("junk", ["deleted"], "delete", "flag:deleted"),
        ("inbox", [], None, "none"),
    ],
)
def test_a_flag_tells_what_was_done_where_no_response_is_at_hand(label, message, folder, flags, action, rule):
    (record,) = label(message(NOON, folder, flags=flags)).records
    assert (record.action, record.evidence.rule) == (action, rule)
    assert record.response_seconds is None
    assert record.flags == flags


def test_a_linked_reply_tells_when_and_outweighs_the_flag(label, message, sent):
    original = message(NOON, flags=["forwarded", "replied"], message_id="<1@x.example>")
    answer = sent(NOON + 600, in_reply_to="<1@x.example>")
    (record,) = label(original, answer).records
    assert (record.action, record.response_seconds) == (Action.REPLY_NOW, 600)
    assert record.evidence.sent_path == answer.path


def test_a_flag_that_says_replied_outweighs_a_linked_forward(label, message, sent):
    original = message(NOON, flags=["replied"], message_id="<1@x.example>")
    forward = sent(NOON + 600, "Fwd: gas", to=["mary@z.example"], in_reply_to="<1@x.example>")
    (record,) = label(original, forward).records
    assert (record.action, record.response_seconds, record.evidence.sent_path) == (Action.REPLY_LATER, None, None)


@pytest.mark.parametrize("left", ["deleted", "expunged"])
@pytest.mark.parametrize(
    ("target", "action"),
    [("projects", "archive"), ("deleted_items", "delete"), ("inbox", None), ("all_documents", None)],
)
def test_a_copy_that_a_move_left_behind_is_none(label, message, left, target, action):
    copies = [message(NOON, folder, fingerprint="one", path=folder) for folder in ("inbox", target)]
    copies[0].flags = [left]
    (record,) = label(*copies).records
    assert (record.action, record.evidence.folders) == (action, [target])


def test_flags_of_all_copies_count(label, message):
    copies = [message(NOON, folder, fingerprint="one", path=folder) for folder in ("inbox", "projects")]
    copies[0].flags = ["expunged", "forwarded"]
    (record,) = label(*copies).records
    assert record.action == Action.FORWARD


def test_a_draft_is_neither_received_nor_an_answer(label, message, sent):
    original = message(NOON, message_id="<1@x.example>")
    answer = sent(NOON + 60, folder="inbox", in_reply_to="<1@x.example>", flags=["draft"])
    from_another_address = message(NOON + 90, sender="other@home.example", flags=["draft"])
    labeled = label(original, answer, from_another_address)
    assert [(record.timestamp, record.action) for record in labeled.records] == [(NOON, None)]
    assert labeled.dropped["draft"] == 2


def test_a_draft_that_gmail_shows_in_all_mail_is_a_draft(label, message, sent):
    original = message(NOON, message_id="<1@x.example>")
    copies = [
        sent(NOON + 60, folder=folder, path=folder, fingerprint="draft", in_reply_to="<1@x.example>")
        for folder in ("[Gmail]/Drafts", "[Gmail]/All Mail")
    ]
    assert [record.action for record in label(original, *copies).records] == [None]


def test_a_flag_counts_in_the_history_only_after_the_lag(label, message):
    flagged = message(NOON, flags=["replied"])
    before = message(NOON + 7 * DAY - 1, subject="tea")
    after = message(NOON + 7 * DAY + 1, subject="milk")
    records = label(flagged, before, after).records
    replies = [record.history.sender.counts[1] for record in records]
    assert replies == [0, 0, 1]
