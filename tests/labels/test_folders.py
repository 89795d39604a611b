import pytest

from enron_triage.config.data import FoldersConfig
from enron_triage.labels.folders import FolderRoles, folder_action, is_sent_folder, owner_addresses, subject_action
from enron_triage.records import Action, Email


def message(folder="inbox", labels=()):
    return Email(
        path="owner-a/inbox/1.",
        user="owner-a",
        folder=folder,
        labels=list(labels),
        message_id="",
        date=None,
        timestamp=None,
        sender="jane@x.example",
        sender_name="",
        to=[],
        cc=[],
        bcc=[],
        subject="",
        raw_subject=None,
        body="",
        in_reply_to="",
        references=[],
        fingerprint="f",
        raw_sha256="s",
    )


@pytest.mark.parametrize(
    ("folder", "role"),
    [
        ("sent", "sent"),
        ("sent_items", "sent"),
        ("_sent_mail", "sent"),
        ("deleted_items", "deleted"),
        ("Trash", "deleted"),
        ("junk_file", "junk"),
        ("inbox", "inbox"),
        ("notes_inbox", "inbox"),
        ("", "inbox"),
        ("_drafts", "drafts"),
        ("all_documents", "system"),
        ("discussion_threads", "system"),
        ("calendar", "system"),
        ("to_do", "system"),
        ("projects", "filing"),
        ("sent to the printer", "filing"),
    ],
)
def test_a_folder_has_its_role_and_any_other_is_a_filing_folder(folder, role):
    assert FolderRoles(FoldersConfig()).of_folder(folder) == role


@pytest.mark.parametrize(
    ("folder", "role"),
    [
        ("deleted_items/sent", "deleted"),
        ("sent/deleted_items", "sent"),
        ("inbox/projects", "inbox"),
        ("projects/deleted_items", "deleted"),
        ("projects/2001/inbox/junk", "inbox"),
        ("projects/gas", "filing"),
    ],
)
def test_the_topmost_component_with_a_role_decides(folder, role):
    roles = FolderRoles(FoldersConfig())
    assert roles.of_folder(folder) == role
    assert roles.of_folder(folder.upper()) == role


def test_the_configured_names_replace_the_built_in_ones():
    roles = FolderRoles(FoldersConfig(deleted=("Papierkorb",)))
    assert roles.of_folder("papierkorb") == "deleted"
    assert roles.of_folder("deleted_items") == "filing"
    assert roles.of_folder("sent") == "sent"


@pytest.mark.parametrize(
    ("labels", "role"),
    [
        (["Inbox", "Important"], "inbox"),
        (["Inbox", "Receipts"], "inbox"),
        (["Trash", "Inbox"], "deleted"),
        (["Spam"], "junk"),
        (["Inbox", "Sent"], "sent"),
        (["Drafts", "Important"], "drafts"),
        (["Sent", "Trash"], "deleted"),
        (["Receipts"], "filing"),
        (["Important", "Unread"], "filing"),
    ],
)
def test_gmail_labels_take_the_part_of_folders(labels, role):
    assert FolderRoles(FoldersConfig()).of_message(message(folder="sent", labels=labels)) == role


def test_a_message_without_labels_has_the_role_of_its_folder():
    assert FolderRoles(FoldersConfig()).of_message(message(folder="deleted_items/old")) == "deleted"


def test_an_owner_address_stands_on_at_least_two_sent_messages():
    assert owner_addresses(["a@x.example", "a@x.example", "b@x.example"]) == {"a@x.example"}
    assert owner_addresses(["a@x.example"]) == frozenset()
    assert owner_addresses([]) == frozenset()


def test_an_owner_address_stands_on_at_least_two_percent_of_the_sent_messages():
    assert owner_addresses(["a@x.example"] * 98 + ["b@x.example"] * 2) == {"a@x.example", "b@x.example"}
    assert owner_addresses(["a@x.example"] * 99 + ["b@x.example"] * 2) == {"a@x.example"}
    assert owner_addresses(["a@x.example"] * 147 + ["b@x.example"] * 3) == {"a@x.example", "b@x.example"}


def test_a_missing_sender_is_nobodys_address():
    assert owner_addresses(["", "", "a@x.example", "a@x.example"]) == {"a@x.example"}


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
def test_the_folder_scheme_labels_other_mail_by_the_folder_that_it_lies_directly_in(folder, action):
    assert folder_action(folder, "Re: gas") is action
    assert not is_sent_folder(folder)
