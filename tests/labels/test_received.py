from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enron_triage.config.data import LabelConfig
from enron_triage.labels.received import label_received
from enron_triage.records import Action, Email

MINUTE, HOUR, DAY = 60, 3600, 86400
NOON = int(datetime(2001, 3, 5, 12, 0, tzinfo=UTC).timestamp())
OWNER, JANE, JOHN, MARY = "owner@home.example", "jane@x.example", "john@x.example", "mary@z.example"
WORDS = "elevators plant gas bridge paper window orange silver march river garden winter".split()


def message(at, folder="inbox", sender=JANE, subject="gas", **fields):
    """A message that reached the owner; its text is its own."""
    identity = f"{sender}/{at}/{subject}"
    return Email(
        **{
            "path": f"owner-a/{folder}/{identity}",
            "user": "owner-a",
            "folder": folder,
            "labels": [],
            "message_id": "",
            "date": None if at is None else datetime.fromtimestamp(at, UTC).isoformat(),
            "timestamp": at,
            "sender": sender,
            "sender_name": "",
            "to": [OWNER],
            "cc": [],
            "bcc": [],
            "subject": subject,
            "raw_subject": None,
            "body": "Hello.",
            "in_reply_to": "",
            "references": [],
            "fingerprint": identity,
            "raw_sha256": identity,
            **fields,
        }
    )


def sent(at, subject="Re: gas", to=(JANE,), folder="sent", **fields):
    return message(at, folder, OWNER, subject, to=list(to), **fields)


# Enough sent mail to tell the owner, long before everything else and to nobody else in these tests.
OWN_MAIL = [
    sent(NOON - 300 * DAY - n * HOUR, f"notice {n}", to=["all@home.example"], sender_name="Olivia Owner")
    for n in range(2)
]


def labels(emails, config=None):
    """The labelled and the unacted records of a mailbox."""
    records = label_received([*OWN_MAIL, *emails], config or LabelConfig()).records
    return [record for record in records if record.action], [record for record in records if not record.action]


def action_of(*emails, config=None):
    """The label of the only message received; None if it took no action."""
    labeled, unacted = labels(emails, config)
    (record,) = labeled + unacted
    return record.action


def dropped(emails):
    counts = label_received([*OWN_MAIL, *emails], LabelConfig()).dropped
    counts["sent_by_owner"] -= len(OWN_MAIL)
    return +counts


# Copies


def test_copies_of_one_message_are_one_message():
    copies = [message(NOON, folder, path=folder) for folder in ("notes", "all_documents", "projects/gas")]
    labeled, unacted = labels([*copies, message(NOON + 1)])
    assert [(record.action, record.evidence.folders) for record in labeled] == [
        (Action.ARCHIVE, ["all_documents", "notes", "projects/gas"])
    ]
    assert [record.timestamp for record in unacted] == [NOON + 1]
    assert dropped(copies) == {"copy": 2}


@pytest.mark.parametrize("smallest", ["inbox", "projects", "deleted_items"])
def test_the_copy_with_the_smallest_hash_is_kept(smallest):
    copies = [
        message(NOON, folder, path=folder, subject=f"in {folder}", fingerprint="one", raw_sha256="a" if is_it else "b")
        for folder in ("inbox", "projects", "deleted_items")
        if (is_it := folder == smallest) or True
    ]
    for order in (copies, copies[::-1]):
        labeled, unacted = labels(order)
        assert [(record.path, record.subject) for record in labeled] == [(smallest, f"in {smallest}")]
        assert labeled[0].action is Action.DELETE
        assert not unacted


def test_messages_with_the_same_time_and_sender_but_another_text_are_not_copies():
    labeled, _ = labels([message(NOON, "projects", fingerprint="1"), message(NOON, "projects", fingerprint="2")])
    assert [record.fingerprint for record in labeled] == ["1", "2"]


# What is left out


def test_mail_of_the_owner_is_never_labelled():
    emails = [
        sent(NOON, "gas", folder="inbox"),
        sent(NOON + 1, "gas", folder="deleted_items"),
        sent(NOON + 2, "gas", folder="projects"),
    ]
    assert labels(emails) == ([], [])
    assert dropped(emails) == {"sent_by_owner": 3}


def test_what_an_assistant_sends_from_the_owners_folder_is_not_the_owners():
    to_jane = message(NOON + HOUR, "sent", JOHN, "Re: gas", to=[JANE])
    to_owner = message(NOON + HOUR, "sent", JOHN, "coal")
    assert action_of(message(NOON), to_jane) is None
    assert dropped([message(NOON), to_jane]) == {"sent_by_another": 1}
    assert [record.sender for record in labels([to_owner])[1]] == [JOHN]


def test_a_sent_message_may_have_its_copy_anywhere():
    original = message(NOON)
    reply = sent(NOON + HOUR, folder="all_documents")
    assert action_of(original, reply) is Action.REPLY_NOW


def test_a_draft_of_the_owner_answers_nothing():
    original, draft = message(NOON), sent(NOON + HOUR, folder="drafts")
    assert action_of(original, draft) is None
    assert dropped([original, draft]) == {"draft": 1}
    assert action_of(original, draft, msgspec.structs.replace(draft, folder="sent", path="sent")) is Action.REPLY_NOW


def test_messages_outside_the_dates_are_dropped_as_undated():
    inside = [int(datetime(*day, tzinfo=UTC).timestamp()) for day in ((1997, 1, 1), (2002, 12, 31, 23, 59, 59))]
    outside = [inside[0] - 1, inside[1] + 1, None]
    emails = [message(at, "projects") for at in inside + outside]
    labeled, unacted = labels(emails)
    assert [record.timestamp for record in labeled] == inside
    assert not unacted
    assert dropped(emails) == {"undated": 3}


def test_the_dates_are_configurable():
    config = LabelConfig(dates=(date(2001, 3, 5), date(2001, 3, 6)))
    # The owner's old mail is outside these dates too: the owner's addresses do not depend on them.
    labeled, _ = labels([message(NOON - DAY, "projects"), message(NOON, "projects"), sent(NOON, "gas")], config)
    assert [record.timestamp for record in labeled] == [NOON]


# The order of decision


def role_copies(*folders):
    return [message(NOON, folder, path=folder) for folder in folders]


@pytest.mark.parametrize(
    ("answers", "folders", "action"),
    [
        (["reply", "forward"], ["deleted_items", "junk", "projects"], Action.REPLY_LATER),
        (["forward"], ["deleted_items", "junk", "projects"], Action.FORWARD),
        ([], ["deleted_items", "junk", "projects", "inbox"], Action.DELETE),
        ([], ["projects", "drafts", "all_documents"], Action.ARCHIVE),
        ([], ["projects", "inbox", "drafts", "all_documents"], None),  # what is still in the inbox was not filed
        ([], ["inbox", "drafts", "all_documents"], None),
        (["reply"], ["junk"], Action.REPLY_LATER),
        (["forward"], ["inbox"], Action.FORWARD),
        ([], ["deleted_items/projects"], Action.DELETE),
    ],
)
def test_a_reply_then_a_forward_then_deletion_then_filing_decides(answers, folders, action):
    known = {"forward": sent(NOON + HOUR, "Fw: gas", to=[MARY]), "reply": sent(NOON + 2 * HOUR)}
    emails = [*role_copies(*folders), *(known[answer] for answer in answers)]
    assert action_of(*emails) is action
    assert action_of(*reversed(emails)) is action


def test_junk_is_dropped_even_if_it_is_filed_too():
    assert labels(role_copies("junk", "projects", "inbox")) == ([], [])
    assert dropped(role_copies("junk", "projects", "inbox")) == {"junk": 1, "copy": 2}


def test_the_earliest_reply_decides():
    first, second = sent(NOON + 50 * MINUTE), sent(NOON + 2 * HOUR)
    labeled, _ = labels([message(NOON), second, first, sent(NOON + MINUTE, "Fw: gas", to=[MARY])])
    (record,) = labeled
    assert record.action is Action.REPLY_NOW
    assert record.response_seconds == 50 * MINUTE
    assert record.evidence.sent_path == first.path
    assert record.evidence.rule == "reply:conversation"


@pytest.mark.parametrize(
    ("delay", "action"), [(3600, Action.REPLY_NOW), (3601, Action.REPLY_LATER), (1, Action.REPLY_NOW)]
)
def test_a_reply_within_the_hour_is_reply_now(delay, action):
    labeled, _ = labels([message(NOON), sent(NOON + delay)])
    assert [(record.action, record.response_seconds) for record in labeled] == [(action, delay)]


def test_the_time_limit_of_reply_now_is_configurable():
    config = LabelConfig(reply_now_within="90s")
    assert action_of(message(NOON), sent(NOON + 90), config=config) is Action.REPLY_NOW
    assert action_of(message(NOON), sent(NOON + 91), config=config) is Action.REPLY_LATER


def test_a_reply_dated_before_its_original_took_no_time():
    original = message(NOON, message_id="<1@x>")
    labeled, _ = labels([original, sent(NOON - 5 * MINUTE, in_reply_to="<1@x>")])
    assert [(record.action, record.response_seconds) for record in labeled] == [(Action.REPLY_NOW, 0)]


def test_the_link_window_is_configurable():
    original = message(NOON, "projects", body="Could you send me the numbers of the western plant?")
    reply = sent(NOON + 2 * HOUR, body=f"Yes.\n> {original.body}")
    assert action_of(original, reply) is Action.REPLY_LATER
    assert action_of(original, reply, config=LabelConfig(link_window="1h")) is Action.ARCHIVE


def test_only_a_reply_has_response_seconds_and_only_a_response_has_a_sent_path():
    labeled, unacted = labels(
        [
            message(NOON, "projects", subject="filed"),
            message(NOON + 1, "trash", subject="binned"),
            message(NOON + 2, subject="passed on"),
            sent(NOON + HOUR, "Fw: passed on", to=[MARY], path="forward"),
            message(NOON + 3, subject="left"),
        ]
    )
    evidence = [(r.subject, r.evidence.rule, r.evidence.sent_path, r.response_seconds) for r in labeled + unacted]
    assert evidence == [
        ("filed", "filing_folder", None, None),
        ("binned", "deleted_folder", None, None),
        ("passed on", "forward:conversation", "forward", None),
        ("left", "none", None, None),
    ]


def test_a_labelled_record_keeps_all_fields_of_the_parsed_one():
    email = message(NOON, "projects", message_id="<1@x>", cc=[JOHN], raw_subject="=?x?=", references=["<0@x>"])
    (record,) = labels([email])[0]
    assert {name: getattr(record, name) for name in Email.__struct_fields__} == msgspec.structs.asdict(email)
    assert record.scheme == "received"


def test_gmail_labels_decide_instead_of_the_folder():
    for gmail, action in (
        (["Inbox", "Receipts"], None),
        (["Receipts"], Action.ARCHIVE),
        (["Trash"], Action.DELETE),
        (["Important"], Action.ARCHIVE),
    ):
        labeled, unacted = labels([message(NOON, "", labels=gmail)])
        assert [(r.action, r.evidence.folders) for r in labeled + unacted] == [(action, sorted(gmail))]
    assert labels([message(NOON, "", labels=["Spam"])]) == ([], [])


def test_the_links_are_counted_by_kind_and_rule():
    done = label_received(
        [
            *OWN_MAIL,
            message(NOON),
            sent(NOON + HOUR),
            sent(NOON + HOUR, "Fw: gas", to=[MARY]),
            sent(NOON + HOUR, "Re: coal"),
            sent(NOON + 2 * HOUR, "Re: iron", in_reply_to="<0@x>"),
        ],
        LabelConfig(),
    )
    assert done.links == {
        "reply:conversation": 1,
        "forward:conversation": 1,
        "reply:unlinked_no_candidate": 1,
        "reply:unlinked_original_absent": 1,
    }


def test_without_enough_sent_mail_the_owner_is_unknown():
    mail = [message(NOON, user="x"), sent(NOON, user="x")]
    assert label_received(mail, LabelConfig()).owner.addresses == ()
    assert label_received([*mail, sent(NOON + 1, user="x")], LabelConfig()).owner.addresses == (OWNER,)


def test_the_configured_owner_is_the_owner():
    emails = [message(NOON), sent(NOON + HOUR), message(NOON + 2 * HOUR, "sent", JOHN, "Re: gas", to=[JANE])]
    assert action_of(*emails, config=LabelConfig(owner=("JOHN@x.example",))) == Action.REPLY_LATER
    assert action_of(*emails, config=LabelConfig(owner={"owner-a": (JOHN,)})) == Action.REPLY_LATER
    assert action_of(*emails, config=LabelConfig(owner={"owner-b": (JOHN,)})) == Action.REPLY_NOW


# Every record is counted, and history knows nothing that comes later.

FOLDERS = st.sampled_from(["inbox", "deleted_items", "junk", "projects", "all_documents", "drafts"])
QUARTERS = 6  # moments a day


SUBJECTS = st.sampled_from(["gas", "gas", "gas 2", "coal"])
PEOPLE = st.sampled_from([JANE, JOHN, MARY])
ADDRESSED = st.sampled_from([{}, {}, {"to": [MARY], "cc": [OWNER]}, {"to": ["all@home.example"]}, {"to": []}])
OPENINGS = st.sampled_from(["", "Olivia,\n"])


@st.composite
def emails_of_a_mailbox(draw, folders=FOLDERS):
    """Received mail, replies, forwards and copies, crowded into so few days and subjects that most are linked."""
    emails = []
    for number in range(draw(st.integers(8, 20))):
        at = NOON + draw(st.integers(0, 15 * QUARTERS)) * DAY // QUARTERS
        subject, person = draw(SUBJECTS), draw(PEOPLE)
        own = {"path": str(number), "fingerprint": str(number), "raw_sha256": str(number)}
        text = draw(OPENINGS) + WORDS[number % 12]
        match draw(st.sampled_from(["received", "received", "sent", "copy"])):
            case "received":
                own |= {"message_id": f"<{number}@x>", "body": text, **draw(ADDRESSED)}
                emails.append(message(at, draw(folders), person, subject, **own))
            case "sent":
                mark = draw(st.sampled_from(["Re: ", "Re: ", "Fw: ", ""]))
                received = [e.message_id for e in emails if e.sender != OWNER]  # some later: clocks differ
                parent = draw(st.sampled_from(["", *received])) if mark else ""
                later = draw(st.sampled_from([0, 1, HOUR]))
                emails.append(sent(at + later, mark + subject, to=[person], in_reply_to=parent, body=text, **own))
            case "copy" if emails:
                copied = draw(st.sampled_from(emails))
                folder = copied.folder if copied.sender == OWNER else draw(folders)
                emails.append(msgspec.structs.replace(copied, path=str(number), folder=folder))
    return emails


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    emails_of_a_mailbox(FOLDERS | st.just("sent")),
    st.lists(st.integers(0, 1).map(lambda n: message(None, path=str(n))), max_size=2),
)
def test_every_record_is_counted_exactly_once(emails, undated):
    records = [*OWN_MAIL, *emails, *undated]
    done = label_received(records, LabelConfig())
    assert len(done.records) + done.dropped.total() == len(records)
    kept = [record.fingerprint for record in done.records]
    assert len(set(kept)) == len(kept)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(emails_of_a_mailbox(), st.randoms(use_true_random=False))
def test_the_order_of_the_records_changes_nothing(emails, random):
    shuffled = random.sample(emails, len(emails))
    one, other = (label_received([*OWN_MAIL, *order], LabelConfig()) for order in (emails, shuffled))
    assert (one.records, one.dropped) == (other.records, other.dropped)


def histories(emails):
    labeled, unacted = labels(emails)
    return {record.fingerprint: record.history for record in labeled + unacted}


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    emails_of_a_mailbox(),
    emails_of_a_mailbox(),
    st.integers(0, 16 * QUARTERS),
    st.builds(dict, sender=PEOPLE, subject=SUBJECTS, body=OPENINGS),
    ADDRESSED,
    st.randoms(use_true_random=False),
)
def test_changing_what_comes_at_or_after_a_message_changes_nothing_in_its_history(
    emails, others, quarter, probe, addressed, random
):
    # The owner is learned from all sent mail, and fixed by `OWN_MAIL`; everything else is behaviour.
    at = NOON + quarter * DAY // QUARTERS
    probe = message(at, fingerprint="probe", **probe, **addressed)
    earlier = [email for email in emails if email.timestamp < at]
    later = [email for email in emails if email.timestamp >= at]
    instead = [
        msgspec.structs.replace(email, path=f"o{email.path}", fingerprint=f"o{email.fingerprint}", message_id="")
        for email in others
        if email.timestamp >= at
    ]
    refiled = [  # within the lag, the folder of a message is not known yet
        msgspec.structs.replace(email, folder=random.choice(["inbox", "deleted_items", "junk", "projects"]))
        if email.sender != OWNER and email.timestamp >= at - 7 * DAY
        else email
        for email in earlier
    ]
    alone = histories([*earlier, probe])["probe"]
    assert histories([*emails, probe])["probe"] == alone
    assert histories([*earlier, *random.sample(later, len(later) // 2), probe])["probe"] == alone
    assert histories([*earlier, *instead, probe])["probe"] == alone
    assert histories([*refiled, *later, probe])["probe"] == alone


def history_at(at, *emails):
    """The history of a message of Jane's that arrives at a moment."""
    return histories([*emails, message(at, "inbox", subject="probe")])[f"{JANE}/{at}/probe"]


def counts(**taken):
    return [taken.get(action.value, 0) for action in Action]


@pytest.mark.parametrize(("folder", "action"), [("deleted_items", "delete"), ("projects", "archive")])
def test_filing_and_deleting_count_only_after_the_lag(folder, action):
    email = message(NOON, folder)
    assert history_at(NOON + 7 * DAY, email).sender.counts == counts()
    later = history_at(NOON + 7 * DAY + 1, email)
    assert later.sender.counts == later.domain.counts == later.owner.counts == counts(**{action: 1})
    assert later.last_sender_action == action


def test_the_lag_is_configurable():
    config = LabelConfig(action_lag="1d")
    _, (probe,) = labels([message(NOON, "projects"), message(NOON + DAY + 1, subject="probe")], config)
    assert probe.history.owner.counts == counts(archive=1)


def test_a_reply_counts_from_the_moment_it_was_sent():
    original, reply = message(NOON), sent(NOON + HOUR)
    before = history_at(NOON + HOUR, original, reply)
    assert (before.sender.counts, before.sent_to_sender) == (counts(), 0)
    after = history_at(NOON + HOUR + 1, original, reply)
    assert (after.sender.counts, after.sent_to_sender) == (counts(reply_now=1), 1)
    assert after.last_sender_action is Action.REPLY_NOW


def test_a_forward_counts_from_the_moment_it_was_sent():
    original, forward = message(NOON), sent(NOON + HOUR, "Fw: gas", to=[MARY])
    assert history_at(NOON + HOUR, original, forward).owner.counts == counts()
    after = history_at(NOON + HOUR + 1, original, forward)
    assert (after.owner.counts, after.sent_to_sender) == (counts(forward=1), 0)


def test_a_forward_counts_until_the_message_is_answered_too():
    original, forward, reply = message(NOON), sent(NOON + HOUR, "Fw: gas", to=[MARY]), sent(NOON + 5 * HOUR)
    assert history_at(NOON + 2 * HOUR, original, forward).sender.counts == counts(forward=1)
    assert history_at(NOON + 2 * HOUR, original, forward, reply).sender.counts == counts(forward=1)


def test_a_filed_message_counts_as_filed_until_it_is_answered():
    text = "Could you send me the numbers of the western plant before we meet with the auditors?"
    original = message(NOON, "projects", body=text)
    reply = sent(NOON + 20 * DAY, body=f"Here they are.\n> {text}")
    assert labels([original, reply])[0][0].action is Action.REPLY_LATER
    assert history_at(NOON + 10 * DAY, original).sender.counts == counts(archive=1)
    assert history_at(NOON + 10 * DAY, original, reply).sender.counts == counts(archive=1)
    assert history_at(NOON + 21 * DAY, original, reply).sender.counts == counts(reply_later=1)


def test_the_response_time_of_a_reply_counts_once_it_is_sent():
    emails = [message(NOON), sent(NOON + HOUR)]
    assert history_at(NOON + HOUR, *emails).response_to_sender is None
    after = history_at(NOON + HOUR + 1, *emails)
    assert (after.response_to_sender, after.response) == (HOUR, HOUR)


def test_junk_counts_as_received():
    assert history_at(NOON + 1, message(NOON, "junk")).received_from_sender == 1


def test_a_message_counts_as_sent_to_the_recipients_of_every_header():
    mail = [
        sent(NOON, "gas", to=[JANE, JANE]),
        sent(NOON + 1, "gas", to=[MARY], cc=[JANE]),
        sent(NOON + 2, "gas", to=[MARY], bcc=[JANE]),
        sent(NOON + 3, "gas", to=[MARY]),
    ]
    assert history_at(NOON + DAY, *mail).sent_to_sender == 3


def test_an_answer_from_before_its_original_is_not_in_the_originals_history():
    original = message(NOON, message_id="<1@x>")
    answer = sent(NOON - 5 * MINUTE, in_reply_to="<1@x>")
    moment = answer.timestamp
    found = histories([original, answer])[original.fingerprint]
    assert found == histories([msgspec.structs.replace(original, timestamp=moment)])[original.fingerprint]
    assert (found.sent_to_sender, found.conversation_sent, found.sent_last_hour) == (0, 0, 0)
    assert found.owner.counts == counts()


def test_an_answer_from_before_its_original_does_not_make_other_histories_depend_on_it():
    original = message(NOON, message_id="<1@x>")
    answer = sent(NOON - 5 * MINUTE, in_reply_to="<1@x>")
    assert history_at(NOON - MINUTE, answer).sent_to_sender == 1
    assert history_at(NOON - MINUTE, answer, original).sent_to_sender == 1


def test_messages_of_one_moment_do_not_know_of_each_other():
    emails = [message(NOON, "deleted_items", subject=str(n)) for n in range(3)]
    assert {tuple(history.owner.counts) for history in histories(emails).values()} == {(0,) * 5}


def test_the_records_are_in_time_order():
    labeled, _ = labels([message(NOON + at, "projects") for at in (5, 3, 9, 1)])
    assert [record.timestamp - NOON for record in labeled] == [1, 3, 5, 9]


# What is no mail


@pytest.mark.parametrize("folder", ["meetings", "inbox", "deleted_items"])
def test_an_entry_of_the_calendar_is_dropped_and_counted_wherever_it_lies(folder):
    assert dropped([message(NOON, folder, to=[], item="entry")]) == {"no_mail": 1}


def test_a_deleted_meeting_request_is_left_out_because_the_program_may_have_deleted_it():
    assert dropped([message(NOON, "deleted_items", item="meeting")]) == {"meeting_request": 1}
    assert dropped([message(NOON, "inbox", item="meeting", flags=["deleted"])]) == {"meeting_request": 1}


def test_what_the_owner_did_with_a_meeting_request_by_hand_is_labelled():
    assert action_of(message(NOON, "projects", item="meeting")) == Action.ARCHIVE
    assert action_of(message(NOON, "inbox", item="meeting")) is None
    answered = action_of(message(NOON, "inbox", item="meeting"), sent(NOON + HOUR))
    assert answered == Action.REPLY_NOW
