import functools
from collections import Counter

import pytest

from enron_triage.config.data import LabelConfig
from enron_triage.labels.by_folder import folder_action, is_sent_folder, label_by_folder, subject_action, subject_rule
from enron_triage.records import ACTION_NAMES, Action

HOUR = 3600
NOON = 983793600  # 5 March 2001, 12:00 UTC


def records_of(*emails):
    """The labelled records of a mailbox."""
    return label_by_folder(emails, LabelConfig(scheme="folder")).records


@pytest.mark.parametrize("folder", ["sent", "sent_items", "_sent_mail", "_sent", "Sent_Items", "projects/sent"])
@pytest.mark.parametrize(
    ("subject", "action"),
    [
        ("Re: gas", Action.REPLY_LATER),
        ("  RE: gas", Action.REPLY_LATER),
        ("fw: gas", Action.FORWARD),
        ("FWD: gas", Action.FORWARD),
        ("Forwarded: gas", Action.FORWARD),
        ("Fw: Re: gas", Action.FORWARD),
        ("gas", None),
        ("regarding gas", None),
        ("re gas", None),
        ("", None),
    ],
)
def test_the_folder_scheme_labels_sent_mail_by_the_subjects_prefix(folder, subject, action):
    assert folder_action(folder, subject) is action
    assert subject_action(subject) is action
    assert is_sent_folder(folder)


@pytest.mark.parametrize(
    ("folder", "action"),
    [
        ("deleted_items", Action.DELETE),
        ("connect_deletes", Action.DELETE),
        ("inbox", None),
        ("notes_inbox", None),
        ("junk", None),
        ("junk_file", None),
        ("all_documents", None),
        ("discussion_threads", None),
        ("projects", Action.ARCHIVE),
        ("calendar", Action.ARCHIVE),
        ("trash", Action.ARCHIVE),
        ("inbox/projects", Action.ARCHIVE),
        ("deleted_items/projects", Action.ARCHIVE),
        ("projects/deleted_items", Action.DELETE),
        ("projects/inbox", None),
    ],
)
def test_the_folder_scheme_labels_other_mail_by_the_folder_that_directly_holds_it(folder, action):
    assert folder_action(folder, "Re: gas") is action
    assert not is_sent_folder(folder)


def test_every_file_is_labelled_copies_included(message, sent):
    emails = [
        message(NOON, "deleted_items", fingerprint="1"),
        message(NOON, "projects", fingerprint="1"),
        message(NOON, "inbox", fingerprint="1"),
        message(None, "inbox/projects"),
        sent(NOON + HOUR),
        sent(NOON + HOUR, "Fw: gas"),
        sent(NOON + HOUR, "gas"),
    ]
    labeled = label_by_folder(emails, LabelConfig(scheme="folder"))
    assert [(record.action, record.evidence.rule) for record in labeled.records] == [
        ("delete", "folder:deleted_items"),
        ("archive", "folder:projects"),
        ("archive", "folder:projects"),
        ("reply_later", "folder:sent"),
        ("forward", "folder:sent"),
    ]
    assert Counter(r.action for r in labeled.records) == {"delete": 1, "archive": 2, "reply_later": 1, "forward": 1}
    assert labeled.dropped == {"unlabeled_folder_or_subject": 2}
    assert {(record.scheme, record.history) for record in labeled.records} == {("folder", None)}


@pytest.mark.parametrize(("delay", "action"), [(0, "reply_now"), (3600, "reply_now"), (3601, "reply_later")])
@pytest.mark.parametrize("header", [{"in_reply_to": "<1@x>"}, {"references": ["<0@x>", "<1@x>"]}])
def test_threading_headers_prove_reply_now(message, sent, delay, action, header):
    records = records_of(message(NOON, message_id="<1@x>"), sent(NOON + delay, **header))
    assert [(record.action, record.response_seconds) for record in records] == [(action, delay)]


def test_without_proof_a_reply_is_reply_later(message, sent):
    records = records_of(
        message(NOON, message_id="<1@x>"),
        message(None, subject="undated", message_id="<2@x>"),
        sent(NOON + 1),
        sent(NOON + 2, in_reply_to="<0@x>"),
        sent(NOON + 3, in_reply_to="<2@x>"),
        sent(None, in_reply_to="<1@x>"),
    )
    assert [(record.action, record.response_seconds) for record in records] == [("reply_later", None)] * 4


def test_a_reply_dated_before_its_original_took_no_time(message, sent):
    (record,) = records_of(message(NOON, message_id="<1@x>"), sent(NOON - 60, in_reply_to="<1@x>"))
    assert (record.action, record.response_seconds) == ("reply_now", 0)


def test_the_label_is_read_off_the_subject_as_it_was_sent(sent):
    (record,) = records_of(
        sent(NOON, "Re: gas", raw_subject="=?utf-8?q?Re=3A_gas?="), sent(NOON, "gás", raw_subject="Re: =?x?=")
    )
    assert (record.action, record.subject) == ("reply_later", "gás")


# The baseline


@pytest.fixture(scope="session")
def record(new_record):
    """A function that makes a labelled message of this scheme."""
    return functools.partial(new_record, action=Action.ARCHIVE, history=None, scheme="folder")


def names(predictions):
    return [ACTION_NAMES[index] for index in predictions]


def test_the_subject_rule_reads_the_labels_off_what_the_owner_sent(record):
    sent = {"folder": "sent_items", "sender": "owner@x.example"}
    records = [
        record(**sent, subject="RE: plan"),
        record(**sent, subject="Fw: plan"),
        record(**sent, subject="plan"),
        record(folder="inbox", sender="owner@x.example", subject="re: to myself"),
        record(subject="RE: plan"),  # another sender's
        record(folder="sent_items", sender="assistant@x.example", subject="RE: once"),  # not the owner's address
    ]
    expected = ["reply_later", "forward", "delete", "reply_later", "delete", "delete"]
    assert names(subject_rule(records)) == expected


def test_the_subject_rule_knows_the_owner_of_each_mailbox_apart(record):
    records = [
        record(user="owner-a", folder="sent", sender="a@x.example", subject="re: 1"),
        record(user="owner-a", folder="sent", sender="a@x.example", subject="re: 2"),
        record(user="owner-b", folder="inbox", sender="a@x.example", subject="re: 3"),
    ]
    assert names(subject_rule(iter(records))) == ["reply_later", "reply_later", "delete"]


def test_the_subject_rule_reads_the_subject_as_it_was_sent(record):
    sent = {"folder": "sent", "sender": "owner@x.example"}
    records = [record(**sent, subject="re: x", raw_subject="=?utf-8?q?re=3A_x?="), record(**sent, subject="re: x")]
    assert names(subject_rule(records)) == ["delete", "reply_later"]
